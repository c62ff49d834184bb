"""Many small PNG and JPEG files, decoded side by side into one tensor of bytes.

The files are a stranger's: only these two kinds are decoded, whatever a file is called, and a header is believed about
no more than `MOST_PIXELS`.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import get_worker_info

from holdfast.errors import BadImages, HoldfastError, require
from holdfast.framing import Framing

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


@dataclass(frozen=True)
class InFolder:
    """What opens the files of a folder by their names in it."""

    folder: Path

    def __call__(self, name: str) -> IO[bytes]:
        """Open a file."""
        return regular(self.folder / name)


def regular(path: Path) -> IO[bytes]:
    """Open a file; a pipe or a device, also behind a link, would be read without end."""
    require(path.is_file() or not path.exists(), f"{path} is no regular file", BadImages)
    return path.open("rb")


def decode(
    names: Sequence[str],
    opened: Opened,
    framing: Framing | None = None,
    like: tuple[str, tuple[int, int]] | None = None,
) -> Tensor:
    """Return the pictures, framed, as bytes of shape (n, 3, h, w); transparency is dropped.

    `like` names the picture whose (rows, columns) all have; None: the first of them.

    Raises:
        BadImages: a file is no PNG or JPEG picture of 8 bits a channel, or of another size than the first.
        FileNotFoundError: a file is not there.
    """
    first, size = like or (names[0], size_of(names[0], opened, framing))
    images = _room(len(names), *size)

    def place(position: int) -> None:
        images[position] = _pixels(names[position], opened, framing, first, size)

    with _unwarned("error"):
        if get_worker_info() is not None:  # the other processors have workers of their own
            list(map(place, range(len(names))))
        else:
            with ThreadPoolExecutor() as pool:
                list(pool.map(place, range(len(names))))
    return torch.from_numpy(images)


def size_of(name: str, opened: Opened, framing: Framing | None) -> tuple[int, int]:
    """Return the rows and columns of a picture, framed."""
    with _unwarned("error"):
        rows, columns = _pixels(name, opened, framing).shape[1:]
    return rows, columns


def all_grey(names: Iterable[str], opened: Opened) -> bool:
    """Say whether every picture that can be read is grey, by the headers alone."""
    with _unwarned("ignore"):
        return all(header is None or header[0] not in COLOUR for header in (_header(name, opened) for name in names))


def sizes(names: Iterable[str], opened: Opened) -> set[tuple[int, int]]:
    """Return the (rows, columns) of the pictures that can be read, by the headers alone."""
    with _unwarned("ignore"), ThreadPoolExecutor() as pool:
        return {header[1] for header in pool.map(lambda name: _header(name, opened), names) if header is not None}


@contextmanager
def _unwarned(bombs: Literal["error", "ignore"]) -> Iterator[None]:
    """Keep to ourselves what Pillow thinks of a stranger's files; a decompression bomb is an error where it matters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter(bombs, Image.DecompressionBombWarning)
        yield


def _header(name: str, opened: Opened) -> tuple[str, tuple[int, int]] | None:
    """Return a picture's kind of pixels, and its (rows, columns); None where it cannot be read, which is told later."""
    try:
        with opened(name) as file, Image.open(file, formats=FORMATS) as picture:
            return picture.mode, (picture.height, picture.width)
    except Exception:
        return None


def _room(count: int, rows: int, columns: int) -> NDArray[np.uint8]:
    try:
        return np.empty((count, 3, rows, columns), np.uint8)
    except MemoryError as fault:
        gigabytes = f"{count * 3 * rows * columns / 2**30:,.0f} GiB"
        raise BadImages(f"{count:,} pictures of {rows}x{columns} need {gigabytes}, more than there is") from fault


def _pixels(
    name: str,
    opened: Opened,
    framing: Framing | None,
    first: str | None = None,
    expected: tuple[int, int] | None = None,
) -> NDArray[np.uint8]:
    """Return a picture as (3, h, w) bytes; one of another size than `expected`, that of `first`, is refused."""
    try:
        with opened(name) as file:
            content = file.read(MOST_BYTES + 1)
        require(len(content) <= MOST_BYTES, f"{name} has more than {MOST_BYTES:,} bytes", BadImages)
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            _check_header(name, picture)
            if framing is None:  # before it is decoded
                _check_size(name, picture, first, expected)
            colour = in_colour(picture)
        if framing is not None:
            colour = framing(colour)
            _check_size(name, colour, first, expected)
    except (FileNotFoundError, HoldfastError):
        raise
    # What decoders raise about bytes that a stranger chose has no end: ten kinds were seen.
    except Exception as fault:
        why = fault.strerror if isinstance(fault, OSError) and fault.strerror else None
        raise BadImages(f"{name} cannot be read as a PNG or JPEG picture{f': {why}' if why else ''}") from fault
    return np.asarray(colour).transpose(2, 0, 1)


def in_colour(picture: Image.Image) -> Image.Image:
    """Return a picture in red, green and blue; transparency is dropped."""
    # By way of RGBA, because a palette with transparency warns when it is turned into RGB at once.
    return (picture.convert("RGBA") if picture.mode == "P" else picture).convert("RGB")


def check_kind(name: str, picture: Image.Image) -> None:
    """Refuse a picture of other pixels than those of 8 bits a channel."""
    # Pillow cuts colours of 16 bits to 8, and says so only in how it is going to decode them: "RGB;16B". "BGR;16" is of
    # 16 bits a pixel.
    cut = re.search("(?<!BGR);16", str(getattr(picture, "tile", "")))
    words = f"{name} has pixels of kind {picture.mode}{' of 16 bits' if cut else ''}"
    wanted = "holdfast reads pictures of 8 bits a channel"
    require(picture.mode in GREY | COLOUR and not cut, f"{words}; {wanted}", BadImages)


def _check_header(name: str, picture: Image.Image) -> None:
    """Refuse by its header a picture that is too large, or of other pixels."""
    columns, rows = picture.size
    require(rows * columns <= MOST_PIXELS, f"{name} is {rows}x{columns}: more than {MOST_PIXELS:,} pixels", BadImages)
    check_kind(name, picture)


def _check_size(name: str, picture: Image.Image, first: str | None, expected: tuple[int, int] | None) -> None:
    """Refuse a picture of another size than the first."""
    columns, rows = picture.size
    if expected is not None and (rows, columns) != expected:
        size = f"{expected[0]}x{expected[1]}"
        words = f"{name} is {rows}x{columns}, but {first} is {size}: all images of a set have one size"
        raise BadImages(f"{words}; --resize and --crop, or framing=Framing(256, 224), make them so")
