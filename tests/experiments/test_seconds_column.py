"""Training time as a column: what the folders tell, a pass of runs in epochs and in steps, and how it is shown."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.experiments import Defended, Scale, Seconds, Table, TableResult, Workplace, fill_table, read_results
from holdfast.experiments.run_table import seconds_of_row
from holdfast.experiments.seconds_column import passes, seconds
from holdfast.experiments.stored_results import keep
from holdfast.experiments.table import scaled_column
from holdfast.experiments.trained import run_folder
from holdfast.report import overview, page, text_table
from holdfast.report.accuracy_figure import drawn_columns
from holdfast.storage.signed import write_json
from holdfast.training.dependencies import seeded
from holdfast.training.folder import seconds_of
from holdfast.training.optimizers import SGD
from holdfast.training.patience import Patience
from holdfast.training.run import Run, Start

RUN = Run(data="made-up:1x8x8", epochs=2, limit=64, batch=16)
COLUMNS = {"clean": None, "s/epoch": Seconds(), "s": Seconds("run")}


@pytest.fixture
def timed(result: TableResult) -> TableResult:
    """The table of results with a column of times, one of which the paper prints."""
    columns = {**result.table.columns, "s/epoch": Seconds()}
    printed = {"AT": {**result.table.published["AT"], "s/epoch": (528.0, math.nan)}}
    values = {row: {**cells, "s/epoch": (1.0, 2.0)} for row, cells in result.values.items()}
    return replace(result, table=replace(result.table, columns=columns, published=printed), values=values)


def test_a_table_tells_the_times_of_its_folders(tmp_path: Path) -> None:
    table = Table("t", {"Vanilla": RUN}, COLUMNS, seeds=(0, 1), test_limit=10)
    place = Workplace(tmp_path)
    result = fill_table("t", table, "smoke", place)
    told = tuple(seconds_of(run_folder(seeded(RUN, seed), place)) for seed in (0, 1))
    assert result.values["Vanilla"]["s"] == told
    assert result.values["Vanilla"]["s/epoch"] == (told[0] / 2, told[1] / 2)
    keep(result, tmp_path, "t")
    assert read_results(tmp_path) == [result]


def test_a_run_that_diverged_has_no_time(tmp_path: Path) -> None:
    wild = replace(RUN, optimizer=SGD(lr=1e38))
    result = fill_table(
        "t", Table("t", {"wild": wild}, {"s": Seconds("run")}, seeds=(0,)), "smoke", Workplace(tmp_path)
    )
    assert text_table(result).lines[1] == ["wild", "diverged"]
    assert "<svg" in overview(result)


def test_a_row_of_two_purifiers_trained_as_long_as_both(tmp_path: Path) -> None:
    place, purifiers = Workplace(tmp_path), (replace(RUN, model="unet-b"), replace(RUN, model="unet-b", epochs=4))
    for run, told in zip((*purifiers, RUN), (2.0, 8.0, 100.0), strict=True):
        folder = run_folder(run, place)
        write_json(folder / "run.json", run)
        write_json(folder / "timing.json", {"train_seconds": told})
        (folder / "model.safetensors").touch()
    row = Defended(RUN, purifiers)
    assert seconds(Seconds("run"), row, place) == 10
    assert seconds(Seconds("epoch"), row, place) == 2 / 2 + 8 / 4
    assert seconds_of_row(row, (0,), place) == (10,)
    assert seconds(Seconds("run"), RUN, place) == 100


def test_an_epoch_is_a_pass_over_the_images_that_are_trained_on(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    assert passes(RUN, place) == 2
    by_steps = replace(RUN, epochs=None, steps=6, held_out=16)
    assert passes(by_steps, place) == 2.0  # 48 images, 3 batches
    further = replace(RUN, epochs=5, start=Start(RUN, "position"))
    assert passes(further, place) == 3.0
    assert passes(replace(further, start=Start(RUN)), place) == 5


def test_a_run_that_its_patience_ended_made_the_passes_that_it_made(tmp_path: Path) -> None:
    run, place = replace(RUN, epochs=30, held_out=16, select=Patience(1), optimizer=SGD(lr=1.0)), Workplace(tmp_path)
    result = fill_table("t", Table("t", {"short": run}, {"s": Seconds()}, seeds=(0,)), "smoke", place)
    made = len((run_folder(run, place) / "metrics.jsonl").read_text().splitlines())
    assert 2 <= passes(run, place) == made < 30
    assert result.values["short"]["s"] == (seconds_of(run_folder(run, place)) / made,)
    assert result.conditions["training"].startswith("30 epochs, 64 images less 16 held out, batch 16")


def test_times_are_said_in_seconds_beside_the_papers(timed: TableResult) -> None:
    shown = text_table(timed)
    assert shown.rows[0][1][3].theirs == "528 s"
    assert shown.rows[0][1][3].ours == "1.50 (0.71) s"
    assert "s/epoch: seconds of training an epoch, on a machine that other work may share" in shown.how_to_read[2]


def test_times_are_no_part_of_a_drawing_of_accuracies(timed: TableResult, result: TableResult) -> None:
    assert drawn_columns(timed) == result.columns
    assert overview(timed) == overview(result)
    html = page("Report", [timed], [])
    assert "528 s" in html
    assert "Numbers with an s are seconds of training." in html
    assert "seconds of training" not in page("Report", [result], [])


def test_a_table_of_times_alone_is_drawn_in_seconds(timed: TableResult) -> None:
    printed = {"AT": {"s/epoch": (528.0, math.nan)}}
    columns = {"s/epoch": Seconds(), "s": Seconds("run")}
    table = replace(timed.table, columns=columns, worst=(), seeds=(0,), published=printed)
    values = {row: {"s/epoch": (0.5,), "s": (120.0,)} for row in table.rows}
    alone = replace(timed, table=table, values=values)
    assert text_table(alone).how_to_read[0] == "seed 0"
    assert len(text_table(alone).how_to_read) == 3
    drawing = overview(alone)
    assert "seconds of training" in drawing
    assert "accuracy" not in drawing
    assert "AT: 0.500 s | 528 s, 120 s" in page("Report", [alone], [])


def test_a_scale_leaves_times_as_they_are() -> None:
    assert scaled_column(Seconds(), Scale(test_steps=1)) == Seconds()
