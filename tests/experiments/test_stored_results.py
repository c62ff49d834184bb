"""What version 0.1.0 wrote is read and printed as it was then."""

import json
from pathlib import Path

from holdfast.experiments import read_results
from holdfast.report import to_json
from holdfast.report.formats import render
from holdfast.storage.fingerprint import name_of_described
from holdfast.storage.renamed import in_todays_names
from holdfast.storage.signed import SIGNATURE, write_text

STORED = Path(__file__).parent / "stored"
"""Two tables, a sweep and a figure of panels, with an audit, a black box and printed numbers."""


def test_stored_results_are_printed_as_they_were() -> None:
    assert render(read_results(STORED), "text") + "\n" == (STORED / "printed.txt").read_text(encoding="utf-8")


def test_a_stored_table_with_names_that_it_lacks_is_printed_as_it_was(tmp_path: Path) -> None:
    (first, *_) = sorted((STORED / "tables").glob("*.json"))
    said = json.loads(first.read_text(encoding="utf-8"))
    said["table"]["published"] |= {"no row": {"clean": [1.0, 1.0]}}
    said["table"]["worst"] = [*said["table"]["worst"], "no column"] if said["table"]["worst"] else []
    for printed in said["table"]["published"].values():
        printed["no column"] = [1.0, 1.0]
    said.pop(SIGNATURE)
    write_text(tmp_path / "tables" / "a.json", json.dumps(said | {SIGNATURE: name_of_described(said)}))
    (shown,) = read_results(tmp_path)
    assert to_json(shown) == to_json(read_results(STORED)[0])


def test_stored_results_are_written_as_they_were_under_todays_names() -> None:
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((STORED / "tables").glob("*.json"))]
    assert [json.loads(to_json(each)) for each in read_results(STORED)] == in_todays_names(kept)
