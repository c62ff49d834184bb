"""Images that are made when they are asked for: decoded from files, or drawn from a data set of somebody's own.

What trains and what judges asks for a batch at a time, so that the images need not all fit into memory.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from holdfast.types import Index

MOST_IN_MEMORY = 2**29
"""How many bytes the decoded images of a set may take to be kept in memory: 512 MiB, 3,566 pictures of 3x224x224."""


@runtime_checkable
class Maker(Protocol):
    """What makes images by their numbers."""

    @property
    def row(self) -> tuple[int, ...]:
        """The channels, rows and columns of an image."""

    @property
    def dtype(self) -> torch.dtype:
        """What they are made as: bytes, or float32 in [0, 1]."""

    def read(self, rows: Index) -> Tensor:
        """Return the images of these numbers, in the host's memory."""


@dataclass(frozen=True, eq=False)
class ImagesOnDemand:
    """Images of which `images[rows]` are made at once, on a device, and the others not."""

    maker: Maker
    numbers: Tensor
    """The number of each image with its maker."""
    device: torch.device = torch.device("cpu")
    """Where they come to."""

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def row(self) -> tuple[int, ...]:
        """The channels, rows and columns of an image."""
        return self.maker.row

    @property
    def shape(self) -> tuple[int, ...]:
        """Their number, channels, rows and columns."""
        return (len(self), *self.row)

    @property
    def dtype(self) -> torch.dtype:
        """Bytes, or float32 in [0, 1]."""
        return self.maker.dtype

    @property
    def nbytes(self) -> int:
        """How many bytes all of them would take."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """Return the images at these positions, or those that are marked."""
        place = torch.arange(len(self))[rows.cpu() if isinstance(rows, Tensor) else rows]
        return self.read(place).to(self.device)

    def read(self, rows: Index) -> Tensor:
        """Return the images at these positions, in the host's memory."""
        return self.maker.read(self.numbers[rows])

    def at(self, rows: Tensor) -> "ImagesOnDemand":
        """Return those at these positions, to be made later."""
        return replace(self, numbers=self.numbers[rows.cpu()])

    def to(self, device: torch.device | str) -> "ImagesOnDemand":
        """Return the same for another device."""
        return replace(self, device=torch.device(device))

    def changed(self, change: Callable[[Tensor], Tensor]) -> "ImagesOnDemand":
        """Return what `change` makes of the images, batch by batch; it changes each by itself."""
        first = change(self.read(torch.zeros(1, dtype=torch.int64)))
        return replace(self, maker=Changed(self.maker, change, tuple(first.shape[1:]), first.dtype))


@dataclass(frozen=True)
class Changed:
    """What makes the images of another maker, changed."""

    maker: Maker
    change: Callable[[Tensor], Tensor]
    row: tuple[int, ...]
    dtype: torch.dtype

    def read(self, rows: Index) -> Tensor:
        """Return the images of these numbers, changed."""
        return self.change(self.maker.read(rows))


def kept(maker: Maker, count: int) -> Tensor | ImagesOnDemand:
    """Return the images of a maker: in memory where that is not too much, else on demand."""
    found = ImagesOnDemand(maker, torch.arange(count))
    return found if found.nbytes > MOST_IN_MEMORY else found[:]
