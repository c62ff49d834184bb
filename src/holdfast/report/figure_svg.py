"""The figure of whatever was measured, as SVG: for the page, or as a file of its own."""

from collections import Counter
from collections.abc import Sequence

from holdfast.experiments.run_figure import Looked
from holdfast.experiments.run_table import Filled
from holdfast.report.accuracy_figure import curve, overview
from holdfast.report.panel_figure import panels


def drawing(measured: Filled | Looked) -> str:
    """Return the figure of a table, or of a figure's panels."""
    if isinstance(measured, Looked):
        return panels(measured)
    return overview(measured) if measured.table.shown_as == "table" else curve(measured)


def drawings(measured: Sequence[Filled | Looked]) -> dict[str, str]:
    """Return the figure of each by the name of a file, as in sim-figure-3-short.svg; a second of one name has a 2."""
    found: dict[str, str] = {}
    known: Counter[str] = Counter()
    for each in measured:
        name = f"{each.name}-{each.scale}".replace(" ", "-")
        known[name] += 1
        found[f"{name}-{known[name]}.svg" if known[name] > 1 else f"{name}.svg"] = drawing(each)
    return found
