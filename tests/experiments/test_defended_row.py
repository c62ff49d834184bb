"""Rows of defended networks: what is judged, what is attacked, what is shared between rows, and what is kept."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from holdfast.attacks import PGD
from holdfast.attacks.attack import Attack
from holdfast.defences import BitDepth, defend, views
from holdfast.evaluation import Cell, outcomes
from holdfast.experiments import Defended, Likeness, Scale, SeenAs, Table, Transfer, Workplace, fill_table, read_results
from holdfast.experiments.defended_row import Row, each_run, made, runs_of, seeded_row
from holdfast.experiments.images_of_run import images_of
from holdfast.experiments.shared_images import shared_images
from holdfast.experiments.stored_results import keep
from holdfast.experiments.table import scaled_table
from holdfast.experiments.trained import trained
from holdfast.metrics import accuracy
from holdfast.report import overview, page, text_table
from holdfast.report.accuracy_figure import drawn_columns
from holdfast.threats import Linf
from holdfast.training.loop import silent
from holdfast.training.run import Run

BARE = Run(data="made-up:1x8x8", epochs=2, limit=64, batch=16)
ATTACK = PGD(Linf(0.1), steps=3)
ROWS: Mapping[str, Row] = {"bare": BARE, "none": Defended(BARE, ()), "squeezed": Defended(BARE, (BitDepth(2),))}
COLUMNS = {
    "clean": None,
    "grey box": SeenAs("bare classifier", ATTACK),
    "plain": SeenAs("plain gradients", ATTACK),
    "BPDA": SeenAs("straight through", ATTACK),
    "transfer": Transfer(BARE, ATTACK),
}


def test_each_column_judges_the_defended_network_on_images_against_its_view(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    table = Table("t", ROWS, COLUMNS, seeds=(0,), test_limit=40, worst=("grey box", "BPDA"))
    values = fill_table("t", table, "smoke", place).values
    data = images_of(BARE, 40, place)
    bare = trained(BARE, data, place).load()
    squeezed = defend(bare, BitDepth(2))
    seen: Any = {"grey box": bare, "plain": squeezed, "BPDA": views(squeezed)["straight through"], "transfer": bare}
    for name, source in seen.items():
        found = outcomes(Cell("judged", "source", ATTACK), {"judged": squeezed, "source": source}, data)
        assert values["squeezed"][name] == (accuracy(found),), name
        alone = outcomes(Cell("judged", "judged", ATTACK), {"judged": bare}, data)
        assert values["none"][name] == values["bare"][name] == (accuracy(alone),), name
    assert values["squeezed"]["worst case"][0] <= min(values["squeezed"][name][0] for name in ("grey box", "BPDA"))


def test_images_against_one_network_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Workplace(tmp_path)
    calls: list[Attack] = []
    rows = {f"{bits} bits": Defended(BARE, (BitDepth(bits),)) for bits in (1, 2, 3)}
    table = Table("t", rows, {name: COLUMNS[name] for name in ("grey box", "transfer")}, seeds=(0,), test_limit=40)
    attacked = Attack.__call__
    monkeypatch.setattr(
        Attack, "__call__", lambda self, *given, **more: calls.append(1) or attacked(self, *given, **more)
    )  # type: ignore[func-returns-value]
    first = fill_table("t", table, "smoke", place)
    assert len(calls) == 1
    assert fill_table("t", table, "smoke", place).values == first.values
    assert len(calls) == 1


def test_an_interrupted_attack_for_many_rows_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(tmp_path)
    data, network = images_of(BARE, 40, place), trained(BARE, images_of(BARE, 40, place), place)
    whole = shared_images(ATTACK, network, 0, data, tmp_path / "whole", silent)
    monkeypatch.setattr("holdfast.experiments.shared_images.SAVE_EVERY", -1)
    monkeypatch.setattr("holdfast.experiments.shared_images.BATCH", 16)

    def stopping(done: int, total: int, words: str) -> None:
        if done == 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared_images(ATTACK, network, 0, data, tmp_path / "halves", stopping)
    (part,) = (tmp_path / "halves").glob("*.part")
    told: list[int] = []
    found = shared_images(ATTACK, network, 0, data, part.parent, lambda done, total, words: told.append(done))
    assert told == [32, 40]
    assert not part.exists()
    assert torch.equal(found.images, whole.images)
    assert (found.forwards, found.backwards) == (whole.forwards, whole.backwards)


def test_a_result_with_defended_rows_is_kept_and_shown(tmp_path: Path) -> None:
    table = Table("t", {"squeezed": ROWS["squeezed"]}, {"grey box": COLUMNS["grey box"]}, seeds=(0,), test_limit=20)
    result = fill_table("t", table, "smoke", Workplace(tmp_path))
    keep(result, tmp_path, "t")
    (kept,) = read_results(tmp_path)
    assert kept == result
    assert "squeezed" in page("t", [kept], [])
    assert text_table(kept).rows == text_table(result).rows


def test_seeds_and_scales_reach_every_run_of_a_row() -> None:
    other = replace(BARE, model="lenet")
    row = Defended(BARE, (BitDepth(2), other))
    assert runs_of(row) == (other, BARE)
    assert {run.seed for run in runs_of(seeded_row(row, 7))} == {7}
    scale = Scale(epochs=1, share={"lenet": 0.5})
    assert [run.epochs for run in runs_of(each_run(row, scale.run))] == [1, 1]
    halved = scaled_table(Table("t", {"row": row}, {"clean": None}), Scale(share={"lenet": 0.5})).rows["row"]
    assert [run.epochs for run in runs_of(halved)] == [1, 2]


def test_another_defence_is_another_network(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    data = images_of(BARE, 20, place)
    found = {made(Defended(BARE, (BitDepth(bits),)), data, place).identity for bits in (1, 2)}
    assert len(found | {trained(BARE, data, place).identity}) == 3
    again = made(Defended(BARE, (BitDepth(2),)), data, place)
    assert again.identity in found
    assert again.load() is again.load()


def test_images_do_not_depend_on_who_is_judged(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    table = Table("t", {"bare": BARE}, {"plain": COLUMNS["plain"]}, seeds=(0,), test_limit=40)
    alone = fill_table("t", table, "smoke", place).values["bare"]["plain"]
    both = Table("t", {"bare": Defended(BARE, ())}, {"grey box": COLUMNS["grey box"]}, seeds=(0,), test_limit=40)
    torch.manual_seed(3)
    assert fill_table("t", both, "smoke", place).values["bare"]["grey box"] == alone


def test_all_columns_of_a_defended_row_notice_the_code_of_its_defences_and_are_read_where_it_stayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, apart = Workplace(tmp_path), Workplace(tmp_path / "apart")
    table = Table("t", {"squeezed": ROWS["squeezed"]}, {**COLUMNS, "white box": ATTACK}, seeds=(0,), test_limit=40)
    before = fill_table("t", table, "smoke", place).values
    with monkeypatch.context() as patched:
        patched.setattr("holdfast.experiments.defended_row.defend", None)  # nothing is defended a second time
        assert fill_table("t", table, "smoke", place).values == before
    monkeypatch.setattr(BitDepth, "__call__", lambda self, images: 0 * images)
    monkeypatch.setattr("holdfast.experiments.defended_row._code", lambda: "edited")
    after = fill_table("t", table, "smoke", place).values
    assert after == fill_table("t", table, "smoke", apart).values
    assert all(after["squeezed"][name] != before["squeezed"][name] for name in table.columns)


def test_likeness_compares_what_the_classifier_sees_with_the_clean_images(tmp_path: Path) -> None:
    run = replace(BARE, data="made-up:3x12x12")
    rows: Mapping[str, Row] = {"bare": run, "squeezed": Defended(run, (BitDepth(3),))}
    columns = {"clean": Likeness("PSNR"), "attacked": Likeness("PSNR", ATTACK), "SSIM": Likeness("SSIM", ATTACK)}
    result = fill_table("t", Table("t", rows, columns, seeds=(0,), test_limit=20), "smoke", Workplace(tmp_path))
    assert result.values["bare"]["clean"] == (100.0,)
    assert 20 < result.values["squeezed"]["clean"][0] < 100
    assert result.values["bare"]["attacked"][0] == pytest.approx(20, abs=1)  # nearly every pixel moved by 0.1
    assert all(0 < result.values[row]["SSIM"][0] < 1 for row in rows)
    assert result.unit("SSIM") == ""
    keep(result, tmp_path, "t")
    assert read_results(tmp_path) == [result]
    assert "100" in text_table(result).lines[1]
    assert drawn_columns(result) == ("clean", "attacked")
    assert "PSNR" in overview(result)
