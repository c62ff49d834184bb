"""Everything that holdfast raises on purpose.

HoldfastError
├── UsageError             what was asked for cannot be: the command line ends with status 2
│   ├── UnknownName        no attack, method, model or data set of that name
│   ├── BadValue           a field out of its range
│   ├── BadImages          images of the wrong type, shape or range
│   ├── BadLabels          labels of the wrong type, number or range
│   ├── MissingData        a data set that is not where it should be
│   ├── BadRecord          a run, checkpoint or outcome that cannot be read
│   ├── MissingExtra       an extra of the distribution that is not installed
│   └── NotWritten         a file that cannot be written: the disk is full, or it is not allowed
├── ModelFault             the network answered with something no attack can judge (NaN, a wrong shape)
│   └── NoGradient         it cannot be differentiated towards its images
└── TrainingDiverged       the loss became NaN or infinite
"""

from collections.abc import Iterable
from difflib import get_close_matches


class HoldfastError(Exception):
    """The root of all errors of holdfast; its text is one line for a person."""


class UsageError(HoldfastError):
    """What was asked for cannot be done; the text says what would be accepted."""


class UnknownName(UsageError):
    """A name that nothing answers to."""

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        name, names = " ".join(str(name).split()), {each.lower(): each for each in sorted(known)}
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


class MissingExtra(UsageError):
    """An extra of the distribution that is not installed."""


class NotWritten(UsageError):
    """A file that cannot be written: the disk is full, or it is not allowed."""


class ModelFault(HoldfastError):
    """The network answered with something no attack can judge."""


class NoGradient(ModelFault):
    """The network cannot be differentiated towards its images."""


class TrainingDiverged(HoldfastError):
    """The loss became NaN or infinite."""


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the five names that resemble `name` most, where all of them would not fit a line."""
    return get_close_matches(name, list(known), n=5, cutoff=0.0)


def reason(fault: BaseException) -> str:
    """Return the first line of what another library said."""
    try:
        return str(fault).strip().partition("\n")[0] or type(fault).__name__
    except Exception:  # a stranger's error may fail at saying what it is
        return type(fault).__name__


def require(condition: bool, message: str, error: type[HoldfastError] = BadValue) -> None:
    """Raise `error` with `message` unless `condition` holds."""
    if not condition:
        raise error(message)


def printable(text: str) -> str:
    """Return the text with what no one line of UTF-8 can show written as an escape: line ends, NUL, lone surrogates.

    A byte of a file's name that is not UTF-8 becomes `\\xff`, as Python has it in bytes.
    """
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    # The operating system's bytes that are not UTF-8 come as surrogates from U+DC80 on (PEP 383).
    byte = ord(letter) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else letter.encode("unicode_escape").decode("ascii")


def shown(given: object) -> str:
    """Return a value on one line, shortened; a class that was not called is named as one."""
    if isinstance(given, type):
        return f"the class {given.__name__}"
    text = " ".join(repr(given).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
