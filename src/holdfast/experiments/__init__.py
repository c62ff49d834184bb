"""A paper's tables and figures as values, and filling them in: what is trained, attacked and measured."""

from holdfast.experiments.attacked_images import Pictures, picture
from holdfast.experiments.figure import Figure, Study
from holdfast.experiments.paper import Paper
from holdfast.experiments.reproduction import Reproduction, Wanted, reproduce
from holdfast.experiments.run_figure import Looked, look
from holdfast.experiments.run_table import Filled, fill
from holdfast.experiments.stored_results import read_results
from holdfast.experiments.table import Audit, Scale, Table, Transfer
from holdfast.experiments.workplace import Workplace

__all__ = [
    "Audit",
    "Figure",
    "Filled",
    "Looked",
    "Paper",
    "Pictures",
    "Reproduction",
    "Scale",
    "Study",
    "Table",
    "Transfer",
    "Wanted",
    "Workplace",
    "fill",
    "look",
    "picture",
    "read_results",
    "reproduce",
]
