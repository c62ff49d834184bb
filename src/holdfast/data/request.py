"""What was asked for: one source, one split, and where its files are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from holdfast.data.order import permutation
from holdfast.errors import MissingData
from holdfast.framing import Framing
from holdfast.types import Index


def data_root(root: str | Path | None = None) -> Path:
    """Return the folder of the known sets: `root`, else $HOLDFAST_DATA, else ./data."""
    return expanded(root or os.environ.get("HOLDFAST_DATA") or "data")


def expanded(path: str | Path) -> Path:
    """Return the path with the home that a leading ~ or ~NAME means.

    Raises:
        MissingData: nobody is called NAME here.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as fault:
        raise MissingData(f"{path}: nobody of that name has a home here; ./{path} names a folder called so") from fault


@dataclass(frozen=True)
class Request:
    """One split of one source."""

    name: str
    """A known set (`cifar10`), or a kind and its argument (`folder:pets`)."""
    split: str
    """`train` or `test`."""
    root: Path
    """The folder of the known sets."""
    download: bool = False
    """Whether missing files of a known set may be fetched."""
    limit: int | None = None
    """How many images are wanted at most."""
    framing: Framing | None = None
    """How pictures are resized and cropped; None: not at all, and all are of one size."""

    @property
    def argument(self) -> str:
        """What follows the colon."""
        return self.name.partition(":")[2]

    @property
    def train(self) -> bool:
        """Whether the training images are wanted."""
        return self.split == "train"

    def kept(self, count: int) -> Index:
        """Return the positions to keep out of `count`: the first `limit` of one fixed random order, else all."""
        if self.limit is None or self.limit >= count:
            return torch.arange(count)
        return permutation(count, "limit")[: self.limit]

    def missing(self, folder: Path) -> MissingData:
        """Return the error for files that are not in `folder`, or are damaged."""
        return MissingData(
            f"the files of {self.name} are missing or damaged in {folder}: "
            "name the folder that holds them with --data-root, or fetch them with --download"
        )

    @contextmanager
    def reading(self, folder: Path) -> Iterator[None]:
        """Turn what torchvision raises about files into one line about `folder`."""
        try:
            yield
        except (RuntimeError, OSError) as fault:
            if not self.download:
                raise self.missing(folder) from fault
            reason = " ".join(str(fault).split())
            raise MissingData(f"{self.name} could not be downloaded to {folder}: {reason}") from fault
