"""Everything measured as one HTML page that asks nothing of any network, so that it opens anywhere, for years."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.experiments.attacked_images import Pictures
from holdfast.experiments.result import Cell, Result, Unit
from holdfast.metrics import mean_std
from holdfast.report.figure_svg import caption, drawing
from holdfast.report.image_grid import gallery
from holdfast.report.missing_value import UNKNOWN, missing
from holdfast.report.template import data_uri, rendered
from holdfast.report.text import TextCell, TextTable, text_table, titled
from holdfast.storage.describe import short_repr

Shown = dict[str, Any]
"""What the template is given of one part of the page: plain text and numbers, which it escapes."""
NOTHING: Mapping[str, str] = {}
SECOND_LINE = "second line of a cell: the paper's value, with its (std)"


def page(
    title: str, results: Sequence[Result], pictures: Sequence[Pictures], left_out: Mapping[str, str] = NOTHING
) -> str:
    """Return one self-contained HTML page: tables, figures, pictures, what is not there, and how to repeat them."""
    tables = [each for each in results if each.shown_as == "table"]
    figures = [each for each in results if each.shown_as != "table"]
    return rendered(
        "html_paper.html.j2",
        title=title,
        times=any(each.unit(column) == "s" for each in results for column in each.columns),
        tables=[_values(each) for each in tables],
        figures=[_values(each) for each in figures],
        galleries=[_gallery(each) for each in pictures],
        left_out=list(left_out.items()),
        repeats=[_repeat(each) for each in (*tables, *figures)],
    )


def _values(result: Result) -> Shown:
    """Return a result's cells, with ours and the paper's apart, and its figure."""
    text = text_table(result)
    return {
        "title": text.title,
        "columns": text.columns,
        "rows": [(row, _cells(cells, result, row)) for row, cells in text.rows],
        "notes": [*text.how_to_read, *text.notes, *([SECOND_LINE] if text.compared else [])],
        "figure": data_uri(drawing(result)),
        "caption": caption(result),
        "words": _in_words(result, text),
    }


def _cells(cells: Sequence[TextCell], result: Result, row: str) -> list[Shown]:
    """Return our text, the paper's, and how warm each cell is."""
    measured = (result.cells[row].get(column) for column in result.columns)
    return [
        {"ours": text.ours, "theirs": text.theirs, "heat": f"{_heat(cell, result.unit(column)):.0f}%"}
        for text, cell, column in zip(cells, measured, result.columns, strict=True)
    ]


def _heat(cell: Cell | None, unit: Unit) -> float:
    mean = mean_std(cell.ours)[0] if cell is not None and unit == "%" else 0.0
    return 0.0 if math.isnan(mean) else 100 * mean


def _in_words(result: Result, text: TextTable) -> str:
    """Say what a figure shows, for who cannot see it."""
    shares = [column for column in result.columns if result.unit(column) == "%"]
    if shares:
        ranges = [_range(result, row, shares) for row in result.cells]
        return f"{result.title}. Accuracy of {'; '.join(ranges)}."
    rows = [f"{row}: {', '.join(filter(None, map(str, cells)))}" for row, cells in text.rows]
    return f"{text.title}. {'; '.join([*rows, *result.pictured])}"


def _range(result: Result, row: str, columns: Sequence[str]) -> str:
    """Say between which accuracies a row lies, and which columns have none."""
    cells = result.cells[row]
    lost = {
        column: words.replace(UNKNOWN, "unknown") for column in columns if (words := missing(result, cells, column))
    }
    if len(lost) == len(columns) and len(set(lost.values())) == 1:
        return f"{row} {lost[columns[0]]}"
    known = [100 * mean_std(cells[column].ours)[0] for column in columns if column not in lost]
    between = [f"{row} from {min(known):.1f} to {max(known):.1f} %" if known else row]
    return ", ".join([*between, *(f"{column} {words}" for column, words in lost.items())])


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


def _repeat(result: Result) -> Shown:
    """Return what it takes to measure again."""
    seconds = {row: f"{mean_std(each)[0]:.0f} s" for row, each in result.train_seconds.items() if each}
    return {
        "title": titled(result),
        "name": result.name,
        "seeds": ", ".join(map(str, result.seeds)),
        "conditions": list(result.conditions.items()),
        "runs": [(name, short_repr(run), seconds.get(name, "")) for name, run in result.runs.items()],
        "attacks": [(name, short_repr(way) if way else "clean images") for name, way in result.ways.items()],
        "worst": ", ".join(result.worst),
    }
