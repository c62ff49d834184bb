"""The figure of two accuracies a row: what is drawn, what is said, and what is refused."""

import math
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from holdfast.attacks import PGD
from holdfast.errors import BadValue
from holdfast.experiments import Audit, TableResult
from holdfast.report.figure_svg import caption, drawing
from holdfast.threats import Linf

from .conftest import NASTY


@pytest.fixture
def pairs(result: TableResult) -> TableResult:
    """PGD and an audit of fewer images; the paper has both values of one row."""
    table = replace(
        result.table, columns={"PGD": PGD(), "audit": Audit(Linf(), limit=100)}, seeds=(0,), worst=(), shown_as="gap",
        published={"AT": {"PGD": (71.0, math.nan), "audit": (37.1, math.nan)}, NASTY: {"PGD": (60.0, math.nan)}},
    )  # fmt: skip
    values = {"AT": {"PGD": (0.5,), "audit": (0.4,)}, NASTY: {"PGD": (0.3,), "audit": (0.275,)}}
    return replace(result, table=table, values=values)


def test_a_gap_is_xml_and_the_same_every_time(pairs: TableResult) -> None:
    text = drawing(pairs)
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert drawing(pairs) == text


def test_ours_and_the_papers_gaps_are_written_where_both_values_are_there(pairs: TableResult) -> None:
    text = drawing(pairs)
    # matplotlib draws letters as outlines and leaves the text beside them as a comment.
    assert all(f"<!-- {words} -->" in text for words in ("AT", "PGD", "audit", "10.0", "2.5", "33.9", "the paper's"))
    alone = drawing(replace(pairs, table=replace(pairs.table, published={})))
    assert "<!-- 33.9 -->" not in alone
    assert "paper" not in alone


def test_the_caption_says_how_many_images_and_what_the_gap_is(pairs: TableResult) -> None:
    assert caption(pairs) == (
        "Bars: 95 % interval of one seed; 500 test images, audit 100; gap: PGD less audit, in points; "
        "hollow marks and dashed lines: the paper's"
    )


def test_a_row_that_diverged_says_so(pairs: TableResult) -> None:
    values = {**pairs.values, NASTY: {"PGD": (math.nan,), "audit": (math.nan,)}}
    assert "<!-- diverged -->" in drawing(replace(pairs, values=values))


def test_a_gap_has_two_columns(pairs: TableResult) -> None:
    for columns in ({"PGD": PGD()}, {"PGD": PGD(), "clean": None, "audit": Audit(Linf())}):
        with pytest.raises(BadValue, match="between two columns"):
            replace(pairs.table, columns=columns, published={})
