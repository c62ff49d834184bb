"""Attacked images as a file of arrays or a folder of pictures: whole, or nothing that is in the way of another try."""

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.data import ImageSet
from holdfast.data.arrays import ORIGINAL
from holdfast.errors import HoldfastError, NotWritten, UsageError, printable
from holdfast.storage.files import atomic_write

LONGEST = 100
"""Bytes that the name of a class takes of the name of its picture; file systems give 255 to all of it."""


def check_place(out: Path, data: ImageSet) -> None:
    """Refuse a place that cannot be written to, or holds something, before the work rather than after it."""
    if out.suffix not in ("", ".npz"):
        raise UsageError(f"--out {out}: give an .npz file or a folder for PNG pictures")
    if out.suffix == "" and data.shape[0] not in (1, 3):
        raise UsageError(f"--out {out}: PNG images have 1 or 3 channels, these have {data.shape[0]}: give an .npz file")
    if out.is_dir() and any(out.glob("*.png")):
        raise UsageError(f"--out {out} holds pictures already: choose another folder, so that they do not mix")
    if out.exists() and not (out.suffix == "" and out.is_dir()):
        raise UsageError(f"--out {out} is there already: choose another name, or delete it")
    folder = out.parent if out.suffix else out
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    if out.suffix:
        trial = out.with_name(f".{out.name}.{os.getpid()}")  # as long as the name that the file has while it is written
        trial.touch()
        trial.unlink()


def write(out: Path, images: Tensor, data: ImageSet) -> None:
    """Write the images to an .npz file, or to a folder as PNGs; where that fails, keep them elsewhere.

    Raises:
        NotWritten: they could not be written; it says where they are instead, or that they are lost.
    """
    try:
        (_write_npz if out.suffix == ".npz" else _write_pictures)(out, images, data)
    except (OSError, NotWritten) as fault:
        why = fault.strerror if isinstance(fault, OSError) else fault
        raise NotWritten(f"--out {out}: {why}; {_kept_elsewhere(images, data)}") from fault


def to_bytes(images: Tensor) -> Tensor:
    """Return the images rounded (not cut) to 0..255."""
    return (images * 255).round().to(torch.uint8)


def _kept_elsewhere(images: Tensor, data: ImageSet) -> str:
    """Write the images where temporary files go, and say what became of them."""
    try:
        place = Path(tempfile.mkdtemp(prefix="holdfast-")) / "attacked.npz"
        _write_npz(place, images, data)
    except (OSError, HoldfastError):
        return f"nor is there room under {tempfile.gettempdir()}: the attacked images are lost"
    return f"the attacked images are in {place}"


def _write_npz(out: Path, images: Tensor, data: ImageSet) -> None:
    original = data.take(torch.arange(len(data)))
    arrays: dict[str, Any] = {
        "images": images.numpy(),
        ORIGINAL: original.cpu().numpy(),
        "labels": data.labels.cpu().numpy(),
        "classes": np.array(data.classes),
    }
    buffer = io.BytesIO()  # a zip that a full disk cut short raises again when it is forgotten
    np.savez_compressed(buffer, **arrays)
    with atomic_write(out) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _write_pictures(out: Path, images: Tensor, data: ImageSet) -> None:
    from PIL import Image

    pixels = to_bytes(images).permute(0, 2, 3, 1).squeeze(3).numpy()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".") as staging:
        for position, label in enumerate(data.labels.tolist()):
            name = f"{position:05d}-{_word(data.classes[label])}.png"
            Image.fromarray(pixels[position]).save(Path(staging) / name, format="PNG")
        for path in Path(staging).iterdir():
            path.rename(out / path.name)


def _word(name: str) -> str:
    """Return the name of a class as a part of a file's name."""
    whole_name = printable(name).replace("/", "-").encode()
    return whole_name[:LONGEST].decode("utf-8", "ignore")
