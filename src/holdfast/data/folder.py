"""A folder, or a zip of one, with a picture a file: train/CLASS/NAME.png and test/CLASS/NAME.jpg.

The classes are those of both splits together, sorted by name, or as numbers where all are whole numbers, so that a
label means the same in either. The pictures keep one channel where those of both splits are all grey. Files that are
not read are counted in a warning of the log called "holdfast".
"""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from zipfile import is_zipfile

from holdfast.data.image_set import ImageSet
from holdfast.data.in_zip import InZip
from holdfast.data.labelled_pictures import labelled_pictures
from holdfast.data.pictures import SUFFIXES, InFolder, Opened
from holdfast.data.request import Request, expanded
from holdfast.errors import BadValue, MissingData, printable, require

LAYOUT = "train/CLASS/*.png|jpg|jpeg and test/CLASS/*.png|jpg|jpeg"
SPLITS = ("train", "test")


def read(request: Request) -> ImageSet:
    """Return the pictures of one split of a folder or zip."""
    require(bool(request.argument), f"'{request.name}' names no path; write folder:PATH", BadValue)
    path = expanded(request.argument)
    if path.is_dir():
        return _collect(request, _files(path), InFolder(path))
    require(
        path.exists(), f"there is nothing at {path}; folder:PATH expects a folder or a .zip of {LAYOUT}", MissingData
    )
    zipped = path.is_file() and is_zipfile(path)
    require(zipped, f"{path} is neither a folder nor a .zip; expected one of {LAYOUT}", MissingData)
    archive = InZip(path)
    names = [name for name in dict.fromkeys(archive.names) if not name.endswith("/")]
    return _collect(request, names, archive)


def _collect(request: Request, names: Iterable[str], opened: Opened) -> ImageSet:
    """Return the pictures of one split out of all file names."""
    paths = sorted(path for path in map(PurePosixPath, names) if meant(path))
    of_split = {split: [path for path in paths if _is_picture(path, split)] for split in SPLITS}
    chosen = of_split[request.split]
    require(len(chosen) > 0, f"{request.name} has no {request.split} pictures; expected {LAYOUT}", MissingData)
    _tell_the_others(request, paths, chosen)
    classes = in_order({path.parts[-2] for split in SPLITS for path in of_split[split]})
    number = {name: label for label, name in enumerate(classes)}
    labels = [number[path.parts[-2]] for path in chosen]
    # Both splits say whether the pictures are grey: else the two could differ in their channels.
    others = [str(path) for split in SPLITS if split != request.split for path in of_split[split]]
    names, called = list(map(str, chosen)), tuple(map(printable, classes))
    return labelled_pictures(request, names, opened, labels, called, others)


def in_order(names: Iterable[str]) -> list[str]:
    """Return the names of classes sorted; as numbers where all are whole numbers: 2 before 10."""
    found = sorted(names)
    if not all(name.isascii() and name.isdigit() for name in found):
        return found
    return sorted(found, key=lambda name: (len(name.lstrip("0")), name.lstrip("0"), name))


def meant(path: PurePosixPath) -> bool:
    """Say whether a person put the file there: hidden ones and those of macOS's zips were put there by programs."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _is_picture(path: PurePosixPath, split: str) -> bool:
    return path.suffix.lower() in SUFFIXES and len(path.parts) >= 3 and path.parts[-3] == split


def _tell_the_others(request: Request, paths: Sequence[PurePosixPath], chosen: Sequence[PurePosixPath]) -> None:
    """Say how many files of the split are not read, by their endings."""
    read_ones = set(chosen)
    others = [path for path in paths if request.split in path.parts[:-1] and path not in read_ones]
    if others:
        endings = Counter(path.suffix.lower() or "no ending" for path in others).most_common(5)
        kinds = ", ".join(f"{count} {ending}" for ending, count in endings)
        words = (
            f"{request.name}: {len(others)} files of {request.split} are not read ({kinds}); holdfast reads {LAYOUT}"
        )
        logging.getLogger("holdfast").warning("holdfast: %s", printable(words))


def _files(folder: Path) -> Iterator[str]:
    """Yield the paths, from the folder on, of what lies under train/ and test/ and is no folder."""
    for split in SPLITS:
        for place in (folder / split).iterdir() if (folder / split).is_dir() else ():
            for path in _inside(place):
                yield path.relative_to(folder).as_posix()


def _inside(place: Path) -> Iterator[Path]:
    """Yield a file itself, and of the folder of a class, which may be a link, all that it holds."""
    if not place.is_dir():
        yield place
        return
    with os.scandir(place) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from (Path(deeper) / name for deeper, _, names in os.walk(entry.path) for name in names)
            else:
                yield Path(entry.path)
