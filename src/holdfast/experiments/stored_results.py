"""Results on disk: one signed JSON file each, in the folder `tables` of a workplace."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from holdfast.errors import BadRecord, HoldfastError, MissingData, require
from holdfast.experiments.columns import Audit, Likeness, Neighbours, Seconds, SeenAs, Transfer
from holdfast.experiments.defended_row import Defended, Row
from holdfast.experiments.figure_result import FigureResult
from holdfast.experiments.result import Result
from holdfast.experiments.run_figure import WORDS
from holdfast.experiments.scale import Scale
from holdfast.experiments.table import WORST, Column, Published, Table
from holdfast.experiments.table_result import TableResult
from holdfast.storage.describe import restore
from holdfast.storage.signed import read_json, signed_json, write_text


def stored_table(
    rows: Mapping[str, Row],
    columns: Mapping[str, Column],
    published: Published | None = None,
    worst: tuple[str, ...] = (),
    **more: Any,
) -> Table:
    """Return the table that a file speaks of.

    Earlier versions took names that its rows and columns do not have, and times and likenesses in a worst case: these
    are left out, as they were in print.
    """
    worst = tuple(name for name in worst if name in columns and not isinstance(columns[name], Seconds | Likeness))
    names = {*columns, WORST} if worst else {*columns}
    printed = {
        row: {name: value for name, value in values.items() if name in names}
        for row, values in (published or {}).items()
        if row in rows
    }
    return Table(rows=rows, columns=columns, published=printed, worst=worst, **more)


RESULTS = {kind.__name__: kind for kind in (TableResult, FigureResult)}
"""What a file may hold."""
KNOWN = {
    **WORDS,
    **RESULTS,
    **{kind.__name__: kind for kind in (Scale, Transfer, SeenAs, Audit, Neighbours, Seconds, Likeness, Defended)},
    "Table": stored_table,
}
"""What a result on disk may speak of."""


def keep(result: Result, folder: Path, name: str) -> None:
    """Write a result under this name."""
    write_text(folder / "tables" / f"{name}.json", signed_json(result))


def read_results(folder: Path) -> list[Result]:
    """Return the results that a folder holds.

    Raises:
        MissingData: it holds none.
        BadRecord: a file is damaged, or no result.
    """
    results, faults = readable_results(folder)
    for fault in faults:
        raise fault
    return results


def readable_results(folder: Path) -> tuple[list[Result], list[BadRecord]]:
    """Return the results of a folder that can be read, and what the others lack.

    Raises:
        MissingData: it holds none.
    """
    results: list[Result] = []
    faults: list[BadRecord] = []
    found = sorted((folder / "tables").glob("*.json"))
    require(bool(found), f"{folder} holds no tables: give the folder that holdfast reproduce wrote to", MissingData)
    for path in found:
        try:
            results.append(_read(path))
        except BadRecord as fault:
            faults.append(fault)
    return results, faults


def _read(path: Path) -> Result:
    remedy = "run holdfast reproduce again"
    described = read_json(path, remedy)
    try:
        result = restore(described, KNOWN)
    except BadRecord as error:
        own = "run holdfast reproduce FILE.py:PAPER again; it prints this table"
        raise BadRecord(f"{path} is of your own code or of another version ({error}): {own}") from error
    except (HoldfastError, TypeError) as error:
        raise BadRecord(f"{path} was written by another version ({error}): {remedy}") from error
    require(isinstance(result, tuple(RESULTS.values())), f"{path} holds no table: {remedy}", BadRecord)
    return cast("Result", result)
