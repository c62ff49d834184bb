"""Images made up on the spot, for runs that only show that everything works.

Each class has a smooth random pattern; an image is its class's pattern in low contrast plus noise. A network learns
them in seconds, and the contrast is low enough for attacks of the usual size to matter.
"""

import re

import torch
import torch.nn.functional as F

from holdfast.data.image_set import ImageSet
from holdfast.data.request import Request
from holdfast.errors import BadValue, require
from holdfast.rng import number

COUNTS = {"train": 256, "test": 64}
MOST_NUMBERS = 2**28
"""Pixels of all patterns and training images together: 1 GiB while they are made."""


def made_up_images(shape: tuple[int, int, int], split: str, classes: int = 10, seed: int = 0) -> ImageSet:
    """Return 256 train or 64 test images; the patterns depend on `seed` only, so both splits share them."""
    generator = torch.Generator().manual_seed(number("made up", "patterns", seed))
    coarse = torch.randn((classes, shape[0], 4, 4), generator=generator)
    patterns = F.interpolate(coarse, shape[1:], mode="bilinear", align_corners=False)
    labels = torch.arange(COUNTS[split]) % classes
    generator.manual_seed(number("made up", split, seed))
    noise = torch.randn((len(labels), *shape), generator=generator)
    images = (0.5 + 0.1 * patterns[labels] + 0.1 * noise).clamp(0, 1)
    return ImageSet((255 * images).round().byte(), labels, tuple(f"class {label}" for label in range(classes)))


def read(request: Request) -> ImageSet:
    """Return the images that `made-up:CxHxW` (10 classes) or `made-up:CxHxW:CLASSES` describes."""
    sizes = re.fullmatch(r"(\d{1,9})x(\d{1,9})x(\d{1,9})(?::(\d{1,9}))?", request.argument)
    if not sizes:
        raise BadValue(f"'{request.name}': write made-up:CxHxW or made-up:CxHxW:CLASSES, such as made-up:3x32x32")
    channels, rows, columns, classes = (int(size or 10) for size in sizes.groups())
    require(min(channels, rows, columns) >= 1, f"'{request.name}': an image has one or more channels, rows and columns")
    require(classes >= 2, f"'{request.name}': there are two or more classes")
    numbers = (COUNTS["train"] + classes) * channels * rows * columns
    require(numbers <= MOST_NUMBERS, f"'{request.name}' would take {numbers:,} numbers; at most {MOST_NUMBERS:,}")
    return made_up_images((channels, rows, columns), request.split, classes)
