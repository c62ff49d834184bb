"""Results on disk: one signed JSON file each, in the folder `tables` of a workplace."""

from pathlib import Path

from holdfast.errors import BadRecord, MissingData, require
from holdfast.experiments.run_figure import WORDS, Looked
from holdfast.experiments.run_table import Filled
from holdfast.experiments.table import Audit, Scale, Table, Transfer
from holdfast.storage import record

KINDS = (Filled, Looked, Table, Scale, Transfer, Audit)
KNOWN = {**WORDS, **{kind.__name__: kind for kind in KINDS}}
"""What a result on disk may speak of."""


def keep(result: Filled | Looked, folder: Path, name: str) -> None:
    """Write a result under this name."""
    record.write_text(folder / "tables" / f"{name}.json", record.signed_json(result))


def read_results(folder: Path) -> list[Filled | Looked]:
    """Return the results that a folder holds.

    Raises:
        MissingData: it holds none.
        BadRecord: a file is damaged, or no result.
    """
    found = sorted((folder / "tables").glob("*.json"))
    if not found:
        raise MissingData(f"{folder} holds no tables: give the folder that holdfast reproduce wrote to")
    return [_read(path) for path in found]


def _read(path: Path) -> Filled | Looked:
    remedy = "run holdfast reproduce again"
    described = record.read_json(path, remedy)
    try:
        result = record.restore(described, KNOWN)
    except (BadRecord, TypeError) as error:
        raise BadRecord(f"{path} was written by another version ({error}): {remedy}") from error
    require(isinstance(result, Filled | Looked), f"{path} holds no table: {remedy}", BadRecord)
    assert isinstance(result, Filled | Looked)
    return result
