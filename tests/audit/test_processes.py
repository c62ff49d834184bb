"""Neither the batch nor the number of processes changes what an audit finds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .test_command import LINEAR, QUICK, audited, result


def test_the_batch_does_not_change_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = audited(capsys, tmp_path / "whole", LINEAR, *QUICK)
    parts = audited(capsys, tmp_path / "parts", LINEAR, *QUICK, "--batch", "7")
    assert parts["broken_by"] == whole["broken_by"]
    assert parts["margin"] == pytest.approx(whole["margin"], abs=1e-4)
    assert [stage["attacked"] for stage in parts["stages"]] == [stage["attacked"] for stage in whole["stages"]]


@pytest.mark.slow
def test_two_processes_find_what_one_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (LINEAR, *QUICK, "--batch", "7")
    alone = audited(capsys, tmp_path / "alone", *words)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "holdfast.cli", "audit", *words, "--folder", str(tmp_path / "two"), "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert told.returncode == 0, told.stderr
    together = json.loads(told.stdout)
    assert together["broken_by"] == alone["broken_by"]
    assert together["margin"] == alone["margin"]
    assert result(together) == result(alone)
    assert together == json.loads((tmp_path / "two" / "report.json").read_text())
