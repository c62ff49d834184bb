"""Names of sources, the sources without files, the limit, and what is said when a name or file is wrong."""

import os
import sys
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import holdfast.data
from holdfast.data import SOURCES, load
from holdfast.data.request import data_root
from holdfast.data.sources import KINDS, KNOWN
from holdfast.data.stamp import loaded, stamp
from holdfast.errors import BadValue, MissingData, UnknownName

FILES = {
    "cifar10": "cifar-10-batches-py",
    "cifar100": "cifar-100-python",
    "fashion-mnist": "raw",
    "mnist": "raw",
    "svhn": "",
    "tiny-imagenet": "200",
}


def test_the_public_names_are_sorted_and_exist() -> None:
    names = holdfast.data.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(hasattr(holdfast.data, name) for name in names)


def test_every_source_is_described_and_read() -> None:
    assert list(SOURCES) == sorted(SOURCES)
    assert {name.partition(":")[0] for name in SOURCES} == {"FILE.py"} | set(KNOWN) | set(KINDS)


def test_digits_are_embedded_and_divided_for_good() -> None:
    train, test = load("digits", "train"), load("digits", "test")
    assert (len(train), len(test)) == (1297, 500)
    assert train.shape == (1, 8, 8)
    assert train.images.dtype == torch.float32
    assert torch.equal(train.images * 16, (train.images * 16).round())
    assert test.labels.bincount().min() >= 48
    assert test.labels.bincount().max() <= 51
    assert test.labels[:10].tolist() == [0, 1, 4, 5, 8, 5, 6, 5, 9, 9]
    # Outcomes on disk are named by these.
    assert (train.fingerprint, test.fingerprint) == ("ee9995f40ae7", "9ebaa8aaba0c")


def test_the_embedded_digits_are_those_of_scikit_learn() -> None:
    found = load_digits()
    numbers = range(len(found.target))
    parts = train_test_split(numbers, test_size=500, stratify=found.target, random_state=0)
    for split, chosen in zip(("train", "test"), map(sorted, parts), strict=True):
        embedded = load("digits", split)
        assert torch.equal(embedded.images[:, 0] * 16, torch.from_numpy(found.images[chosen]).float())
        assert torch.equal(embedded.labels, torch.from_numpy(found.target[chosen]))


def test_digits_need_no_other_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert len(load("digits", "train")) == 1297


def test_made_up_images_are_fixed_and_learnable() -> None:
    train, test = load("made-up:3x12x10:4", "train"), load("made-up:3x12x10:4", "test")
    assert (len(train), len(test), train.shape, len(train.classes)) == (256, 64, (3, 12, 10), 4)
    assert torch.equal(load("made-up:3x12x10:4", "train").images, train.images)
    pixels = train.take(torch.arange(256)).flatten(1)
    means = torch.stack([pixels[train.labels == label].mean(0) for label in range(4)])
    nearest = torch.cdist(test.take(torch.arange(64)).flatten(1), means).argmin(1)
    assert torch.equal(nearest, test.labels)
    assert len(load("made-up:1x8x8", "test").classes) == 10


@pytest.mark.parametrize("name", ["made-up", "made-up:", "made-up:32x32", "made-up:axbxc"])
def test_made_up_images_need_a_shape(name: str) -> None:
    with pytest.raises(BadValue, match=f"'{name}': write made-up:CxHxW or .*, such as made-up:3x32x32"):
        load(name, "train")


def test_made_up_images_need_pixels_and_classes() -> None:
    with pytest.raises(BadValue, match="one or more channels"):
        load("made-up:0x8x8", "train")
    with pytest.raises(BadValue, match="two or more classes"):
        load("made-up:1x8x8:1", "train")


def test_a_limit_keeps_the_first_of_one_fixed_order() -> None:
    few, more, all_of_them = (load("digits", "train", limit=limit) for limit in (50, 200, 5000))
    assert (len(few), len(more), len(all_of_them)) == (50, 200, 1297)
    assert torch.equal(few.images, more.images[:50])
    assert torch.equal(all_of_them.images, load("digits", "train").images)
    assert more.labels.bincount(minlength=10).min() >= 8
    with pytest.raises(BadValue, match="limit = 0: expected 1 or more images"):
        load("digits", "train", limit=0)


def test_a_wrong_name_is_answered_with_the_near_one() -> None:
    with pytest.raises(UnknownName, match=r"no data set is called 'cifar-10'; did you mean 'cifar10'\?"):
        load("cifar-10", "train")
    with pytest.raises(UnknownName, match=r"no data set is called 'zzz'; known: .*cifar10, .*digits, .*folder:PATH"):
        load("zzz", "train")
    with pytest.raises(UnknownName, match="no data set is called 'mnist:8'"):
        load("mnist:8", "train")
    with pytest.raises(UnknownName, match="no split is called 'validation'; known: test, train"):
        load("digits", "validation")


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", FILES)
def test_missing_files_name_the_set_the_folder_and_the_remedies(name: str, split: str, tmp_path: Path) -> None:
    with pytest.raises(MissingData) as caught:
        load(name, split, root=tmp_path)
    line = str(caught.value)
    assert line.startswith(f"the files of {name} are missing or damaged in {tmp_path}")
    assert FILES[name] in line
    assert "--data-root" in line
    assert "--download" in line
    assert "\n" not in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
def test_a_download_that_fails_says_so_in_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route\nto host")

    for module in ("mnist", "cifar", "utils"):
        monkeypatch.setattr(f"torchvision.datasets.{module}.download_and_extract_archive", offline)
    monkeypatch.setattr("torchvision.datasets.svhn.download_url", offline)
    with pytest.raises(MissingData, match=f"{name} could not be downloaded to {tmp_path}.*: .*no route to host"):
        load(name, "train", root=tmp_path, download=True)


def test_the_root_is_given_or_from_the_environment_or_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOLDFAST_DATA", raising=False)
    assert data_root() == Path("data")
    monkeypatch.setenv("HOLDFAST_DATA", "/somewhere")
    assert data_root() == Path("/somewhere")
    assert data_root("~/images") == Path.home() / "images"


@pytest.mark.parametrize("name", ["imagefolder:{}", "hf:{}", "hf:{}:test", "level:hf:{}:test"])
def test_a_file_behind_a_link_counts_and_a_link_to_nowhere_stops_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "ant").symlink_to(tmp_path / "other")
    (tmp_path / "set" / "nowhere").symlink_to(tmp_path / "nothing")
    (tmp_path / "set" / "round").symlink_to(tmp_path / "set")
    asked = name.format(tmp_path / "set")
    before = stamp(asked)
    (tmp_path / "other" / "0.png").write_text("a picture")
    assert stamp(asked) not in (0, before)


def test_a_link_to_nowhere_in_a_folder_of_pictures_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "train" / "ant").mkdir(parents=True)
    (tmp_path / "train" / "ant" / "notes").symlink_to(tmp_path / "nothing")
    assert stamp(f"folder:{tmp_path}") != 0


def test_a_picture_that_was_written_over_is_read_again(tmp_path: Path) -> None:
    from PIL import Image

    for place in ("train/a", "train/b", "test/a"):
        (tmp_path / place).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / place / "0.png")
    asked = (f"folder:{tmp_path}", "train", tmp_path, False, None)
    assert int(loaded(*asked).images.max()) == 0
    assert loaded(*asked) is loaded(*asked)
    Image.new("L", (8, 8), 255).save(tmp_path / "train" / "a" / "0.png")
    os.utime(tmp_path / "train" / "a" / "0.png", (0, 0))  # clocks of file systems are coarse
    assert int(loaded(*asked).images.max()) == 255
