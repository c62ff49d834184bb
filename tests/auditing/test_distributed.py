"""Neither the batch nor the number of processes changes what an audit finds."""

import copy
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn

from holdfast import Linf, audit
from holdfast.attacks import RandomSign
from holdfast.auditing.distributed import name_of_network
from holdfast.auditing.engine import Begun, Move, Subject, untold
from holdfast.auditing.engine_state import write
from holdfast.errors import UsageError
from tests.auditing.on_disk import found
from tests.cli.test_audit import LINEAR, QUICK, audited, result


def test_the_batch_does_not_change_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = audited(capsys, tmp_path / "whole", LINEAR, *QUICK)
    parts = audited(capsys, tmp_path / "parts", LINEAR, *QUICK, "--batch", "7")
    assert parts["broken_by"] == whole["broken_by"]
    assert parts["margin"] == pytest.approx(whole["margin"], abs=1e-4)
    assert [stage["attacked"] for stage in parts["stages"]] == [stage["attacked"] for stage in whole["stages"]]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_two_processes_find_what_one_does(precision: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (LINEAR, *QUICK, "--batch", "7", "--precision", precision)
    alone = audited(capsys, tmp_path / "alone", *words)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "holdfast", "audit", *words, "--folder", str(tmp_path / "two"), "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert told.returncode == 0, told.stderr
    together = json.loads(told.stdout)
    assert together["broken_by"] == alone["broken_by"]
    assert together["margin"] == alone["margin"]
    assert result(together) == result(alone)
    assert together == json.loads((tmp_path / "two" / "report.json").read_text())


@pytest.mark.slow
def test_two_processes_with_points_on_disk_find_what_one_in_memory_does(tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    alone = found()
    for _ in ("anew", "from the checkpoint"):
        subprocess.run([*torchrun, "-m", "tests.auditing.on_disk", str(tmp_path)], check=True, timeout=300)
        for rank in (0, 1):
            told = torch.load(tmp_path / f"{rank}.pt")
            for name, values in alone.items():
                assert torch.equal(told[name], values), name
            (tmp_path / f"{rank}.pt").unlink()


@pytest.mark.slow
def test_the_first_process_alone_prints_and_decides(tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "holdfast", "audit"]
    words = [LINEAR, *QUICK, "--batch", "7", "--folder", str(tmp_path / "a"), "--require", "0.99"]
    low = subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=300)
    assert low.returncode == 1  # torchrun's own, for any status but 0
    assert low.stdout.count("robust accuracy at most") == 1
    assert low.stderr.count("lower than the required") == 1
    assert "exitcode  : 3" in low.stderr
    assert (tmp_path / "a" / "report.html").exists()
    wrong = [*command, str(tmp_path / "nowhere"), "--folder", str(tmp_path / "b")]
    told = subprocess.run(wrong, capture_output=True, text=True, check=False, timeout=300)
    assert told.stderr.count("holdfast: ") == 1


@pytest.fixture
def another(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Return what a second process says otherwise than this one, by name."""
    otherwise: dict[str, object] = {}

    def as_another(told: list[object], said: dict[str, object]) -> None:
        told[:] = [said, said | {name: value for name, value in otherwise.items() if name in said}]

    monkeypatch.setattr(import_module("holdfast.auditing.distributed"), "rank_and_count", lambda: (0, 2))
    monkeypatch.setattr(torch.distributed, "all_gather_object", as_another)
    return otherwise


@pytest.mark.parametrize("what", ["images", "network"])
def test_processes_that_audit_different_things_are_refused(what: str, another: dict[str, object]) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    another[what] = "another"
    for each in (network, lambda x: network(x)):
        with pytest.raises(UsageError, match=rf"2 processes.* {what};"):
            audit(each, torch.rand(3, 1, 2, 2), torch.zeros(3, dtype=torch.int64), Linf(0.1), "fast")


def test_networks_that_know_their_device_have_one_name() -> None:
    first, second = nn.Linear(4, 2), nn.Linear(4, 2)
    second.load_state_dict(first.state_dict())
    for rank, network in enumerate((first, second)):
        network.where = f"cuda:{rank}"  # type: ignore[assignment]
    assert name_of_network(first) == name_of_network(second)


def test_networks_of_other_weights_have_other_names() -> None:
    networks = [nn.Linear(4, 2) for _ in range(2)]
    names = [
        name_of_network(each) for network in networks for each in (network, network.forward, copy.deepcopy(network))
    ]
    assert names[0] == names[2] != names[3]
    assert names[1] != names[4]


def test_processes_that_do_not_see_one_checkpoint_are_refused(another: dict[str, object], tmp_path: Path) -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.rand(3, 1, 2, 2)
    subject = Subject(network, network, images, network(images).argmax(1))
    moves = {"noise": Move(RandomSign(Linf(0.1)))}
    begun = Begun.of(subject, moves, tmp_path, untold)
    assert begun.path is not None
    write(begun.path, begun.progress)
    Begun.of(subject, moves, tmp_path, untold)
    another["where"] = None
    with pytest.raises(UsageError, match=str(begun.path)):
        Begun.of(subject, moves, tmp_path, untold)
