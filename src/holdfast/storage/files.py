"""Files that are whole or absent, and what one process does at a time; the others wait for it."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.storage.locks import Busy, by_file, by_folder, refuse, wait
from holdfast.storage.naming import naming


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` only when all is written and on the disk.

    Raises:
        NotWritten: the disk is full, or the file may not be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with naming(path, temporary):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("r+b") as written:  # Windows flushes only what may be written
                os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path, busy: Busy = refuse) -> Iterator[None]:
    """Keep other processes out of a folder, and clear away what dead ones were writing in it.

    The system forgets the lock of a process that dies.

    Raises:
        BadRecord: another process is in it, and `busy` does not wait.
    """
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with by_folder(folder, busy):
        clear(folder)
        yield


def once(path: Path, make: Callable[[], None]) -> None:
    """Make a file, unless it is there; where another process is making it, wait for that."""
    lock = path.with_name(f".{path.name}.lock")
    if path.exists():
        with suppress(OSError):
            lock.unlink()  # of a process that died between the two
        return
    with naming(path, lock):
        path.parent.mkdir(parents=True, exist_ok=True)
    with by_file(lock, path.parent, wait):
        if not path.exists():
            clear(path.parent, f"{path.stem}.*")
            make()


def clear(folder: Path, names: str = "*") -> None:
    """Remove the temporary files of processes that died while they wrote; `names` is a pattern of the files' names."""
    for path in folder.glob(f".{names}.*"):
        process = path.name.rpartition(".")[2]
        if process.isascii() and process.isdigit() and not _lives(int(process)):
            with suppress(OSError):
                path.unlink()


def _lives(process: int) -> bool:
    if sys.platform != "win32":  # where to ask by signal 0 would interrupt it
        try:
            os.kill(process, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            return True
    return True
