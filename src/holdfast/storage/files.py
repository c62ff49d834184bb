"""Files that are whole or absent, and what one process does at a time; the others wait for it."""

import errno
import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.errors import BadRecord, NotWritten

Busy = Callable[[Path], None]
"""Called once with what another process holds: it returns to wait for that process, or raises."""
FULL = (errno.ENOSPC, errno.EDQUOT)


def wait(path: Path) -> None:
    """Say that another process is waited for."""
    logging.getLogger("holdfast").warning("holdfast: another process is at work in %s: waiting for it", path)


def refuse(path: Path) -> None:
    """Refuse to wait for another process."""
    raise BadRecord(f"another process is at work in {path}: wait for it, or choose another folder")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` only when all is written and on the disk.

    Raises:
        NotWritten: the disk is full, or the file may not be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with naming(path, temporary):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path, *others: Path) -> Iterator[None]:
    """Turn what the system says about writing `path` into one line that names it; `others` are written on its way."""
    try:
        yield
    except OSError as fault:
        ours = fault.filename is None or str(fault.filename) in map(str, (path, *path.parents, *others))
        if not ours or fault.errno is None or isinstance(fault, ConnectionError):
            raise
        remedy = ": free some space and call again; what is finished stays" if fault.errno in FULL else ""
        raise NotWritten(f"{path} cannot be written ({fault.strerror}){remedy}") from fault


@contextmanager
def alone(folder: Path, busy: Busy = refuse) -> Iterator[None]:
    """Keep other processes out of a folder, and clear away what dead ones were writing in it.

    The system forgets the lock of a process that dies.

    Raises:
        BadRecord: another process is in it, and `busy` does not wait.
    """
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _held(folder, os.O_RDONLY, busy):
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
    with _held(lock, os.O_RDWR | os.O_CREAT, wait):
        try:
            if not path.exists():
                clear(path.parent, f"{path.stem}.*")
                make()
        finally:
            lock.unlink(missing_ok=True)


def clear(folder: Path, names: str = "*") -> None:
    """Remove the temporary files of processes that died while they wrote; `names` is a pattern of the files' names."""
    for path in folder.glob(f".{names}.*"):
        process = path.name.rpartition(".")[2]
        if process.isascii() and process.isdigit() and not _lives(int(process)):
            with suppress(OSError):
                path.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _held(path: Path, flags: int, busy: Busy) -> Iterator[None]:
    """Hold the lock of a file or folder."""
    while True:
        with naming(path):
            lock = os.open(path, flags, 0o666)
        try:
            _lock(lock, path, busy)
            if _same(lock, path):  # else whoever held it has removed it: it keeps nobody out any more
                yield
                return
        finally:
            os.close(lock)


def _lock(lock: int, path: Path, busy: Busy) -> None:
    with suppress(BlockingIOError):
        _take(lock, path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    busy(path.parent if path.suffix == ".lock" else path)
    _take(lock, path, fcntl.LOCK_EX)


def _take(lock: int, path: Path, how: int) -> None:
    """Take a lock; the system does not say which file it is about where a file system, some of a network, has none."""
    try:
        fcntl.flock(lock, how)
    except BlockingIOError:
        raise
    except OSError as fault:
        remedy = "choose a folder on a disk whose files can be locked"
        raise NotWritten(f"{path} cannot be locked ({fault.strerror}): {remedy}") from fault


def _same(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False
