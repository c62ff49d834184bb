"""Files are whole or absent, a full disk is one line, and one process at a time works in a place."""

import errno
import os
import threading
from pathlib import Path

import pytest
import torch

from holdfast.errors import NotWritten
from holdfast.storage.files import alone, atomic_write, clear, once
from holdfast.storage.signed import read_state, write_state, write_tensors, write_text
from tests.limited import file_size

DEAD = 2**22 + 1
"""No process has this number: Linux gives lower ones."""


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_named_and_the_old_file_stays(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    write_state(tmp_path / "last.pt", {"a": 1})
    with file_size(10_000):
        with pytest.raises(NotWritten, match=r"a\.txt cannot be written"):
            write_text(tmp_path / "a.txt", "new" * 10_000)
        with pytest.raises(NotWritten, match=r"last\.pt cannot be written"):
            write_state(tmp_path / "last.pt", {"a": torch.zeros(100_000)})
        with pytest.raises(NotWritten, match=r"t\.safetensors cannot be written"):
            write_tensors(tmp_path / "t.safetensors", {"a": torch.zeros(100_000)})
    assert (tmp_path / "a.txt").read_text() == "old"
    assert read_state(tmp_path / "last.pt", "") == {"a": 1}
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "last.pt"}
    with pytest.raises(NotWritten, match=r"a\.txt/b\.txt cannot be written"):
        write_text(tmp_path / "a.txt" / "b.txt", "")


def test_faults_of_what_is_written_and_of_other_files_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "file"):
        (tmp_path / "missing").read_text()
    with pytest.raises(BrokenPipeError), atomic_write(tmp_path / "file"):
        raise BrokenPipeError(errno.EPIPE, "nobody reads")


def test_a_fault_inside_is_not_taken_for_the_lock(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), alone(tmp_path):
        raise BlockingIOError


def test_a_place_where_nothing_may_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotWritten, match=r"file/a cannot be written"):
        once(tmp_path / "file" / "a", lambda: None)
    for place in (tmp_path / "file", tmp_path / "file" / "a"):
        with pytest.raises(NotWritten, match=f"{place.name} cannot be written"), alone(place):
            pass


def test_what_two_need_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, made, begun, waiting = tmp_path / "file", [], threading.Event(), threading.Event()

    def make() -> None:
        begun.set()
        waiting.wait(10)
        made.append(threading.get_ident())
        path.write_text("made")

    thread = threading.Thread(target=once, args=(path, make))
    thread.start()
    begun.wait(10)
    monkeypatch.setattr("holdfast.storage.files.wait", lambda place: waiting.set())
    once(path, make)
    thread.join()
    assert len(made) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_what_dead_processes_were_writing_is_cleared_away(tmp_path: Path) -> None:
    kept = {f".last.pt.{os.getpid()}", ".bashrc", "last.pt", ".a.12x"}
    for name in (*kept, f".last.pt.{DEAD}", f".model.safetensors.{DEAD}"):
        (tmp_path / name).touch()
    with alone(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == kept
    for name in ("a.part", "a.safetensors", "b.part"):
        (tmp_path / f".{name}.{DEAD}").touch()
    (tmp_path / ".a.safetensors.lock").touch()
    once(tmp_path / "a.safetensors", (tmp_path / "a.safetensors").touch)
    assert {path.name for path in tmp_path.iterdir()} == kept | {"a.safetensors", f".b.part.{DEAD}"}
    clear(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept | {"a.safetensors"}
