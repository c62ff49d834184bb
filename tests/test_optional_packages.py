"""What only some of the work needs: without it, one line at the beginning, and all other work as ever."""

import sys
import tomllib
from pathlib import Path

import pytest
import torch

from holdfast import models
from holdfast.analysis import Embedding
from holdfast.data import made_up_images
from holdfast.devices import EXTRAS, have, need
from holdfast.errors import MissingExtra
from holdfast.experiments import run_figure, run_table
from tests.cli.saying import said

ROOT = Path(__file__).parent.parent
LINEAR = f"{Path(__file__).parent / 'auditing' / 'tiny.py'}:linear"


def lacking(monkeypatch: pytest.MonkeyPatch, extra: str) -> None:
    """Let the packages of an extra be missing."""
    for package in EXTRAS[extra]:
        monkeypatch.setitem(sys.modules, package, None)


def test_the_extras_are_those_of_the_distribution() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(stated) - {"all", "dev"}
    assert stated["all"] == [f"holdfast-robust[{','.join(EXTRAS)}]"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if have(extra):
        need(extra)
    lacking(monkeypatch, extra)
    with pytest.raises(MissingExtra, match=rf"pip install 'holdfast-robust\[{extra}\]'"):
        need(extra)


def test_an_audit_without_pages_says_so_and_writes_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lacking(monkeypatch, "report")
    (tmp_path / "report.html").write_text("an earlier audit's")
    words = ("--effort", "fast", "--threat.eps", "0.05", "--limit", "20", "--folder", tmp_path)
    status, out, err = said(capsys, "audit", LINEAR, *words)
    assert status == 0, err
    assert "holdfast-robust[report]" in err
    assert out.strip().endswith(f"report: {tmp_path / 'report.json'}")
    assert (tmp_path / "report.json").exists()
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("report", ("reproduce", "demo", "--scale", "smoke")),
        ("analysis", ("reproduce", "sim", "--scale", "smoke")),
        ("report", ("report", "runs", "--format", "html")),
        ("report", ("report", "runs", "--figures", "figures")),
        ("timm", ("audit", "timm:resnet18")),
        ("datasets", ("audit", LINEAR, "--data", "hf:mnist")),
    ],
)
def test_without_its_extra_a_command_ends_before_any_work(
    extra: str,
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def worked(*_: object) -> None:
        raise AssertionError

    lacking(monkeypatch, extra)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_table, "made", worked)
    monkeypatch.setattr(run_figure, "made", worked)
    status, out, err = said(capsys, *words)
    assert (status, out) == (2, "")
    assert f"holdfast-robust[{extra}]" in err
    assert len(err.splitlines()) == 1


def test_an_analysis_asks_for_its_extra_before_it_attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def attack(*_: object) -> torch.Tensor:
        raise AssertionError

    lacking(monkeypatch, "analysis")
    monkeypatch.setattr("holdfast.attacks.FGSM.__call__", attack)
    with pytest.raises(MissingExtra):
        Embedding()(models.build("digits-net", (1, 8, 8), 10), made_up_images((1, 8, 8), "test"), 0)
