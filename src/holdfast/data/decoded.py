"""Pictures in files, of which some are decoded at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from holdfast.data.pictures import Opened, decode, size_of
from holdfast.errors import BadImages
from holdfast.framing import Framing
from holdfast.types import Index


@dataclass(frozen=True, eq=False)
class Pictures:
    """What makes images of pictures by their numbers, all of the size of the first."""

    names: Sequence[str]
    opened: Opened
    framing: Framing | None
    grey: bool
    """Whether they keep one channel."""
    size: tuple[int, int]
    """The rows and columns that they have."""
    dtype: ClassVar[torch.dtype] = torch.uint8

    @classmethod
    def of(cls, names: Sequence[str], opened: Opened, framing: Framing | None, grey: bool) -> "Pictures":
        """Return the pictures of these names, framed.

        Raises:
            BadImages: the first cannot be read.
        """
        with missing_named():
            return cls(names, opened, framing, grey, size_of(names[0], opened, framing))

    @property
    def row(self) -> tuple[int, ...]:
        """The channels, rows and columns of an image."""
        return (1 if self.grey else 3, *self.size)

    def read(self, rows: Index) -> Tensor:
        """Return the pictures of these numbers.

        Raises:
            BadImages: one cannot be read, or is of another size than the first.
        """
        with missing_named():
            names = [self.names[number] for number in rows.tolist()]
            images = decode(names, self.opened, self.framing, (self.names[0], self.size))
        return images[:, :1].contiguous() if self.grey else images


@contextmanager
def missing_named() -> Iterator[None]:
    """Turn a file that is not there into one line."""
    try:
        yield
    except FileNotFoundError as fault:
        raise BadImages(f"{fault.filename} is not there: a link that leads nowhere, or deleted meanwhile") from fault
