"""Where images come from: a name in, an ImageSet out."""

from collections.abc import Callable
from pathlib import Path

from holdfast.data import (
    arrays,
    cifar,
    class_folders,
    corrupted,
    digits,
    folder,
    hub_sets,
    made_up,
    mnist,
    own_code,
    svhn,
    tiny_imagenet,
)
from holdfast.data.image_set import ImageSet, framed
from holdfast.data.level import LEVEL, levelled
from holdfast.data.request import Request, data_root
from holdfast.errors import BadImages, BadLabels, UnknownName, require
from holdfast.framing import Framing

SOURCES = {
    "FILE.py:FUNCTION": "what a function of yours returns for a split, train or test: a Dataset, a DataLoader or pairs",
    "cifar10": "CIFAR-10: 60,000 colour images 3x32x32, 10 classes of things and animals",
    "cifar10-c:NAME:N": "CIFAR-10-C: test images of CIFAR-10 under corruption NAME (fog, snow, ...), severity N of 5",
    "cifar100": "CIFAR-100: 60,000 colour images 3x32x32, 100 classes of things and animals",
    "cifar100-c:NAME:N": "CIFAR-100-C, likewise",
    "digits": "handwritten digits (UCI): 1,297 + 500 grey images 1x8x8, 10 classes; needs no files",
    "fashion-mnist": "Fashion-MNIST: 70,000 grey images 1x28x28, 10 classes of clothes",
    "folder:PATH": f"a folder or .zip of pictures: {folder.LAYOUT}",
    "hf:NAME": f"a data set of Hugging Face: {hub_sets.FORM}; needs the extra datasets",
    "imagefolder:PATH": f"pictures in class folders, such as ImageNet's val/: {class_folders.LAYOUT}",
    "imagenet-3dcc:NAME:N": "ImageNet-3DCC: ImageNet's validation images under corruption NAME (flash, ...), likewise",
    "imagenet-c:NAME:N": "ImageNet-C: ImageNet's validation images under corruption NAME (fog, snow, ...), likewise",
    "level:NAME": "another source, each pixel shifted so that over the training images it has the mean of its channel",
    "made-up:CxHxW": "256 + 64 random but learnable images, 10 classes (or made-up:CxHxW:CLASSES); needs no files",
    "mnist": "MNIST: 70,000 grey images 1x28x28, handwritten digits",
    "npz:PATH": "an .npz file of the arrays train_images, train_labels, test_images (or val_images), test_labels",
    "svhn": "Street View House Numbers: 99,289 colour images 3x32x32, digits",
    "tiny-imagenet": "Tiny ImageNet: 110,000 colour images 3x64x64, 200 classes; tests on its validation set",
    "tiny-imagenet-c:NAME:N": "Tiny ImageNet-C, likewise",
}
"""Every source and one line about it."""


def read_level(request: Request) -> ImageSet:
    """Return the images of another source, levelled by its training images, whatever the limit."""
    train, found = (
        load(request.argument, split, request.root, request.download, framing=request.framing)
        for split in ("train", request.split)
    )
    return levelled(found, train)


KNOWN: dict[str, Callable[[Request], ImageSet]] = {
    "cifar10": cifar.read_10,
    "cifar100": cifar.read_100,
    "digits": digits.read,
    "fashion-mnist": mnist.read_fashion,
    "mnist": mnist.read_mnist,
    "svhn": svhn.read,
    "tiny-imagenet": tiny_imagenet.read,
}
KINDS: dict[str, Callable[[Request], ImageSet]] = {
    **dict.fromkeys(corrupted.CORRUPTED, corrupted.read),
    "folder": folder.read,
    "hf": hub_sets.read,
    "imagefolder": class_folders.read,
    LEVEL: read_level,
    "made-up": made_up.read,
    "npz": arrays.read,
}
"""What reads a name that goes on after a colon."""
PICTURES = (folder.read, class_folders.read, hub_sets.read, corrupted.read, read_level)
"""What frames pictures while it reads them, one by one, whatever sizes they have."""


def _reader(name: str) -> Callable[[Request], ImageSet]:
    """Return what reads the source of this name."""
    own = own_code.read if ".py:" in name and not name.startswith(f"{LEVEL}:") else None
    reader = own or KNOWN.get(name) or KINDS.get(name.partition(":")[0])
    if reader is None:
        raise UnknownName("data set", name, SOURCES)
    return reader


def holds_pictures(name: str) -> bool:
    """Say whether a source is of pictures, which may have any size before they are framed."""
    kind, _, argument = name.partition(":")
    return holds_pictures(argument) if kind == LEVEL else KINDS.get(kind) in PICTURES


def load(
    name: str,
    split: str,
    root: str | Path | None = None,
    download: bool = False,
    limit: int | None = None,
    framing: Framing | None = None,
) -> ImageSet:
    """Return the "train" or "test" images of a source, on the CPU.

    Known sets are looked for in `root`, else in $HOLDFAST_DATA, else in ./data; `download` allows to fetch them.
    `limit` keeps the first images of one fixed random order, so that a smaller set is part of a larger one and each
    class has about its share. `framing` resizes and crops the images, such as Framing(256, 224).
    """
    if split not in ("train", "test"):
        raise UnknownName("split", split, ("train", "test"))
    require(limit is None or limit >= 1, f"limit = {limit}: expected 1 or more images")
    request = Request(name, split, data_root(root), download, limit, framing)
    reader = _reader(name)
    try:
        found = reader(request)
    except (BadImages, BadLabels) as fault:
        raise type(fault)(f"{name}, {split}: {fault}") from fault
    found = found if limit is None or limit >= len(found) else found.subset(request.kept(len(found)))
    return found if framing is None or framing.usual or reader in PICTURES else framed(found, framing)
