"""Every known set, read from small files in its official format."""

import gzip
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from holdfast.data import load
from holdfast.errors import BadImages, BadLabels, MissingData

Bytes = NDArray[np.uint8]
random = np.random.default_rng(0)


def plain(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def packed(file: Path, content: bytes) -> None:
    with gzip.open(f"{file}.gz", "wb") as opened:
        opened.write(content)


def write_idx(raw: Path, stem: str, images: Bytes, labels: Bytes, write: Callable[[Path, bytes], None]) -> None:
    raw.mkdir(parents=True, exist_ok=True)
    write(raw / f"{stem}-images-idx3-ubyte", struct.pack(">4i", 0x803, *images.shape) + images.tobytes())
    write(raw / f"{stem}-labels-idx1-ubyte", struct.pack(">2i", 0x801, len(labels)) + labels.tobytes())


@pytest.mark.parametrize("write", [plain, packed])
@pytest.mark.parametrize(("name", "title"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_idx_files_are_read_plain_or_packed_and_nothing_is_written(
    name: str, title: str, write: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    images = random.integers(0, 256, (4, 28, 28), dtype=np.uint8)
    labels = np.array([3, 9, 0, 1], np.uint8)
    raw = tmp_path / title / "raw"
    write_idx(raw, "train", images, labels, write)
    write_idx(raw, "t10k", images[:2], labels[:2], write)
    before = sorted(tmp_path.rglob("*"))
    train, test = load(name, "train", tmp_path), load(name, "test", tmp_path)
    assert torch.equal(train.images, torch.from_numpy(images)[:, None])
    assert train.labels.tolist() == [3, 9, 0, 1]
    assert torch.equal(test.images, train.images[:2])
    assert len(train.classes) == 10
    assert ("Sneaker" in train.classes) == (name == "fashion-mnist")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("write", [plain, packed])
def test_a_damaged_idx_file_is_named(write: Callable[[Path, bytes], None], tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    write_idx(raw, "train", np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.uint8), write)
    write(raw / "train-images-idx3-ubyte", struct.pack(">4i", 0x803, 2, 28, 28) + b"short")
    with pytest.raises(BadImages, match=r"^mnist, train: .*train-images-idx3-ubyte cannot be read as an idx file"):
        load("mnist", "train", tmp_path)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torchvision accept small files by their name alone, whatever their checksums."""
    for module in ("cifar", "svhn"):
        monkeypatch.setattr(f"torchvision.datasets.{module}.check_integrity", lambda file, *_: Path(file).exists())


@pytest.mark.usefixtures("unchecked")
def test_cifar10_is_read_from_its_pickles(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    images = random.integers(0, 256, (12, 3, 32, 32), dtype=np.uint8)
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    for number, name in enumerate(names):
        rows = images[2 * number : 2 * number + 2].reshape(2, -1)
        (folder / name).write_bytes(pickle.dumps({"data": rows, "labels": [number, 9 - number]}, protocol=2))
    classes = [f"thing {label}" for label in range(10)]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": classes}, protocol=2))
    train, test = load("cifar10", "train", tmp_path), load("cifar10", "test", tmp_path)
    assert torch.equal(train.images, torch.from_numpy(images[:10]))
    assert torch.equal(test.images, torch.from_numpy(images[10:]))
    assert train.labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert test.classes == tuple(classes)


@pytest.mark.usefixtures("unchecked")
def test_cifar100_is_read_from_its_pickles_with_its_fine_classes(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    images = random.integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    for name, rows, fine in (("train", images[:3], [99, 0, 7]), ("test", images[3:], [1, 98])):
        held = {"data": rows.reshape(len(rows), -1), "fine_labels": fine, "coarse_labels": [0] * len(rows)}
        (folder / name).write_bytes(pickle.dumps(held, protocol=2))
    classes = [f"thing {label}" for label in range(100)]
    held = {"fine_label_names": classes, "coarse_label_names": ["all"]}
    (folder / "meta").write_bytes(pickle.dumps(held, protocol=2))
    train, test = load("cifar100", "train", tmp_path), load("cifar100", "test", tmp_path)
    assert torch.equal(train.images, torch.from_numpy(images[:3]))
    assert torch.equal(test.images, torch.from_numpy(images[3:]))
    assert (train.labels.tolist(), test.labels.tolist()) == ([99, 0, 7], [1, 98])
    assert test.classes == tuple(classes)


def test_a_pickle_with_a_wrong_checksum_is_not_opened(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch", "batches.meta"]:
        (folder / name).write_bytes(b"not a pickle")
    with pytest.raises(MissingData, match=r"the files of cifar10 are missing or damaged in .*cifar-10-batches-py"):
        load("cifar10", "test", tmp_path)


@pytest.mark.usefixtures("unchecked")
def test_svhn_is_read_from_its_mat_files(tmp_path: Path) -> None:
    from scipy.io import savemat

    images = random.integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    labels = np.array([[10], [1], [9], [10], [4]], np.uint8)
    for split in ("train", "test"):
        savemat(tmp_path / f"{split}_32x32.mat", {"X": images.transpose(2, 3, 1, 0), "y": labels})
        found = load("svhn", split, tmp_path)
        assert torch.equal(found.images, torch.from_numpy(images))
        assert found.labels.tolist() == [0, 1, 9, 0, 4]
        assert found.images.is_contiguous()


def write_tiny_imagenet(root: Path) -> Path:
    folder = root / "tiny-imagenet-200"
    (folder / "val" / "images").mkdir(parents=True)
    (folder / "wnids.txt").write_text("n02\nn01\n")
    (folder / "words.txt").write_text("n01\tgoldfish, Carassius auratus\nn02\tEuropean fire salamander\nn03\tshark\n")
    for label, number in enumerate(("n01", "n02")):
        (folder / "train" / number / "images").mkdir(parents=True)
        for place in range(3):
            grey = Image.new("L", (64, 64), 100 * label + 10 * place)
            grey.save(folder / "train" / number / "images" / f"{number}_{place}.JPEG")
    for place, colour in enumerate(((200, 0, 0), (0, 0, 200))):
        Image.new("RGB", (64, 64), colour).save(folder / "val" / "images" / f"val_{place}.JPEG")
    lines = ["val_0.JPEG\tn02\t0\t32\t44\t62", "val_1.JPEG\tn01\t52\t55\t57\t59", ""]
    (folder / "val" / "val_annotations.txt").write_text("\n".join(lines))
    return folder


def test_tiny_imagenet_is_read_from_its_folders(tmp_path: Path) -> None:
    write_tiny_imagenet(tmp_path)
    train, test = load("tiny-imagenet", "train", tmp_path), load("tiny-imagenet", "test", tmp_path)
    assert train.classes == ("goldfish, Carassius auratus", "European fire salamander")
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert train.images[:, :, 0, 0].tolist() == [[value] * 3 for value in (0, 10, 20, 100, 110, 120)]
    assert test.labels.tolist() == [1, 0]
    assert test.images[0, 0].float().mean() > 190
    assert test.images[1, 2].float().mean() > 190
    assert len(load("tiny-imagenet", "train", tmp_path, limit=4)) == 4


def test_tiny_imagenet_names_what_does_not_fit(tmp_path: Path) -> None:
    folder = write_tiny_imagenet(tmp_path)
    (folder / "wnids.txt").write_text("n01\n")
    with pytest.raises(BadLabels, match=r"labels images as n02, which its wnids.txt does not list"):
        load("tiny-imagenet", "test", tmp_path)
    (folder / "val" / "images" / "val_1.JPEG").unlink()
    with pytest.raises(MissingData, match=r"the files of tiny-imagenet are missing or damaged in .*tiny-imagenet-200"):
        load("tiny-imagenet", "test", tmp_path)
