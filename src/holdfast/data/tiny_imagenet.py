"""Tiny ImageNet (Stanford CS231n, 2015): 200 classes of 64 x 64, in its official folders.

The official test images have no public labels, so the test split is the official validation set. Classes are in the
order of their WordNet numbers and are called by their WordNet words.
"""

from pathlib import Path

import torch

from holdfast.data.image_set import ImageSet
from holdfast.data.pictures import decode, regular
from holdfast.data.request import Request
from holdfast.errors import BadLabels

FOLDER = "tiny-imagenet-200"
ADDRESS = f"http://cs231n.stanford.edu/{FOLDER}.zip"
CLASSES = 200
CHECKSUM = "90528d7ca1a48142e341f4ef8d21d0de"


def _fields(file: Path) -> list[list[str]]:
    """Return the lines of a tab-separated file, split."""
    return [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _files(folder: Path, train: bool, numbers: list[str]) -> list[tuple[str, str]]:
    """Return (file, WordNet number) of each image of a split."""
    if train:
        files = [(file, number) for number in numbers for file in sorted((folder / "train" / number).glob("images/*"))]
        return [(str(file.relative_to(folder)), number) for file, number in files if file.suffix == ".JPEG"]
    return [(f"val/images/{line[0]}", line[1]) for line in _fields(folder / "val" / "val_annotations.txt")]


def read(request: Request) -> ImageSet:
    """Return Tiny ImageNet; its few grey pictures become colour ones like the others."""
    folder = request.root / FOLDER
    if request.download and not (folder / "wnids.txt").exists():
        from torchvision.datasets.utils import download_and_extract_archive

        with request.reading(folder):
            download_and_extract_archive(ADDRESS, str(request.root), md5=CHECKSUM)
    try:
        numbers = sorted(line[0].strip() for line in _fields(folder / "wnids.txt"))
        words = {line[0]: line[-1] for line in _fields(folder / "words.txt")}
        files = _files(folder, request.train, numbers)
        if not files:
            raise request.missing(folder)
        files = [files[position] for position in request.kept(len(files)).tolist()]
        images = decode([name for name, _ in files], lambda name: regular(folder / name))
    except FileNotFoundError as fault:
        raise request.missing(folder) from fault
    label = {number: position for position, number in enumerate(numbers)}
    unknown = sorted({number for _, number in files} - label.keys())
    if unknown:
        raise BadLabels(f"{folder} labels images as {unknown[0]}, which its wnids.txt does not list")
    labels = torch.tensor([label[number] for _, number in files])
    return ImageSet(images, labels, tuple(words.get(number, number) for number in numbers))
