"""What is said in the place of a value that is not there."""

import math
from collections.abc import Mapping, Sequence

from holdfast.experiments.columns import Likeness
from holdfast.experiments.result import Cell, Result
from holdfast.experiments.table import WORST

UNKNOWN = "-"
"""Said of a worst case none of whose columns is known: their images were made against networks that diverged, say."""


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
    return _no_worst(cells) if column == WORST else diverged(cells[column].ours)


def _no_worst(cells: Mapping[str, Cell]) -> str:
    """Say why a row has no worst case: for some seeds it may have a network, but no column that counts."""
    lost = [all(map(math.isnan, of_seed)) for of_seed in zip(*(cell.ours for cell in cells.values()), strict=True)]
    unknown = any(math.isnan(value) and not gone for value, gone in zip(cells[WORST].ours, lost, strict=True))
    return diverged([math.nan if gone else 0.0 for gone in lost]) or (UNKNOWN if unknown else "")
