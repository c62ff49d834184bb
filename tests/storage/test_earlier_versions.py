"""What an earlier version wrote is read, and means what it meant: a run, one that was stopped, outcomes, an audit.

The files in `earlier/` were written by the code before the package was laid out anew; `said.json` holds what that code
said of them.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch

import holdfast as hf
from holdfast.attacks import PGD, StepLL
from holdfast.auditing.engine_state import CLEAN, read
from holdfast.errors import BadRecord
from holdfast.methods import Kurakin, eps_sampling
from holdfast.storage.describe import describe, differences, restore
from holdfast.storage.fingerprint import fingerprint, name_of_described
from holdfast.storage.renamed import in_first_names, in_todays_names
from holdfast.training.dependencies import found_beside
from holdfast.training.folder import RunFolder, read_run, seconds_of
from holdfast.training.registry import KINDS

EARLIER = Path(__file__).parent / "earlier"
SAID = json.loads((EARLIER / "said.json").read_text())
BALL = hf.Linf(0.1)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of what was written, and work there: the runs name their network by a file beside them."""
    shutil.copytree(EARLIER, tmp_path / "earlier")
    monkeypatch.chdir(tmp_path / "earlier")
    return tmp_path / "earlier"


def eight() -> hf.ImageSet:
    test = hf.load("digits", "test")
    return hf.ImageSet(test.images[:8], test.labels[:8], test.classes)


def finished(place: Path, name: str = "run") -> torch.nn.Module:
    """Return the network of a finished run; training it again would call `tell`."""
    return hf.train(read_run(place / name), place / name, tell=lambda *_: pytest.fail("it was trained again"))


def test_a_finished_run_keeps_its_name_and_its_network(place: Path) -> None:
    assert fingerprint(read_run(place / "run")) == SAID["run"]
    right = finished(place)(eight().images).argmax(1) == eight().labels
    assert right.tolist() == [number != CLEAN for number in SAID["broken_by"]]


def test_a_run_that_was_stopped_goes_on(place: Path) -> None:
    run, steps = read_run(place / "half"), []
    assert fingerprint(run) == SAID["half"]
    hf.train(run, place / "half", tell=lambda done, total, words: steps.append((done, total)))
    assert steps[0] == (3, 6)  # it was stopped in the middle, not begun anew
    assert steps[-1] == (6, 6)
    assert (place / "half" / "model.safetensors").exists()


def test_outcomes_are_found_under_their_name(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = finished(place)
    monkeypatch.setattr(PGD, "__call__", lambda *_: pytest.fail("it attacked again"))
    found = hf.outcomes(hf.Cell("a", "a", PGD(BALL, steps=2)), {"a": network}, eight(), place / "outcomes")
    assert found.logits.argmax(1).tolist() == SAID["answers"]


def test_the_progress_of_an_audit_is_read(place: Path) -> None:
    found = read(place / "audit" / SAID["progress"], eight().images)
    assert found.broken_by.tolist() == SAID["broken_by"]
    assert found.checked == {}


def test_a_run_whose_fields_are_called_otherwise_now_is_read_and_found(place: Path) -> None:
    """The file says `crafts` and `sizes`; so does the name that its weights and its time are bound to."""
    folder = place / "kurakin"
    run = read_run(folder)
    assert isinstance(run.method, Kurakin)
    assert run.method.adversaries == (StepLL(BALL),)
    assert run.method.eps_sampler is eps_sampling.uniform
    network = RunFolder(run, folder).network((1, 8, 8), 10)
    assert torch.equal(network(eight().images), finished(place, "kurakin")(eight().images))
    assert seconds_of(folder) > 0
    assert found_beside(run, place).path == folder
    assert RunFolder(run, folder).difference() == ""


def test_names_and_signatures_outlast_new_names_of_fields() -> None:
    for name, described in json.loads((EARLIER / "words.json").read_text()).items():
        run = restore(described, KINDS)
        assert fingerprint(run) == name_of_described(described) == name
        assert describe(run) != described
        assert differences(described, describe(run)) == []
        assert in_first_names(describe(run)) == described
        assert in_todays_names(described) == describe(run)


def test_a_field_under_both_of_its_names_is_refused(place: Path) -> None:
    described = json.loads((place / "kurakin" / "run.json").read_text())
    described["method"]["adversaries"] = []
    del described["signature"]
    (place / "kurakin" / "run.json").write_text(json.dumps(described))
    with pytest.raises(BadRecord, match=r"run\.json.*crafts"):
        read_run(place / "kurakin")


def test_what_was_changed_since_is_refused(place: Path) -> None:
    path = place / "run" / "run.json"
    path.write_text(path.read_text().replace('"batch": 16', '"batch": 8'))
    with pytest.raises(BadRecord, match=r"run\.json"):
        read_run(place / "run")
