"""How the share of images that stand fell while an audit spent its passes, and which of its images to look at."""

from collections.abc import Mapping
from typing import Any

from holdfast.auditing import Report
from holdfast.metrics import interval
from holdfast.report.canvas import COLOURS, MARKERS, Axes, canvas, plain, svg_of


def survivors(reports: Mapping[str, Report]) -> str:
    """Return the SVG of the share that stands against the passes spent on an image, one line a network."""
    from matplotlib.ticker import LogLocator

    with canvas(6.4, 3.9) as figure:
        axes = figure.add_axes((0.1, 0.17, 0.85, 0.68))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e4e4e4", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set(ylim=(0, 100), xlabel="forward and backward passes an image, in all", ylabel="images that stand (%)")
        axes.set_xscale("log", subs=())
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(plain)
        lines = [_draw(axes, report, number, len(reports) == 1) for number, report in enumerate(reports.values())]
        if len(reports) > 1:
            axes.legend(lines, list(reports), frameon=False)
        return svg_of(figure)


def course(report: Report) -> list[tuple[str, float, float]]:
    """Return the stages that were shown images: name, passes an image so far, share that stands."""
    spent, points = 0, []
    for number, stage in enumerate(report.stages):
        spent += stage.forwards + stage.backwards
        if stage.attacked:
            points.append((stage.name, spent / len(report.broken_by), report.accuracy_after(number)))
    return points


def _draw(axes: Axes, report: Report, number: int, named: bool) -> Any:
    """Draw one network's line, its 95 % band, and, where there is room, the names of its stages; return the line."""
    words, x, stands = zip(*course(report), strict=True)
    low, high = zip(*(interval(share, len(report.broken_by)) for share in stands), strict=True)
    y, below, above = ([100 * share for share in shares] for shares in (stands, low, high))
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    axes.fill_between(x, below, above, color=colour, alpha=0.15, linewidth=0)
    line = axes.plot(x, y, color=colour, marker=marker, markersize=5, linewidth=1.6, clip_on=False)[0]
    for word, across, up in zip(words, x, y, strict=True) if named else ():
        place = {"xytext": (3, 6), "textcoords": "offset points", "annotation_clip": False}
        axes.annotate(word, (across, up), rotation=35, fontsize=7.5, va="bottom", rotation_mode="anchor", **place)
    return line
