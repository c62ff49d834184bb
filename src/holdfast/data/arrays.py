"""An .npz file with the arrays train_images, train_labels, test_images and test_labels, as MedMNIST's are; or, as
`holdfast attack` writes them, images and labels, which are to be judged: a test split. Where it has neither, val_images
and val_labels are that.

Images are (n, h, w), (n, h, w, c) or (n, c, h, w), bytes or floating-point numbers in [0, 1]; those called images are
(n, c, h, w) beside an array called original, as `holdfast attack` writes it, or where the last axis is not 1 or 3. An
array called classes names the classes; without it they are numbered as far as the labels go, so a file that does not
show every class that a network knows must name them, and so must one whose training labels begin at 1.
"""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from holdfast.data.image_set import ImageSet
from holdfast.data.request import Request, expanded
from holdfast.errors import BadImages, BadLabels, BadValue, MissingData, printable, require


def read_arrays(path: Path, names: tuple[str, ...] | None = None) -> dict[str, NDArray[Any]]:
    """Load the named arrays of the file, or all; those that it lacks are left out."""
    require(path.is_file(), f"there is no file {path}; npz:PATH expects an .npz file", MissingData)
    try:
        with warnings.catch_warnings(), path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            warnings.simplefilter("ignore")  # about headers that some older version wrote
            return {name: found[name] for name in (found.files if names is None else names) if name in found.files}
    except MemoryError as fault:
        raise BadImages(f"{path} says that it holds more than memory does") from fault
    # A stranger's bytes raise errors without end: of zip, of compression, of the header's own small language.
    except Exception as fault:
        raise BadImages(f"{path} cannot be read as an .npz file of plain numbers") from fault


def _holds(path: Path, name: str) -> bool:
    """Say whether a file that could be read holds an array of this name, which is not loaded."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
        return name in found.files


def _images(array: NDArray[Any]) -> NDArray[Any]:
    """Return images with four axes, bytes or float32."""
    allowed = array.dtype == np.uint8 or np.issubdtype(array.dtype, np.floating)
    require(allowed, f"images are {array.dtype}; expected uint8, or floating-point numbers in [0, 1]", BadImages)
    kept = array if array.dtype == np.uint8 else array.astype(np.float32)
    if kept.ndim == 3:
        kept = kept[:, None]
    require(kept.ndim == 4, f"images have shape {array.shape}; expected (n, h, w), with channels or not", BadImages)
    return kept


def _channels_second(images: NDArray[Any]) -> NDArray[Any]:
    """Return images as (n, c, h, w); the channels are the shorter of the second and last axis."""
    second, last = images.shape[1], images.shape[3]
    volumes = f"images have shape {images.shape}: volumes, and holdfast reads flat images"
    require(not (second == last == images.shape[2] > 4), volumes, BadImages)
    require(second != last, f"images have shape {images.shape}: which axis holds the channels?", BadImages)
    return images.transpose(0, 3, 1, 2) if last < second else images


WRITTEN = ("images", "labels")
"""The arrays that `holdfast attack` writes; the images as (n, c, h, w)."""
ORIGINAL = "original"
"""The array that it writes beside them: the images before the attack."""
HELD_OUT = ("val_images", "val_labels")
GENERATED = ("image", "label")
"""The arrays of published files of generated images, which are to be trained on."""
MOST_CLASSES = 1_000_000
"""More are a mistake: -1 written without a sign, say."""


def as_images(array: NDArray[Any], written: bool) -> NDArray[Any]:
    """Return images as (n, c, h, w), bytes or float32; those that were `written` by holdfast lie so already.

    Raises:
        BadImages: they are of another type or shape.
    """
    images = _images(array)
    return images if written or array.ndim == 3 else _channels_second(images)


def channels_first(images: NDArray[Any], attacked: bool) -> bool:
    """Say whether an array called images is taken as (n, c, h, w): where it was `attacked`, or must be."""
    return attacked or images.shape[-1:] not in ((1,), (3,))


def _labels(array: NDArray[Any]) -> Tensor:
    """Return labels as int64, shape (n,); a second axis of length 1 is dropped."""
    require(np.issubdtype(array.dtype, np.integer), f"labels are {array.dtype}; expected whole numbers", BadLabels)
    one_column = array.ndim == 2 and array.shape[1] == 1
    several = f"labels have shape {array.shape}; expected one class an image: take argmax(1) if they are one-hot; "
    several += "several classes an image (multi-label) cannot be audited"
    require(array.ndim == 1 or one_column, several, BadLabels)
    return torch.from_numpy((array[:, 0] if one_column else array).astype(np.int64))


def _classes(path: Path, labels: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """Return the names of the classes, or numbers as far as the labels of all splits go; `labels` by their arrays."""
    try:
        named = read_arrays(path, ("classes",))
    except BadImages as fault:
        raise BadLabels(f"{path}: the array classes cannot be read: write the names as text, not as objects") from fault
    if named:
        shape = named["classes"].shape
        require(len(shape) == 1, f"{path}: classes have shape {shape}; expected a row of names", BadLabels)
        return tuple(map(_text, named["classes"].tolist()))
    shown = labels.get("train_labels", np.zeros(0))
    remedy = "subtract 1 from all labels, or name the classes, class 0 too, in an array called classes"
    from_one = f"{path}: train_labels begin at 1, but classes count from 0: {remedy}"
    require(not (shown.size and shown.min() == 1), from_one, BadLabels)
    highest = max((int(each.max(initial=0)) for each in labels.values()), default=0)
    require(highest < MOST_CLASSES, f"{path} has a label {highest}: classes count from 0", BadLabels)
    return tuple(str(label) for label in range(highest + 1))


def _text(name: object) -> str:
    """Return the name of a class as one line of text."""
    return printable(name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name))


def read(request: Request) -> ImageSet:
    """Return one split, with the same classes as the other's."""
    require(bool(request.argument), f"'{request.name}' names no path; write npz:PATH", BadValue)
    path = expanded(request.argument)
    wanted = (f"{request.split}_images", f"{request.split}_labels")
    found = read_arrays(path, (wanted[0], "train_labels", "test_labels", HELD_OUT[1]))
    if request.split == "test" and wanted[0] not in found and (written := read_arrays(path, WRITTEN)):
        found, wanted = written, WRITTEN
    elif request.split == "test" and wanted[0] not in found and HELD_OUT[1] in found:
        logging.getLogger("holdfast").warning("holdfast: %s has no test_images: val_images are read", path)
        found, wanted = found | read_arrays(path, HELD_OUT), HELD_OUT
    elif request.split == "train" and not found and (generated := read_arrays(path, GENERATED)):
        found = {own: generated[name] for own, name in zip(wanted, GENERATED, strict=True) if name in generated}
    absent = [name for name in wanted if name not in found]
    require(not absent, f"{path} has no array called {' or '.join(absent)}", MissingData)
    labels = {name: _labels(found[name]) for name in found if name.endswith("labels")}
    in_second = wanted == WRITTEN and channels_first(found[wanted[0]], _holds(path, ORIGINAL))
    images = as_images(found[wanted[0]], in_second)
    classes = _classes(path, {name: found[name] for name in labels})
    return ImageSet(torch.from_numpy(np.ascontiguousarray(images)), labels[wanted[1]], classes)
