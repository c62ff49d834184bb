"""`robustbench:DATA/THREAT/NAME`: a network of RobustBench from its file, and the accuracies published of it."""

from pathlib import Path

from holdfast.errors import MissingData, UnknownName
from holdfast.models.architecture import Shape
from holdfast.models.foreign_network import Loaded, Reading, loaded
from holdfast.models.normalized import PRESETS
from holdfast.models.preprocessing import Preprocessing
from holdfast.models.robustbench_entries import ENTRIES, EPS, Entry

PREFIX = "robustbench:"
CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet": 1000}
SIDE = 32


def from_robustbench(name: str, folder: Path | str = "models") -> Loaded:
    """Return the network DATA/THREAT/NAME, at rest, from `folder`/DATA/THREAT/NAME.pt, and how its file was read.

    Raises:
        UnknownName: it is not in our table.
        MissingData: its file is not there; nothing is downloaded.
        BadRecord, Undecided: the file holds another network.
    """
    entry, path = entry_of(name), Path(folder) / f"{name}.pt"
    if not path.is_file():
        words = f"RobustBench's {name} is not at {path}: put its file there, from https://robustbench.github.io"
        raise MissingData(f"{words}, or name the folder that holds {name.partition('/')[0]}/")
    options = {"normalize": entry.normalize, **entry.options}
    return loaded(
        path, entry.model, _shape(entry), CLASSES[name.partition("/")[0]], Reading(entry.key, options=options)
    )


def _shape(entry: Entry) -> Shape:
    """Return the shape of the images that a network sees."""
    rows, columns = (entry.framing and entry.framing.seen) or (SIDE, SIDE)
    return 3, rows, columns


def preprocessing_of_robustbench(name: str) -> Preprocessing | None:
    """Return what becomes of pictures for the network DATA/THREAT/NAME; None where they are its images already."""
    entry = entry_of(name)
    if entry.framing is None:
        return None
    return Preprocessing(entry.framing, *PRESETS.get(entry.normalize, ((0.0,), (1.0,))))


def entry_of(name: str) -> Entry:
    """Return what is known of the network DATA/THREAT/NAME."""
    if name not in ENTRIES:
        raise UnknownName("network of RobustBench in our table", name, ENTRIES)
    return ENTRIES[name]


def published_of(name: str) -> str:
    """Return in words which accuracies are published of the network DATA/THREAT/NAME."""
    entry, (data, threat, _) = entry_of(name), name.split("/")
    lower = "" if entry.lower is None else f" ({entry.lower:.2f} % by a stronger attack)"
    accuracies = f"clean {entry.clean:.2f} %, AutoAttack {entry.autoattack:.2f} %{lower}"
    of_some = ", on 5,000 images of its own" if data == "imagenet" else ""
    return f"{accuracies}, {threat} {entry.eps or EPS[threat]} (RobustBench{of_some})"
