"""What a table says beside its cells: the lowest of its black boxes, and which columns go together over the seeds."""

import math

import pytest

from holdfast import metrics
from holdfast.attacks import FGSM
from holdfast.errors import UnknownName
from holdfast.experiments import Table, TableResult, Transfer
from holdfast.training.run import Run

ROWS = {name: Run(seed=seed) for seed, name in enumerate("AB")}
BOXES = {f"from {name}": Transfer(run, FGSM()) for name, run in ROWS.items()}


def said(table: Table, values: dict[str, dict[str, tuple[float, ...]]]) -> str:
    return "\n".join(TableResult("t", table, "smoke", values, 100, {}, {}).notes)


def test_the_lowest_black_box_of_a_row_is_said_beside_the_papers_and_its_own_network_is_left_out() -> None:
    table = Table(
        "T",
        ROWS,
        BOXES,
        (0,),
        worst=tuple(BOXES),
        published={"A": {"from A": (1.0, math.nan), "from B": (42.5, math.nan)}},
    )
    values = {
        "A": {"from A": (0.1,), "from B": (0.5,), "worst case": (0.4,)},
        "B": {"from A": (math.nan,), "from B": (0.2,), "worst case": (math.nan,)},
    }
    line = "lowest column of each row, its own network left out: A 50.0 (from B) | 42.5 (from B)"
    assert line in said(table, values).splitlines()


def test_a_worst_case_that_is_not_of_black_boxes_alone_has_no_such_line() -> None:
    table = Table("T", {"A": ROWS["A"]}, {"clean": None, **BOXES}, (0,), worst=("clean", *BOXES))
    values = {"A": {"clean": (0.9,), "from A": (0.1,), "from B": (0.5,), "worst case": (0.4,)}}
    assert "lowest" not in said(table, values)


def test_columns_that_go_against_each_other_over_the_seeds_are_said_to() -> None:
    table = Table("T", ROWS, {"one": FGSM(), "other": None}, (0, 1, 2, 3, 4), correlated=(("one", "other"),))
    values = {
        "A": {"one": (0.1, 0.2, 0.3, 0.4, math.nan), "other": (0.8, 0.6, 0.4, 0.2, 0.1)},
        "B": {"one": (0.5,) * 5, "other": (0.1, 0.2, 0.3, 0.4, 0.5)},
    }
    lines = said(table, values).splitlines()
    assert "A, one and other: over 4 networks Pearson's -1.00 (-1.00 to -1.00), Spearman's -1.00" in lines
    assert "B, one and other: no correlation of 5 networks" in lines
    with pytest.raises(UnknownName, match="correlations"):
        Table("T", ROWS, {"one": None}, correlated=(("one", "another"),))


def test_correlations_are_those_of_scipy() -> None:
    """What scipy.stats 1.17 has for these values: pearsonr with its interval, spearmanr with equal ranks."""
    one, other = (0.3, 0.1, 0.4, 0.1, 0.5, 0.9, 0.2), (0.6, 0.5, 0.3, 0.5, 0.8, 0.9, 0.7)
    r = metrics.pearson(one, other)
    assert r == pytest.approx(0.6222191905114125)
    assert metrics.spearman(one, other) == pytest.approx(0.6)
    assert metrics.pearson_interval(r, 7) == pytest.approx((-0.2462003109929651, 0.9364755614303815), abs=1e-6)
    assert metrics.pearson_interval(0.5, 3) == (-1.0, 1.0)
