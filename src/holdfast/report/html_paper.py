"""Everything measured as one HTML page that asks nothing of any network, so that it opens anywhere, for years."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from holdfast.experiments.attacked_images import Pictures
from holdfast.experiments.run_figure import Looked
from holdfast.experiments.run_table import Filled
from holdfast.metrics import mean_std
from holdfast.report.accuracy_figure import band_words
from holdfast.report.figure_svg import drawing
from holdfast.report.image_grid import gallery
from holdfast.report.template import data_uri, rendered
from holdfast.report.text import DIVERGED, sheet, sheet_of_figure
from holdfast.storage import record

Shown = dict[str, Any]
"""What the template is given of one part of the page: plain text and numbers, which it escapes."""


def page(title: str, measured: Sequence[Filled | Looked], pictures: Sequence[Pictures]) -> str:
    """Return one self-contained HTML page: tables, figures, pictures, and how to repeat them."""
    tables = [each for each in measured if isinstance(each, Filled) and each.table.shown_as == "table"]
    figures = [each for each in measured if each not in tables]
    return rendered(
        "html_paper.html.j2",
        title=title,
        tables=[_table(filled) for filled in tables],
        figures=[_table(each) if isinstance(each, Filled) else _figure(each) for each in figures],
        galleries=[_gallery(each) for each in pictures],
        repeats=[_repeat(each) if isinstance(each, Filled) else _repeat_figure(each) for each in (*tables, *figures)],
    )


def _table(filled: Filled) -> Shown:
    """Return a table's cells, with ours and the paper's apart, and its figure."""
    published = filled.table.published
    ours = sheet(replace(filled, table=replace(filled.table, published={})))
    columns = ours.header[1:]
    rows = [
        (row, [_cell(text, filled, row, column) for text, column in zip(cells, columns, strict=True)])
        for row, *cells in ours.rows
    ]
    second_line = ["second line of a cell: the paper's value, with its (std)"] if published else []
    return {
        "title": ours.title,
        "columns": columns,
        "rows": rows,
        "notes": [*ours.notes, *second_line],
        "figure": data_uri(drawing(filled)),
        "caption": band_words(filled),
        "words": _in_words(filled),
    }


def _figure(looked: Looked) -> Shown:
    """Return a figure of panels, and its values as a table."""
    shown = sheet_of_figure(looked)
    words = f"{shown.title}. " + "; ".join(f"{row}: {', '.join(filter(None, cells))}" for row, *cells in shown.rows)
    return {
        "title": shown.title,
        "columns": shown.header[1:],
        "rows": [(row, [{"ours": text, "theirs": "", "heat": "0%"} for text in cells]) for row, *cells in shown.rows],
        "notes": shown.notes,
        "figure": data_uri(drawing(looked)),
        "caption": f"{looked.count} test images, seed {looked.figure.seed}",
        "words": words,
    }


def _cell(text: str, filled: Filled, row: str, column: str) -> Shown:
    """Return our text, the paper's, and how warm the cell is."""
    mean, std = filled.table.published.get(row, {}).get(column, (math.nan, math.nan))
    spread = "" if math.isnan(std) else f" ({std:.2f})"
    theirs = "" if math.isnan(mean) else f"{mean:.2f}{spread}"
    ours = mean_std(filled.values[row][column])[0]
    return {"ours": text, "theirs": theirs, "heat": "0%" if math.isnan(ours) else f"{100 * ours:.0f}%"}


def _in_words(filled: Filled) -> str:
    """Say what a figure shows, for who cannot see it."""
    ends = {row: [100 * mean_std(values)[0] for values in filled.values[row].values()] for row in filled.table.rows}
    ranges = [
        f"{row} from {min(values):.1f} to {max(values):.1f} %"
        if not any(map(math.isnan, values))
        else f"{row} {DIVERGED}"
        for row, values in ends.items()
    ]
    return f"{filled.table.title}. Accuracy of {'; '.join(ranges)}."


def _gallery(pictures: Pictures) -> Shown:
    """Return a gallery's picture and what stands under it; no picture where the network got nothing right."""
    return {
        "name": pictures.name,
        "image": gallery(pictures) if len(pictures.images) else "",
        "count": len(pictures.images),
        "fooled": pictures.fooled,
        "gain": f"{pictures.gain:.3g}",
        "readings": pictures.readings,
    }


def _repeat(filled: Filled) -> Shown:
    """Return what it takes to measure a table again."""
    table = filled.table
    seconds = {row: f"{mean_std(each)[0]:.0f} s" for row, each in filled.train_seconds.items() if each}
    return {
        "title": f"{table.title} ({filled.scale})",
        "name": filled.name,
        "seeds": ", ".join(map(str, table.seeds)),
        "conditions": list(filled.conditions.items()),
        "runs": [(row, record.brief(run), seconds.get(row, "")) for row, run in table.rows.items()],
        "attacks": [
            (name, record.brief(attack) if attack else "clean images") for name, attack in table.columns.items()
        ],
        "worst": ", ".join(table.worst),
    }


def _repeat_figure(looked: Looked) -> Shown:
    """Return what it takes to look again."""
    studies = {
        ": ".join(word for word in (panel, name) if word): study
        for panel, studies in looked.figure.panels.items()
        for name, study in studies.items()
    }
    return {
        "title": f"{looked.figure.title} ({looked.scale})",
        "name": looked.name,
        "seeds": str(looked.figure.seed),
        "conditions": list(looked.conditions.items()),
        "runs": [(name, record.brief(study.run), "") for name, study in studies.items()],
        "attacks": [(name, record.brief(study.analysis)) for name, study in studies.items()],
        "worst": "",
    }
