"""Results on disk: one signed JSON file each, in the folder `tables` of a workplace."""

from pathlib import Path
from typing import cast

from holdfast.errors import BadRecord, MissingData, require
from holdfast.experiments.figure_result import FigureResult
from holdfast.experiments.result import Result
from holdfast.experiments.run_figure import WORDS
from holdfast.experiments.table import Audit, Neighbours, Scale, Seconds, Table, Transfer
from holdfast.experiments.table_result import TableResult
from holdfast.storage.describe import restore
from holdfast.storage.signed import read_json, signed_json, write_text

RESULTS = {kind.__name__: kind for kind in (TableResult, FigureResult)}
"""What a file may hold."""
KNOWN = {**WORDS, **RESULTS, **{kind.__name__: kind for kind in (Table, Scale, Transfer, Audit, Neighbours, Seconds)}}
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
    found = sorted((folder / "tables").glob("*.json"))
    if not found:
        raise MissingData(f"{folder} holds no tables: give the folder that holdfast reproduce wrote to")
    return [_read(path) for path in found]


def _read(path: Path) -> Result:
    remedy = "run holdfast reproduce again"
    described = read_json(path, remedy)
    try:
        result = restore(described, KNOWN)
    except (BadRecord, TypeError) as error:
        raise BadRecord(f"{path} was written by another version ({error}): {remedy}") from error
    require(isinstance(result, tuple(RESULTS.values())), f"{path} holds no table: {remedy}", BadRecord)
    return cast("Result", result)
