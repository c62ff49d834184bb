"""What was measured, as people read it: tables, figures, pictures, and one page with all of them."""

from holdfast.report.drawing import drawing
from holdfast.report.figures import curve, overview
from holdfast.report.page import page
from holdfast.report.panels import panels
from holdfast.report.pictures import gallery
from holdfast.report.sheet import Sheet, sheet, sheet_of_figure, to_json, to_latex, to_markdown, to_text

__all__ = [
    "Sheet",
    "curve",
    "drawing",
    "gallery",
    "overview",
    "page",
    "panels",
    "sheet",
    "sheet_of_figure",
    "to_json",
    "to_latex",
    "to_markdown",
    "to_text",
]
