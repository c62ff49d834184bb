"""A filled table as a figure: SVG text, the same letter for letter whenever the numbers are the same.

A band or a bar around a value is its spread over seeds, or, of one seed, what the number of images leaves open.
"""

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from holdfast import metrics
from holdfast.errors import BadValue, require
from holdfast.experiments.run_table import WORST, Filled
from holdfast.experiments.table import Column
from holdfast.report.canvas import COLOURS, LINE, MARKERS, Axes, Canvas, canvas, plain, svg_of


def curve(filled: Filled) -> str:
    """Return the SVG of accuracy against the number that names each column, one line a row; a sweep turned round."""
    filled = turned(filled) if filled.table.shown_as == "sweep" else filled
    places = _numbers(filled.table.columns)
    names = [textwrap.fill(row, 34) for row in filled.table.rows]
    lines = max(name.count("\n") + 1 for name in names)
    height = max(3.2, LINE * lines * len(names))
    with canvas(6.4, height + 1.2) as figure:
        axes = _axes(figure, filled, height)
        low, high = min(places.values()), max(places.values())
        margin = 0.03 * (high - low) or 0.5
        axes.set(xlim=(low - margin, high + margin), ylim=(0, 100), xlabel=filled.table.axis, ylabel=_quantity(filled))
        if filled.table.axis_scale == "log":
            least = min((place for place in places.values() if place > 0), default=1.0)
            axes.set_xscale("symlog", linthresh=least)
            axes.xaxis.set_major_formatter(plain)
            axes.set_xlim(low - least / 4, 1.3 * high)
        for number, row in enumerate(filled.table.rows):
            _draw_row(axes, filled, row, places, number)
        last = max(places, key=lambda column: places[column])
        ends = [_ends(filled.values[row][last], filled.count)[1] for row in filled.table.rows]
        heights = [0.0 if math.isnan(end) else end for end in ends]
        _name_rows(axes, names, heights, high, gap=100 * LINE * lines / height)
        return svg_of(figure)


def turned(filled: Filled) -> Filled:
    """Return a sweep with rows and columns exchanged: a line for what was a column."""
    table, some_run = filled.table, next(iter(filled.table.rows.values()))
    values = {column: {row: filled.values[row][column] for row in table.rows} for column in table.columns}
    published = {
        column: {row: cells[column] for row, cells in table.published.items() if column in cells}
        for column in table.columns
    }
    rows = dict.fromkeys(table.columns, some_run)
    columns: dict[str, Column] = dict.fromkeys(table.rows, None)
    return replace(
        filled, values=values, table=replace(table, rows=rows, columns=columns, published=published, shown_as="curve")
    )


def overview(filled: Filled) -> str:
    """Return the SVG of a table at one glance: one line a row, on it one mark a column."""
    columns = [*filled.table.columns, *([WORST] if filled.table.worst else [])]
    names = [textwrap.fill(row, 34) for row in filled.table.rows]
    height = sum(max(0.3, 0.1 + 0.05 * len(columns), LINE * (name.count("\n") + 1.5)) for name in names)
    with canvas(6.4, height + 1.2) as figure:
        axes = _axes(figure, filled, height)
        axes.set(xlim=(0, 100), ylim=(len(names) - 0.5, -0.5), xlabel=_quantity(filled))
        axes.set_yticks(range(len(names)), names)
        axes.hlines([row + 0.5 for row in range(len(names) - 1)], 0, 100, color="#d8d8d8", linewidth=0.6)
        shifts = [0.7 * ((number + 0.5) / len(columns) - 0.5) for number in range(len(columns))]
        marks = [_draw_column(axes, filled, column, shifts[number], number) for number, column in enumerate(columns)]
        # Marks and names are given apart: matplotlib leaves out labels of its own that begin with "_".
        axes.legend(marks, columns, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0, frameon=False)
        return svg_of(figure)


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


def _quantity(filled: Filled) -> str:
    return f"top-{filled.table.top} accuracy (%)" if filled.table.top > 1 else "accuracy (%)"


def _ends(values: Sequence[float], count: int) -> tuple[float, float, float]:
    """Return low, middle and high in percent."""
    mean, std = metrics.mean_std(values)
    if math.isnan(mean):
        return math.nan, math.nan, math.nan
    low, high = (mean - std, mean + std) if len(values) > 1 else metrics.interval(mean, count)
    return 100 * max(0.0, low), 100 * mean, 100 * min(1.0, high)


def _axes(figure: Canvas, filled: Filled, height: float) -> Axes:
    """Return axes of this height in inches, with the title above and the meaning of the bands below."""
    total = figure.get_figheight()
    axes = figure.add_axes((0.1, 0.7 / total, 0.85, height / total))
    axes.set_title(textwrap.fill(f"{filled.table.title} ({filled.scale})", 70), loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if filled.table.shown_as == "table" else "both", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    figure.text(0.1, 0.05 / total, textwrap.fill(band_words(filled), 90), color="#555555", fontsize=7.5)
    return axes


def band_words(filled: Filled) -> str:
    """Say what the bands and bars of a figure are."""
    seeds = len(filled.table.seeds)
    spread_words = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "95 % interval of one seed"
    if filled.table.shown_as == "table":
        return f"Bars: {spread_words}; {filled.count} test images"
    paper = "; hollow marks: the paper's" if filled.table.published else ""
    return f"Bands: {spread_words}; {filled.count} test images{paper}"


def _draw_row(axes: Axes, filled: Filled, row: str, places: dict[str, float], number: int) -> None:
    """Draw one line of a curve, its band, and the paper's values where there are any."""
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    x = list(places.values())
    low, middle, high = zip(*(_ends(filled.values[row][column], filled.count) for column in places), strict=True)
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(x, middle, color=colour, marker=marker, markersize=5, linewidth=1.6, clip_on=False)
    printed = filled.table.published.get(row, {})
    theirs = [column for column in places if column in printed]
    axes.plot(
        [places[column] for column in theirs],
        [printed[column][0] for column in theirs],
        color=colour, marker=marker, markersize=8, zorder=3, markerfacecolor="white", linestyle="none", clip_on=False,
    )  # fmt: skip


def _name_rows(axes: Axes, names: Sequence[str], heights: Sequence[float], x: float, gap: float) -> None:
    """Write each row's name beside the end of its line, with its marker, so that no eye has to match colours."""
    beside = axes.get_yaxis_transform()
    for number, (name, height, place) in enumerate(zip(names, heights, spread(heights, gap), strict=True)):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        thin = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)}
        axes.annotate("", (x, height), (1.05, place), textcoords=beside, arrowprops=thin, annotation_clip=False)
        axes.plot([1.05], [place], color=colour, marker=marker, markersize=5, transform=beside, clip_on=False)
        axes.text(1.07, place, name, transform=beside, va="center", color="#1a1a1a")


def _draw_column(axes: Axes, filled: Filled, column: str, shift: float, number: int) -> Any:
    """Draw one column of an overview: a mark on every row, each with its bar; return the marks."""
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    ends = [_ends(filled.values[row][column], filled.count) for row in filled.table.rows]
    y = [row + shift for row in range(len(ends))]
    axes.hlines(y, [low for low, _, _ in ends], [high for _, _, high in ends], color=colour, linewidth=1.4, alpha=0.6)
    middles = [middle for _, middle, _ in ends]
    return axes.plot(middles, y, color=colour, marker=marker, linestyle="none", clip_on=False)[0]
