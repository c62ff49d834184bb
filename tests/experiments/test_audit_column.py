"""The audit as a column: read back, never repeated, on the first images only, with its doubts told."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import holdfast as hf
from holdfast import Linf, Report, models
from holdfast.attacks import FGSM
from holdfast.auditing import Stage
from holdfast.auditing.engine_state import STANDS
from holdfast.data import made_up_images
from holdfast.defences import BitDepth
from holdfast.errors import BadRecord
from holdfast.evaluation import Cell, outcomes
from holdfast.experiments import Audit, Defended, Scale, Table, TableResult, Workplace, fill_table
from holdfast.experiments.audit_column import audited, decided, drawn
from holdfast.experiments.table import scaled_column
from holdfast.experiments.trained import Trained
from holdfast.metrics import accuracy, correct
from holdfast.objectives import is_correct
from holdfast.report import text_table
from holdfast.storage.behaviour import network_fingerprint
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.measured import here
from holdfast.storage.signed import write_json
from holdfast.training.loop import silent
from holdfast.training.run import Run

from .made_up import NOISY, noisy

THREAT = Linf(0.02)
COLUMN = Audit(THREAT, effort="fast", limit=20)
RUN = Run(data="made-up:1x8x8", epochs=2, limit=64, batch=16)


def given(model: nn.Module) -> Trained:
    """Return a network that is loaded already."""
    return Trained(network_fingerprint(model), lambda: model)


def test_an_audit_as_a_column_is_the_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = models.build("digits-net", (1, 8, 8), 10), made_up_images((1, 8, 8), "test")
    found = audited(COLUMN, given(model), data, 3, tmp_path, silent)
    report = hf.audit(model, data.take(torch.arange(20)), data.labels[:20], THREAT, "fast", seed=3)
    assert accuracy(found.rows) == pytest.approx(report.robust_accuracy)
    assert torch.equal(~correct(found.rows), report.broken)
    assert found.doubts == tuple(doubt.name for doubt in report.doubts)
    monkeypatch.setattr("holdfast.experiments.audit_column.audit", None)
    again = audited(COLUMN, given(model), data, 3, tmp_path, silent)
    assert torch.equal(again.rows.logits, found.rows.logits)
    assert again.doubts == found.doubts
    told, rows = sorted(tmp_path.iterdir())  # how far it had come is not kept
    write_json(told, {"name": "another", "doubts": []})
    with pytest.raises(BadRecord, match=f"{told.name} is of another audit: delete it and {rows.name}"):
        audited(COLUMN, given(model), data, 3, tmp_path, silent)


def stub(broken_by: torch.Tensor) -> Callable[..., Report]:
    """Return what stands for `audit`, and finds that these images broke by themselves."""

    def found(model: nn.Module, images: torch.Tensor, *given: object, **more: object) -> Report:
        return Report(THREAT, "fast", 0, images, broken_by, (Stage("clean", 1, 1, 1, 0, 0.1),))

    return found


@pytest.mark.parametrize("fate", [STANDS, 0])
def test_a_column_of_a_random_network_is_what_the_audit_says(
    fate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = noisy(8, 1)
    monkeypatch.setattr("holdfast.experiments.audit_column.audit", stub(torch.full((20,), fate)))
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found.append(audited(COLUMN, network, data, 0, tmp_path / str(seed), silent, drawn(NOISY)).rows)
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(found[0].logits, found[1].logits)
    assert found[0].measured == here("cpu")
    assert accuracy(found[0]) == (1 if fate == STANDS else 0)


def test_the_report_decides_and_the_other_answers_stay() -> None:
    logits = torch.tensor([[2.0, 1.0], [2.0, 1.0], [1.0, 3e9], [-5.0, -4.0]])
    labels, broken = torch.tensor([0, 0, 0, 0]), torch.tensor([False, True, False, True])
    told = decided(logits, labels, broken)
    assert torch.equal(is_correct(told, labels), ~broken)
    assert torch.equal(told[[0, 3]], logits[[0, 3]])
    assert torch.equal(told[:, 1], logits[:, 1])


def test_only_audits_of_random_rows_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.experiments.audit_column.audit", stub(torch.full((20,), STANDS)))
    network, data = noisy(8, 1)
    for row in (RUN, Defended(RUN, (BitDepth(2),)), NOISY):
        audited(COLUMN, network, data, 0, tmp_path, silent, drawn(row))
    before = fingerprint([COLUMN, 0, data.subset(torch.arange(20)).fingerprint, network.identity])
    names = {path.stem for path in tmp_path.glob("*.safetensors")}
    assert len(names) == 2
    assert before in names


def test_a_table_holds_attacks_and_audits(tmp_path: Path) -> None:
    table = Table(
        "t", {"Vanilla": RUN}, {"clean": None, "FGSM": FGSM(THREAT), "audit": COLUMN}, seeds=(0,), test_limit=30
    )
    result = fill_table("t", table, "smoke", Workplace(tmp_path))
    row = result.values["Vanilla"]
    assert 0 <= row["audit"][0] <= 1
    assert result.count == 30
    notes = " ".join(text_table(result).below)
    assert "fast" in notes
    assert "first 20" in notes
    doubted = replace(result, doubts={"Vanilla": ("zero gradients",)})
    assert "doubts of the audits: Vanilla (zero gradients)" in text_table(doubted).notes


def test_no_audit_leaves_more_than_its_first_attack(tmp_path: Path) -> None:
    model, data = models.build("digits-net", (1, 8, 8), 10), made_up_images((1, 8, 8), "test")
    clean = outcomes(Cell("a", "a", None), {"a": model}, data.subset(torch.arange(20)))
    assert accuracy(audited(COLUMN, given(model), data, 0, tmp_path, silent).rows) <= accuracy(clean)


def test_a_scale_chooses_the_effort() -> None:
    assert scaled_column(Audit(THREAT), Scale(effort="fast")) == Audit(THREAT, "fast")
    assert scaled_column(Audit(THREAT), Scale()) == Audit(THREAT, "standard")


def test_training_times_stand_below_with_their_ratios(result: TableResult) -> None:
    timed = replace(result, train_seconds={"AT": (1.0, 3.0), "TRADES": (5.0, 5.0)})
    assert (
        "mean training time, and its ratio to the shortest: AT 2 s (1.00), TRADES 5 s (2.50)" in text_table(timed).notes
    )
