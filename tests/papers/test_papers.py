"""Every recipe: its values are well formed, and every table and figure of it runs at smoke scale."""

import math
from collections.abc import Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from holdfast import Run
from holdfast.analysis import History
from holdfast.attacks import Attack
from holdfast.experiments import Figure, Paper, Table, TableResult, Transfer, Wanted, Workplace, reproduce
from holdfast.experiments.columns import Seconds
from holdfast.experiments.defended_row import classifier_of, runs_of
from holdfast.methods import Kurakin, SavedImages, Standard, UnifiedEmbedding
from holdfast.papers import PAPERS
from holdfast.papers.cascade_runs import NETS, called
from holdfast.report import page
from holdfast.storage.fingerprint import fingerprint
from holdfast.training.dependencies import origins

TABLES = [
    pytest.param(paper, name, table, id=f"{paper.name}-{name}")
    for paper in PAPERS.values()
    for name, table in {**paper.tables, **paper.figures}.items()
    if isinstance(table, Table)
]
FIGURES = [
    pytest.param(paper, figure, id=f"{paper.name}-{name}")
    for paper in PAPERS.values()
    for name, figure in paper.figures.items()
    if isinstance(figure, Figure)
]


@pytest.mark.parametrize(("paper", "name", "table"), TABLES)
def test_published_numbers_belong_to_rows_and_columns(paper: Paper, name: str, table: Table) -> None:
    for row, columns in table.published.items():
        assert row in table.rows
        for column, (mean, std) in columns.items():
            assert column in table.columns
            assert 0 <= mean <= (math.inf if isinstance(table.columns[column], Seconds) else 100)
            assert math.isnan(std) or 0 <= std <= 100
    assert set(table.worst) <= set(table.columns)
    assert {"smoke", "short", "full"} <= {*paper.scales, *table.scales}


PRINTED = {"agkd-bml": (9, 9), "cascade": (10, 6), "cl": (9, 0), "pix2pix": (6, 6), "sim": (5, 9)}
"""How many tables and figures each paper has."""


@pytest.mark.parametrize("name", PRINTED)
def test_what_a_paper_prints_is_in_its_recipe_or_said_to_be_left_out(name: str) -> None:
    paper = PAPERS[name]
    for kind, count, known in zip(("Table", "Figure"), PRINTED[name], (paper.tables, paper.figures), strict=True):
        numbers = {key.partition("-")[0] for key in known}
        for number in map(str, range(1, count + 1)):
            assert (number in numbers) != (f"{kind} {number}" in paper.left_out), f"{kind} {number}"


@pytest.mark.parametrize("scale", ["short", "full"])
@pytest.mark.parametrize("paper", PAPERS.values(), ids=lambda paper: paper.name)
def test_equal_runs_of_a_paper_have_one_name(paper: Paper, scale: str) -> None:
    """A folder is named by the words of a run: 10 and 10.0 are equal numbers, but other words."""
    names: dict[Run, set[str]] = {}
    done: dict[int, set[Run]] = {}
    for table in {**paper.tables, **paper.figures}.values():
        small = {**paper.scales, **table.scales}[scale]
        panels = [] if isinstance(table, Table) else table.panels.values()
        studied = [study.run for studies in panels for study in studies.values()]
        rows = list(table.rows.values()) if isinstance(table, Table) else studied
        known = done.setdefault(id(small), set())
        for run in {run for row in rows for run in runs_of(row)} - known:
            known.add(run)
            found = small.run(run)
            names.setdefault(found, set()).add(fingerprint(found))
    assert [found for found in names.values() if len(found) > 1] == []


@pytest.mark.parametrize(("paper", "name", "table"), TABLES)
def test_rows_of_a_table_are_trained_on_equal_terms(paper: Paper, name: str, table: Table) -> None:
    for scale in {**paper.scales, **table.scales}.values():
        runs = [scale.run(classifier_of(row)) for row in table.rows.values()]
        varied = {name: getattr(runs[0], name) for name in table.varied}
        assert len({replace(run, method=Standard(), **varied) for run in runs}) == 1


@pytest.mark.parametrize(("paper", "figure"), FIGURES)
def test_a_figure_has_every_scale_and_looks_at_something(paper: Paper, figure: Figure) -> None:
    assert {"smoke", "short", "full"} <= {*paper.scales, *figure.scales}
    assert all(figure.panels.values())


def kinds_of(shown: Table | Figure) -> set[object]:
    """Return what a table or figure could fail at: its methods, its columns, its analyses, how it is drawn."""
    if isinstance(shown, Figure):
        studies = [study for panel in shown.panels.values() for study in panel.values()]
        return {type(study.analysis) for study in studies}
    methods = {type(run.method) for row in shown.rows.values() for run in runs_of(row)}
    columns = {Attack if isinstance(column, Attack) else type(column) for column in shown.columns.values()}
    return {
        *methods,
        *map(type, shown.rows.values()),
        *columns,
        shown.shown_as,
        bool(shown.worst),
        bool(shown.published),
    }


