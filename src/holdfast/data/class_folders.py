"""Folders of pictures, one a class, as ImageNet's validation images and torchvision's ImageFolder have them.

The pictures are those under val/ or test/ (for training, train/), or under the folder itself. A folder that holds
pictures is a class and is called as the class is, at whatever depth; one called images belongs to the class above it,
and is no class itself: Tiny ImageNet's test/images/ holds pictures without labels.
The classes are those of train/ too, where it is there, and of a file wnids.txt, sorted by name. Folders called by whole
numbers say the label themselves. Folders called by WordNet numbers of ImageNet, where neither train/ nor wnids.txt says
which classes there are, have the labels of its 1,000 classes, so that a part of them is enough.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path, PurePosixPath

from holdfast.data.folder import in_order
from holdfast.data.image_set import ImageSet
from holdfast.data.labelled_pictures import labelled_pictures
from holdfast.data.pictures import SUFFIXES, InFolder
from holdfast.data.request import Request, expanded
from holdfast.data.walk import walked
from holdfast.errors import BadLabels, BadValue, MissingData, printable, require

PLACES = {"train": ("train",), "test": ("test", "val", "validation")}
"""Where the pictures of a split are looked for; the folder itself is the last place of a test split."""
LAYOUT = "PATH/val/CLASS/*.jpg|jpeg|png, or test/ in place of val/, or neither"
LISTED = "wnids.txt"


def read(request: Request) -> ImageSet:
    """Return the pictures of one split, framed."""
    require(bool(request.argument), f"'{request.name}' names no path; write imagefolder:PATH", BadValue)
    folder = expanded(request.argument)
    require(folder.is_dir(), f"there is no folder {folder}; imagefolder:PATH expects {LAYOUT}", MissingData)
    place, of_class = _found(request, folder)
    said = sorted(of_class) if request.train else []  # train/ says which classes there are, to itself as to the others
    label, classes = labelled(sorted(of_class), [*said, *_others(request, folder)])
    paths = [path for name in sorted(of_class) for path in sorted(of_class[name])]
    names, labels = list(map(str, paths)), [label[_class_of(path)] for path in paths]
    return labelled_pictures(request, names, InFolder(place), labels, classes)


def labelled(names: Sequence[str], others: Sequence[str] = ()) -> tuple[Mapping[str, int], tuple[str, ...]]:
    """Return the label of each class by the name of its folder, and what all classes are called; say what is missing.

    `others` are classes that are known to exist although they may have no pictures here.
    """
    known = in_order({*names, *others})
    require(len(known) > 0, "there are no class folders", MissingData)
    if all(name.isascii() and name.isdigit() for name in known):
        return _by_number(known, names)
    imagenet = imagenet_classes()
    if not others and len(known) < len(imagenet) and set(known) <= set(imagenet):
        words = f"{len(known)} of ImageNet's 1,000 class folders are there: labels are those of the 1,000"
        _tell(f"{words} (a file {LISTED} that lists only these makes a data set of {len(known)} classes)")
        known = list(imagenet)
    elif len(names) < len(known):
        _tell(f"{len(names)} of {len(known)} classes have pictures here")
    return {name: label for label, name in enumerate(known)}, tuple(map(printable, known))


def imagenet_classes() -> tuple[str, ...]:
    """Return the WordNet numbers of ImageNet's 1,000 classes (ILSVRC 2012), in the order of their labels."""
    text = resources.files("holdfast.data").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(text.split())


def _by_number(known: Sequence[str], names: Sequence[str]) -> tuple[Mapping[str, int], tuple[str, ...]]:
    """Return labels that folders called by whole numbers say themselves; 1 to n, without a gap, are 0 to n - 1."""
    numbers = {name: int(name) for name in known}
    twice = len(set(numbers.values())) < len(numbers)
    require(not twice, f"two class folders are the same number: {', '.join(known[:5])}", BadLabels)
    highest = max(numbers.values())
    require(highest < 1_000_000, f"a class folder is called {highest}: classes count from 0", BadLabels)
    if sorted(numbers.values()) == list(range(1, len(known) + 1)):
        _tell(f"class folders are called 1 to {highest}: they are labels 0 to {highest - 1}")
        return {name: number - 1 for name, number in numbers.items()}, tuple(map(str, range(1, highest + 1)))
    if len(names) <= highest:
        _tell(f"{len(names)} of {highest + 1} classes have pictures here, by the numbers that their folders are called")
    return numbers, tuple(map(str, range(highest + 1)))


def _found(request: Request, folder: Path) -> tuple[Path, dict[str, list[PurePosixPath]]]:
    """Return where the pictures of a split are, and their paths from there on, by class."""
    places = [folder / name for name in PLACES[request.split] if (folder / name).is_dir()]
    itself = request.split == "test" and not any((folder / name).is_dir() for name in ("train", *PLACES["test"]))
    places += [folder] if itself else []
    for place in places:
        if of_class := pictures_by_class(place):
            return place, of_class
    loose = next((place / path for place in places for path in _pictures(place)), None)
    flat = f"{loose} lies in no class folder (images/ is none); labels are names of class folders: expected {LAYOUT}"
    words = f"{request.name} has no {request.split} pictures in class folders; expected {LAYOUT}"
    raise MissingData(flat if loose else words)


def pictures_by_class(place: Path) -> dict[str, list[PurePosixPath]]:
    """Return the paths of the pictures in class folders, from `place` on, by class.

    Raises:
        BadLabels: a class is in two places.
    """
    of_class: dict[str, list[PurePosixPath]] = {}
    where: dict[str, PurePosixPath] = {}
    for path in _pictures(place):
        name, above = _class_of(path), path.parent
        twice = f"{place}: class {name} is in two places, {where.get(name)} and {above}: name one of them"
        require(name == "" or where.setdefault(name, above) == above, twice, BadLabels)
        of_class.setdefault(name, []).append(path)
    loose = of_class.pop("", [])
    if loose and of_class:
        _tell(f"{len(loose)} pictures in {place} lie in no class folder and are not read, such as {loose[0]}")
    return of_class


def _class_of(path: PurePosixPath) -> str:
    """Return the name of the folder that a picture lies in, images/ aside; "" where it lies in no other."""
    parts = path.parts[:-1]
    named = parts[:-1] if parts[-1:] == ("images",) else parts
    return named[-1] if named else ""


def _pictures(place: Path) -> Iterator[PurePosixPath]:
    """Yield the paths of all pictures, from `place` on."""
    for folder, names in _holding_pictures(place):
        yield from (folder / name for name in names)


def _holding_pictures(place: Path) -> Iterator[tuple[PurePosixPath, list[str]]]:
    """Yield the folders that hold pictures, from `place` on, and their names."""
    for deeper, names in walked(place):
        pictures = [name for name in names if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
        if pictures:
            yield PurePosixPath(deeper.relative_to(place).as_posix()), sorted(pictures)


def _others(request: Request, folder: Path) -> list[str]:
    """Return the classes that the other split and the file wnids.txt name."""
    places, listed = PLACES["test" if request.train else "train"], folder / LISTED
    holding = (each / pictures[0] for name in places for each, pictures in _holding_pictures(folder / name))
    names = set(map(_class_of, holding)) - {""}
    return sorted(names) + (listed.read_text(encoding="utf-8").split() if listed.is_file() else [])


def _tell(words: str) -> None:
    logging.getLogger("holdfast").warning("holdfast: %s", words)
