"""A finished run is not taken for what it was after its code, its images or its network's file were edited."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from holdfast import Run, train
from holdfast.errors import BadRecord
from holdfast.storage.describe import describe
from holdfast.storage.fingerprint import name_of_described
from holdfast.storage.signed import read_json, write_json
from holdfast.training import loop
from holdfast.training.networks import network
from tests.training.moment import BASE, OTHER

METHOD = """
from dataclasses import dataclass

from holdfast.methods.method import LossMethod
from holdfast.objectives import cross_entropy


@dataclass(frozen=True)
class Mine(LossMethod):
    def loss(self, model, batch, memory):
        return {"clean": WEIGHT * cross_entropy(model(batch.images), batch.labels).mean()}
"""
NET = """
from torch import nn


def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
"""


def with_code(folder: Path, weight: str) -> Run:
    """Return a run of a method of one's own, with a number that is written in its code."""
    (folder / "mine_made_of.py").write_text(METHOD.replace("WEIGHT", weight))
    sys.modules.pop("mine_made_of", None)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        invalidate_caches()
        return replace(BASE, method=import_module("mine_made_of").Mine())
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = before
        sys.modules.pop("mine_made_of", None)


def with_data(folder: Path, first: str) -> Run:
    """Return a run on images of one's own, with the first pixel of the first image."""
    labels = np.arange(40) % 10
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8)).astype(np.uint8)
    images[0, 0, 0] = int(first)
    np.savez(folder / "own.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    return replace(BASE, data=f"npz:{folder}/own.npz", limit=None, held_out=8)


def with_model(folder: Path, activation: str) -> Run:
    """Return a run of a network of one's own."""
    (folder / "net.py").write_text(NET.replace("ReLU", activation))
    return replace(BASE, model=f"{folder}/net.py:net")


EDITS = {
    "code": (with_code, "1.0", "2.0", "the code of your own"),
    "data": (with_data, "7", "8", "the images of data 'npz:"),
    "model": (with_model, "ReLU", "Tanh", r"the file of '.*net\.py:net'"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_was_edited_is_refused(edit: str, tmp_path: Path) -> None:
    made, before, after, words = EDITS[edit]
    place = tmp_path / "run"
    first = train(made(tmp_path, before), place)
    again = train(made(tmp_path, before), place)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    with pytest.raises(BadRecord, match=f"^{words}.* changed since the run in {place} was trained.*another folder$"):
        train(made(tmp_path, after), place)
    (place / "made_of.json").unlink()  # as a version before it left the folder
    train(made(tmp_path, after), place)


def test_a_file_of_the_same_name_elsewhere_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    with_model(tmp_path, "ReLU")
    with_model(tmp_path / "elsewhere", "Tanh")
    monkeypatch.chdir(tmp_path)
    train(replace(BASE, model="net.py:net"), "run")
    network("run", None, (1, 8, 8), 10)
    monkeypatch.chdir("elsewhere")
    with pytest.raises(BadRecord, match=r"the file of 'net\.py:net' changed since .*, or is another of that name"):
        network("../run", None, (1, 8, 8), 10)


def test_an_unfinished_run_does_not_go_on_with_another_network(tmp_path: Path) -> None:
    train(with_model(tmp_path, "ReLU"), tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    with pytest.raises(BadRecord, match=r"the file of '.*net\.py:net' changed since .*run started"):
        train(with_model(tmp_path, "Tanh"), tmp_path / "run")


def test_a_file_that_is_edited_while_the_run_goes_on_is_noticed(tmp_path: Path) -> None:
    run = with_model(tmp_path, "ReLU")
    train(run, tmp_path / "run", tell=lambda done, total, words: with_model(tmp_path, "Tanh") and None)
    with pytest.raises(BadRecord, match="changed since"):
        train(run, tmp_path / "run")


def test_a_run_stopped_before_its_weights_were_written_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*given: object, **words: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop, "write_tensors", killed)
        with pytest.raises(KeyboardInterrupt):
            train(BASE, tmp_path / "run")
    assert (tmp_path / "run" / "made_of.json").exists()
    train(BASE, tmp_path / "run")
    train(BASE, tmp_path / "whole")
    for name in ("made_of.json", "model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def other_run(path: Path) -> None:
    """Write what another run was made of."""
    write_json(path, read_json(path, "") | {"run": name_of_described(describe(OTHER))})


def unsigned(path: Path) -> None:
    """Write the file without its signature."""
    path.write_text(json.dumps(read_json(path, "")))


def link(path: Path) -> None:
    """Let the file be a link that leads nowhere."""
    path.unlink()
    path.symlink_to("nowhere")


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "is of another run": other_run,
    "carries no signature": unsigned,
    "is missing": link,
    "is damaged": lambda path: path.write_text("{"),
    "was changed": lambda path: path.write_text(path.read_text().replace('"data": "', '"data": "0')),
    "is no regular file": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("words", DAMAGE)
def test_a_damaged_file_is_refused_in_one_line(words: str, tmp_path: Path) -> None:
    train(BASE, tmp_path)
    DAMAGE[words](tmp_path / "made_of.json")
    for read in (lambda: train(BASE, tmp_path), lambda: network(str(tmp_path), None, (1, 8, 8), 10)):
        with pytest.raises(BadRecord, match=rf"made_of\.json {words}.*: delete it") as caught:
            read()
        assert "\n" not in str(caught.value)
