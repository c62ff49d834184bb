"""Runs whose loss or weights are no numbers any more: what is said, and what is not saved."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from holdfast import Linf, train
from holdfast.attacks import FGSM
from holdfast.errors import BadRecord, TrainingDiverged
from holdfast.methods import LossMethod, Memory
from holdfast.storage.signed import read_state, write_json, write_state
from holdfast.training.optimizers import SGD
from holdfast.training.state import State
from holdfast.types import Batch, Terms
from tests.training.moment import BASE


@dataclass(frozen=True)
class BreaksAt(LossMethod):
    """A method whose loss is NaN from one step on."""

    step_of_nan: int = 3

    def remember(self, model: nn.Module, train_set: object, finished: object) -> Memory:
        return Memory(steps=torch.zeros(()))

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        memory.steps += 1
        nan = torch.where(memory.steps >= self.step_of_nan, torch.nan, 1.0)
        return {"loss": model(batch.images).square().mean() * nan}


def test_nan_stops_the_run_with_its_step_and_the_last_good_state(tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match=r"NaN or infinite at step 3; no state had been saved"):
        train(replace(BASE, method=BreaksAt(3)), tmp_path / "early")
    with pytest.raises(TrainingDiverged, match=r"at step 6; .*last\.pt holds the last state"):
        train(replace(BASE, method=BreaksAt(6)), tmp_path / "late")
    saved = read_state(tmp_path / "late" / "last.pt", "")
    assert saved["step"] == 4
    assert all(bool(tensor.isfinite().all()) for tensor in saved["networks"]["model"].values())
    assert not (tmp_path / "late" / "model.safetensors").exists()


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    run = replace(BASE, epochs=1, batch=64, optimizer=SGD(lr=1e38, weight_decay=1e4))
    with pytest.raises(TrainingDiverged, match="a weight became NaN or infinite by step 1"):
        train(run, tmp_path)
    assert not (tmp_path / "last.pt").exists()
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("rate", [1e38, 1e20])
def test_a_network_that_no_attack_can_judge_at_the_end_of_an_epoch_diverged(rate: float, tmp_path: Path) -> None:
    run = replace(BASE, batch=48, held_out=16, select=FGSM(Linf(0.1)), optimizer=SGD(lr=rate))
    with pytest.raises(TrainingDiverged):
        train(run, tmp_path)
    assert (tmp_path / "diverged.json").exists()
    assert not (tmp_path / "model.safetensors").exists()


def test_finite_weights_that_answer_no_numbers_diverged(tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match="answers NaN"):
        train(replace(BASE, batch=48, limit=48, optimizer=SGD(lr=1e10)), tmp_path)
    assert (tmp_path / "diverged.json").exists()
    assert not (tmp_path / "made_of.json").exists()


class WithEmpty(nn.Module):
    """A network with a weight of no numbers, as switched-off parts of some networks have."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.off = nn.Linear(2, 2), nn.Parameter(torch.zeros(0))


def test_a_weight_of_no_numbers_is_finite() -> None:
    network = WithEmpty()
    state = State(network, Memory(), {"model": network}, {})
    assert state.finite()
    with torch.no_grad():
        network.linear.weight[0, 0] = math.inf
    assert not state.finite()


def test_weights_that_are_nan_are_not_trained_on(tmp_path: Path) -> None:
    train(BASE, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    saved = read_state(tmp_path / "last.pt", "")
    next(iter(saved["networks"]["model"].values())).view(-1)[0] = torch.nan
    write_state(tmp_path / "last.pt", saved)
    with pytest.raises(BadRecord, match=r"last\.pt holds weights that are NaN"):
        train(BASE, tmp_path)


def test_a_divergence_of_another_run_or_without_words_is_refused(tmp_path: Path) -> None:
    for number, said in enumerate(({"run": "another", "words": "it diverged"}, {})):
        write_json(tmp_path / str(number) / "diverged.json", said)
        with pytest.raises(BadRecord, match=r"diverged\.json"):
            train(BASE, tmp_path / str(number))
