"""The figure of whatever was measured, as SVG: for the page, or as a file of its own."""

from holdfast.report.figures import curve, overview
from holdfast.report.filled import Filled
from holdfast.report.looked import Looked
from holdfast.report.panels import panels


def drawing(measured: Filled | Looked) -> str:
    """Return the figure of a table, or of a figure's panels."""
    if isinstance(measured, Looked):
        return panels(measured)
    return overview(measured) if measured.table.shown_as == "table" else curve(measured)


def file_name(measured: Filled | Looked) -> str:
    """Return what a file of its figure is called, as in sim-figure-3-short.svg."""
    return f"{measured.name}-{measured.scale}.svg".replace(" ", "-")
