"""A network trained in one norm and judged in another: there climbs in the ball break little of what can break."""

from pathlib import Path

import pytest
import torch

import holdfast as hf
from holdfast.attacks import PGD
from holdfast.methods import AT
from holdfast.training.optimizers import SGD
from holdfast.training.schedules import Triangle

COUNT = 60


@pytest.mark.slow
@pytest.mark.parametrize("threat", [hf.L2(0.6), hf.L1(1.0)], ids=str)
def test_standard_leaves_at_most_one_image_more_than_autoattack(threat: hf.Threat, tmp_path: Path) -> None:
    method = AT(PGD(hf.Linf(0.15), steps=5))
    run = hf.Run(method, epochs=8, batch=64, optimizer=SGD(lr=0.05), schedule=Triangle())
    model, test = hf.train(run, tmp_path), hf.load("digits", "test")
    shown = (model, test.take(torch.arange(COUNT)), test.labels[:COUNT], threat)
    standard, trusted = (hf.audit(*shown, effort=effort) for effort in ("standard", "autoattack"))
    assert 0.1 < trusted.robust_accuracy < 0.9
    assert standard.robust_accuracy <= trusted.robust_accuracy + 1 / COUNT
