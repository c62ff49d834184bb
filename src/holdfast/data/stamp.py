"""A data set that is read once, as long as the files behind its name are still those that were read."""

from functools import lru_cache
from pathlib import Path

from holdfast.data.hub_sets import parted
from holdfast.data.image_set import ImageSet
from holdfast.data.level import LEVEL
from holdfast.data.request import expanded
from holdfast.data.sources import load
from holdfast.data.walk import walked


def loaded(name: str, split: str, root: Path, download: bool, limit: int | None) -> ImageSet:
    """Return a data set, the same one again while a table goes through its rows and its files stay as they are."""
    files = stamp(name)
    return _loaded(name, split, root, download, limit, files)


@lru_cache(maxsize=2)
def _loaded(name: str, split: str, root: Path, download: bool, limit: int | None, files: int) -> ImageSet:
    return load(name, split, root, download, limit)


def stamp(name: str) -> int:
    """Return a number that changes when a file of one's own is added, removed or written over.

    Those are the files of `npz:PATH`, `folder:PATH`, `imagefolder:PATH` and `hf:FOLDER`, behind links too, and FILE.py.
    """
    kind, _, argument = name.partition(":")
    if kind == LEVEL:
        return stamp(argument)
    place = parted(argument)[0] if kind == "hf" else argument
    path = Path(name.rpartition(":")[0]) if ".py:" in name else expanded(place)
    if ":" not in name or not path.exists():
        return 0
    if path.is_file():
        return hash(_state(path))
    below = (deeper / file for deeper, files in walked(path) for file in files)
    return hash(frozenset(map(_state, path.glob("*/*/*") if kind == "folder" else below)))


def _state(file: Path) -> tuple[str, int, int]:
    """Return the name of a file, when it was written, and its size; a link to nowhere has neither."""
    try:
        said = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file), said.st_mtime_ns, said.st_size
