"""What was measured, as people read it: tables, figures, pictures, and one page with all of them."""

from holdfast.report.drawing import drawing
from holdfast.report.figure import Figure, Study
from holdfast.report.figures import curve, overview
from holdfast.report.filled import Filled, Workplace, fill
from holdfast.report.looked import Looked, look
from holdfast.report.page import page
from holdfast.report.panels import panels
from holdfast.report.paper import Paper
from holdfast.report.pictures import Pictures, gallery, picture
from holdfast.report.sheet import Sheet, sheet, sheet_of_figure, to_json, to_latex, to_markdown, to_text
from holdfast.report.table import Audit, Scale, Table, Transfer

__all__ = [
    "Audit",
    "Figure",
    "Filled",
    "Looked",
    "Paper",
    "Pictures",
    "Scale",
    "Sheet",
    "Study",
    "Table",
    "Transfer",
    "Workplace",
    "curve",
    "drawing",
    "fill",
    "gallery",
    "look",
    "overview",
    "page",
    "panels",
    "picture",
    "sheet",
    "sheet_of_figure",
    "to_json",
    "to_latex",
    "to_markdown",
    "to_text",
]
