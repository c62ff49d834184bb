"""A result as lines of text cells, and those as plain text, Markdown and LaTeX; JSON keeps the numbers."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from holdfast import metrics
from holdfast.experiments.result import Cell, Result
from holdfast.experiments.table import WORST
from holdfast.report.missing_value import UNKNOWN, missing
from holdfast.storage.signed import signed_json


@dataclass(frozen=True)
class TextCell:
    """Our value, and the paper's where it printed one."""

    ours: str = ""
    theirs: str = ""

    def __str__(self) -> str:
        return f"{self.ours} | {self.theirs}" if self.theirs else self.ours


@dataclass(frozen=True)
class TextTable:
    """A title, columns, rows of text and notes: a table ready to be set."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[TextCell, ...]], ...]
    how_to_read: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def compared(self) -> bool:
        """Whether any cell has a value of the paper beside ours."""
        return any(cell.theirs for _, cells in self.rows for cell in cells)

    @property
    def lines(self) -> list[list[str]]:
        """The header and the rows, as words."""
        return [["", *self.columns], *([row, *map(str, cells)] for row, cells in self.rows)]

    @property
    def below(self) -> list[str]:
        """What stands under the rows."""
        return [*self.how_to_read, *(["ours | the paper's"] if self.compared else []), *self.notes]


def text_table(result: Result) -> TextTable:
    """Return our values, over seeds as mean (std), and the paper's where it printed any."""
    rows = tuple(
        (row, tuple(_cell(result, cells, column) for column in result.columns)) for row, cells in result.cells.items()
    )
    unknown = any(cell.ours == UNKNOWN for _, cells in rows for cell in cells)
    notes = (*result.notes, *([f"{WORST} {UNKNOWN}: none of its columns is known"] if unknown else []))
    return TextTable(titled(result), result.columns, rows, result.how_to_read, notes)


def titled(result: Result) -> str:
    """Return the title, and the scale that it was measured at."""
    return f"{result.title} ({result.scale})"


def _cell(result: Result, cells: Mapping[str, Cell], column: str) -> TextCell:
    """Return mean (std) of our values; a mean of the seeds that are left would hide that others diverged."""
    if column not in cells:
        return TextCell()
    cell, unit = cells[column], result.unit(column)
    said = {"%": _percent, "s": _seconds, "": _number}[unit]
    ours = missing(result, cells, column) or said(*metrics.mean_std(cell.ours))
    printed = _seconds if unit == "s" else _printed
    return TextCell(ours, "" if cell.theirs is None else printed(*cell.theirs))


def _seconds(mean: float, std: float) -> str:
    """Return a time with three figures or all that stand before the point."""
    places = max(0, 2 - math.floor(math.log10(max(mean, 0.1))))
    return f"{mean:.{places}f}" + ("" if math.isnan(std) else f" ({std:.{places}f})") + " s"


def _percent(mean: float, std: float) -> str:
    return f"{100 * mean:.1f}" + ("" if math.isnan(std) else f" ({100 * std:.1f})")


def _number(mean: float, std: float) -> str:
    return f"{mean:.3g}" + ("" if math.isnan(std) else f" ({std:.2g})")


def _printed(mean: float, std: float) -> str:
    """Return a paper's value as it prints it, without a deviation where it gives none."""
    return f"{mean:.2f}" if math.isnan(std) else f"{mean:.2f} ({std:.2f})"


def to_text(shown: TextTable) -> str:
    """Return the table in columns, for a terminal or a log."""
    widths = [max(map(len, column)) for column in zip(*shown.lines, strict=True)]
    set_lines = [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in shown.lines
    ]
    rule = "-" * len(set_lines[0])
    return "\n".join([shown.title, rule, set_lines[0], rule, *set_lines[1:], rule, *shown.below])


def to_markdown(shown: TextTable) -> str:
    """Return the table in Markdown."""
    set_lines = ["| " + " | ".join(map(_md, line)) + " |" for line in shown.lines]
    rule = "|---|" + "---:|" * len(shown.columns)
    notes = [f"- {_md(note)}" for note in shown.below]
    return "\n".join([f"**{_md(shown.title)}**", "", set_lines[0], rule, *set_lines[1:], "", *notes])


def _md(text: str) -> str:
    """Escape what Markdown would read as markup."""
    return re.sub(r"([\\`*_|<>$])", r"\\\1", text)


def to_latex(shown: TextTable) -> str:
    """Return the table in LaTeX, for the booktabs package."""
    columns = "l" + "r" * len(shown.columns)
    lines = [" & ".join(map(_tex, line)) + r" \\" for line in shown.lines]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_tex(shown.title)}. {_tex('; '.join(shown.below))}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _tex(text: str) -> str:
    """Escape what LaTeX would read as a command."""
    special = {
        "\\": r"\textbackslash{}",
        "|": r"$\mid$",
        "<": "$<$",
        ">": "$>$",
        "[": "{[}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
    special |= {sign: "\\" + sign for sign in "&%$#_{}"}
    return "".join(special.get(sign, sign) for sign in text)


def said_left_out(left_out: Mapping[str, str]) -> str:
    """Return a line for each part of a paper that its recipe does not have; nothing where it has all."""
    lines = [f"  {what}: {why}\n" for what, why in left_out.items()]
    return "\nof the paper, not here:\n" + "".join(lines) if lines else ""


def to_json(result: Result) -> str:
    """Return the values of every seed, and all that was asked for as described, on one page of JSON."""
    return signed_json(result)
