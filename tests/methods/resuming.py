"""A run that is stopped and resumed, beside the same run that is not."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from holdfast import Run, train
from holdfast.storage.signed import read_tensors


class Stop(Exception):
    """A power cut."""


def weights(folder: Path) -> dict[str, Tensor]:
    return read_tensors(folder / "model.safetensors", "")


def lines(folder: Path) -> list[str]:
    return (folder / "metrics.jsonl").read_text().splitlines()


def assert_same_end(one: Path, other: Path) -> None:
    """Compare weights and metrics of two folders bit for bit."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert lines(one) == lines(other)


def stop_and_resume(run: Run, at: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Carry the run out in one go, and stopped after a step, with the state saved after each; both end the same."""
    train(run, folder / "straight")

    def cut(done: int, total: int, words: str) -> None:
        if done == at and not words:
            raise Stop

    monkeypatch.setattr("holdfast.training.loop.SAVE_EVERY", 0.0)
    with pytest.raises(Stop):
        train(run, folder / "broken", tell=cut)
    torch.manual_seed(12345)
    train(run, folder / "broken")
    assert_same_end(folder / "straight", folder / "broken")
