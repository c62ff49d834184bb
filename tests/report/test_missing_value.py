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
from holdfast.report.html_paper import _in_words
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


def test_a_row_is_not_called_diverged_for_one_column_and_a_worst_case_of_none_is_unknown(result: TableResult) -> None:
    lost = (math.nan, math.nan)
    values = {
        "AT": {"clean": (0.9, 0.8), "FGSM": lost, "_PGD|10": (math.nan, 0.4), "worst case": (math.nan, 0.4)},
        NASTY: {"clean": (0.9, 0.8), "FGSM": lost, "_PGD|10": lost, "worst case": lost},
    }
    shown = replace(result, values=values)
    ours = {row: [cell.ours for cell in cells] for row, cells in text_table(shown).rows}
    assert ours == {"AT": ["85.0 (7.1)", "diverged", HALF, "-"], NASTY: ["85.0 (7.1)", "diverged", "diverged", "-"]}
    assert "worst case -: none of its columns is known" in text_table(shown).notes
    first, second = _in_words(shown, text_table(shown)).partition("Accuracy of ")[2].split("; ")
    assert first == f"AT from 85.0 to 85.0 %, FGSM diverged, _PGD|10 {HALF}, worst case unknown"
    assert second == f"{NASTY} from 85.0 to 85.0 %, FGSM diverged, _PGD|10 diverged, worst case unknown."


def test_a_row_that_diverged_is_called_so_in_one_word(result: TableResult, partly: TableResult) -> None:
    assert _in_words(partly, text_table(partly)).endswith(f"Accuracy of AT {HALF}; {NASTY} diverged.")
    lost = dict.fromkeys(result.columns, (math.nan, 0.5)) | {"clean": (math.nan, math.nan)}
    mixed = replace(partly, values={**partly.values, "AT": lost})
    assert f"AT, clean diverged, FGSM {HALF}," in _in_words(mixed, text_table(mixed))
    assert not any("none of its" in note for note in text_table(mixed).notes)


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
