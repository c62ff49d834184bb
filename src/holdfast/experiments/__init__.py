"""A paper's tables and figures as values, and filling them in: what is trained, attacked and measured."""

from holdfast.experiments.attacked_images import Pictures, picture
from holdfast.experiments.figure import Figure, Study
from holdfast.experiments.paper import Paper
from holdfast.experiments.run_figure import Looked, look
from holdfast.experiments.run_table import Filled, Workplace, fill
from holdfast.experiments.table import Audit, Scale, Table, Transfer

__all__ = [
    "Audit",
    "Figure",
    "Filled",
    "Looked",
    "Paper",
    "Pictures",
    "Scale",
    "Study",
    "Table",
    "Transfer",
    "Workplace",
    "fill",
    "look",
    "picture",
]
