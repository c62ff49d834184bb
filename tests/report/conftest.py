"""A small table of results with made-up values and names that no format may trip over."""

import math
from dataclasses import replace

import pytest

from holdfast.attacks import FGSM, PGD
from holdfast.experiments import Table, TableResult
from holdfast.methods import AT, TRADES
from holdfast.threats import Linf
from holdfast.training.run import Run

NASTY = "50% & <script>alert(1)</script> a_b|c $x$"


@pytest.fixture
def result() -> TableResult:
    table = Table(
        title=f"Table 1: {NASTY}",
        rows={"AT": Run(AT()), NASTY: Run(TRADES())},
        columns={"clean": None, "FGSM": FGSM(), "_PGD|10": PGD(steps=10)},
        seeds=(0, 1),
        worst=("FGSM", "_PGD|10"),
        published={"AT": {"clean": (87.3, 0.25), "FGSM": (56.1, math.nan)}},
        notes=("The paper says 50% & <b>more</b>.",),
    )
    values = {
        "AT": {"clean": (0.9, 0.8), "FGSM": (0.5, 0.5), "_PGD|10": (0.4, 0.42), "worst case": (0.3, 0.31)},
        NASTY: {"clean": (1.0, 1.0), "FGSM": (0.0, 0.0), "_PGD|10": (0.6, 0.61), "worst case": (0.0, 0.0)},
    }
    seconds = {"AT": (1.0, 3.0), NASTY: (2.0, 2.0)}
    return TableResult("table 1", table, "smoke", values, 500, seconds, {"hardware": "2 CPU threads"})


@pytest.fixture
def drawn(result: TableResult) -> TableResult:
    """The same rows as a curve of one seed."""
    columns = {name: PGD(Linf(float(name) / 255)) for name in ("8", "0", "2.5")}
    printed = {"AT": {"8": (41.0, 0.5)}}
    table = replace(result.table, columns=columns, seeds=(0,), worst=(), published=printed)
    table = replace(table, shown_as="curve", axis="eps (1/255)")
    values = {row: {"8": (0.4,), "0": (1.0 - place / 50,), "2.5": (0.6,)} for place, row in enumerate(table.rows)}
    return replace(result, table=table, values=values)
