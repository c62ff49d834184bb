"""The tables of paper 001 that are ours."""

from pathlib import Path

from holdfast.experiments import Table, TableResult, Wanted, Workplace, reproduce
from holdfast.experiments.table import scaled_table
from holdfast.papers import PAPERS
from holdfast.training.schedules import Steps


def test_methods_beside_the_papers_run_by_name_at_smoke_scale(tmp_path: Path) -> None:
    (done,) = reproduce(PAPERS["agkd-bml"], Wanted(table=("beside",), scale="smoke"), Workplace(tmp_path)).results
    assert isinstance(done, TableResult)
    assert list(done.values) == ["AT+CAS-7", "AT-7+AWP", "TRADES+AWP"]
    assert all(0 <= value <= 1 for row in done.values.values() for values in row.values() for value in values)


def test_every_decay_of_table_5_comes_before_the_end_at_every_scale() -> None:
    paper = PAPERS["agkd-bml"]
    for name in ("short", "full"):
        for run in scaled_table(paper.tables["5"], paper.scales[name]).rows.values():
            assert isinstance(run.schedule, Steps)
            assert max(run.schedule.at) < (run.epochs or 0)


def test_the_gap_is_drawn_from_the_networks_and_attacks_of_table_2() -> None:
    paper = PAPERS["agkd-bml"]
    gap, ablation = paper.figures["gap"], paper.tables["2"]
    assert isinstance(gap, Table)
    assert gap.rows == ablation.rows
    assert all(ablation.columns[name] == column for name, column in gap.columns.items())
