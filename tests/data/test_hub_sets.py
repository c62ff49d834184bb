"""Data sets that Hugging Face's library wrote, or reads from a folder; nothing is fetched in tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data import Framing, load
from holdfast.errors import BadImages, BadLabels, BadValue, HoldfastError, MissingData, UnknownName

datasets = pytest.importorskip("datasets", reason="the extra datasets is not installed")

RANDOM = np.random.default_rng(0)
PIXELS = [RANDOM.integers(0, 256, (5, 6, 3), np.uint8) for _ in range(4)]


def split_of(labels: list[int], image: str = "image", label: str = "label", **others: Any) -> Any:
    features = datasets.Features(
        {image: datasets.Image(), label: datasets.ClassLabel(names=["ant", "bee", "cat"]), **others}
    )
    held = {image: [Image.fromarray(each) for each in PIXELS[: len(labels)]], label: labels}
    return datasets.Dataset.from_dict(held | {name: [0] * len(labels) for name in others}, features=features)


def written(path: Path, **splits: Any) -> str:
    datasets.DatasetDict(splits).save_to_disk(str(path / "set"))
    return f"hf:{path / 'set'}"


@pytest.mark.parametrize(("image", "label"), [("image", "label"), ("img", "fine_label"), ("picture", "kind")])
def test_columns_are_found_by_their_types(image: str, label: str, tmp_path: Path) -> None:
    name = written(tmp_path, train=split_of([0, 1], image, label), test=split_of([2, 0, 1, 2], image, label))
    found = load(name, "test")
    assert torch.equal(found.images, torch.stack([torch.from_numpy(each).permute(2, 0, 1) for each in PIXELS]))
    assert (found.labels.tolist(), found.classes) == ([2, 0, 1, 2], ("ant", "bee", "cat"))
    assert len(load(name, "train")) == len(load(f"{name}:train", "test")) == 2
    assert load(name, "test", framing=Framing((4, 4))).shape == (3, 4, 4)


def test_of_several_columns_of_labels_the_usual_one_is_taken(tmp_path: Path) -> None:
    coarse = datasets.ClassLabel(names=["animal", "thing"])
    found = load(written(tmp_path, test=split_of([2, 1], "img", "fine_label", coarse_label=coarse)), "test")
    assert found.classes == ("ant", "bee", "cat")


def test_a_test_split_without_labels_leaves_the_work_to_validation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = written(tmp_path, test=split_of([-1, -1]), validation=split_of([2, 1, 0]))
    assert load(name, "test").labels.tolist() == [2, 1, 0]
    assert "split test has no labels (-1): validation is read" in caplog.text
    with pytest.raises(BadLabels, match=r"split test has no labels \(-1\): name another, as in hf:NAME"):
        load(f"{name}:test", "test")


def test_one_dataset_is_both_splits_and_a_line_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    split_of([2, 0, 1]).save_to_disk(str(tmp_path / "one"))
    for split in ("train", "test"):
        caplog.clear()
        assert load(f"hf:{tmp_path / 'one'}", split).labels.tolist() == [2, 0, 1]
        assert "no splits" in caplog.text


def test_a_folder_that_the_library_reads_is_read(tmp_path: Path) -> None:
    for label, name in enumerate(("ant", "bee")):
        (tmp_path / "set" / "test" / name).mkdir(parents=True)
        Image.new("L", (6, 5), 100 * label).save(tmp_path / "set" / "test" / name / "0.png")
    found = load(f"hf:{tmp_path / 'set'}", "test")
    assert (found.shape, found.classes, found.images.amax((1, 2, 3)).tolist()) == ((1, 5, 6), ("ant", "bee"), [0, 100])


@pytest.mark.parametrize(
    ("asked", "split", "kind", "words"),
    [
        ("{}", "train", MissingData, r"has no split for 'train', but test: write hf:NAME or hf:NAME:SPLIT"),
        ("{}:tset", "test", UnknownName, r"called 'tset'; did you mean 'test'\?"),
        ("hf:", "test", BadValue, "names no data set; write hf:NAME"),
        ("hf:nobody/nothing", "test", MissingData, r"hf:nobody/nothing cannot be read: .*fetch it with --download"),
    ],
)
def test_names_that_lead_nowhere_are_one_line(
    asked: str, split: str, kind: type[HoldfastError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words) as caught:
        load(asked.format(written(tmp_path, test=split_of([0, 1]))), split)
    assert "\n" not in str(caught.value)


def test_columns_of_other_types_are_listed(tmp_path: Path) -> None:
    plain = datasets.Dataset.from_dict({"text": ["a"], "label": [0]})
    with pytest.raises(BadLabels, match=r"columns are text \(Value\), label \(Value\); one column of"):
        load(written(tmp_path, test=plain), "test")


def test_pictures_of_several_sizes_name_the_way_out(tmp_path: Path) -> None:
    PIXELS[0], kept = PIXELS[0][:3], PIXELS[0]
    try:
        name = written(tmp_path, test=split_of([0, 1]))
    finally:
        PIXELS[0] = kept
    with pytest.raises(BadImages, match=r"is 5x6, but .* is 3x6: .*--resize and --crop"):
        load(name, "test")
