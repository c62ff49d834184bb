"""What tables and figures say where there is no value: of training that diverged, for some seeds or all."""

import math
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from holdfast.analysis import AnalysisResult, BallSaturation
from holdfast.attacks import PGD
from holdfast.experiments import Figure, FigureResult, Likeness, Seconds, Study, TableResult
from holdfast.report import curve, overview, page, text_table, to_json, to_latex, to_markdown, to_text
from holdfast.report.gap_figure import gap
from holdfast.report.missing_value import diverged
from holdfast.training.run import Run

from .conftest import NASTY

HALF = "1 of 2 diverged"


@pytest.fixture
def partly(result: TableResult) -> TableResult:
    """A table whose first row diverged for one seed of two, and whose second did for both."""
    lost = dict.fromkeys(result.columns, (0.5, math.nan))
    values = {"AT": lost, NASTY: dict.fromkeys(result.columns, (math.nan, math.nan))}
    return replace(result, values=values)


def test_how_many_seeds_diverged_is_said_and_no_mean_of_the_others(partly: TableResult) -> None:
    assert [diverged(values) for values in ((0.5, 0.6), (math.nan,), (0.5, math.nan))] == ["", "diverged", HALF]
    ours = {row: {cell.ours for cell in cells} for row, cells in text_table(partly).rows}
    assert ours == {"AT": {HALF}, NASTY: {"diverged"}}


def test_seconds_of_some_seeds_are_no_mean(result: TableResult) -> None:
    table = replace(result.table, columns={"s": Seconds()}, worst=(), published={})
    timed = replace(result, table=table, values={"AT": {"s": (1.0, math.nan)}, NASTY: {"s": (1.0, 2.0)}})
    assert text_table(timed).lines[1] == ["AT", HALF]
    assert "<svg" in overview(timed)


def test_a_likeness_of_a_row_that_diverged_is_said_and_drawn(result: TableResult) -> None:
    table = replace(result.table, columns={"dB": Likeness("PSNR")}, worst=(), published={})
    alike = replace(result, table=table, values={"AT": {"dB": (math.nan, math.nan)}, NASTY: {"dB": (30.0, 32.0)}})
    assert text_table(alike).lines[1:] == [["AT", "diverged"], [NASTY, "31 (1.4)"]]
    assert "<svg" in overview(alike)
    nothing = {row: {"dB": (math.nan, math.nan)} for row in alike.values}
    assert "<svg" in overview(replace(alike, values=nothing))


def test_what_an_analysis_measures_may_be_nan() -> None:
    seen = {"": {"": AnalysisResult({}, {"correlation": math.nan})}}
    figure = Figure("F", {"": {"": Study(Run(), BallSaturation())}})
    assert text_table(FigureResult("f", figure, "smoke", seen, 8, {})).lines[1] == ["", "nan"]


@pytest.mark.parametrize("written", [to_text, to_markdown, to_latex])
def test_every_format_says_it(written: Callable[..., str], partly: TableResult) -> None:
    assert written(text_table(partly)).count(HALF) == len(partly.columns)


def test_figures_and_pages_are_made_of_it(partly: TableResult) -> None:
    assert ElementTree.fromstring(overview(partly)).tag.endswith("svg")
    assert HALF in page("Report", [partly], [])
    assert '"nan"' in to_json(partly)


def test_curves_and_gaps_are_drawn_of_it(result: TableResult) -> None:
    table = replace(result.table, columns={"1": None, "2": PGD()}, worst=(), published={})
    values = {"AT": {"1": (0.5, math.nan), "2": (0.5, 0.4)}, NASTY: {"1": (0.5, 0.4), "2": (0.5, 0.4)}}
    partly = replace(result, table=table, values=values)
    assert "<svg" in curve(partly)
    assert f"<!-- {HALF} -->" in gap(partly)
