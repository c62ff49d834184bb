"""A norm named on the command line: the attack that a run trains on, or that is run, is against that norm."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from holdfast import L1, L2, Linf
from holdfast.attacks import ALMA, DDN, FGSM, PGD, FeatureDistortion
from holdfast.cli import main
from holdfast.cli.compose import against, chosen_run
from holdfast.errors import UsageError
from holdfast.methods import AT, TRADES, Guarded, Method, SIMAdv
from holdfast.objectives import divergence
from tests.unchecked import refusals


def method(words: str) -> Method:
    """Return the method that a command trains by."""
    name, *rest = words.split()
    return chosen_run(name, rest).method


def test_a_run_trains_against_the_norm_that_is_named() -> None:
    assert method("AT --norm L2") == AT(replace(AT().attack, threat=L2()))
    assert method("at --norm l1 --attack fgsm") == method("at --attack fgsm --norm l1") == AT(FGSM(L1()))
    assert method("AT --attack DDN --norm L2") == method("AT --norm=L2 --attack=DDN") == AT(DDN(L2()))
    assert method("AT --attack ALMA --norm L2") == AT(ALMA(L2()))  # which refuses the cross-entropy of AT's PGD
    assert method("SIMAdv --norm L2") == SIMAdv(threat=L2())
    assert method("Guarded --norm L2 --guards SIMAdv") == Guarded(SIMAdv(threat=L2()))


def test_a_step_of_another_norm_is_not_kept() -> None:
    expected = PGD(L2(), steps=10, random_start=False, objective=divergence)
    assert method("TRADES --norm L2") == TRADES(expected)
    assert against(PGD(Linf(0.1), step_size=0.01), L1) == PGD(L1())
    assert against(FeatureDistortion(), L1).step_size == pytest.approx(0.01 * 12 / (16 / 255))
    assert against(DDN(step_size=2.0), L2) == DDN(L2())


@pytest.mark.parametrize("words", ["Standard --norm L2", "Kurakin --norm L2", "AT --norm L2 --norm Linf"])
def test_a_norm_without_a_place_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match=r"--norm L2|L2 and Linf"):
        method(words)


def test_methods_of_one_norm_refuse_another_where_no_type_checker_runs() -> None:
    given = "('FreeAT', ['--norm', 'L2']), ('NFGSM', ['--norm', 'L1']), ('FreeAT', ['--norm', 'NormalisedLinf'])"
    said = refusals("from holdfast.cli.compose import chosen_run; chosen_run(*it)", given)
    assert said == [
        "FreeAT is defined for Linf, not L2(eps=0.5)",
        "NFGSM is defined for Linf, not L1(eps=12.0, share=0.01)",
        "FreeAT is defined for Linf, not NormalisedLinf(eps=0.031, std=(0.247, 0.2435, 0.2616))",
    ]


def test_an_attack_runs_in_the_norm_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = str(tmp_path / "run"), tmp_path / "a.npz"
    assert main(["train", "AT", "--norm", "L2", "--epochs", "1", "--limit", "20", "--folder", run]) == 0
    words = [run, "--limit", "10", "--attack.threat.eps", "0.75", "--out", str(out)]
    assert main(["attack", "PGD", *words, "--norm", "l2"]) == 0
    with np.load(out) as arrays:
        change = (arrays["images"] - arrays["original"]).reshape(10, -1)
    assert np.linalg.norm(change, axis=1) == pytest.approx(0.75, abs=0.1)
    assert main(["attack", "CWL2", *words, "--norm=Linf"]) == 2
    assert "CWL2 is defined for L2" in capsys.readouterr().err


def test_a_run_in_a_folder_that_is_called_like_a_norm_is_attacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "Standard", "--epochs", "1", "--limit", "20", "--folder", "l1"]) == 0
    capsys.readouterr()
    assert main(["attack", "FGSM", "l1", "--norm", "L2", "--limit", "5"]) == 0
    assert main(["attack", "FGSM", "L2"]) == 2
    assert "--norm L2" in capsys.readouterr().err
