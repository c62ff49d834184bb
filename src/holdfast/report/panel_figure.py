"""A figure of panels as SVG text, the same letter for letter whenever what was seen is the same."""

import math
import textwrap
from typing import Any

from holdfast.analysis import Series
from holdfast.experiments.figure_result import FigureResult
from holdfast.report.canvas import COLOURS, LINE, MARKERS, Axes, canvas, plain, svg_of

ACROSS = 3
"""Panels in a row."""
MARKS = 20
"""Markers on a line, at most."""
WIDE, HIGH = 3.1, 2.7
"""Size of a panel, in inches."""


def panels(result: FigureResult) -> str:
    """Return the SVG: panels side by side, one colour and marker for one name in all of them, and one legend."""
    figure, titles = result.figure, list(result.figure.panels)
    names = list(dict.fromkeys(name for title in titles for name, _ in result.labelled(title)))
    across = min(ACROSS, len(titles))
    down = math.ceil(len(titles) / across)
    height = max(down * HIGH, LINE * (len(names) + 1)) + 0.9
    with canvas(across * WIDE + 0.6, height, dpi=200) as drawn:
        drawn.suptitle(textwrap.fill(f"{figure.title} ({result.scale})", 38 * across), x=0.02, ha="left", fontsize=10)
        grid = drawn.subplots(down, across, squeeze=False).flatten()
        marks: dict[str, Any] = {}
        for axes, title in zip(grid, titles, strict=False):
            marks |= _draw_panel(axes, result, title, names)
        for axes in grid[len(titles) :]:
            axes.set_axis_off()
        drawn.tight_layout(rect=(0, 0, 1, 1 - 0.35 / height))
        # Marks and names are given apart: matplotlib leaves out labels of its own that begin with "_".
        drawn.legend(
            [marks[name] for name in names], [textwrap.fill(name, 34) for name in names],
            loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False,
        )  # fmt: skip
        return svg_of(drawn)


def images_and_seed(result: FigureResult) -> str:
    """Say what is behind the lines and points of a figure."""
    return f"{result.count} test images, seed {result.figure.seed}"


def _draw_panel(axes: Axes, result: FigureResult, title: str, names: list[str]) -> dict[str, Any]:
    """Draw every series of one panel and return its marks by name."""
    figure, drawn = result.figure, dict(result.labelled(title))
    axes.set_title("\n".join([textwrap.fill(title, 40), *_numbers(result, title)]), fontsize=8.5)
    axes.set(xlabel=figure.x, ylabel=figure.y, xscale=figure.x_scale)
    axes.xaxis.set_major_formatter(plain)
    if figure.y_range is not None:
        axes.set_ylim(*figure.y_range)
    axes.spines[["top", "right"]].set_visible(False)
    if all(not series.joined for series in drawn.values()):
        axes.set(xticks=[], yticks=[])
    else:
        axes.grid(color="#e4e4e4", linewidth=0.6)
        axes.set_axisbelow(True)
    return {name: _draw_series(axes, series, names.index(name)) for name, series in drawn.items()}


def _numbers(result: FigureResult, title: str) -> list[str]:
    """Return the numbers of a panel's only study; those of several would not fit, and stand in the text."""
    only = list(result.results[title].values())
    numbers = only[0].numbers if len(only) == 1 else {}
    return [", ".join(f"{name} {value:.3g}" for name, value in numbers.items())] if numbers else []


def _draw_series(axes: Axes, series: Series, number: int) -> Any:
    """Draw one line with its band, or one cloud, and return its mark."""
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    if series.low:
        axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.15, linewidth=0)
    style: dict[str, Any] = {"linestyle": "none", "markersize": 2}
    if series.joined:  # many markers would hide the line
        style = {"linewidth": 1.4, "markersize": 3.5, "markevery": math.ceil(len(series.x) / MARKS) or 1}
    # Thousands of points are a small picture; as shapes they would be most of the page.
    return axes.plot(series.x, series.y, color=colour, marker=marker, rasterized=not series.joined, **style)[0]
