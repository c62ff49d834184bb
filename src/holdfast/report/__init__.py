"""What was measured, as people read it: tables, figures, pictures, and one page with all of them."""

from holdfast.report.accuracy_figure import curve, overview
from holdfast.report.figure_svg import drawing
from holdfast.report.html_paper import page
from holdfast.report.image_grid import gallery
from holdfast.report.panel_figure import panels
from holdfast.report.text import Sheet, sheet, sheet_of_figure, to_json, to_latex, to_markdown, to_text

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
