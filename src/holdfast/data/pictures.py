"""Many small PNG and JPEG files, decoded side by side into one tensor of bytes.

The files are a stranger's: only these two kinds are decoded, whatever a file is called, and a header is believed about
no more than `MOST_PIXELS`.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from holdfast.errors import BadImages, HoldfastError, require

SUFFIXES = (".jpeg", ".jpg", ".png")
FORMATS = ("PNG", "JPEG")
GREY = frozenset({"1", "L", "LA"})
COLOUR = frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr"})
MOST_PIXELS = 2**25
"""Rows times columns of a picture: 5,792 x 5,792."""
MOST_BYTES = 2**28
"""The size of a picture's file."""

Opened = Callable[[str], IO[bytes]]
"""What opens a file by its name."""


def regular(path: Path) -> IO[bytes]:
    """Open a file; a pipe or a device, also behind a link, would be read without end."""
    require(path.is_file() or not path.exists(), f"{path} is no regular file", BadImages)
    return path.open("rb")


def decode(names: Sequence[str], opened: Opened) -> Tensor:
    """Return the pictures as bytes of shape (n, 3, h, w); transparency is dropped.

    Raises:
        BadImages: a file is no PNG or JPEG picture of 8 bits a channel, or of another size than the first.
        FileNotFoundError: a file is not there.
    """
    with _unwarned("error"):
        rows, columns = _pixels(names[0], opened).shape[1:]
        images = _room(len(names), rows, columns)

        def place(position: int) -> None:
            images[position] = _pixels(names[position], opened, names[0], (rows, columns))

        with ThreadPoolExecutor() as pool:
            list(pool.map(place, range(len(names))))
    return torch.from_numpy(images)


def all_grey(names: Iterable[str], opened: Opened) -> bool:
    """Say whether every picture that can be read is grey, by the headers alone."""
    with _unwarned("ignore"):
        return all(_mode(name, opened) not in COLOUR for name in names)


@contextmanager
def _unwarned(bombs: Literal["error", "ignore"]) -> Iterator[None]:
    """Keep to ourselves what Pillow thinks of a stranger's files; a decompression bomb is an error where it matters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter(bombs, Image.DecompressionBombWarning)
        yield


def _mode(name: str, opened: Opened) -> str | None:
    """Return a picture's kind of pixels; nothing where it cannot be read, which is told when it has to be."""
    try:
        with opened(name) as file, Image.open(file, formats=FORMATS) as picture:
            return picture.mode
    except Exception:
        return None


def _room(count: int, rows: int, columns: int) -> NDArray[np.uint8]:
    try:
        return np.empty((count, 3, rows, columns), np.uint8)
    except MemoryError as fault:
        gigabytes = f"{count * 3 * rows * columns / 2**30:,.0f} GiB"
        raise BadImages(f"{count:,} pictures of {rows}x{columns} need {gigabytes}, more than there is") from fault


def _pixels(
    name: str, opened: Opened, first: str | None = None, expected: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Return a picture as (3, h, w) bytes; one of another size than `expected`, that of `first`, is not decoded."""
    try:
        with opened(name) as file:
            content = file.read(MOST_BYTES + 1)
        require(len(content) <= MOST_BYTES, f"{name} has more than {MOST_BYTES:,} bytes", BadImages)
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            _check(name, picture, first, expected)
            # By way of RGBA, because a palette with transparency warns when it is turned into RGB at once.
            colour = (picture.convert("RGBA") if picture.mode == "P" else picture).convert("RGB")
    except (FileNotFoundError, HoldfastError):
        raise
    # What decoders raise about bytes that a stranger chose has no end: ten kinds were seen.
    except Exception as fault:
        why = fault.strerror if isinstance(fault, OSError) and fault.strerror else None
        raise BadImages(f"{name} cannot be read as a PNG or JPEG picture{f': {why}' if why else ''}") from fault
    return np.asarray(colour).transpose(2, 0, 1)


def _check(name: str, picture: Image.Image, first: str | None, expected: tuple[int, int] | None) -> None:
    """Refuse by its header a picture that is too large, of another size than the first, or of other pixels."""
    columns, rows = picture.size
    if expected is not None and (rows, columns) != expected:
        size = f"{expected[0]}x{expected[1]}"
        raise BadImages(f"{name} is {rows}x{columns}, but {first} is {size}: all images of a set have one size")
    require(rows * columns <= MOST_PIXELS, f"{name} is {rows}x{columns}: more than {MOST_PIXELS:,} pixels", BadImages)
    words = f"{name} has pixels of kind {picture.mode}; holdfast reads pictures of 8 bits a channel"
    require(picture.mode in GREY | COLOUR, words, BadImages)
