"""Images that are made when they are asked for are those that would be in memory, whoever makes them."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

import holdfast as hf
from holdfast.data import CropFlip, CutMix, Framing, ImageSet, RandAugment, load, on_demand
from holdfast.data.image_set import centered
from holdfast.data.joined import joined
from holdfast.data.on_demand import ImagesOnDemand
from holdfast.errors import BadImages, BadValue

FRAMING = Framing(7, (6, 5))


class Places(Dataset[Any]):
    """A data set of somebody's own, whose images are computed from their places."""

    def __init__(self, count: int = 12, scale: float = 1.0) -> None:
        self.count, self.scale = count, scale

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        if place >= self.count:
            raise IndexError(place)
        pixels = torch.from_numpy(np.random.default_rng(place).integers(0, 256, (3, 6, 5), np.uint8))
        return self.scale * pixels.float() / 255, place % 3

    def __len__(self) -> int:
        return self.count


def written(folder: Path, mode: str = "RGB", count: int = 12) -> Path:
    """Write pictures of three classes, of two sizes."""
    for number in range(count):
        place = folder / "test" / f"class {number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        shape = (9, 8 + number % 2, 3)
        picture = Image.fromarray(np.random.default_rng(number).integers(0, 256, shape, np.uint8)).convert(mode)
        picture.save(place / f"{number}.png")
    return folder


def in_zip(folder: Path) -> str:
    path = folder.with_suffix(".zip")
    with ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder).as_posix())
    return f"folder:{path}"


def framed(name: str) -> ImageSet:
    return load(name, "test", framing=FRAMING)


SETS: dict[str, Callable[[Path], ImageSet]] = {
    "folder": lambda path: framed(f"folder:{written(path)}"),
    "imagefolder": lambda path: framed(f"imagefolder:{written(path)}"),
    "grey": lambda path: framed(f"folder:{written(path, 'L')}"),
    "zip": lambda path: framed(in_zip(written(path))),
    "a part": lambda path: load(f"folder:{written(path)}", "test", limit=7, framing=FRAMING),
    "Dataset": lambda path: ImageSet.of(Places()),
    "no bytes": lambda path: ImageSet.of(Places(scale=0.7)),
    "loader": lambda path: ImageSet.of(DataLoader(Subset(Places(), [3, 1, 2]), 2)),
}


@pytest.fixture(params=SETS)
def both(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ImageSet, ImageSet]:
    """Return a set in memory, and the same one on demand."""
    inside = SETS[request.param](tmp_path / "pets")
    monkeypatch.setattr(on_demand, "MOST_IN_MEMORY", 0)
    return inside, SETS[request.param](tmp_path / "pets")


def test_sets_on_demand_are_those_in_memory(both: tuple[ImageSet, ImageSet]) -> None:
    inside, later = both
    assert isinstance(later.pixels, ImagesOnDemand)
    assert not isinstance(inside.pixels, ImagesOnDemand)
    assert (later.shape, later.classes, later.framed, len(later)) == (
        inside.shape,
        inside.classes,
        inside.framed,
        len(inside),
    )
    assert torch.equal(later.labels, inside.labels)
    assert (later.pixels.dtype, later.fingerprint) == (inside.pixels.dtype, inside.fingerprint)
    for change in (lambda data: data.subset([2, 0]), lambda data: data.split(1, 0)[0], pickled, middle):
        one, other = change(inside), change(later)
        assert torch.equal(other.take(range(len(other))), one.take(range(len(one))))
        assert one.fingerprint == other.fingerprint
    with pytest.raises(BadValue, match=r"do not come into memory at once: take\(rows\)"):
        _ = later.images


def pickled(data: ImageSet) -> ImageSet:
    found: ImageSet = pickle.loads(pickle.dumps(data))
    return found


def middle(data: ImageSet) -> ImageSet:
    return centered(data, CropFlip(size=4))


@pytest.mark.parametrize(
    "augment", [CropFlip(1), CutMix(CropFlip(1)), RandAugment()], ids=lambda each: type(each).__name__
)
def test_batches_are_the_same_whoever_makes_them(augment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = SETS["zip"](tmp_path / "pets")
    monkeypatch.setattr(on_demand, "MOST_IN_MEMORY", 0)
    later, order, state = framed(f"folder:{tmp_path / 'pets.zip'}"), torch.randperm(12), torch.get_rng_state()
    later.take([0])  # the zip is open when processes divide
    made = [
        list(data.batches(5, order, augment, 3, workers)) for data, workers in ((inside, 0), (later, 0), (later, 2))
    ]
    for one, two, three in zip(*made, strict=True):
        for other in (two, three):
            assert torch.equal(one.images, other.images)
            assert torch.equal(one.index, other.index)
            if one.mixture is not None:
                assert torch.equal(one.mixture.labels, other.mixture.labels)
            if one.view is not None:
                assert torch.equal(one.view.top, other.view.top)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("scale", [1.0, 0.7], ids=["bytes", "floats"])
def test_sets_of_which_one_is_on_demand_are_joined_as_in_memory(scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, extra = ImageSet.of(Places()), ImageSet.of(Places(5, scale))
    monkeypatch.setattr(on_demand, "MOST_IN_MEMORY", 0)
    later, rows = ImageSet.of(Places()), [3, 16, 0, 11, 12]
    for one, other in ((joined(inside, extra), joined(later, extra)), (joined(extra, inside), joined(extra, later))):
        assert torch.equal(other.take(rows), one.take(rows))
        assert (other.fingerprint, other.labels.tolist()) == (one.fingerprint, one.labels.tolist())


def test_an_audit_on_demand_is_that_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, model = written(tmp_path / "pets"), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(90, 3)).eval()
    inside = hf.audit(model, framed(f"folder:{folder}"), hf.Linf(0.01), effort="fast")
    monkeypatch.setattr(on_demand, "MOST_IN_MEMORY", 0)
    later = hf.audit(model, framed(f"folder:{folder}"), hf.Linf(0.01), effort="fast")
    assert torch.equal(later.adversarial, inside.adversarial)
    assert later.images_fingerprint == inside.images_fingerprint


class Chance(Places):
    """A data set whose images are others from some draw on."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        self.after -= 1
        image, label = super().__getitem__(place)
        return (image if self.after >= 0 else image.flip(2)), label


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Chance(after=15), "augment or change: they are others when they are drawn again, from image 2 on"),
        (DataLoader(Places(), 4, shuffle=True), "the data shuffle"),
    ],
    ids=["changes", "shuffles"],
)
def test_data_on_demand_that_change_are_refused(source: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "MOST_IN_MEMORY", 0)
    with pytest.raises(BadImages, match=words):
        ImageSet.of(source)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_changes_later_is_refused_in_one_line(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "MOST_IN_MEMORY", 0)
    later = ImageSet.of(Chance(after=25))
    with pytest.raises(BadImages, match=r"^image \d+ of the data is another when it is drawn again; [^\n]*$"):
        list(later.batches(6, workers=workers))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_is_gone_or_broken_is_named(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "pets")
    monkeypatch.setattr(on_demand, "MOST_IN_MEMORY", 0)
    later = framed(f"folder:{folder}")
    (folder / "test/class 0/3.png").write_bytes(b"nothing")
    with pytest.raises(BadImages, match=r"^test/class 0/3.png cannot be read as a PNG or JPEG picture$"):
        list(later.batches(6, workers=workers))
    (folder / "test/class 0/3.png").unlink()
    with pytest.raises(BadImages, match=r"3.png is not there: a link that leads nowhere, or deleted meanwhile$"):
        list(later.batches(6, workers=workers))
