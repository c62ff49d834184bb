"""A file of equal rows of numbers, of which a few are read or written at a time: none of it stays in memory."""

import os
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from holdfast.errors import BadRecord, MissingData, require
from holdfast.storage.naming import naming
from holdfast.types import Index


class RowFile:
    """Rows of one shape and type, by their numbers."""

    def __init__(
        self, file: BinaryIO, path: Path, row: tuple[int, ...], dtype: torch.dtype = torch.float32, offset: int = 0
    ) -> None:
        """Take an open file without a buffer; its first row begins at `offset`."""
        self.file, self.path, self.row, self.dtype, self.offset = file, path, row, dtype, offset
        self.size = torch.empty(row, dtype=dtype, device="meta").nbytes
        """Bytes of a row."""
        weakref.finalize(self, file.close)

    @classmethod
    def at(cls, path: Path, row: tuple[int, ...], new: bool) -> "RowFile":
        """Return a file of float32 that stays: a `new` one, or what was written there."""
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            return cls(path.open("w+b" if new else "r+b", buffering=0), path, row)

    @classmethod
    def temporary(cls, row: tuple[int, ...], dtype: torch.dtype = torch.float32) -> "RowFile":
        """Return an empty file in the system's temporary folder, which goes when nobody holds it any more."""
        folder = Path(tempfile.gettempdir())
        with naming(folder):
            return cls(tempfile.TemporaryFile(buffering=0), folder, row, dtype)

    def read(self, rows: Index) -> Tensor:
        """Return the rows of these numbers.

        Raises:
            BadRecord: the file ends before one of them.
        """
        found = torch.empty(len(rows), *self.row, dtype=self.dtype)
        room = found.flatten().view(torch.uint8).view(len(rows), self.size).numpy()
        for place, number in enumerate(rows.tolist()):
            self.file.seek(self.offset + number * self.size)
            whole = self.file.readinto(room[place].data) == self.size  # type: ignore[attr-defined]
            require(whole, f"{self.path} ends before row {number}: it was cut off", BadRecord)
        return found

    def write(self, rows: Index, values: Tensor) -> None:
        """Write the rows of these numbers.

        Raises:
            NotWritten: the disk is full.
        """
        held = values.detach().cpu().contiguous().flatten().view(torch.uint8).view(len(rows), self.size).numpy()
        with naming(self.path):
            for each, number in zip(held, rows.tolist(), strict=True):
                self.file.seek(self.offset + number * self.size)
                left = memoryview(each.data)
                while left:
                    left = left[self.file.write(left) :]

    def flush(self) -> None:
        """Bring to the disk what was written."""
        with naming(self.path):
            os.fsync(self.file.fileno())

    def used(self) -> int:
        """Return how many bytes the file has."""
        return os.fstat(self.file.fileno()).st_size

    def mapped(self, count: int) -> Tensor:
        """Return the first rows as a tensor in the system's cache of the file, which gives its memory back at need."""
        numbers = np.dtype(str(self.dtype).removeprefix("torch."))
        shape = (count, *self.row)
        return torch.from_numpy(np.memmap(self.file, numbers, "r+", self.offset, shape))


def rows_of_array(path: Path) -> tuple[RowFile, int]:
    """Return the rows of a .npy file of bytes or float32, and how many there are.

    Raises:
        MissingData: there is no such file.
        BadRecord: it is another kind of file, or of other numbers.
    """
    require(path.is_file(), f"there is no file {path}", MissingData)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        offset = int(array.offset)  # an .npz file, or one that is no array, has none
    except Exception as fault:  # a stranger's bytes raise errors without end
        raise BadRecord(f"{path} cannot be read as a .npy file of plain numbers") from fault
    kinds = {np.dtype(np.uint8): torch.uint8, np.dtype(np.float32): torch.float32}
    laid = array.flags.c_contiguous and array.ndim > 1 and array.dtype in kinds
    require(laid, f"{path} holds {array.dtype} of shape {array.shape}: write rows of uint8 or float32", BadRecord)
    file = path.open("rb", buffering=0)
    return RowFile(file, path, tuple(array.shape[1:]), kinds[array.dtype], offset), len(array)
