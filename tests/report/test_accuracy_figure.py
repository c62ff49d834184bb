import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from holdfast.attacks import PGD
from holdfast.errors import BadValue
from holdfast.experiments import Audit, Table, TableResult
from holdfast.report import accuracy_figure, curve, overview
from holdfast.report.accuracy_axes import span, spread_said
from holdfast.report.accuracy_figure import _lines, _numbers, spread
from holdfast.report.canvas import COLOURS, MARKERS
from holdfast.threats import Linf
from holdfast.training.run import Run

from .conftest import NASTY


@pytest.mark.parametrize("draw", [curve, overview])
def test_a_figure_is_xml_and_the_same_every_time(draw: Callable[[TableResult], str], drawn: TableResult) -> None:
    text = draw(drawn)
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert draw(drawn) == text
    assert "<dc:date>" not in text


def test_a_figure_names_every_row_and_column(result: TableResult, drawn: TableResult) -> None:
    # matplotlib draws letters as outlines and leaves the text beside them as a comment.
    assert all(f"<!-- {name} -->" in overview(result) for name in ("AT", "clean", "FGSM", "_PGD|10", "worst case"))
    assert "<!-- AT -->" in curve(drawn)
    assert "eps (1/255)" in curve(drawn)


def test_the_callers_settings_are_neither_used_nor_changed(drawn: TableResult) -> None:
    plain = curve(drawn)
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 30}):
        assert curve(drawn) == plain
        assert mpl.rcParams["lines.linewidth"] == 9
        assert mpl.rcParams["svg.hashsalt"] != "holdfast"


def test_columns_are_drawn_in_the_order_of_their_numbers() -> None:
    assert list(_numbers(["8", "0", "2.5"]).items()) == [("0", 0.0), ("2.5", 2.5), ("8", 8.0)]


@pytest.mark.parametrize("name", ["clean", "inf", "nan"])
def test_a_column_that_is_no_number_is_named(drawn: TableResult, name: str) -> None:
    table = replace(drawn.table, columns={"1": None, name: None}, published={})
    with pytest.raises(BadValue, match=name):
        curve(replace(drawn, table=table, values={row: {"1": (0.5,), name: (0.5,)} for row in table.rows}))


def test_the_band_is_the_spread_over_seeds_or_what_the_count_leaves_open() -> None:
    assert span((0.4, 0.6), 100) == pytest.approx((35.86, 50.0, 64.14), abs=0.01)
    assert span((0.5,), 100) == pytest.approx((40.4, 50.0, 59.6), abs=0.1)
    assert span((1.0, 1.0), 100) == (100.0, 100.0, 100.0)


def test_the_bar_of_an_audit_that_saw_fewer_images_is_longer(result: TableResult) -> None:
    table = replace(
        result.table, columns={"PGD": PGD(), "audit": Audit(Linf(), limit=100)}, seeds=(0,), worst=(), published={}
    )
    audited = replace(result, table=table, values={row: {"PGD": (0.5,), "audit": (0.5,)} for row in table.rows})
    assert [audited.counted(column) for column in ("PGD", "audit")] == [500, 100]
    assert spread_said(audited) == "95 % interval of one seed; 500 test images, audit 100"
    assert audited.how_to_read[1].endswith("at most +-4.4 points, audit +-9.6")
    unlimited = replace(table, columns={"PGD": PGD(), "audit": Audit(Linf())})
    assert overview(audited) != overview(replace(audited, table=unlimited))


def test_one_column_and_many_rows_can_be_drawn(drawn: TableResult) -> None:
    rows = {f"row {number}": drawn.table.rows["AT"] for number in range(20)}
    table = replace(drawn.table, rows=rows, columns={"4": None}, published={})
    text = curve(replace(drawn, table=table, values={row: {"4": (0.5,)} for row in rows}))
    assert all(f"<!-- {row} -->" in text for row in rows)


def test_names_are_spread_without_changing_their_order() -> None:
    moved = spread([50.0, 50.0, 99.0, 100.0, 0.0], gap=10.0)
    assert moved[4] < moved[0] < moved[1] < moved[2] < moved[3] <= 100
    ordered = sorted(moved)
    assert all(high - low >= 10 - 1e-9 for low, high in pairwise(ordered))
    assert spread([10.0, 90.0], gap=10.0) == [10.0, 90.0]


def test_a_pair_of_colour_and_marker_comes_back_late() -> None:
    pairs = {(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]) for number in range(63)}
    assert len(pairs) == 63


def test_a_name_is_no_formula(drawn: TableResult) -> None:
    assert NASTY in drawn.table.rows
    assert "$x$" in curve(drawn)


def test_a_sweep_is_drawn_with_a_line_for_each_column(result: TableResult) -> None:
    rows = {name: Run(seed=place) for place, name in enumerate(("0", "0.001", "0.1"))}
    values = {"0": {"clean": (0.9,), "PGD": (0.1,)}, "0.001": {"clean": (0.8,), "PGD": (0.2,)},
              "0.1": {"clean": (math.nan,), "PGD": (math.nan,)}}  # fmt: skip
    table = Table("Sweep", rows, {"clean": None, "PGD": PGD()}, (0,), shown_as="sweep", axis="price", axis_scale="log",
                  published={"0": {"clean": (91.0, math.nan)}})  # fmt: skip
    swept = replace(result, table=table, values=values)
    lines = _lines(swept)
    assert list(lines) == ["clean", "PGD"]
    assert {place: cell.ours for place, cell in lines["PGD"].items()} == {
        "0": (0.1,), "0.001": (0.2,), "0.1": values["0.1"]["PGD"],
    }  # fmt: skip
    assert [cell.theirs is None for cell in lines["clean"].values()] == [False, True, True]
    assert ElementTree.fromstring(curve(swept)).tag.endswith("svg")
    assert "mathdefault" not in curve(swept)
    assert "paper" in curve(swept)
    assert "paper" not in curve(replace(swept, table=replace(table, published={})))


def test_the_band_of_an_audit_is_as_wide_as_its_images_make_it(
    result: TableResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def counting(values: Sequence[float], count: int) -> tuple[float, float, float]:
        counts.append(count)
        return span(values, count)

    monkeypatch.setattr(accuracy_figure, "span", counting)
    monkeypatch.setattr(accuracy_figure, "svg_of", lambda figure: "")
    columns = {"1": PGD(), "2": Audit(Linf(), limit=10)}
    table = replace(result.table, columns=columns, seeds=(0,), worst=(), published={})
    rows = {name: Run(seed=place) for place, name in enumerate(("0", "4"))}
    for shown_as, expected in (("sweep", [500, 500, 10, 10]), ("curve", [500, 10, 500, 10])):
        shown = replace(table, rows=rows, shown_as=shown_as)
        curve(replace(result, table=shown, values={row: {"1": (0.5,), "2": (0.5,)} for row in rows}))
        assert counts == expected
        counts.clear()
