"""A figure of panels as SVG text, the same letter for letter whenever what was seen is the same."""

import math
import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

from holdfast.analysis import Series
from holdfast.experiments.figure_result import FigureResult
from holdfast.report.canvas import BESIDE_RED, COLOURS, LINE, MARKERS, RED, Axes, canvas, plain, svg_of
from holdfast.report.tile_panel import draw_tiles, names_height, tiles_height, tiles_width

MARKS = 20
"""Markers on a line, at most."""
WIDE, HIGH = 3.1, 2.7
"""Size of a panel, in inches, unless its pictures need more."""
LETTERS = 12.2
"""Of a title, in an inch."""


class Look(NamedTuple):
    """What the points of one name look like in every panel."""

    colour: str
    marker: str


def panels(result: FigureResult) -> str:
    """Return the SVG: panels in a grid, one colour and marker for one name in all of them, and one legend."""
    figure, titles = result.figure, list(result.figure.panels)
    looks = _looks(result)
    across = min(figure.across, len(titles))
    down = math.ceil(len(titles) / across)
    high = max(HIGH, *(tiles_height(result.results[title]) for title in titles))
    wide = max(WIDE, *(tiles_width(result.results[title]) for title in titles))
    height = max(down * high, LINE * (len(looks) + 1)) + 0.9
    with canvas(across * wide + 0.6, height, dpi=200) as drawn:
        drawn.suptitle(
            textwrap.fill(f"{figure.title} ({result.scale})", round(LETTERS * across * wide)),
            x=0.02,
            ha="left",
            fontsize=10,
        )
        grid = drawn.subplots(down, across, squeeze=False).flatten()
        marks: dict[str, Any] = {}
        for axes, title in zip(grid, titles, strict=False):
            marks |= _draw_panel(axes, result, title, looks)
        for axes in grid[len(titles) :]:
            axes.set_axis_off()
        drawn.tight_layout(rect=(0, 0, 1, 1 - 0.35 / height))
        # Marks and names are given apart: matplotlib leaves out labels of its own that begin with "_".
        names = [name for name in looks if name in marks]
        drawn.legend(
            [marks[name] for name in names], [textwrap.fill(name, 34) for name in names],
            loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, markerscale=_legend_scale(result),
        )  # fmt: skip
        return svg_of(drawn)


def images_and_seed(result: FigureResult) -> str:
    """Say what is behind the lines, points and pictures of a figure, and how they are read."""
    return "; ".join([f"{result.count} test images, seed {result.figure.seed}", *result.figure.notes])


def _looks(result: FigureResult) -> dict[str, Look]:
    """Return the colour and marker of each name; what is marked is a red circle, and then nothing else is red."""
    found = {name: series.marked for title in result.figure.panels for name, series in result.labelled(title)}
    plain_names = [name for name, marked in found.items() if not marked]
    if len(plain_names) == len(found):
        return {name: Look(COLOURS[n % len(COLOURS)], MARKERS[n % len(MARKERS)]) for n, name in enumerate(found)}
    shapes = MARKERS[2:]  # from triangles on, none like a circle
    looks = {
        name: Look(BESIDE_RED[n % len(BESIDE_RED)], shapes[n // len(BESIDE_RED) % len(shapes)])
        for n, name in enumerate(plain_names)
    }
    return {name: looks.get(name, Look(RED, "o")) for name in found}


def _legend_scale(result: FigureResult) -> float:
    """Return how much larger marks are in the legend: those of clouds are too small to tell apart."""
    every = [series for title in result.figure.panels for _, series in result.labelled(title)]
    return 1.0 if any(series.joined for series in every) else 2.5


def _draw_panel(axes: Axes, result: FigureResult, title: str, looks: Mapping[str, Look]) -> dict[str, Any]:
    """Draw every series of one panel and return its marks by name; or its pictures, which have none."""
    figure, drawn = result.figure, dict(result.labelled(title))
    pictured = any(found.pictures for found in result.results[title].values())
    words = "\n".join([textwrap.fill(title, 40), *_numbers(result, title)])
    axes.set_title(words, fontsize=8.5, pad=names_height(result.results[title]) if pictured else None)
    if pictured:
        draw_tiles(axes, result.results[title])
        return {}
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
    return {name: _draw_series(axes, series, looks[name]) for name, series in drawn.items()}


def _numbers(result: FigureResult, title: str) -> list[str]:
    """Return the numbers of a panel's only study; those of several would not fit, and stand in the text."""
    only = list(result.results[title].values())
    numbers = only[0].numbers if len(only) == 1 else {}
    wide = max(WIDE, tiles_width(result.results[title]))
    return textwrap.wrap(", ".join(f"{name} {value:.3g}" for name, value in numbers.items()), round(15 * wide))


def _draw_series(axes: Axes, series: Series, look: Look) -> Any:
    """Draw one line with its band, or one cloud, and return its mark."""
    colour, marker = look
    if series.low:
        axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.15, linewidth=0)
    style: dict[str, Any] = {"linestyle": "none", "markersize": 2}
    if series.marked:
        style |= {"markersize": 4, "markerfacecolor": "none", "markeredgewidth": 0.8, "zorder": 3}
    if series.joined:  # many markers would hide the line
        every = math.ceil(len(series.x) / MARKS) or 1
        style |= {"linestyle": "-", "linewidth": 1.4, "markersize": 3.5, "markevery": every}
    # Thousands of points are a small picture; as shapes they would be most of the page.
    return axes.plot(series.x, series.y, color=colour, marker=marker, rasterized=not series.joined, **style)[0]
