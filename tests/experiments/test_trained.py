"""A network is loaded only where something is missing, and a changed one is never taken for what it was."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from holdfast import Linf, Run, models
from holdfast.analysis import SoftmaxArguments
from holdfast.attacks import FGSM
from holdfast.data import load, made_up_images
from holdfast.errors import BadRecord
from holdfast.experiments import (
    Audit,
    Figure,
    Paper,
    Scale,
    Study,
    Table,
    Transfer,
    Wanted,
    Workplace,
    fill_table,
    reproduce,
)
from holdfast.experiments import trained as module
from holdfast.experiments.trained import run_folder, trained
from holdfast.models import ARCHITECTURES
from holdfast.models.architecture import Architecture
from holdfast.storage.behaviour import network_fingerprint
from holdfast.storage.describe import describe
from holdfast.storage.fingerprint import name_of_described
from holdfast.storage.signed import write_json, write_tensors
from holdfast.training.folder import RunFolder
from tests.experiments.hand_made import finished
from tests.training.test_made_of import with_data

RUN = Run(data="made-up:1x8x8", epochs=1, limit=64, batch=16)
SOURCE, FAST = replace(RUN, seed=1), FGSM(Linf(0.05))
COLUMNS = {"clean": None, "FGSM": FAST, "black box": Transfer(SOURCE, FAST), "audit": Audit(Linf(0.05), "fast", 8)}
TABLE = Table("T", {"row": RUN}, COLUMNS, (0,), test_limit=16)
FIGURE = Figure("F", {"": {"": Study(RUN, SoftmaxArguments(eps=(0.0, 1.0), images=4))}})
PAPER = Paper("p", "P", {"smoke": Scale()}, {"1": TABLE}, {"1": FIGURE}, pictures=FAST)
DATA = made_up_images((1, 8, 8), "test")


def forbidden(*given: object, **options: object) -> nn.Module:
    """Stand in for what builds networks."""
    raise AssertionError("a network is built")


def change(run: Run, place: Workplace) -> None:
    """Let the folder of a run hold other weights."""
    folder = run_folder(run, place)
    weights = {
        name: -weight if name.endswith("weight") else weight
        for name, weight in RunFolder(run, folder).weights().items()
    }
    write_tensors(folder / "model.safetensors", weights, run=name_of_described(describe(run)))


def test_what_is_all_on_disk_loads_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Workplace(tmp_path)
    done = reproduce(PAPER, Wanted(), place)
    monkeypatch.setattr(models, "build", forbidden)
    again = reproduce(PAPER, Wanted(), place)
    assert again.results == done.results
    for name in ("images", "attacked", "labels", "after"):
        assert torch.equal(getattr(again.pictures[0], name), getattr(done.pictures[0], name))
    with pytest.raises(AssertionError, match="built"):
        fill_table("t", replace(TABLE, test_limit=15), "smoke", place)


@pytest.mark.parametrize(("run", "moved"), [(RUN, set(COLUMNS)), (SOURCE, {"black box"})], ids=["judged", "attacked"])
def test_other_weights_are_another_network(run: Run, moved: set[str], tmp_path: Path) -> None:
    place, apart = Workplace(tmp_path), Workplace(tmp_path / "apart")
    fill_table("t", TABLE, "smoke", place)
    known = {path: path.read_bytes() for kind in ("outcomes", "audits") for path in (tmp_path / kind).iterdir()}
    change(run, place)
    shutil.copytree(tmp_path / "runs", tmp_path / "apart" / "runs")
    assert fill_table("t", TABLE, "smoke", place).values == fill_table("t", TABLE, "smoke", apart).values
    new = {path for kind in ("outcomes", "audits") for path in (tmp_path / kind).glob("*.safetensors")} - set(known)
    assert len(new) == len(moved)
    assert all(path.read_bytes() == kept for path, kept in known.items())


def test_damaged_weights_are_refused_though_all_is_on_disk(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    fill_table("t", TABLE, "smoke", place)
    path = run_folder(RUN, place) / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadRecord, match=r"model\.safetensors was changed"):
        fill_table("t", TABLE, "smoke", place)


CODE = """
from torch import nn

