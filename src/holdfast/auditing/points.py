"""The point of each image that came nearest to a break: in memory where all images are small, else in a file.

In a file, an image that no attack brought nearer takes no room. A point that is replaced stays there until the next
checkpoint, so that what a killed audit goes on from is whole.
"""

import zlib
from pathlib import Path

import torch
from torch import Tensor

from holdfast.data.stored_images import AT_ONCE, StoredImages
from holdfast.errors import BadRecord, require
from holdfast.storage.row_file import RowFile
from holdfast.threats import per_image
from holdfast.types import Flags, Images, Index

IN_MEMORY = 2**29
"""How many bytes all images may take as float32 for their points to be kept in memory: 512 MiB, which is 43,690 images
of 3x32x32 and 891 of 3x224x224."""
REMEDY = "delete it and the checkpoint beside it; the audit will begin again"


class PointsOnDisk:
    """The points of images: `points[rows]` and `points[rows] = values`, as of a tensor."""

    def __init__(
        self, images: Images | StoredImages, file: RowFile, slots: Index | None = None, sums: Tensor | None = None
    ) -> None:
        """Take a file, and where in it the points lie that it holds already."""
        none = torch.full((len(images),), -1)
        self.images, self.file = images, file
        self.slots = none if slots is None else slots
        """The row of the file that holds the point of each image; -1: the image itself is its point."""
        self.sums = none.clone() if sums is None else sums
        """A checksum of each point."""
        self.fixed: set[int] = set()
        """The rows that a checkpoint names: they are not written to before the next one."""
        self.free: list[int] = []
        self.end = int(self.slots.amax()) + 1
        if slots is not None:
            self.fix()

    @classmethod
    def beside(cls, checkpoint: Path | None, images: Images | StoredImages) -> "PointsOnDisk":
        """Return points of which none is known, in a file beside a checkpoint, or in a temporary one."""
        row = tuple(images.shape[1:])
        return cls(images, RowFile.temporary(row) if checkpoint is None else RowFile.at(_beside(checkpoint), row, True))

    @classmethod
    def read(
        cls, checkpoint: Path, images: Images | StoredImages, slots: Index, sums: Tensor, own: bool
    ) -> "PointsOnDisk":
        """Return the points that a checkpoint names: the `own` file beside it, or another process's, to be copied.

        Raises:
            BadRecord: the file is missing.
        """
        path = _beside(checkpoint)
        require(path.is_file(), f"{path} is missing: delete {checkpoint}; the audit will begin again", BadRecord)
        there = cls(images, RowFile.at(path, tuple(images.shape[1:]), False), slots, sums)
        if own:
            return there
        copy = cls.beside(None, images)
        for rows in (slots >= 0).nonzero()[:, 0].split(AT_ONCE):
            copy[rows] = there[rows]
        return copy

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def shape(self) -> tuple[int, ...]:
        """Their number, channels, rows and columns."""
        return tuple(self.images.shape)

    def __getitem__(self, rows: Tensor | slice) -> Images:
        """Return the points at these positions, or those that are marked, on the device of the images.

        Raises:
            BadRecord: the file was changed since it was written.
        """
        place = torch.arange(len(self))[rows.cpu() if isinstance(rows, Tensor) else rows]
        known = (self.slots[place] >= 0).nonzero()[:, 0]
        points = self.images[place.to(self.images.device)]
        if len(known):
            values = self.file.read(self.slots[place[known]])
            unchanged = sums_of(values) == self.sums[place[known]].tolist()
            require(unchanged, f"{self.file.path} was changed since it was written: {REMEDY}", BadRecord)
            points[known.to(points.device)] = values.to(points.device)
        return points

    def __setitem__(self, rows: Index, values: Images) -> None:
        """Write points."""
        place, held = rows.cpu(), values.detach().cpu()
        for image in place.tolist():
            slot = int(self.slots[image])
            if slot < 0 or slot in self.fixed:
                self.slots[image] = self.free.pop() if self.free else self.end
                self.end = max(self.end, int(self.slots[image]) + 1)
        self.file.write(self.slots[place], held)
        self.sums[place] = torch.tensor(sums_of(held), dtype=torch.int64)

    def flush(self) -> None:
        """Bring to the disk what a checkpoint is about to name."""
        self.file.flush()

    def fix(self) -> None:
        """Keep what is there from now on: a checkpoint names it. What an earlier one named is free."""
        self.fixed = set(self.slots[self.slots >= 0].tolist())
        self.free = [slot for slot in range(self.end) if slot not in self.fixed]

    def of(self, rows: Flags) -> Images:
        """Return these points, and of all others the images, as one tensor that is mapped to a temporary file."""
        whole, rows = RowFile.temporary(self.file.row), rows.to(self.images.device)
        for some in torch.arange(len(self)).split(AT_ONCE):
            here = some.to(rows.device)
            whole.write(some, torch.where(per_image(rows[here]), self[here], self.images[here]))
        return whole.mapped(len(self))


def points_of(images: Images | StoredImages, checkpoint: Path | None) -> Images | PointsOnDisk:
    """Return the points of an audit that begins: the images themselves, in memory or beside its checkpoint."""
    if len(images) * images[:1].nbytes > IN_MEMORY:
        return PointsOnDisk.beside(checkpoint, images)
    return images[:].clone()


def sums_of(values: Tensor) -> list[int]:
    """Return a checksum of each row of numbers."""
    return [zlib.crc32(row.contiguous().view(-1).view(torch.uint8).numpy().data) for row in values]


def _beside(checkpoint: Path) -> Path:
    """Return the file of the points beside a checkpoint."""
    return checkpoint.with_suffix(".points")
