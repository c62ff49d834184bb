"""Two accuracies of each row and the gap between them, as SVG: what one attack promises and what another leaves."""

import textwrap
from typing import Any

from holdfast.experiments.table_result import TableResult
from holdfast.metrics import mean_std
from holdfast.report.accuracy_axes import axes_of, quantity, span, spread_said
from holdfast.report.canvas import COLOURS, MARKERS, Axes, canvas, svg_of
from holdfast.report.missing_value import diverged

ROW, PRINTED = 0.32, 0.24
"""Height of a row, and of the paper's line in it where it has one, in inches."""
APART = 0.05
"""From the middle of a row to each of its two marks, in inches: bars of near values stay apart."""
JOINED = "#9a9a9a"


def gap(result: TableResult) -> str:
    """Return the SVG: a line a row from one column's mark to the other's, and below it the paper's in hollow marks."""
    rows, printed = list(result.table.rows), [_printed(result, row) for row in result.table.rows]
    heights = [ROW + (PRINTED if pair else 0.0) for pair in printed]
    ends = [sum(heights[: place + 1]) for place in range(len(rows))]
    with canvas(6.4, ends[-1] + 1.2) as figure:
        axes = axes_of(figure, result, ends[-1], marks(result))
        axes.set(xlim=(0, 100), ylim=(ends[-1], 0), xlabel=quantity(result))
        middles = [end - height + ROW / 2 for end, height in zip(ends, heights, strict=True)]
        axes.set_yticks(middles, [textwrap.fill(row, 34) for row in rows])
        axes.hlines(ends[:-1], 0, 100, color="#d8d8d8", linewidth=0.6)
        axes.text(1.02, 1.0, "gap", transform=axes.transAxes, va="bottom", color="#555555")
        for row, middle, pair in zip(rows, middles, printed, strict=True):
            drawn = _draw_row(axes, result, row, middle)
            if pair:
                _draw_printed(axes, pair, middle + PRINTED)
        _name_marks(axes, result, drawn, any(printed))
        return svg_of(figure)


def marks(result: TableResult) -> str:
    """Say what marks, bars and numbers are."""
    theirs = "; hollow marks and dashed lines: the paper's" if result.table.published else ""
    return f"Bars: {spread_said(result)}; gap: {' less '.join(result.table.columns)}, in points{theirs}"


def _printed(result: TableResult, row: str) -> tuple[float, ...]:
    """Return the two values of the paper; nothing unless it has both."""
    found = [cell.theirs[0] for cell in result.cells[row].values() if cell.theirs is not None]
    return tuple(found) if len(found) == 2 else ()


def _draw_row(axes: Axes, result: TableResult, row: str, middle: float) -> list[Any]:
    """Draw our two values with their bars, the line between them and its length; return the two marks."""
    found = [result.values[row][column] for column in result.table.columns]
    values = [100 * mean_std(each)[0] for each in found]
    heights = (middle - APART, middle + APART)
    axes.plot(values, heights, color=JOINED, linewidth=2.4, zorder=1.5)
    drawn = []
    for place, column in enumerate(result.table.columns):
        low, value, high = span(result.values[row][column], result.counted(column))
        axes.hlines(heights[place], low, high, color=COLOURS[place], linewidth=1.4, alpha=0.6)
        look = {"color": COLOURS[place], "marker": MARKERS[place], "markersize": 5, "linestyle": "none"}
        drawn += axes.plot(value, heights[place], clip_on=False, zorder=3, **look)
    _write_gap(axes, diverged(found[0]) or diverged(found[1]) or f"{values[0] - values[1]:.1f}", middle, COLOURS[4])
    return drawn


def _draw_printed(axes: Axes, pair: tuple[float, ...], height: float) -> None:
    """Draw the paper's two values and how far they are apart."""
    axes.plot(pair, (height, height), color=JOINED, linewidth=1.0, linestyle="--", zorder=1.5)
    for place, value in enumerate(pair):
        look = {"color": COLOURS[place], "marker": MARKERS[place], "markerfacecolor": "white", "linestyle": "none"}
        axes.plot(value, height, markersize=5, clip_on=False, zorder=3, **look)
    _write_gap(axes, f"{pair[0] - pair[1]:.1f}", height, "#555555")


def _write_gap(axes: Axes, words: str, height: float, colour: str) -> None:
    axes.text(1.02, height, words, transform=axes.get_yaxis_transform(), va="center", color=colour)


def _name_marks(axes: Axes, result: TableResult, drawn: list[Any], printed: bool) -> None:
    """Name the two marks, and the paper's."""
    names = list(result.table.columns)
    if printed:
        from matplotlib.lines import Line2D

        drawn = [*drawn, Line2D([], [], color=JOINED, linestyle="--", marker="o", markerfacecolor="white")]
        names.append("the paper's")
    # Marks and names are given apart: matplotlib leaves out labels of its own that begin with "_".
    axes.legend(drawn, names, loc="upper left", bbox_to_anchor=(1.12, 1.0), borderaxespad=0, frameon=False)
