"""How pictures of any size become images of one: resized, then cropped to their middle, as torchvision does it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from holdfast.fields import Count, check_fields

Sides = Count | tuple[Count, Count]
"""One number, or (rows, columns)."""
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
"""As Pillow calls them."""


@dataclass(frozen=True)
class Framing:
    """Resizing, and a crop of the middle."""

    size: Sides | None = None
    """The shorter side after resizing, or (rows, columns) whatever shape the picture has; None: not resized."""
    crop: Sides | None = None
    """The side of the square in the middle that is kept, or its (rows, columns); None: all of it."""
    interpolation: Interpolation = "bilinear"
    usual: bool = False
    """Whether nobody asked for it: pictures that all have the size that comes out are left alone then."""

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, picture: Image.Image) -> Image.Image:
        """Return the picture, framed; what the crop needs beyond its edges is black."""
        from torchvision.transforms import InterpolationMode, functional

        framed = picture
        if self.size is not None:
            sides = [self.size] if isinstance(self.size, int) else list(self.size)
            framed = functional.resize(framed, sides, InterpolationMode(self.interpolation))
        return framed if self.crop is None else functional.center_crop(framed, list(_both(self.crop)))

    def __str__(self) -> str:
        words = []
        if self.size is not None:
            sides = f"shorter side {self.size}" if isinstance(self.size, int) else "{} x {}".format(*self.size)
            words.append(f"resized to {sides} ({self.interpolation})")
        if self.crop is not None:
            words.append("cropped to the middle {} x {}".format(*_both(self.crop)))
        return ", ".join(words)

    @property
    def seen(self) -> tuple[int, int] | None:
        """The (rows, columns) that come out; None where they depend on the picture."""
        if self.crop is not None:
            return _both(self.crop)
        return None if self.size is None or isinstance(self.size, int) else self.size

    def needed_by(self, sizes: set[tuple[int, int]]) -> bool:
        """Say whether pictures of these (rows, columns) are to be framed."""
        return str(self) != "" and not (self.usual and sizes == {self.seen})


def framed_pixels(images: Tensor, framing: Framing) -> Tensor:
    """Return bytes of shape (n, c, h, w), grey or colour, framed as pictures are."""
    pictures = (Image.fromarray(each.permute(1, 2, 0).squeeze(2).numpy()) for each in images.cpu())
    arrays = (torch.from_numpy(np.array(framing(picture))) for picture in pictures)
    found = torch.stack([array[None] if array.ndim == 2 else array.permute(2, 0, 1) for array in arrays])
    return found.to(images.device)


def _both(sides: Sides) -> tuple[int, int]:
    return (sides, sides) if isinstance(sides, int) else sides
