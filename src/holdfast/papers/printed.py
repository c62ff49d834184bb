"""The numbers that a paper prints, line by line as a reader copies them."""

import math
from collections.abc import Iterable

from holdfast.experiments.table import Published

NONE = math.nan
"""A cell that the paper leaves empty."""
Lines = dict[str, tuple[float, ...]]
"""row -> the numbers of that row, in the order of the table's columns."""


def printed(lines: Lines, columns: Iterable[str]) -> Published:
    """Return the numbers by row and column; the last columns of a table may be ours alone."""
    names = tuple(columns)
    return {
        row: {name: (value, math.nan) for name, value in zip(names, values, strict=False) if not math.isnan(value)}
        for row, values in lines.items()
    }
