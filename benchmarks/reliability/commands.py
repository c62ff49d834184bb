"""A command line, run in a forked process that has loaded holdfast already, and how it ended."""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import forked

from holdfast.cli import main

LIMIT = 60.0
"""Seconds after which a command hangs; each is given work for a second."""
STATUSES = (0, 1, 2, 3)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status (nothing where it was stopped) and the bytes that it wrote."""

    status: int | None
    out: bytes
    err: bytes

    @property
    def lines(self) -> list[str]:
        """What it complained of, but for how far the work came and what holdfast tells beside it."""
        said = self.err.decode("utf-8", "backslashreplace").splitlines()
        return [line for line in said if line.startswith("holdfast: ") and not any(note in line for note in NOTES)]

    @property
    def kind(self) -> str:
        """Name the way it ended."""
        if self.status is None:
            return "hang"
        if b"Traceback" in self.err:
            return "traceback"
        if self.status < 0 or self.status not in STATUSES:
            return f"status {self.status}"
        if self.status == 2 and len(self.lines) != 1 and not self.out.startswith(b"usage"):
            return "no line" if not self.lines else "several lines"
        return str(self.status)


NOTES = (" are not read (", "holds no normalisation", "nothing is kept in ", "waiting for it")
"""Lines that are told beside the work."""


def call(
    words: Sequence[str],
    folder: Path,
    surroundings: Mapping[str, str | None] | None = None,
    closed: Sequence[int] = (),
    encoding: str = "utf-8",
) -> Ended:
    """Run a command in a folder, with changes to the environment, closed streams, or streams of few letters."""
    out, err = folder / "stdout", folder / "stderr"
    process = os.fork()
    if not process:
        status = 1
        try:
            _surround(folder, surroundings or {}, closed, encoding, (out, err))
            status = main(words)
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 0
        except BaseException:
            err.open("ab").write(traceback.format_exc().encode())
        finally:
            _leave(status)
    return Ended(forked.ended(process, LIMIT), out.read_bytes(), err.read_bytes())


def _surround(
    folder: Path, variables: Mapping[str, str | None], closed: Sequence[int], encoding: str, files: tuple[Path, Path]
) -> None:
    os.chdir(folder)
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    for number, (name, path) in enumerate(zip(("stdout", "stderr"), files, strict=True), 1):
        os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
        setattr(sys, name, open(number, "w", encoding=encoding, closefd=False))  # noqa: SIM115
    for number in closed:
        setattr(sys, ("stdin", "stdout", "stderr")[number], None)
        os.close(number)


def _leave(status: int) -> None:
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    os._exit(status)
