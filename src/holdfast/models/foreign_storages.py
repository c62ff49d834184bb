"""The two containers of torch.save, read without running anything: the zip, and the pickles in a row before 1.6."""

import struct
import zipfile
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from holdfast.models.foreign_unpickler import Kind, Reader

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Unreadable(Exception):
    """A container that is not as torch.save writes it."""


def read_zip(path: Path, asked_for: set[str]) -> object:
    """Return what the zip of torch.save holds."""
    with zipfile.ZipFile(path) as archive:
        root = next(name for name in archive.namelist() if name.endswith("data.pkl")).removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise Unreadable("a machine wrote it whose numbers are turned around")
        known: dict[str, Tensor] = {}

        def storage(identity: Any) -> Tensor:
            _, kind, key, _, _ = identity
            if key not in known:
                entry = archive.getinfo(f"{root}data/{key}")
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise Unreadable("its tensors are compressed")
                known[key] = _flat(archive.read(entry), kind.dtype)
            return known[key].view(kind.dtype)

        return Reader(BytesIO(archive.read(f"{root}data.pkl")), storage, asked_for).load()


def read_legacy(path: Path, asked_for: set[str]) -> object:
    """Return what the pickles hold; the numbers come after them, and are put into the tensors at the end."""
    with path.open("rb") as file:
        if _load(file, asked_for) != _MAGIC or _load(file, asked_for) != _PROTOCOL:
            raise Unreadable("torch.save did not write it")
        about: Any = _load(file, asked_for)
        if not about.get("little_endian", True):
            raise Unreadable("a machine wrote it whose numbers are turned around")
        size, known = path.stat().st_size, {}

        def storage(identity: Any) -> Tensor:
            _, kind, key, _, count, view = identity
            if key not in known:
                known[key] = _empty(kind, count, size)
            whole = known[key]
            return whole if view is None else whole[view[1] : view[1] + view[2]]

        value = Reader(file, storage, asked_for).load()
        keys: Any = _load(file, asked_for)
        for key in keys:
            _fill(known[key], file)
        return value


def _load(file: BufferedIOBase, asked_for: set[str]) -> object:
    """Read a pickle that holds no tensors."""
    return Reader(file, lambda identity: torch.empty(0), asked_for).load()


def _flat(data: bytes, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)


def _empty(kind: Kind, count: int, size: int) -> Tensor:
    """Return room for the numbers; a file cannot ask for more room than it takes itself."""
    if not 0 <= count * kind.dtype.itemsize <= size:
        raise Unreadable("it is cut short")
    return torch.empty(count, dtype=kind.dtype)


def _fill(storage: Tensor, file: BufferedIOBase) -> None:
    """Read the next numbers of the file into a storage."""
    data, size = file.read(8), storage.nbytes
    if len(data) != 8 or struct.unpack("<q", data)[0] != storage.numel():
        raise Unreadable("it is cut short")
    data = file.read(size)
    if len(data) != size:
        raise Unreadable("it is cut short")
    storage.copy_(_flat(data, storage.dtype))