def telling(paper: Paper, known: set[object]) -> Paper:
    """Return the paper with those of its tables and figures alone that show a kind which is not known yet.

    Of a table's rows the first of each new method is kept, and the first of all.
    """

    def new(shown: Mapping[str, Any]) -> dict[str, Any]:
        kept = {}
        for name, each in shown.items():
            fresh = kinds_of(each) - known
            if fresh:
                kept[name] = with_panels(each, fresh) if isinstance(each, Figure) else with_rows(each, fresh)
                known.update(fresh)
        return kept

    return replace(paper, tables=new(paper.tables), figures=new(paper.figures))


def with_panels(figure: Figure, kinds: set[object]) -> Figure:
    """Return the figure with the first study of each analysis among the kinds."""
    studies = [(panel, name, study) for panel, all_of in figure.panels.items() for name, study in all_of.items()]
    firsts = {type(study.analysis): (panel, name, study) for panel, name, study in reversed(studies)}
    chosen = [first for kind, first in firsts.items() if kind in kinds]
    return replace(figure, panels={panel: {name: study} for panel, name, study in chosen})


def with_rows(table: Table, kinds: set[object]) -> Table:
    """Return the table with its first row, and the first of each method among the kinds."""
    firsts: dict[object, str] = {}
    for name, row in reversed(table.rows.items()):
        firsts |= dict.fromkeys((type(row), *(type(run.method) for run in runs_of(row))), name)
    chosen = {next(iter(table.rows)), *(row for kind, row in firsts.items() if kind in kinds)}
    printed = {row: cells for row, cells in table.published.items() if row in chosen}
    return replace(table, rows={row: run for row, run in table.rows.items() if row in chosen}, published=printed)


KNOWN: set[object] = set()
SMOKE = [pytest.param(telling(paper, KNOWN), id=name) for name, paper in PAPERS.items()]
WHOLE = [pytest.param(paper, id=f"{name}-whole", marks=pytest.mark.slow) for name, paper in PAPERS.items()]


@pytest.mark.parametrize("paper", [*SMOKE, *WHOLE])
def test_everything_runs_at_smoke_scale(paper: Paper, tmp_path: Path) -> None:
    done = reproduce(paper, Wanted(scale="smoke"), Workplace(tmp_path))
    assert len(done.results) == len(paper.tables) + len(paper.figures)
    text = unescape(page(done.title, done.results, done.pictures))
    for each in done.results:
        assert each.count > 0 or all(isinstance(way, History) for way in each.ways.values())
        if isinstance(each, TableResult):
            shares = [value for row in each.values.values() for column in each.accuracies for value in row[column]]
            assert all(0 <= value <= 1 for value in shares)
            assert each.table.title in text
        else:
            assert all(seen.series or seen.pictures for studies in each.results.values() for seen in studies.values())
            assert each.figure.title in text


@pytest.mark.parametrize(("mark", "pivot"), [("", True), ("*", False)])
def test_cascade_networks_share_what_the_paper_says_they_share(mark: str, pivot: bool) -> None:
    """Initialisation and pre-training by number; the cascade of every network from the images that fooled P2."""
    names = ("P1", "P2", "P3", *(f"{letter}{number}_C" for letter in "KP" for number in (1, 2, 3, 4)))
    family = {name: NETS[called(name, mark)] for name in names}
    for number in (1, 2, 3):
        named = [family[name] for name in (f"P{number}", f"K{number}_C", f"P{number}_C")]
        shared = [NETS[f"B{number}"], NETS[f"K{number}"], *named]
        assert len({run.start for run in shared}) == 1
        assert all(f"-{20 if number < 3 else 110}" in run.model for run in shared)
    assert len({run.start for run in (NETS["B1"], NETS["B2"], NETS["B3"], family["P4_C"])}) == 4
    for name, run in family.items():
        method = run.method
        assert isinstance(method, Kurakin | UnifiedEmbedding)
        assert isinstance(method, Kurakin) or method.pivot == pivot
        saved = [each for each in method.adversaries if isinstance(each, SavedImages)]
        assert saved == ([SavedImages(family["P2"], 16)] if name.endswith("_C") else [])
    for scale in {**PAPERS["cascade"].scales, **PAPERS["cascade"].tables["5"].scales}.values():
        assert scale.run(family["P3_C"]).steps == scale.run(family["P2"]).steps


def test_a_family_of_cascade_networks_is_made_of_that_family_alone() -> None:
    for number in ("4", "5", "6", "7", "7-20", "8", "9", "10"):
        for suffix, pivot in (("", True), ("-released", False)):
            table = PAPERS["cascade"].tables[number + suffix]
            sources = [column.source for column in table.columns.values() if isinstance(column, Transfer)]
            runs = [*map(classifier_of, table.rows.values()), *sources]
            methods = [each.method for run in runs for each in (run, *origins(run))]
            pivots = {method.pivot for method in methods if isinstance(method, UnifiedEmbedding)}
            assert pivots == {pivot}
