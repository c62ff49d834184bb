"""Many small PNG and JPEG files, decoded side by side into one tensor of bytes."""

import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from holdfast.errors import BadImages

SUFFIXES = (".jpeg", ".jpg", ".png")
GREY = frozenset({"1", "L", "LA"})
COLOUR = frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr"})


def _pixels(name: str, content: Callable[[str], bytes]) -> tuple[NDArray[np.uint8], bool]:
    """Return the picture as (3, h, w) bytes, and whether it is grey; transparency is dropped."""
    try:
        with Image.open(BytesIO(content(name))) as picture:
            mode = picture.mode
            if mode not in GREY | COLOUR:
                raise BadImages(f"{name} has pixels of kind {mode}; holdfast reads pictures of 8 bits a channel")
            # By way of RGBA, because a palette with transparency warns when it is turned into RGB at once.
            colour = (picture.convert("RGBA") if mode == "P" else picture).convert("RGB")
    except FileNotFoundError:
        raise
    except (BadZipFile, OSError, SyntaxError, ValueError, zlib.error) as fault:
        raise BadImages(f"{name} cannot be read as a PNG or JPEG picture") from fault
    return np.asarray(colour).transpose(2, 0, 1), mode in GREY


def decode(names: Sequence[str], content: Callable[[str], bytes]) -> tuple[Tensor, bool]:
    """Return the pictures as bytes of shape (n, 3, h, w), and whether all of them are grey."""
    first, _ = _pixels(names[0], content)
    images = np.empty((len(names), *first.shape), np.uint8)

    def place(position: int) -> bool:
        name = names[position]
        pixels, grey = _pixels(name, content)
        if pixels.shape != first.shape:
            given, expected = (f"{array.shape[1]}x{array.shape[2]}" for array in (pixels, first))
            raise BadImages(f"{name} is {given}, but {names[0]} is {expected}: all images of a set have one size")
        images[position] = pixels
        return grey

    with ThreadPoolExecutor() as pool:
        grey = all(list(pool.map(place, range(len(names)))))
    return torch.from_numpy(images), grey
