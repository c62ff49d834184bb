"""A folder, or a zip of one, with a picture a file: train/CLASS/NAME.png and test/CLASS/NAME.jpg.

The classes are those of both splits together, sorted by name, so that a label means the same in either.
"""

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from zipfile import ZipFile, is_zipfile

import torch

from holdfast.data.image_set import ImageSet
from holdfast.data.pictures import SUFFIXES, decode
from holdfast.data.request import Request
from holdfast.errors import BadValue, MissingData, require

LAYOUT = "train/CLASS/*.png|jpg|jpeg and test/CLASS/*.png|jpg|jpeg"


def _collect(request: Request, names: Iterable[str], content: Callable[[str], bytes]) -> ImageSet:
    """Decode the pictures of one split out of all file names."""
    paths = [PurePosixPath(name) for name in names]
    pictures = [
        path
        for path in sorted(paths)
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and len(path.parts) >= 3
    ]
    of_split = {split: [path for path in pictures if path.parts[-3] == split] for split in ("train", "test")}
    classes = sorted({path.parts[-2] for paths in of_split.values() for path in paths})
    chosen = of_split[request.split]
    require(len(chosen) > 0, f"{request.name} has no {request.split} pictures; expected {LAYOUT}", MissingData)
    chosen = [chosen[position] for position in request.kept(len(chosen)).tolist()]
    images, grey = decode([str(path) for path in chosen], content)
    number = {name: label for label, name in enumerate(classes)}
    labels = torch.tensor([number[path.parts[-2]] for path in chosen])
    return ImageSet(images[:, :1].contiguous() if grey else images, labels, tuple(classes))


def read(request: Request) -> ImageSet:
    """Return the pictures of a folder or zip; they keep one channel when all that are kept are grey."""
    require(bool(request.argument), f"'{request.name}' names no path; write folder:PATH", BadValue)
    path = Path(request.argument).expanduser()
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in path.glob("*/*/*")]
        return _collect(request, names, lambda name: (path / name).read_bytes())
    require(
        path.exists(), f"there is nothing at {path}; folder:PATH expects a folder or a .zip of {LAYOUT}", MissingData
    )
    require(is_zipfile(path), f"{path} is neither a folder nor a .zip; expected one of {LAYOUT}", MissingData)
    with ZipFile(path) as archive:
        return _collect(request, archive.namelist(), archive.read)
