"""What a command is called in: streams closed, letters few, a terminal narrow, another project's folder."""

import io
import os
import sys
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.cli.progress import Teller
from holdfast.cli.terminal import usable_streams
from holdfast.errors import printable
from tests.cli.saying import said

SHORT = ("train", "standard", "--limit", "32", "--epochs", "1", "--folder")


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_closed_stream_keeps_nobody_from_training(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, name, None)
    assert main([*SHORT, str(tmp_path / "run")]) == 0
    getattr(sys, name).close()
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_no_file_takes_the_place_of_a_closed_stream() -> None:
    if child := os.fork():
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        return
    os.close(2)
    usable_streams()
    os._exit(0 if os.open(os.devnull, os.O_RDONLY) > 2 else 1)


def test_letters_that_a_terminal_lacks_are_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert main([*SHORT, str(tmp_path / "é")]) == 0
    assert out.buffer.getvalue().endswith(b"\\xe9\n")  # type: ignore[attr-defined]


def test_what_cannot_be_printed_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        status = main(["list", "data"])
    err = capsys.readouterr().err
    assert (status, err.count("\n")) == (2, 1)
    assert "standard output" in err


@pytest.mark.parametrize("columns", range(1, 6))
def test_help_comes_to_an_end_in_a_narrow_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as stop:
        main(["report", "--help"])
    assert stop.value.code == 0
    assert "--figures" in capsys.readouterr().out
    assert os.environ["COLUMNS"] == str(columns)


@pytest.mark.parametrize("word", ["a\0b", "\ud800"], ids=ascii)
@pytest.mark.parametrize("verb", ["train", "audit", "report"])
def test_a_word_that_names_nothing_is_one_line(verb: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = said(capsys, verb, word)
    assert (status, err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "words",
    [
        ("train", "standard", "--folder"),
        ("train", "standard", "--data-root"),
        ("report", "x", "--out"),
        ("convert",),
        ("purify", "BitDepth"),
    ],
    ids=" ".join,
)
def test_a_home_of_nobody_is_one_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = said(capsys, *words, "~nobody-here/x.pt")
    assert (status, err.count("\n")) == (2, 1)
    assert "~nobody-here" in err


def test_a_home_is_meant_where_the_shell_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert said(capsys, *SHORT[:-1], "--folder=~/run")[0] == 0
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_any_text_becomes_one_line_of_utf8() -> None:
    assert printable("é 1") == "é 1"
    assert printable("a\nb\0c\udcffd\ud800") == r"a\nb\x00c\xffd\ud800"


def test_what_is_told_does_not_move_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    tell = Teller()
    tell(3, 8, "")
    tell(0, 1, "goes on")
    assert tell.bar is not None
    assert (tell.bar.tasks[0].completed, tell.bar.tasks[0].total) == (3, 8)
