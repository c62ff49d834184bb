"""What was measured, as people read it: tables, figures, pictures, and one page with all of them."""

from holdfast.report.accuracy_figure import curve, overview
from holdfast.report.figure_svg import drawing
from holdfast.report.html_paper import page
from holdfast.report.image_grid import gallery
from holdfast.report.panel_figure import panels
from holdfast.report.text import TextTable, text_table, to_json, to_latex, to_markdown, to_text

__all__ = [
    "TextTable",
    "curve",
    "drawing",
    "gallery",
    "overview",
    "page",
    "panels",
    "text_table",
    "to_json",
    "to_latex",
    "to_markdown",
    "to_text",
]
