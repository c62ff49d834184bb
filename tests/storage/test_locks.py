"""Locks: others wait or are refused, who dies lets go, nothing stays; by flock, and by filelock where there is none."""

import errno
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from holdfast.errors import BadRecord, NotWritten
from holdfast.storage import locks
from holdfast.storage.files import alone, once
from holdfast.storage.locks import wait

WAYS = ("flock", "filelock")
HOLDER = """
import sys
from pathlib import Path
from holdfast.storage import files
from tests.storage.test_locks import lock_by
lock_by(sys.argv[1])
with files.alone(Path(sys.argv[2])):
    print("in", flush=True)
    sys.stdin.read()
"""


def lock_by(way: str, patch: pytest.MonkeyPatch | None = None) -> None:
    """Let `alone` and `once` lock as they do where there is flock, or where there is none."""
    if way == "filelock":
        patch = patch or pytest.MonkeyPatch()
        patch.setattr("holdfast.storage.files.by_file", locks._filelocked)
        patch.setattr(
            "holdfast.storage.files.by_folder", lambda folder, busy: locks._filelocked(folder / ".lock", folder, busy)
        )


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lock in one of the ways, and say in which."""
    lock_by(request.param, monkeypatch)
    return str(request.param)


def test_two_processes_never_share_a_folder(way: str, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, way, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "in\n"
    with pytest.raises(BadRecord, match="another process is at work in"), alone(tmp_path):
        pass
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    with alone(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("way")
def test_who_waits_says_so_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inside, leave, order = threading.Event(), threading.Event(), []

    def other() -> None:
        with alone(tmp_path):
            inside.set()
            leave.wait(10)
            order.append("other")

    def busy(folder: Path) -> None:
        wait(folder)
        leave.set()

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    with caplog.at_level(logging.WARNING), alone(tmp_path, busy):
        order.append("this")
    thread.join()
    assert order == ["other", "this"]
    assert [str(tmp_path) in line.getMessage() for line in caplog.records] == [True]


@pytest.mark.usefixtures("way")
def test_the_lock_of_a_file_goes_with_it(tmp_path: Path) -> None:
    once(tmp_path / "file", (tmp_path / "file").touch)
    with pytest.raises(ZeroDivisionError):
        once(tmp_path / "other", lambda: divmod(1, 0) and None)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_place_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(lock: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", lacking)
    with pytest.raises(NotWritten, match=f"{tmp_path.name} cannot be locked"), alone(tmp_path):
        pass
    with pytest.raises(NotWritten, match=r"file.* cannot be locked"):
        once(tmp_path / "file", lambda: None)
