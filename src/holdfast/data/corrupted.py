"""Test images under common corruptions (Hendrycks and Dietterich, 2019; Kar et al., 2022), in their official files.

`cifar10-c:fog:3` are the test images in fog of severity 3. Of CIFAR, a file holds all five severities one after the
other, and labels.npy the labels as often. Of ImageNet, CORRUPTION/SEVERITY/CLASS/ holds pictures of 224 x 224; it may
lie in a folder more (noise/, blur/ and so on). Tiny ImageNet's classes are in the order that `tiny-imagenet` trains on:
that of their WordNet numbers, of all that its wnids.txt lists, where that is in the data root, else of those there are.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from holdfast.data import tiny_imagenet
from holdfast.data.class_folders import LISTED, imagenet_classes, labelled, pictures_by_class
from holdfast.data.image_set import ImageSet
from holdfast.data.labelled_pictures import labelled_pictures
from holdfast.data.pictures import InFolder
from holdfast.data.request import Request
from holdfast.errors import BadImages, BadLabels, BadValue, MissingData, UnknownName, require

MAIN = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur",
    "snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression",
)  # fmt: skip
"""The fifteen that means are taken over; the others are extra."""
SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corrupted:
    """A data set under corruptions."""

    folder: str
    """Its folder, in that of the known sets."""
    read: Callable[[Path, Request, str, int], ImageSet]
    classes: tuple[str, ...] = ()
    """The names of its classes; empty: those of Tiny ImageNet."""


def read(request: Request) -> ImageSet:
    """Return the test images under one corruption of one severity."""
    name, _, words = request.name.partition(":")
    corruption, _, severity = words.partition(":")
    form = f"'{request.name}': write {name}:CORRUPTION:SEVERITY, such as {name}:fog:3; --threat corruptions takes all"
    require(corruption != "" and severity in map(str, SEVERITIES), form, BadValue)
    require(not request.train, f"{request.name} has test images alone", MissingData)
    if corruption not in (there := corruptions_of(name, request.root)):
        raise UnknownName(f"corruption of {name}", corruption, there)
    kind = CORRUPTED[name]
    return kind.read(request.root / kind.folder, request, corruption, int(severity))


def corruptions_of(name: str, root: Path) -> tuple[str, ...]:
    """Return the corruptions of a set whose files are there: the main ones first, in their usual order."""
    if name not in CORRUPTED:
        raise UnknownName("data set under corruptions", name, CORRUPTED)
    folder = root / CORRUPTED[name].folder
    there = {path.stem for path in folder.glob("*.npy")} - {"labels"} or set(_places(folder))
    words = f"the files of {name} are missing in {folder}: name the folder that holds it with --data-root"
    require(bool(there), words, MissingData)
    return (*(each for each in MAIN if each in there), *sorted(there - set(MAIN)))


def usual_of(name: str, root: Path) -> tuple[str, ...]:
    """Return the main corruptions whose files are there; all that are there where none of those is."""
    there = corruptions_of(name, root)
    return tuple(each for each in there if each in MAIN) or there


def _places(folder: Path) -> Mapping[str, Path]:
    """Return the folders of corruptions by name: those with a folder for a severity."""
    depths = [*folder.glob("*"), *folder.glob("*/*")]
    return {path.name: path for path in depths if any((path / str(severity)).is_dir() for severity in SEVERITIES)}


def _from_arrays(folder: Path, request: Request, corruption: str, severity: int) -> ImageSet:
    images, labels = (_array(folder / f"{stem}.npy") for stem in (corruption, "labels"))
    shape, count = images.shape, len(images) // len(SEVERITIES)
    fits = len(shape) == 4 and shape[3] == 3 and images.dtype == np.uint8 and len(images) == count * len(SEVERITIES) > 0
    words = f"{corruption}.npy holds {images.dtype} of shape {shape}; expected uint8 (5 n, rows, columns, 3)"
    require(fits, words, BadImages)
    given = f"labels.npy holds {labels.dtype} of shape {labels.shape}; expected {len(images)} whole numbers, as images"
    require(labels.shape == shape[:1] and np.issubdtype(labels.dtype, np.integer), given, BadLabels)
    kept = (severity - 1) * count + request.kept(count).numpy()
    pixels = torch.from_numpy(np.ascontiguousarray(images[kept].transpose(0, 3, 1, 2)))
    chosen = torch.from_numpy(labels[kept].astype(np.int64))
    return ImageSet(pixels, chosen, CORRUPTED[request.name.partition(":")[0]].classes)


def _array(path: Path) -> NDArray[Any]:
    """Return an array of a file, of which only those rows are read that are looked at."""
    try:
        found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as fault:
        raise MissingData(f"there is no {path}") from fault
    except Exception as fault:  # a stranger's bytes raise errors without end
        raise BadImages(f"{path} cannot be read as an .npy file of plain numbers") from fault
    return found


def _from_folders(folder: Path, request: Request, corruption: str, severity: int) -> ImageSet:
    place = _places(folder)[corruption] / str(severity)
    require(place.is_dir(), f"there is no {place}", MissingData)
    of_class, classes = pictures_by_class(place), CORRUPTED[request.name.partition(":")[0]].classes
    require(bool(of_class), f"{place} has no pictures in class folders", MissingData)
    known = classes or _of_tiny_imagenet(request.root, of_class)
    unknown = sorted(of_class.keys() - set(known))
    words = f"{place}: {', '.join(unknown[:3])} is no WordNet number of the {len(known):,} classes"
    require(not unknown, words, BadLabels)
    label: Mapping[str, int] = {name: number for number, name in enumerate(classes)}
    if not classes:  # a part of ImageNet's classes, and not to be labelled as one
        label, classes = labelled(sorted(of_class), known)
    paths = [(str(path), label[name]) for name in sorted(of_class) for path in sorted(of_class[name])]
    pictures, labels = [path for path, _ in paths], [number for _, number in paths]
    return labelled_pictures(request, pictures, InFolder(place), labels, classes)


def _of_tiny_imagenet(root: Path, there: Iterable[str]) -> tuple[str, ...]:
    """Return the WordNet numbers of its classes: those that its own files list, else those that are `there`."""
    listed, found = root / tiny_imagenet.FOLDER / LISTED, tuple(there)
    if listed.is_file():
        return tuple(listed.read_text(encoding="utf-8").split())
    if len(found) < tiny_imagenet.CLASSES:
        words = "holdfast: labels are those of the %d classes there are; %s would say which of %d they are"
        logging.getLogger("holdfast").warning(words, len(found), listed, tiny_imagenet.CLASSES)
    return found


CORRUPTED: Mapping[str, Corrupted] = {
    "cifar10-c": Corrupted("CIFAR-10-C", _from_arrays, tuple(map(str, range(10)))),
    "cifar100-c": Corrupted("CIFAR-100-C", _from_arrays, tuple(map(str, range(100)))),
    "imagenet-3dcc": Corrupted("ImageNet-3DCC", _from_folders, imagenet_classes()),
    "imagenet-c": Corrupted("ImageNet-C", _from_folders, imagenet_classes()),
    "tiny-imagenet-c": Corrupted("Tiny-ImageNet-C", _from_folders),
}
"""The sets under corruptions, by name."""
