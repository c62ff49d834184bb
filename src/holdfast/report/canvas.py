"""What every figure is drawn on and with, so that the same numbers are the same SVG text, letter for letter."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

from holdfast.devices import need

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
"""Seven that colour-blind eyes tell apart (Okabe and Ito, 2008); their yellow is too pale for lines on white."""
RED = "#D00000"
"""Of what is marked among others."""
BESIDE_RED = (
    "#0072B2", "#009E73", "#E69F00", "#56B4E9", "#000000", "#CC79A7", "#7F7F7F", "#BCBD22", "#7B4FA3", "#8C564B",
)  # fmt: skip
"""Ten, as common data sets have classes, of which none is taken for red."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
"""Nine: beside seven colours, no pair of colour and marker comes back before the sixty-fourth."""
LINE = 0.17
"""Height of a line of text, in inches."""

Canvas = Any
Axes = Any
"""matplotlib's Figure and Axes; matplotlib is imported only where it draws, so that importing holdfast stays cheap."""


@contextmanager
def canvas(width: float, height: float, dpi: int = 100) -> Iterator[Canvas]:
    """Give an empty figure of this size in inches, whatever the caller's own settings of matplotlib are."""
    need("report")
    from matplotlib import style
    from matplotlib.figure import Figure

    ours = {"svg.hashsalt": "holdfast", "text.parse_math": False, "font.size": 9, "axes.titlesize": 10}
    with style.context(["default", ours]):
        yield Figure(figsize=(width, height), dpi=dpi, facecolor="white")


def plain(value: float, place: int | None) -> str:
    """Return a number on an axis as it is read: matplotlib's own on a log axis is a formula, shown raw by `canvas`."""
    return f"{value:g}"


def svg_of(figure: Canvas) -> str:
    """Return what was drawn as SVG text."""
    written = StringIO()
    figure.savefig(written, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": "holdfast"})
    return written.getvalue()
