"""What was measured, as people read it: tables, figures, pictures, and one page with all of them."""

from holdfast.report.figures import curve, overview
from holdfast.report.filled import Filled, Workplace, fill
from holdfast.report.page import page
from holdfast.report.pictures import Pictures, gallery, picture
from holdfast.report.sheet import Sheet, sheet, to_json, to_latex, to_markdown, to_text
from holdfast.report.table import Paper, Scale, Table, Transfer

__all__ = [
    "Filled",
    "Paper",
    "Pictures",
    "Scale",
    "Sheet",
    "Table",
    "Transfer",
    "Workplace",
    "curve",
    "fill",
    "gallery",
    "overview",
    "page",
    "picture",
    "sheet",
    "to_json",
    "to_latex",
    "to_markdown",
    "to_text",
]
