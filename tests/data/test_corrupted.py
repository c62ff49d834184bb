"""Test sets under corruptions, from small files in their official layouts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data import load
from holdfast.data.corrupted import MAIN, corruptions_of
from holdfast.errors import BadImages, BadLabels, BadValue, HoldfastError, MissingData, UnknownName

FISH, DOG = "n01440764", "n02099601"
TINY = ("n02124075", "n01443537", "n07920052", "n01629819")
"""Classes of Tiny ImageNet, in the order of its file; they are ImageNet's too."""


def write_cifar(root: Path, name: str = "CIFAR-10-C", count: int = 4, **others: Any) -> Path:
    """Write fog and blur, whose pixels are ten times the severity, and the labels five times over."""
    folder = root / name
    folder.mkdir(parents=True)
    levels = np.repeat(np.arange(1, 6, dtype=np.uint8), count)
    images = np.broadcast_to(10 * levels[:, None, None, None], (5 * count, 32, 32, 3))
    held = {"fog": images, "gaussian_blur": images, "labels": np.tile(np.arange(count, dtype=np.uint8), 5)} | others
    for stem, array in held.items():
        np.save(folder / f"{stem}.npy", array)
    return root


def write_imagenet(root: Path, place: str, name: str = "ImageNet-C", classes: tuple[str, ...] = (FISH, DOG)) -> Path:
    """Write severities 1 and 5, whose pixels are ten times the severity."""
    for severity in (1, 5):
        for each in classes:
            folder = root / name / place / str(severity) / each
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8), (10 * severity, 0, 0)).save(folder / "ILSVRC2012_val_00000001.JPEG", "PNG")
    return root


@pytest.mark.parametrize(
    ("name", "folder", "classes"), [("cifar10-c", "CIFAR-10-C", 10), ("cifar100-c", "CIFAR-100-C", 100)]
)
def test_a_severity_is_a_fifth_of_the_file(name: str, folder: str, classes: int, tmp_path: Path) -> None:
    write_cifar(tmp_path, folder)
    for severity in (1, 3, 5):
        found = load(f"{name}:fog:{severity}", "test", tmp_path)
        assert (found.shape, found.labels.tolist(), len(found.classes)) == ((3, 32, 32), [0, 1, 2, 3], classes)
        assert found.images.unique().tolist() == [10 * severity]


def test_channels_are_where_they_belong_and_a_limit_keeps_the_same_images(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), np.uint8)
    write_cifar(tmp_path, count=6, fog=images)
    whole = load("cifar10-c:fog:2", "test", tmp_path)
    assert torch.equal(whole.images, torch.from_numpy(images[6:12]).permute(0, 3, 1, 2))
    few = [load(f"cifar10-c:fog:{severity}", "test", tmp_path, limit=3) for severity in (2, 4)]
    assert few[0].labels.tolist() == few[1].labels.tolist()
    assert torch.equal(few[0].images, whole.images[few[0].labels])


@pytest.mark.parametrize("place", ["fog", "weather/fog"])
@pytest.mark.parametrize(("name", "folder"), [("imagenet-c", "ImageNet-C"), ("imagenet-3dcc", "ImageNet-3DCC")])
def test_folders_are_labelled_by_imagenet_s_classes(place: str, name: str, folder: str, tmp_path: Path) -> None:
    write_imagenet(tmp_path, place, folder)
    found = load(f"{name}:fog:5", "test", tmp_path)
    assert (found.labels.tolist(), len(found.classes)) == ([0, 207], 1000)
    assert found.images[:, 0].unique().tolist() == [50]


def test_tiny_imagenet_s_classes_are_its_own_in_the_order_of_its_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_imagenet(tmp_path, "fog", "Tiny-ImageNet-C", TINY[:3])
    found = load("tiny-imagenet-c:fog:1", "test", tmp_path)
    assert (found.classes, found.labels.tolist()) == (tuple(sorted(TINY[:3])), [0, 1, 2])
    assert "of 200" in caplog.text
    (tmp_path / "tiny-imagenet-200").mkdir()
    listed = tmp_path / "tiny-imagenet-200" / "wnids.txt"
    listed.write_text("\n".join(TINY))
    found = load("tiny-imagenet-c:fog:1", "test", tmp_path)
    assert (found.classes, found.labels.tolist()) == (tuple(sorted(TINY)), [0, 2, 3])
    listed.write_text("\n".join(TINY[1:]))
    with pytest.raises(BadLabels, match=TINY[0]):
        load("tiny-imagenet-c:fog:1", "test", tmp_path)


