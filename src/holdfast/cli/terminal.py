"""The three standard streams, made to take whatever is printed, and a terminal that help fits into."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from shutil import get_terminal_size

NARROWEST = 40
"""Letters a line; tyro's tables of help find no end in a terminal of a few letters."""


def usable_streams() -> None:
    """Open what was closed, on nothing, and let a terminal of few letters show escapes for the others."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # else the next file that is opened would take what libraries print
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flushed() -> None:
    """Write out what was printed, so that a full disk or a reader that went away is noticed while it can be told."""
    try:
        sys.stdout.flush()
    except OSError as fault:
        silence()
        if isinstance(fault, BrokenPipeError):
            raise
        raise OSError(fault.errno, fault.strerror, "standard output") from fault


def silence() -> None:
    """Let nothing more be printed, which would fail again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def wide(columns: int) -> Iterator[None]:
    """Let what asks for the terminal's width find this one."""
    said = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(columns)
    try:
        yield
    finally:
        if said is None:
            os.environ.pop("COLUMNS", None)
        else:
            os.environ["COLUMNS"] = said


def wide_enough() -> AbstractContextManager[None]:
    """Let what asks for the terminal's width find one that words fit into."""
    return wide(NARROWEST) if get_terminal_size().columns < NARROWEST else nullcontext()
