"""Which process prints and writes: one that shares its audit with no other does, whatever the environment says."""

from pathlib import Path

import pytest
import torch

from holdfast.auditing.launched import is_main, launched
from holdfast.errors import HoldfastError, UsageError
from tests.cli.test_audit import LINEAR, QUICK, said

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def surround(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for word in text.split():
        monkeypatch.setenv(*word.split("="))


@pytest.mark.parametrize("text", ["RANK=1", "RANK=", "RANK=abc", "RANK=1 WORLD_SIZE=1", "RANK=3 WORLD_SIZE="])
def test_a_process_alone_is_the_main_one(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch, text)
    with launched(torch.device("cpu")) as device:
        assert device == torch.device("cpu")
        assert is_main()


def test_a_gate_holds_whatever_rank_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    surround(monkeypatch, "RANK=1")
    status, out, _ = said(capsys, "audit", LINEAR, *QUICK, "--folder", tmp_path / "a", "--require", "1")
    assert status == 3
    assert "robust accuracy at most" in out
    assert (tmp_path / "a" / "report.json").exists()


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        ("WORLD_SIZE=abc", "WORLD_SIZE is 'abc'"),
        ("WORLD_SIZE=0", "WORLD_SIZE is '0'"),
        ("WORLD_SIZE=-2 RANK=0", "WORLD_SIZE is '-2'"),
        ("WORLD_SIZE=2 RANK=0", "MASTER_ADDR"),
        ("WORLD_SIZE=2 MASTER_ADDR=localhost MASTER_PORT=29500", "RANK is ''"),
        ("WORLD_SIZE=2 MASTER_ADDR=localhost MASTER_PORT=29500 RANK=abc", "RANK is 'abc'"),
        ("WORLD_SIZE=2 MASTER_ADDR=localhost MASTER_PORT=29500 RANK=2", "RANK is '2'"),
        ("WORLD_SIZE=2 MASTER_ADDR=localhost RANK=1", "MASTER_PORT is ''"),
        ("WORLD_SIZE=2 MASTER_ADDR=localhost MASTER_PORT=99999 RANK=1", "MASTER_PORT is '99999'"),
    ],
)
def test_an_environment_that_cannot_be_joined_is_one_line(
    text: str, blamed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    surround(monkeypatch, text)
    status, out, err = said(capsys, "audit", LINEAR, *QUICK)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert blamed in err


def test_processes_that_cannot_meet_say_where(monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch, "WORLD_SIZE=2 MASTER_ADDR=localhost MASTER_PORT=29500 RANK=1")

    def alone(backend: str) -> None:
        raise torch.distributed.DistStoreError("Timed out\nafter 1801 seconds")

    monkeypatch.setattr(torch.distributed, "init_process_group", alone)
    with pytest.raises(HoldfastError, match=r"localhost:29500") as caught, launched(torch.device("cpu")):
        pass
    assert not isinstance(caught.value, UsageError)
    assert "\n" not in str(caught.value)
