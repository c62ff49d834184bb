"""A table and a figure say on what their numbers were measured, also those that the folder held already."""

from pathlib import Path

import pytest

from holdfast.analysis import PurifiedImages
from holdfast.attacks import FGSM
from holdfast.experiments import Likeness, Table, TableResult, Workplace, fill_table
from holdfast.experiments.conditions import conditions
from holdfast.experiments.likeness_column import likeness
from holdfast.experiments.table import Column
from holdfast.storage.measured import Measured, here, together
from holdfast.storage.signed import read_tensors, write_tensors
from holdfast.training.loop import silent

from .made_up import NOISY, noisy
from .test_run_figure import filled

OTHER = Measured(("an older machine",), ("holdfast 0.0.1",))
ASKED = ("evaluation", "experiments.shared_images", "experiments.likeness_column", "experiments.run_figure")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let what is measured be measured on another machine, until this is undone."""
    for module in ASKED:
        monkeypatch.setattr(f"holdfast.{module}.here", lambda device: OTHER)
    return monkeypatch


def table(columns: dict[str, Column], folder: Path, patch: pytest.MonkeyPatch) -> TableResult:
    """Return a table of one network that nobody has to train."""
    network, data = noisy(4, 1)
    patch.setattr("holdfast.experiments.run_table.made", lambda *given: network)
    patch.setattr("holdfast.experiments.run_table.images_of", lambda *given: data)
    return fill_table("t", Table("T", {"row": NOISY}, columns, (0,)), "smoke", Workplace(folder))


def test_numbers_that_are_read_keep_the_conditions_that_they_had(tmp_path: Path, elsewhere: pytest.MonkeyPatch) -> None:
    assert table({"clean": None}, tmp_path, elsewhere).conditions["hardware"] == "an older machine"
    elsewhere.undo()
    with pytest.MonkeyPatch.context() as patch:
        assert table({"clean": None}, tmp_path, patch).conditions["versions"] == "holdfast 0.0.1"
        both = table({"clean": None, "FGSM": FGSM()}, tmp_path, patch).conditions
    assert both["hardware"] == "; ".join(together([OTHER, here("cpu")]).hardware)


def test_numbers_that_an_older_version_stored_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = table({"clean": None}, tmp_path, monkeypatch)
    (path,) = (tmp_path / "outcomes").glob("*.safetensors")
    write_tensors(path, read_tensors(path, ""), cell=path.stem)
    after = table({"clean": None}, tmp_path, monkeypatch)
    assert after.values == before.values
    assert (after.conditions["hardware"], after.conditions["versions"]) == ("not recorded", "not recorded")


def test_an_analysis_and_a_likeness_that_are_read_keep_theirs(tmp_path: Path, elsewhere: pytest.MonkeyPatch) -> None:
    network, data = noisy(8, 1)

    def ask() -> tuple[str, Measured]:
        with pytest.MonkeyPatch.context() as patch:
            result = filled(PurifiedImages(FGSM()), network.load(), data, Workplace(tmp_path), patch)
        way = Likeness("PSNR", FGSM())
        return result.conditions["hardware"], likeness(way, network, network, 0, data, tmp_path, silent)[1]

    assert ask() == ("an older machine", OTHER)
    elsewhere.undo()
    assert ask() == ("an older machine", OTHER)


def test_where_nothing_was_kept_nothing_is_said() -> None:
    assert conditions(Measured(), [NOISY.classifier])["hardware"] == "not recorded"
