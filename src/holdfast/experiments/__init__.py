"""A paper's tables and figures as values, and filling them in: what is trained, attacked and measured."""

from holdfast.experiments.attacked_images import Pictures, picture
from holdfast.experiments.columns import Audit, Likeness, Neighbours, Seconds, SeenAs, Transfer
from holdfast.experiments.defended_row import Defended
from holdfast.experiments.figure import Figure, Study
from holdfast.experiments.figure_result import FigureResult
from holdfast.experiments.paper import Paper
from holdfast.experiments.reproduction import Reproduction, Wanted, reproduce
from holdfast.experiments.result import Cell, Result
from holdfast.experiments.run_figure import fill_figure
from holdfast.experiments.run_table import fill_table
from holdfast.experiments.scale import Scale
from holdfast.experiments.stored_results import read_results
from holdfast.experiments.table import Table
from holdfast.experiments.table_result import TableResult
from holdfast.experiments.workplace import Workplace

__all__ = [
    "Audit",
    "Cell",
    "Defended",
    "Figure",
    "FigureResult",
    "Likeness",
    "Neighbours",
    "Paper",
    "Pictures",
    "Reproduction",
    "Result",
    "Scale",
    "Seconds",
    "SeenAs",
    "Study",
    "Table",
    "TableResult",
    "Transfer",
    "Wanted",
    "Workplace",
    "fill_figure",
    "fill_table",
    "picture",
    "read_results",
    "reproduce",
]
