"""`robustbench:DATA/THREAT/NAME`: a network of RobustBench from its file, and the accuracies published of it."""

from pathlib import Path

from holdfast.errors import MissingData, UnknownName
from holdfast.models.architecture import Shape
from holdfast.models.foreign_network import Loaded, Reading, loaded
from holdfast.models.robustbench_entries import ENTRIES, EPS, OTHER_EPS, Entry

PREFIX = "robustbench:"
CLASSES = {"cifar10": 10, "cifar100": 100}
SHAPE: Shape = (3, 32, 32)


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
    return loaded(path, entry.model, SHAPE, CLASSES[name.partition("/")[0]], Reading(entry.key, options=options))


def entry_of(name: str) -> Entry:
    """Return what is known of the network DATA/THREAT/NAME."""
    if name not in ENTRIES:
        raise UnknownName("network of RobustBench in our table", name, ENTRIES)
    return ENTRIES[name]


def published_of(name: str) -> str:
    """Return in words which accuracies are published of the network DATA/THREAT/NAME."""
    entry, (_, threat, own) = entry_of(name), name.split("/")
    lower = "" if entry.lower is None else f" ({entry.lower:.2f} % by a stronger attack)"
    eps = OTHER_EPS.get(own, EPS[threat])
    return f"clean {entry.clean:.2f} %, AutoAttack {entry.autoattack:.2f} %{lower}, {threat} {eps} (RobustBench)"