def test_the_corruptions_that_are_there_are_listed_the_main_ones_first(tmp_path: Path) -> None:
    assert len(MAIN) == len(set(MAIN)) == 15
    write_cifar(tmp_path, brightness=np.zeros(0), contrast=np.zeros(0))
    assert corruptions_of("cifar10-c", tmp_path) == ("fog", "brightness", "contrast", "gaussian_blur")
    write_imagenet(tmp_path, "noise/shot_noise")
    assert corruptions_of("imagenet-c", write_imagenet(tmp_path, "fog")) == ("shot_noise", "fog")


@pytest.mark.parametrize(
    ("asked", "kind", "words"),
    [
        ("cifar10-c", BadValue, "write cifar10-c:CORRUPTION:SEVERITY, such as cifar10-c:fog:3; --threat corruptions"),
        ("cifar10-c:fog", BadValue, "'cifar10-c:fog': write cifar10-c:CORRUPTION:SEVERITY"),
        ("cifar10-c:fog:6", BadValue, "'cifar10-c:fog:6': write"),
        ("cifar10-c:frog:3", UnknownName, r"no corruption of cifar10-c is called 'frog'; did you mean 'fog'\?"),
        ("cifar100-c:fog:3", MissingData, r"the files of cifar100-c are missing in .*CIFAR-100-C: .*--data-root"),
        ("imagenet-c:fog:3", MissingData, r"there is no .*ImageNet-C/fog/3"),
    ],
)
def test_names_that_lead_nowhere_are_one_line(
    asked: str, kind: type[HoldfastError], words: str, tmp_path: Path
) -> None:
    write_imagenet(write_cifar(tmp_path), "fog")
    with pytest.raises(kind, match=words):
        load(asked, "test", tmp_path)


def test_there_are_no_training_images(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="cifar10-c:fog:1 has test images alone"):
        load("cifar10-c:fog:1", "train", write_cifar(tmp_path))


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        ({"fog": np.zeros((21, 32, 32, 3), np.uint8)}, BadImages, r"fog.npy holds uint8 of shape \(21, 32, 32, 3\)"),
        ({"fog": np.zeros((20, 3, 32, 32), np.uint8)}, BadImages, r"\(20, 3, 32, 32\); expected uint8 \(5 n, rows"),
        ({"fog": np.zeros((20, 32, 32, 3))}, BadImages, r"fog.npy holds float64"),
        ({"labels": np.zeros(4, np.uint8)}, BadLabels, r"labels.npy holds uint8 of shape \(4,\); expected 20 whole"),
        ({"labels": np.full(20, 10)}, BadLabels, r"labels are in \[10, 10\]; 10 classes"),
    ],
)
def test_files_of_another_shape_are_named(changed: Any, kind: type[HoldfastError], words: str, tmp_path: Path) -> None:
    with pytest.raises(kind, match=words):
        load("cifar10-c:fog:1", "test", write_cifar(tmp_path, **changed))


def test_damaged_files_and_strange_folders_are_named(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    (tmp_path / "CIFAR-10-C" / "fog.npy").write_bytes(b"<html>")
    with pytest.raises(BadImages, match=r"fog.npy cannot be read as an .npy file"):
        load("cifar10-c:fog:1", "test", tmp_path)
    (tmp_path / "CIFAR-10-C" / "labels.npy").unlink()
    with pytest.raises(MissingData, match=r"there is no .*labels.npy"):
        load("cifar10-c:gaussian_blur:1", "test", tmp_path)
    write_imagenet(tmp_path, "fog", classes=(FISH, "n00000001"))
    with pytest.raises(BadLabels, match=r"fog/1: n00000001 is no WordNet number of the 1,000"):
        load("imagenet-c:fog:1", "test", tmp_path)
