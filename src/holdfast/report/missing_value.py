"""What is said in the place of a value that is not there."""

import math
from collections.abc import Mapping, Sequence

from holdfast.experiments.columns import Likeness
from holdfast.experiments.result import Cell, Result


def diverged(values: Sequence[float]) -> str:
    """Say of how many seeds the training became NaN or infinite; nothing where it did of none."""
    lost = sum(map(math.isnan, values))
    if lost in (0, len(values)):
        return "diverged" if lost else ""
    return f"{lost} of {len(values)} diverged"


def missing(result: Result, cells: Mapping[str, Cell], column: str) -> str:
    """Say why a row with these cells has no mean in a column; nothing where it has one."""
    if result.unit(column) == "" and not isinstance(result.ways.get(column), Likeness):
        return ""  # what an analysis measures may be NaN
    return diverged(cells[column].ours)
