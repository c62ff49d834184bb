"""Everything that holdfast raises on purpose.

HoldfastError
├── UsageError             what was asked for cannot be: the command line ends with status 2
│   ├── UnknownName        no attack, method, model or data set of that name
│   ├── BadValue           a field out of its range
│   ├── BadImages          images of the wrong type, shape or range
│   ├── BadLabels          labels of the wrong type, number or range
│   ├── MissingData        a data set that is not where it should be
│   ├── BadRecord          a run, checkpoint or outcome that cannot be read
│   └── NotWritten         a file that cannot be written: the disk is full, or it is not allowed
├── ModelFault             the network answered with something no attack can judge (NaN, a wrong shape)
│   └── NoGradient         it cannot be differentiated towards its images
└── TrainingDiverged       the loss became NaN or infinite
"""

import math
from collections.abc import Iterable
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from numbers import Integral, Real
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints


class HoldfastError(Exception):
    """The root of all errors of holdfast; its text is one line for a person."""


class UsageError(HoldfastError):
    """What was asked for cannot be done; the text says what would be accepted."""


class UnknownName(UsageError):
    """A name that nothing answers to."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = {each.lower(): each for each in sorted(known)}
        near = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
        everything = f"known: {', '.join(names.values())}" if names else "there is none"
        hint = f"did you mean '{names[near[0]]}'?" if near else everything
        super().__init__(f"no {kind} is called '{name}'; {hint}")


class BadValue(UsageError):
    """A field out of its range."""


class BadImages(UsageError):
    """Images of the wrong type, shape or range."""


class BadLabels(UsageError):
    """Labels of the wrong type, number or range."""


class MissingData(UsageError):
    """A data set that is not where it should be."""


class BadRecord(UsageError):
    """A run, checkpoint or outcome that cannot be read."""


class NotWritten(UsageError):
    """A file that cannot be written: the disk is full, or it is not allowed."""


class ModelFault(HoldfastError):
    """The network answered with something no attack can judge."""


class NoGradient(ModelFault):
    """The network cannot be differentiated towards its images."""


class TrainingDiverged(HoldfastError):
    """The loss became NaN or infinite."""


def check_choices(value: object) -> None:
    """Refuse fields of a dataclass that hold none of the words, or numbers, that their type lists."""
    kind: Any = type(value)
    for name, allowed in _choices(kind).items():
        given = getattr(value, name)
        listed = ", ".join(map(str, allowed))
        require(given in allowed, f"{kind.__name__}: {name} = {given!r}: it is one of {listed}")


def check_numbers(value: object, largest: float = math.inf) -> None:
    """Refuse fields of a dataclass that are numbers by their type, but hold none of that kind.

    What may have a fraction is at most `largest`, either way.

    NaN is no number, True is no count, and a count has no fraction.
    """
    kind: Any = type(value)
    for name, hint in _numbers(kind).items():
        given = getattr(value, name)
        if given is None and NoneType in get_args(hint):
            continue
        whole, truth = int in (hint, *get_args(hint)), hint is bool
        real = isinstance(given, Integral if whole else Real) and not isinstance(given, bool)
        known = isinstance(given, bool) if truth else real and (whole or -largest <= given <= largest)
        wanted = "True or False" if truth else "a whole number" if whole else "a number"
        limit = "" if truth or whole or largest == math.inf else f" of at most {largest:.3g}"
        require(known, f"{kind.__name__}: {name} = {given!r}: it is {wanted}{limit}")


@cache
def _numbers(kind: Any) -> dict[str, Any]:
    """Return the type of each field that holds a number, or one or none."""
    hints, names = get_type_hints(kind), [field.name for field in fields(kind)]
    known = (int, float, bool, int | None, float | None)
    return {name: hints[name] for name in names if hints[name] in known}


@cache
def _choices(kind: Any) -> dict[str, tuple[object, ...]]:
    """Return what each field whose type is a Literal may hold."""
    return {name: get_args(hint) for name, hint in get_type_hints(kind).items() if get_origin(hint) is Literal}


def require(condition: bool, message: str, error: type[HoldfastError] = BadValue) -> None:
    """Raise `error` with `message` unless `condition` holds."""
    if not condition:
        raise error(message)
