"""What one entry of a person's data holds: images and their labels, as a pair, a named tuple or a dict."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from holdfast.data.arrays import as_images
from holdfast.data.pictures import GREY, check_kind, in_colour
from holdfast.errors import BadImages, BadLabels, require, shown

IMAGES = ("image", "images", "img", "pixel_values")
LABELS = ("label", "labels", "fine_label")
"""What a dict or named tuple may call them; the first name that is there is taken."""


class Part(NamedTuple):
    """Some labelled images."""

    images: Tensor
    """Shape (n, c, h, w): bytes, or float32 as they were given."""
    labels: Tensor
    """Shape (n,), int64."""
    grey: bool = False
    """Whether they were grey pictures, which have three equal channels here."""
    beside: str = ""
    """What else the entry held, which is not read."""


def part_of(entry: Any) -> Part:
    """Return the images and labels of an entry, one image or a batch.

    Raises:
        BadImages, BadLabels: it is no pair, or holds images or labels of another kind.
    """
    images, labels, beside = _taken_apart(entry)
    found = _labels(labels)
    single = found.ndim == 0 or (found.numel() == 1 and np.ndim(images) <= 3)
    pixels, grey = _pixels(images, single)
    found = found.reshape(-1) if found.ndim == 0 or found.shape[1:] == (1,) else found
    shape = tuple(found.shape)
    several = "take argmax(1) if they are one-hot; several classes an image (multi-label) cannot be audited"
    require(found.ndim == 1, f"labels have shape {shape}; expected one an image: {several}", BadLabels)
    words = f"an entry has {len(pixels)} images and {len(found)} labels; expected one label an image"
    require(len(pixels) == len(found), words, BadLabels)
    return Part(pixels, found, grey, beside)


def _taken_apart(entry: Any) -> tuple[Any, Any, str]:
    """Return images, labels, and in words what else there is."""
    named = entry._asdict() if hasattr(entry, "_asdict") else entry
    if isinstance(named, Mapping):
        images, labels = (next((name for name in names if name in named), None) for names in (IMAGES, LABELS))
        if images is not None and labels is not None:
            return named[images], named[labels], ""
        if named is entry:
            said = ", ".join(map(str, named)) or "none"
            wanted = f"one of {', '.join(IMAGES)} and one of {', '.join(LABELS)}"
            raise BadImages(f"an entry of the data is a dict with the keys {said}; expected {wanted}")
    if isinstance(entry, Sequence) and not isinstance(entry, str | bytes) and len(entry) >= 2:
        beside = f"{len(entry) - 2} more than images and labels" if len(entry) > 2 else ""
        return entry[0], entry[1], beside
    raise BadImages(f"an entry of the data is {_kind(entry)}; expected a pair (images, labels), or a dict of them")


def _pixels(given: Any, single: bool) -> tuple[Tensor, bool]:
    """Return images as (n, c, h, w), bytes or float32, and whether they were grey pictures."""
    if isinstance(given, Image.Image):
        return _picture(given), given.mode in GREY
    if isinstance(given, list | tuple) and given:
        each = [_pixels(image, True) for image in given]
        sizes = {tuple(image.shape[1:]) for image, _ in each}
        require(len(sizes) == 1, f"a batch has images of the shapes {shown(sorted(sizes))}; expected one", BadImages)
        return torch.cat([image for image, _ in each]), all(grey for _, grey in each)
    if isinstance(given, np.ndarray):
        given = torch.from_numpy(np.ascontiguousarray(as_images(given[None] if single else given, False)))
        single = False
    require(isinstance(given, Tensor), f"the images of an entry are {_kind(given)}; expected tensors", BadImages)
    return _tensor(given, single), False


def _tensor(given: Tensor, single: bool) -> Tensor:
    """Return a tensor of images with four axes on the CPU."""
    shape = tuple(given.shape)
    images = given.detach().cpu()
    if single and images.ndim in (2, 3):
        images = images[None, None] if images.ndim == 2 else images[None]
    require(images.ndim == 4, f"images have shape {shape}; expected (c, h, w), or (n, c, h, w) in a batch", BadImages)
    last = images.shape[1] > 4 and images.shape[3] in (1, 3)
    require(not last, f"images have shape {shape}, with the channels last: permute them to (c, h, w)", BadImages)
    if images.dtype == torch.uint8:
        return images
    words = f"images are {images.dtype}; expected uint8, or floating-point numbers in [0, 1]"
    require(images.is_floating_point(), words, BadImages)
    return images.float()


def _picture(picture: Image.Image) -> Tensor:
    """Return a picture as bytes (1, 3, h, w); transparency is dropped."""
    check_kind("a picture", picture)
    return torch.from_numpy(np.array(in_colour(picture))).permute(2, 0, 1)[None]


def _labels(given: Any) -> Tensor:
    """Return labels as int64 on the CPU."""
    try:
        found = torch.as_tensor(given).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as fault:
        raise BadLabels(f"the labels of an entry are {shown(given)}; expected whole numbers from 0") from fault
    words = f"labels are {found.dtype}; expected whole numbers from 0"
    require(not found.is_floating_point() and not found.is_complex(), words, BadLabels)
    return found.long()


def _kind(given: object) -> str:
    return f"{'an' if type(given).__name__[0] in 'aeiouAEIOU' else 'a'} {type(given).__name__}"
