"""The figure of whatever was measured, as SVG: for the page, or as a file of its own."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.experiments.result import Result
from holdfast.report.accuracy_figure import bands, bars, curve, overview
from holdfast.report.gap_figure import gap, marks
from holdfast.report.panel_figure import images_and_seed, panels


@dataclass(frozen=True)
class Kind:
    """A kind of figure."""

    draw: Callable[[Any], str]
    caption: Callable[[Any], str]


KINDS: Mapping[str, Kind] = {
    "table": Kind(overview, bars),
    "curve": Kind(curve, bands),
    "sweep": Kind(curve, bands),
    "gap": Kind(gap, marks),
    "panels": Kind(panels, images_and_seed),
}
"""By what a result is shown as."""


def drawing(result: Result) -> str:
    """Return the figure of a result."""
    return KINDS[result.shown_as].draw(result)


def caption(result: Result) -> str:
    """Say what its bars, bands and points are."""
    return KINDS[result.shown_as].caption(result)


def drawings(results: Sequence[Result]) -> dict[str, str]:
    """Return the figure of each by the name of a file, as in sim-figure-3-short.svg; a second of one name has a 2."""
    found: dict[str, str] = {}
    known: Counter[str] = Counter()
    for each in results:
        name = f"{each.name}-{each.scale}".replace(" ", "-")
        known[name] += 1
        found[f"{name}-{known[name]}.svg" if known[name] > 1 else f"{name}.svg"] = drawing(each)
    return found
