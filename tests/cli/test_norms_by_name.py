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
from holdfast.methods import AT, TRADES, Guarded, SIMAdv
from holdfast.objectives import divergence
from tests.unchecked import refusals


def test_a_run_trains_against_the_norm_that_is_named() -> None:
    assert chosen_run(["AT", "L2"]).method == AT(replace(AT().attack, threat=L2()))
    assert chosen_run(["at", "l1", "fgsm"]).method == chosen_run(["at", "fgsm", "l1"]).method == AT(FGSM(L1()))
    assert chosen_run(["AT", "DDN", "L2"]).method == chosen_run(["AT", "L2", "DDN"]).method == AT(DDN(L2()))
    assert chosen_run(["AT", "ALMA", "L2"]).method == AT(ALMA(L2()))  # which refuses the cross-entropy of AT's PGD
    assert chosen_run(["SIMAdv", "L2"]).method == SIMAdv(threat=L2())
    assert chosen_run(["Guarded", "SIMAdv", "L2"]).method == Guarded(SIMAdv(threat=L2()))


def test_a_step_of_another_norm_is_not_kept() -> None:
    expected = PGD(L2(), steps=10, random_start=False, objective=divergence)
    assert chosen_run(["TRADES", "L2"]).method == TRADES(expected)
    assert against(PGD(Linf(0.1), step_size=0.01), L1) == PGD(L1())
    assert against(FeatureDistortion(), L1).step_size == pytest.approx(0.01 * 12 / (16 / 255))
    assert against(DDN(step_size=2.0), L2) == DDN(L2())


@pytest.mark.parametrize("names", [["Standard", "L2"], ["Kurakin", "L2"], ["AT", "L2", "Linf"]], ids=" ".join)
def test_a_norm_without_a_place_is_refused(names: list[str]) -> None:
    with pytest.raises(UsageError, match=r"L2 has no place in it|L2 and Linf would take the same place"):
        chosen_run(names)


def test_methods_of_one_norm_refuse_another_where_no_type_checker_runs() -> None:
    said = refusals("from holdfast.cli.compose import chosen_run; chosen_run(it)", "['FreeAT', 'L2'], ['NFGSM', 'L1']")
    assert said == [
        "FreeAT is defined for Linf, not L2(eps=0.5)",
        "NFGSM is defined for Linf, not L1(eps=12.0, share=0.01)",
    ]


def test_an_attack_runs_in_the_norm_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = str(tmp_path / "run"), tmp_path / "a.npz"
    assert main(["train", "AT", "L2", "--epochs", "1", "--limit", "20", "--folder", run]) == 0
    words = [run, "--limit", "10", "--attack.threat.eps", "0.75", "--out", str(out)]
    assert main(["attack", "PGD", "l2", *words]) == 0
    with np.load(out) as arrays:
        change = (arrays["images"] - arrays["original"]).reshape(10, -1)
    assert np.linalg.norm(change, axis=1) == pytest.approx(0.75, abs=0.1)
    assert main(["attack", "CWL2", "Linf", *words]) == 2
    assert "CWL2 is defined for L2" in capsys.readouterr().err


def test_a_run_in_a_folder_that_is_called_like_a_norm_is_attacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "Standard", "--epochs", "1", "--limit", "20", "--folder", "l1"]) == 0
    capsys.readouterr()
    for words in (["l1"], ["L2", "l1"]):
        assert main(["attack", "FGSM", *words, "--limit", "5", "--out", f"{len(words)}.npz"]) == 0
    assert main(["attack", "FGSM", "L2"]) == 2
    assert "FGSM needs a network" in capsys.readouterr().err
