"""A table as a figure: SVG text, the same letter for letter whenever the numbers are the same.

A band or a bar around a value is its spread over seeds, or, of one seed, what the number of images leaves open.
"""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from holdfast import metrics
from holdfast.errors import BadValue, require
from holdfast.experiments.result import Cell
from holdfast.experiments.table_result import TableResult
from holdfast.report.accuracy_axes import axes_of, quantity, same_quantity, span, spread_said
from holdfast.report.canvas import COLOURS, LINE, MARKERS, Axes, canvas, plain, svg_of

Lines = Mapping[str, Mapping[str, Cell]]
"""name of a line -> name of a place on the axis, which is a number -> what was measured there."""


def curve(result: TableResult) -> str:
    """Return the SVG of accuracy against numbers: those that name the columns, or the rows where it is a sweep."""
    lines = _lines(result)
    places = _numbers(next(iter(lines.values())))
    names = [textwrap.fill(line, 34) for line in lines]
    most = max(name.count("\n") + 1 for name in names)
    height = max(3.2, LINE * most * len(names))
    with canvas(6.4, height + 1.2) as figure:
        axes = axes_of(figure, result, height, bands(result))
        _scale_axes(axes, result, places)
        for number, (line, cells) in enumerate(lines.items()):
            counts = {place: _counted(result, line, place) for place in places}
            _draw_line(axes, cells, places, counts, number)
        last = max(places, key=lambda place: places[place])
        ends = [100 * metrics.mean_std(cells[last].ours)[0] for cells in lines.values()]
        heights = [0.0 if math.isnan(end) else end for end in ends]
        _name_lines(axes, names, heights, places[last], gap=100 * LINE * most / height)
        return svg_of(figure)


def _lines(result: TableResult) -> Lines:
    """Return a line a row, or a line a column where the rows are numbers; a worst case is at no place on the axis."""
    cells, columns = result.cells, [column for column in result.table.columns if column in result.accuracies]
    if result.shown_as == "sweep":
        return {column: {row: cells[row][column] for row in cells} for column in columns}
    return {row: {column: cells[row][column] for column in columns} for row in cells}


def _counted(result: TableResult, line: str, place: str) -> int:
    """Return how many test images are behind a point of a line: one of the two names its column."""
    return result.counted(line if result.shown_as == "sweep" else place)


def _scale_axes(axes: Axes, result: TableResult, places: Mapping[str, float]) -> None:
    low, high = min(places.values()), max(places.values())
    margin = 0.03 * (high - low) or 0.5
    axes.set(xlim=(low - margin, high + margin), ylim=(0, 100), xlabel=result.table.axis, ylabel=quantity(result))
    if result.table.axis_scale == "log":
        least = min((place for place in places.values() if place > 0), default=1.0)
        axes.set_xscale("symlog", linthresh=least)
        axes.xaxis.set_major_formatter(plain)
        axes.set_xlim(low - least / 4, 1.3 * high)


def overview(result: TableResult) -> str:
    """Return the SVG of a table at one glance: one line a row, on it one mark a column."""
    columns, names = drawn_columns(result), [textwrap.fill(row, 34) for row in result.table.rows]
    height = sum(max(0.3, 0.1 + 0.05 * len(columns), LINE * (name.count("\n") + 1.5)) for name in names)
    with canvas(6.4, height + 1.2) as figure:
        axes = axes_of(figure, result, height, bars(result))
        axes.set(xlim=(0, 100), ylim=(len(names) - 0.5, -0.5), xlabel=quantity(result))
        if not result.accuracies:
            _scale_numbers(axes, result, columns)
        axes.set_yticks(range(len(names)), names)
        axes.hlines([row + 0.5 for row in range(len(names) - 1)], *axes.get_xlim(), color="#d8d8d8", linewidth=0.6)
        shifts = [0.7 * ((number + 0.5) / len(columns) - 0.5) for number in range(len(columns))]
        marks = [_draw_column(axes, result, column, shifts[number], number) for number, column in enumerate(columns)]
        # Marks and names are given apart: matplotlib leaves out labels of its own that begin with "_".
        axes.legend(marks, columns, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0, frameon=False)
        return svg_of(figure)


def drawn_columns(result: TableResult) -> tuple[str, ...]:
    """Return the columns that share an axis: the accuracies; without any, what measures as the first does."""
    first = result.table.columns.get(result.columns[0])
    alike = [name for name, each in result.table.columns.items() if same_quantity(each, first)]
    return result.accuracies or tuple(alike)


