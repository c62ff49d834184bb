"""Random crops and flips of a whole batch at once, on its device, and the way back.

A view says where in the picture each crop begins (negative: in the zero padding) and whether it is mirrored. What is
computed in the crop's frame can so be kept in the picture's own frame, whatever crop the next epoch draws.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.data.image_set import Augmentation, ImageSet
from holdfast.errors import BadValue, require
from holdfast.fields import check_fields
from holdfast.rng import Stream
from holdfast.types import Batch, Flags, Images, Index, View


def _gather(source: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return source[:, :, rows, columns] of each image, and where that lies inside the source."""
    height, width = source.shape[2:]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    place = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    place = place.flatten(1)[:, None].expand(-1, source.shape[1], -1)
    found = source.flatten(2).gather(2, place)
    return found.reshape(*source.shape[:2], *inside.shape[1:]), inside[:, None]


def _mirrored(columns: Tensor, flipped: Flags, width: int) -> Tensor:
    """Count the columns of the flipped images from the right."""
    return torch.where(flipped[:, None], width - 1 - columns, columns)


def read_view(stored: Tensor, view: View | None, size: tuple[int, int]) -> Tensor:
    """Return what `stored`, kept in the pictures' own frame, looks like in crops of `size`; zero outside."""
    if view is None:
        return stored
    rows = torch.arange(size[0], device=stored.device).expand(len(stored), -1)
    columns = torch.arange(size[1], device=stored.device).expand(len(stored), -1)
    found, inside = _gather(
        stored, view.top[:, None] + rows, view.left[:, None] + _mirrored(columns, view.flipped, size[1])
    )
    return torch.where(inside, found, torch.zeros_like(found))


def write_view(stored: Tensor, patch: Tensor, view: View | None) -> Tensor:
    """Return `stored` with the values of `patch`, from the crop's frame, where the crop shows the picture."""
    if view is None:
        return patch
    height, width = stored.shape[2:]
    rows = torch.arange(height, device=stored.device) - view.top[:, None]
    columns = torch.arange(width, device=stored.device) - view.left[:, None]
    found, shown = _gather(patch, rows, _mirrored(columns, view.flipped, patch.shape[3]))
    return torch.where(shown, found, stored)


@dataclass(frozen=True)
class CropFlip(Augmentation):
    """A random crop of the zero-padded picture, mirrored half of the time."""

    pad: int = 4
    """Rows and columns of zeros on each side, before cropping."""
    size: int | None = None
    """The side of the crop; None keeps the size of the picture."""
    flip: bool = True
    """Whether half of the crops are mirrored."""

    def __post_init__(self) -> None:
        check_fields(self)
        require(self.pad >= 0, f"pad = {self.pad}: a padding is 0 or more pixels")
        require(self.size is None or self.size >= 1, f"size = {self.size}: a crop has 1 or more pixels a side")

    def crop(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return the rows and columns of a crop from pictures of shape (c, h, w)."""
        height, width = shape[-2:]
        if self.size is None:
            return height, width
        if self.size > min(height, width):
            raise BadValue(f"size = {self.size}: a crop is at most as large as the images, {height}x{width}")
        return self.size, self.size

    def batch(self, data: ImageSet, index: Index, epoch_seed: int) -> Batch:
        """Return the images at these positions of a set, each through a view of its own."""
        view = self.draw(index, data.shape, epoch_seed)
        return Batch(self.apply(data.take(index), view), data.labels[index], index, view)

    def draw(self, index: Index, shape: tuple[int, int, int], seed: int) -> View:
        """Draw one view for each position of a data set, the same in whatever batch it comes."""
        return self.views(Stream.at(index, seed, "view"), shape)

    def views(self, stream: Stream, shape: tuple[int, int, int]) -> View:
        """Draw one view of pictures of this shape from each stream."""
        rows, columns = self.crop(shape)
        number = stream.uniform((3,))
        top = (number[:, 0] * (shape[1] + 2 * self.pad - rows + 1)).long() - self.pad
        left = (number[:, 1] * (shape[2] + 2 * self.pad - columns + 1)).long() - self.pad
        flipped = number[:, 2] < 0.5 if self.flip else torch.zeros_like(top, dtype=torch.bool)
        return View(top, left, flipped)

    def apply(self, images: Images, view: View) -> Tensor:
        """Return the images as seen through `view`."""
        return self.read(images, view)

    def center(self, images: Tensor) -> Tensor:
        """Return what evaluation sees: the middle of the images when crops are smaller, never mirrored."""
        rows, columns = self.crop(tuple(images.shape[1:]))
        top, left = (images.shape[2] - rows) // 2, (images.shape[3] - columns) // 2
        return images[:, :, top : top + rows, left : left + columns]

    def read(self, stored: Tensor, view: View) -> Tensor:
        """Return what is stored for each picture in the frame of its crop; zero outside of the picture."""
        return read_view(stored, view, self.crop(tuple(stored.shape[1:])))

    def write_back(self, stored: Tensor, patch: Tensor, view: View) -> Tensor:
        """Undo `read`: put `patch` into the pictures' own frame; what the crop does not show stays stored."""
        return write_view(stored, patch, view)


@dataclass(frozen=True)
class Cropped(Augmentation):
    """A way to vary images that are cropped and mirrored first."""

    crop: CropFlip = CropFlip()

    @property
    def size(self) -> int | None:
        """The side of the crop."""
        return self.crop.size

    def center(self, images: Tensor) -> Tensor:
        """Return the middle of the images when crops are smaller."""
        return self.crop.center(images)
