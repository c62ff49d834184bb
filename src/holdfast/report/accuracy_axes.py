"""What every figure of accuracies stands on: axes with a title above and words below, and how sure a value is."""

import math
import textwrap
from collections.abc import Sequence

from holdfast import metrics
from holdfast.experiments.columns import Likeness
from holdfast.experiments.table import Column
from holdfast.experiments.table_result import TableResult
from holdfast.report.canvas import Axes, Canvas
from holdfast.report.text import titled


def axes_of(figure: Canvas, result: TableResult, height: float, below: str) -> Axes:
    """Return axes of this height in inches, with the title above and these words below."""
    total = figure.get_figheight()
    axes = figure.add_axes((0.1, 0.7 / total, 0.85, height / total))
    axes.set_title(textwrap.fill(titled(result), 70), loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if result.shown_as in ("table", "gap") else "both", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    figure.text(0.1, 0.05 / total, textwrap.fill(below, 90), color="#555555", fontsize=7.5)
    return axes


def quantity(result: TableResult) -> str:
    """Say what the numbers on the axis are."""
    if not result.accuracies:
        first = result.table.columns.get(result.columns[0])
        return f"{first.measure}" if isinstance(first, Likeness) else "seconds of training"
    return f"top-{result.table.top} accuracy (%)" if result.table.top > 1 else "accuracy (%)"


def same_quantity(column: Column, other: Column) -> bool:
    """Say whether two columns that are no accuracies may share an axis."""
    return type(column) is type(other) and getattr(column, "measure", "") == getattr(other, "measure", "")


def span(values: Sequence[float], count: int) -> tuple[float, float, float]:
    """Return low, middle and high in percent."""
    mean, std = metrics.mean_std(values)
    if math.isnan(mean):
        return math.nan, math.nan, math.nan
    low, high = (mean - std, mean + std) if len(values) > 1 else metrics.interval(mean, count)
    return 100 * max(0.0, low), 100 * mean, 100 * min(1.0, high)


def spread_said(result: TableResult) -> str:
    """Say what the bar or band around a value is, and how many images are behind it."""
    seeds = len(result.seeds)
    said = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "95 % interval of one seed"
    if not result.accuracies:
        return said if seeds > 1 else "one seed"
    fewer = [f", {column} {count}" for column in result.accuracies if (count := result.counted(column)) != result.count]
    return f"{said}; {result.count} test images{''.join(fewer)}"
