"""Images without a data set around them: a folder of pictures, in any arrangement, or an .npz file.

They are read to be changed and written elsewhere: pictures keep their places and names (as PNG), an .npz file all its
other arrays.
"""

import io
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from holdfast.data.arrays import ORIGINAL, as_images, channels_first, read_arrays
from holdfast.data.folder import meant
from holdfast.data.pictures import SUFFIXES, all_grey, decode, regular
from holdfast.data.written_images import to_bytes
from holdfast.errors import BadImages, MissingData, UsageError, require
from holdfast.storage.files import atomic_write
from holdfast.types import Images

HELD = ("images", "test_images")
"""The arrays of an .npz file that may hold the images; the first that is there is taken."""


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Images in [0, 1], shape (n, c, h, w), and what is to be written beside them."""

    images: Images
    names: tuple[str, ...] = ()
    """The place of each picture in its folder."""
    array: str = ""
    """The array of the .npz file that they were."""
    others: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """The other arrays of the file."""
    form: str = ""
    """The type of the array's numbers."""
    shape: tuple[int, ...] = ()
    """Its shape, whose channels may lie last."""

    def as_given(self, images: Images) -> NDArray[Any]:
        """Return images in the type and shape of the array that these were."""
        lasting = len(self.shape) == 4 and self.shape[1:] != tuple(self.images.shape[1:])
        laid = (images.permute(0, 2, 3, 1) if lasting else images).reshape(self.shape)
        return (to_bytes(laid) if np.dtype(self.form) == np.uint8 else laid).numpy().astype(self.form)


def read_images(source: Path, out: Path) -> ImageFiles:
    """Return the images of a folder or an .npz file that are to be written to `out`.

    Raises:
        MissingData: there is nothing at `source`, or nothing in it.
        UsageError: `out` is of another kind, or holds something already.
        BadImages: the files cannot be read, or the pictures are of several sizes.
    """
    require(source.exists(), f"there is nothing at {source}: give a folder of pictures or an .npz file", MissingData)
    kind = "" if source.is_dir() else ".npz"
    require(
        out.suffix == kind, f"--out {out}: {source} needs {'a folder' if kind == '' else 'an .npz file'}", UsageError
    )
    require(not out.exists(), f"--out {out} is there already: choose another name, or delete it", UsageError)
    return _pictures(source) if source.is_dir() else _arrays(source)


def write_images(out: Path, files: ImageFiles, images: Images) -> None:
    """Write changed images in the form of the files that they were read from, all or none."""
    if files.names:
        _write_pictures(out, files, images)
        return
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {**files.others, files.array: files.as_given(images)}
    np.savez_compressed(buffer, **arrays)
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _pictures(source: Path) -> ImageFiles:
    found = [path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    names = sorted(str(name) for path in found if meant(name := PurePosixPath(path.relative_to(source))))
    require(bool(names), f"{source} holds no pictures: expected {', '.join(SUFFIXES)}", MissingData)
    stems = [str(Path(name).with_suffix("")) for name in names]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None) if len(set(stems)) < len(stems) else None
    require(
        twice is None, f"{source} holds two pictures called {twice}: both would be written to {twice}.png", UsageError
    )
    pixels = decode(names, lambda name: regular(source / name))
    grey = all_grey(names, lambda name: regular(source / name))
    return ImageFiles((pixels[:, :1] if grey else pixels).float() / 255, tuple(names))


def _arrays(source: Path) -> ImageFiles:
    arrays = read_arrays(source)
    name = next((name for name in HELD if name in arrays), None)
    if name is None:
        raise MissingData(f"{source} has no array called {' or '.join(HELD)}")
    given = arrays.pop(name)
    written = name == "images" and channels_first(given, ORIGINAL in arrays)
    images = torch.from_numpy(np.ascontiguousarray(as_images(given, written)))
    scaled = images.float() / 255 if images.dtype == torch.uint8 else images
    outside = not bool(((scaled >= 0) & (scaled <= 1)).all())
    require(not outside, f"{source}: {name} has values outside [0, 1], or that are no numbers", BadImages)
    return ImageFiles(scaled, array=name, others=arrays, form=given.dtype.str, shape=given.shape)


def _write_pictures(out: Path, files: ImageFiles, images: Images) -> None:
    pixels = to_bytes(images).permute(0, 2, 3, 1).squeeze(3).numpy()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".") as staging:
        for each, name in zip(pixels, files.names, strict=True):
            path = (Path(staging) / "whole" / name).with_suffix(".png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(each).save(path, format="PNG")
        os.rename(Path(staging) / "whole", out)