class Net(nn.Sequential):
    def forward(self, images):
        return {sign}super().forward(images)

def net():
    return Net(nn.Flatten(), nn.Linear(64, 10))
"""


def test_the_code_of_others_is_always_asked(tmp_path: Path) -> None:
    file, place = tmp_path / "net.py", Workplace(tmp_path)
    file.write_text(CODE.format(sign=""))
    run = replace(RUN, model=f"{file}:net")
    before = trained(run, DATA, place)
    file.write_text(CODE.format(sign="-"))
    with pytest.raises(BadRecord, match="changed since the run"):
        trained(run, DATA, place)
    (run_folder(run, place) / "made_of.json").unlink()  # which versions before it did not write
    after = trained(run, DATA, place)
    assert before.identity != after.identity == network_fingerprint(after.load())
    images = DATA.take(torch.arange(8))
    assert torch.equal(before.load()(images), -after.load()(images))
    assert not list(tmp_path.glob("identities/*"))


def test_images_that_were_edited_are_noticed_though_all_is_on_disk(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    run = with_data(tmp_path, "7")
    data = load(run.data, "test")
    assert trained(run, data, place).identity == trained(run, data, place).identity
    with_data(tmp_path, "8")
    with pytest.raises(BadRecord, match="the images of data 'npz:"):
        trained(run, data, place)


@pytest.mark.parametrize("data", ["own", "made-up:1x8x8"])
def test_extra_images_belong_to_what_a_finished_run_was_made_of(data: str, tmp_path: Path) -> None:
    place = Workplace(tmp_path / "results")
    extra = with_data(tmp_path, "7").data
    if data == "own":
        (tmp_path / "data").mkdir()
        data = with_data(tmp_path / "data", "7").data
    run = replace(RUN, data=data, limit=None, extra=extra)
    finished(run, place)
    assert trained(run, DATA, place).identity == trained(run, DATA, place).identity
    with_data(tmp_path, "8")
    with pytest.raises(BadRecord, match=r"or those of extra .* changed since"):
        trained(run, DATA, place)


def test_an_architecture_of_ones_own_is_always_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(nn.Sequential):
        def __init__(self, classes: int = 10, channels: int = 1, **options: Any) -> None:
            super().__init__(nn.Flatten(), nn.Linear(64 * channels, classes))

    monkeypatch.setitem(ARCHITECTURES, "own", Architecture(Own))
    network = trained(replace(RUN, model="own"), DATA, Workplace(tmp_path))
    assert network.identity == network_fingerprint(network.load())
    assert not list(tmp_path.glob("identities/*"))


@pytest.mark.parametrize("name", ["digits-net", "imagenet-resnet-18", "preact-resnet-18", "vgg-16", "wrn-10-1"])
def test_our_networks_need_not_be_asked(name: str) -> None:
    assert module._said_by_weights(replace(RUN, model=name), models.build(name, (3, 32, 32), 10))


def test_another_version_of_our_networks_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Workplace(tmp_path)
    name = trained(RUN, DATA, place).identity
    monkeypatch.setattr(module, "_code", lambda: "another")
    assert trained(RUN, DATA, place).identity == name
    monkeypatch.setattr(models, "build", forbidden)
    assert trained(RUN, DATA, place).identity == name
    monkeypatch.setattr(module, "_code", lambda: "a third")
    with pytest.raises(AssertionError, match="built"):
        trained(RUN, DATA, place)


def test_an_identity_of_another_network_is_refused(tmp_path: Path) -> None:
    trained(RUN, DATA, Workplace(tmp_path))
    (path,) = tmp_path.glob("identities/*.json")
    write_json(path, {"name": "another", "identity": "0"})
    with pytest.raises(BadRecord, match=path.name):
        trained(RUN, DATA, Workplace(tmp_path))
