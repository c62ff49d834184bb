"""What a file determines of how its network computes, and what it leaves open, which is asked for and never guessed."""

from collections.abc import Mapping
from itertools import product

from holdfast.errors import BadRecord, UsageError, require
from holdfast.models.architecture import Architecture
from holdfast.models.foreign_names import Renamed
from holdfast.models.wong_kolter import WongKolter

_USUAL = ("none", "symmetric")
_COLOUR = ("none", "cifar10", "cifar10-kuangliu", "symmetric")
_BY_CLASSES = {100: "cifar100", 200: "tiny-imagenet", 1000: "imagenet"}
"""Whose normalisation to try, beside those of CIFAR-10, where there are so many classes."""


class Undecided(UsageError):
    """A file that leaves open how its network computes; `choices` are the options that it may be read with."""

    def __init__(self, origin: str, left_open: Mapping[str, tuple[str, ...]]) -> None:
        self.origin, self.left_open = origin, left_open
        words = " and ".join(f"{word} ({' | '.join(values)})" for word, values in left_open.items())
        also = ", or give mean and std" if "normalize" in left_open else ""
        super().__init__(f"{origin} does not say how its network computes: choose {words}{also}")

    @property
    def choices(self) -> tuple[dict[str, str], ...]:
        """Return every way to read the file."""
        ways = product(*self.left_open.values())
        return tuple(dict(zip(self.left_open, way, strict=True)) for way in ways)


def decided(
    found: Renamed, architecture: Architecture, name: str, given: Mapping[str, object], normalised: bool, origin: str
) -> dict[str, object]:
    """Return the options that the file determines, and over them those that are given.

    Raises:
        BadRecord: the name says another size.
        Undecided: something is left open; `normalised` says that the normalisation is not.
    """
    layout, determined = found.layout, found.determined
    assert layout is not None
    for word, value in architecture.fixed.items():
        there = determined.get(word, value)
        words = f"{origin} holds {layout.called(determined)}, not {name}: its {word} is {there}, not {value}"
        require(there == value, words, BadRecord)
    left_open = {word: values for word, values in layout.leaves_open.items() if word not in given}
    if not normalised:
        left_open["normalize"] = _normalisations(found, architecture)
    if left_open:
        raise Undecided(origin, left_open)
    return {word: value for word, value in determined.items() if word not in architecture.fixed} | dict(given)


def _normalisations(found: Renamed, architecture: Architecture) -> tuple[str, ...]:
    """Return the names of the normalisations that such a network may have been trained with."""
    first, last = found.ends
    if first.shape[1] != 3:
        return _USUAL
    theirs = ("wong-kolter",) if architecture.network is WongKolter else ()
    more = _BY_CLASSES.get(len(last))
    return (*_COLOUR, *theirs, *(() if more is None else (more,)))