def _scale_numbers(axes: Axes, result: TableResult, columns: Sequence[str]) -> None:
    """Begin the axis of numbers at 0; give that of times room for an epoch beside a run, which are far apart."""
    every = (end for cells in result.cells.values() for column in columns for end in _plain(cells[column].ours))
    ends = [end for end in every if math.isfinite(end)] or [1.0]  # a row that diverged has none
    if result.unit(columns[0]) != "s":
        axes.set_xlim(min(0.0, *ends), 1.05 * max(ends))
        return
    above = [end for end in ends if end > 0] or [1.0]
    axes.set(xscale="log", xlim=(min(above) / 2, 2 * max(above)))
    axes.xaxis.set_major_formatter(plain)


def spread(heights: Sequence[float], gap: float, top: float = 100.0) -> list[float]:
    """Return the heights moved as little as needed to stand `gap` apart, none above `top`."""
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    moved = list(heights)
    for below, place in pairwise(order):
        moved[place] = max(moved[place], moved[below] + gap)
    limit = top
    for place in reversed(order):
        moved[place] = min(moved[place], limit)
        limit = moved[place] - gap
    return moved


def _numbers(columns: Iterable[str]) -> dict[str, float]:
    """Return each column with the number that its name is, in rising order."""
    try:
        places = {column: float(column) for column in columns}
    except ValueError as error:
        raise BadValue(f"the columns of a curve are numbers; {str(error).split(': ')[-1]} is none") from None
    for column, place in places.items():
        require(math.isfinite(place), f"the columns of a curve are finite numbers; '{column}' is none")
    return dict(sorted(places.items(), key=lambda item: item[1]))


def _plain(values: Sequence[float]) -> tuple[float, float, float]:
    """Return low, middle and high of seconds or numbers; of one seed all three are its value."""
    mean, std = metrics.mean_std(values)
    std = 0.0 if len(values) == 1 else std
    return mean - std, mean, mean + std


def bars(result: TableResult) -> str:
    """Say what the bars of an overview are."""
    return f"Bars: {spread_said(result)}"


def bands(result: TableResult) -> str:
    """Say what the bands and marks of a curve are."""
    return f"Bands: {spread_said(result)}" + ("; hollow marks: the paper's" if result.table.published else "")


def _draw_line(
    axes: Axes, cells: Mapping[str, Cell], places: Mapping[str, float], counts: Mapping[str, int], number: int
) -> None:
    """Draw one line of a curve, its band, and the paper's values where there are any."""
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    x = list(places.values())
    low, middle, high = zip(*(span(cells[place].ours, counts[place]) for place in places), strict=True)
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(x, middle, color=colour, marker=marker, markersize=5, linewidth=1.6, clip_on=False)
    theirs = [(places[place], cell.theirs[0]) for place in places if (cell := cells[place]).theirs is not None]
    axes.plot(
        [across for across, _ in theirs],
        [mean for _, mean in theirs],
        color=colour, marker=marker, markersize=8, zorder=3, markerfacecolor="white", linestyle="none", clip_on=False,
    )  # fmt: skip


def _name_lines(axes: Axes, names: Sequence[str], heights: Sequence[float], x: float, gap: float) -> None:
    """Write each line's name beside the end of its line, with its marker, so that no eye has to match colours."""
    beside = axes.get_yaxis_transform()
    for number, (name, height, place) in enumerate(zip(names, heights, spread(heights, gap), strict=True)):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        thin = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)}
        axes.annotate("", (x, height), (1.05, place), textcoords=beside, arrowprops=thin, annotation_clip=False)
        axes.plot([1.05], [place], color=colour, marker=marker, markersize=5, transform=beside, clip_on=False)
        axes.text(1.07, place, name, transform=beside, va="center", color="#1a1a1a")


def _draw_column(axes: Axes, result: TableResult, column: str, shift: float, number: int) -> Any:
    """Draw one column of an overview: a mark on every row, each with its bar; return the marks."""
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    found = [result.values[row][column] for row in result.table.rows]
    plainly = result.unit(column) != "%"
    ends = [_plain(values) if plainly else span(values, result.counted(column)) for values in found]
    y = [row + shift for row in range(len(ends))]
    axes.hlines(y, [low for low, _, _ in ends], [high for _, _, high in ends], color=colour, linewidth=1.4, alpha=0.6)
    middles = [middle for _, middle, _ in ends]
    return axes.plot(middles, y, color=colour, marker=marker, linestyle="none", clip_on=False)[0]
