"""A filled table as lines of text cells, and those as plain text, Markdown, LaTeX and JSON."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from holdfast import metrics
from holdfast.experiments.run_figure import Looked
from holdfast.experiments.run_table import WORST, Filled
from holdfast.experiments.table import Audit
from holdfast.storage import record

DIVERGED = "diverged"
"""Said of a row whose training became NaN or infinite, for any seed."""


@dataclass(frozen=True)
class Sheet:
    """A title, a header, rows of text and notes: a table ready to be set."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def sheet(filled: Filled) -> Sheet:
    """Return our numbers in percent, mean (std) over seeds, with the paper's behind a bar where it printed any."""
    table = filled.table
    columns = [*table.columns, *([WORST] if table.worst else [])]
    body = tuple(
        (row, *(_cell(filled.values[row][column], table.published.get(row, {}).get(column)) for column in columns))
        for row in table.rows
    )
    seeds = len(table.seeds)
    counted = f"Top-{table.top} accuracy in %, an upper bound on what holds; {filled.count} test images, "
    counted += f"mean (std) over {seeds} seeds" if seeds > 1 else f"seed {table.seeds[0]}"
    half = 50 * (lambda ends: ends[1] - ends[0])(metrics.interval(0.5, filled.count))
    notes = [counted, f"95 % interval of one value from the number of images alone: at most +-{half:.1f} points"]
    if table.published:
        notes.append("ours | the paper's")
    notes += [f"{name}: {words}" for name, words in filled.conditions.items()]
    notes += [*_audits(filled), *_times(filled)]
    return Sheet(f"{table.title} ({filled.scale})", ("", *columns), body, (*notes, *table.notes))


def _audits(filled: Filled) -> list[str]:
    """Say what an audit in the columns is, and what it doubts."""
    audits = {name: column for name, column in filled.table.columns.items() if isinstance(column, Audit)}
    said = [
        f"{name}: what holdfast.audit leaves standing with effort {column.effort}, "
        f"on the first {min(column.limit or filled.count, filled.count)} of these images"
        for name, column in audits.items()
    ]
    doubts = [f"{row} ({', '.join(names)})" for row, names in filled.doubts.items() if names]
    nothing = [] if doubts or not audits else ["the audits doubt nothing"]
    return [*said, *nothing, *([f"the audits doubt: {'; '.join(doubts)}"] if doubts else [])]


def _times(filled: Filled) -> list[str]:
    """Say how long each row trained, and how that compares with the shortest."""
    means = {row: metrics.mean_std(seconds)[0] for row, seconds in filled.train_seconds.items() if seconds}
    if len(means) < 2 or min(means.values()) <= 0:
        return []
    shortest = min(means.values())
    told = [f"{row} {seconds:.0f} s ({seconds / shortest:.2f})" for row, seconds in means.items()]
    return [f"mean training time, and its ratio to the shortest: {', '.join(told)}"]


def sheet_of_figure(looked: Looked) -> Sheet:
    """Return a line for each series, with its height at each x, and a line for the numbers of each study.

    Clouds of points say nothing as numbers; of them only the study's own numbers are shown.
    """
    lines: dict[str, dict[str, str]] = {}
    for panel, studies in looked.seen.items():
        for name, series in looked.labelled(panel):
            if series.joined:
                heights = zip(series.x, series.y, strict=True)
                lines[_words(panel, name)] = {f"{x:g}": f"{y:.3g}" for x, y in heights}
        for study, seen in studies.items():
            line = lines.setdefault(_words(panel, study), {})
            line |= {name: f"{value:.3g}" for name, value in seen.numbers.items()}
    lines = {name: line for name, line in lines.items() if line}
    header = list(dict.fromkeys(column for line in lines.values() for column in line))
    body = tuple((name, *(line.get(column, "") for column in header)) for name, line in lines.items())
    figure = looked.figure
    axes = [f"columns: {figure.x}; values: {figure.y}"] if figure.x else []
    counted = f"{looked.count} test images, seed {figure.seed}"
    told = [f"{name}: {words}" for name, words in looked.conditions.items()]
    return Sheet(f"{figure.title} ({looked.scale})", ("", *header), body, (*axes, counted, *told, *figure.notes))


def _words(*words: str) -> str:
    return ": ".join(word for word in words if word)


def _cell(values: Sequence[float], published: tuple[float, float] | None) -> str:
    mean, std = metrics.mean_std(values)
    ours = f"{100 * mean:.1f}" + (f" ({100 * std:.1f})" if len(values) > 1 else "")
    ours = DIVERGED if math.isnan(mean) else ours
    return ours if published is None else f"{ours} | {printed(published)}"


def printed(published: tuple[float, float]) -> str:
    """Return a paper's value as it prints it, without a deviation where it gives none."""
    mean, std = published
    return f"{mean:.2f}" if math.isnan(std) else f"{mean:.2f} ({std:.2f})"


def to_text(shown: Sheet) -> str:
    """Return the sheet in columns, for a terminal or a log."""
    lines = [shown.header, *shown.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(shown.header))]
    set_lines = [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    ]
    rule = "-" * len(set_lines[0])
    return "\n".join([shown.title, rule, set_lines[0], rule, *set_lines[1:], rule, *shown.notes])


def to_markdown(shown: Sheet) -> str:
    """Return the sheet as a Markdown table."""
    lines = [[_md(cell) for cell in line] for line in (shown.header, *shown.rows)]
    set_lines = ["| " + " | ".join(line) + " |" for line in lines]
    rule = "|---|" + "---:|" * (len(shown.header) - 1)
    notes = [f"- {_md(note)}" for note in shown.notes]
    return "\n".join([f"**{_md(shown.title)}**", "", set_lines[0], rule, *set_lines[1:], "", *notes])


def _md(text: str) -> str:
    """Escape what Markdown would read as markup."""
    return re.sub(r"([\\`*_|<>$])", r"\\\1", text)


def to_latex(shown: Sheet) -> str:
    """Return the sheet as a LaTeX table for the booktabs package."""
    columns = "l" + "r" * (len(shown.header) - 1)
    lines = [" & ".join(_tex(cell) for cell in line) + r" \\" for line in (shown.header, *shown.rows)]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_tex(shown.title)}. {_tex('; '.join(shown.notes))}}}",
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


def to_json(filled: Filled | Looked) -> str:
    """Return the values of every seed, and the whole table as described, on one page of JSON."""
    return record.signed_json(filled)
