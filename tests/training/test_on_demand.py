"""Training on images that do not fit into memory: the same run, to the last digit, whoever makes its batches."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holdfast import CropFlip, CutMix, Run, train
from holdfast.data import on_demand, stamp
from holdfast.errors import BadValue
from holdfast.methods import AT, Kurakin, SavedImages
from holdfast.training.supply import supplied
from tests.methods.resuming import assert_same_end, stop_and_resume
from tests.training.moment import BASE
from tests.training.test_extra import published

RUN = replace(BASE, batch=6, options=(("width", 4),))


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    """Forget which sets were read: the limit of memory is no part of their names."""
    stamp._loaded.cache_clear()
    yield
    stamp._loaded.cache_clear()


def written(folder: Path) -> str:
    """Write 20 pictures of ten classes."""
    for number in range(20):
        place = folder / "train" / str(number % 10)
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return f"folder:{folder}"


OWN = """
import numpy as np
import torch


class Own(torch.utils.data.Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, place):
        pixels = np.random.default_rng(place).integers(0, 256, (3, 8, 8), np.uint8)
        return torch.from_numpy(pixels).float() / 255, place % 10


def images(split):
    return Own()
"""


def run_on(kind: str, folder: Path) -> Run:
    """Return a run on pictures, with what happens to them, or on a data set of somebody's own."""
    if kind == "own":
        (folder / "own.py").write_text(OWN)
        return replace(RUN, data=f"{folder / 'own.py'}:images", method=AT())
    changes = {"held out": Run(held_out=5, augment=CropFlip(1)), "mixed": Run(augment=CutMix())}[kind]
    run = replace(RUN, data=written(folder / "pets"), held_out=changes.held_out, augment=changes.augment)
    return replace(run, extra=published(folder / "extra.npz")) if kind == "mixed" else run


@pytest.mark.parametrize(("kind", "workers"), [("held out", 0), ("held out", 2), ("mixed", 1), ("own", 2)])
def test_a_run_on_images_that_are_not_in_memory_is_the_same(
    kind: str, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_on(kind, tmp_path)
    train(run, tmp_path / "in memory")
    stamp._loaded.cache_clear()
    monkeypatch.setattr(on_demand, "MOST_IN_MEMORY", 0)
    assert isinstance(supplied(run, None, False).whole.pixels, on_demand.ImagesOnDemand)
    train(run, tmp_path / "on demand", workers=workers)
    assert_same_end(tmp_path / "in memory", tmp_path / "on demand")
    train(run, tmp_path / "in memory")  # its images have the same name


def test_stopped_and_resumed_in_an_epoch_is_bit_identical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(
        "tests.methods.resuming.train", lambda run, folder, **more: train(run, folder, workers=1, **more)
    )
    stop_and_resume(run_on("held out", tmp_path), 2, tmp_path, monkeypatch)


def test_a_method_that_needs_all_images_at_once_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "MOST_IN_MEMORY", 0)
    run = replace(run_on("held out", tmp_path), held_out=0, epochs=1)
    saving = replace(run, method=Kurakin(adversaries=(SavedImages(run),)))
    with pytest.raises(BadValue, match=r"MiB of images do not come into memory at once"):
        train(saving, tmp_path / "saving")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("workers", [-1, 1.5])
def test_a_number_of_workers_that_is_none_is_refused(workers: int, tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="workers = "):
        train(RUN, tmp_path / "run", workers=workers)
