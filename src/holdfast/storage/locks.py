"""Locks: what one process does at a time, while the others wait for it or go away.

The system forgets the lock of a process that dies. Where there is flock, a folder is locked itself, and nothing is left
in it; where there is none, on Windows, filelock locks a hidden file in it, which goes with the lock.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from holdfast.errors import BadRecord, NotWritten
from holdfast.storage.naming import naming

if sys.platform != "win32":
    import fcntl

Busy = Callable[[Path], None]
"""Called once with what another process holds: it returns to wait for that process, or raises."""


def wait(path: Path) -> None:
    """Say that another process is waited for."""
    logging.getLogger("holdfast").warning("holdfast: another process is at work in %s: waiting for it", path)


def refuse(path: Path) -> None:
    """Refuse to wait for another process."""
    raise BadRecord(f"another process is at work in {path}: wait for it, or choose another folder")


def by_file(path: Path, place: Path, busy: Busy) -> AbstractContextManager[None]:
    """Hold a lock that is a file, about work in `place`; the file goes with it."""
    if sys.platform == "win32":
        return _filelocked(path, place, busy)
    else:  # noqa: RET505, mypy leaves out the other platform's branch
        return _flocked_file(path, place, busy)


def by_folder(folder: Path, busy: Busy) -> AbstractContextManager[None]:
    """Hold the lock of a folder."""
    if sys.platform == "win32":
        return _filelocked(folder / ".lock", folder, busy)
    else:  # noqa: RET505
        return _flocked(folder, os.O_RDONLY, folder, busy)


@contextmanager
def _filelocked(path: Path, place: Path, busy: Busy) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path, thread_local=False)
    with unlocked(path), naming(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            busy(place)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):  # another process waits with it
            path.unlink()


if sys.platform != "win32":

    @contextmanager
    def _flocked_file(path: Path, place: Path, busy: Busy) -> Iterator[None]:
        with _flocked(path, os.O_RDWR | os.O_CREAT, place, busy):
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    @contextmanager
    def _flocked(path: Path, flags: int, place: Path, busy: Busy) -> Iterator[None]:
        while True:
            with naming(path):
                lock = os.open(path, flags, 0o666)
            try:
                _lock(lock, path, place, busy)
                if _same(lock, path):  # else whoever held it has removed it: it keeps nobody out any more
                    yield
                    return
            finally:
                os.close(lock)

    def _lock(lock: int, path: Path, place: Path, busy: Busy) -> None:
        with suppress(BlockingIOError):
            with unlocked(path):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        busy(place)
        with unlocked(path):
            fcntl.flock(lock, fcntl.LOCK_EX)

    def _same(lock: int, path: Path) -> bool:
        try:
            return os.path.samestat(os.fstat(lock), path.stat())
        except FileNotFoundError:
            return False


@contextmanager
def unlocked(path: Path) -> Iterator[None]:
    """Name what cannot be locked, which the system does not; file systems of a network may have no locks."""
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as fault:
        if fault.filename is not None:
            raise
        remedy = "choose a folder on a disk whose files can be locked"
        raise NotWritten(f"{path} cannot be locked ({fault.strerror}): {remedy}") from fault
