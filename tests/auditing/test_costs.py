"""What an attack of an audit costs an image does not depend on its batch: turns are chosen by that cost."""

import pytest
import torch

import holdfast as hf
from holdfast import L0, L1, L2, Linf
from holdfast.auditing.engine import Begun, InOrder, Subject, go_on, stages_of, untold
from holdfast.auditing.schedule import moves_of
from holdfast.threats import Threat
from tests.auditing.tiny import linear

SHORT = ("climb", "climb ce", "classes", "walk", "count", "duel")


@pytest.mark.parametrize("threat", [Linf(0.03), L2(0.2), L1(0.6), L0(1)], ids=str)
def test_the_batch_does_not_change_what_an_attack_costs(threat: Threat) -> None:
    test, model = hf.load("digits", "test"), linear()
    images, labels = test.take(torch.arange(3)), test.labels[:3]
    moves = {name: move for name, move in moves_of("fast", threat).items() if name in SHORT}
    costs = []
    for batch in (1, 3):
        begun = Begun.of(Subject(model, model, images, labels, batch=batch), moves, None, untold)
        go_on(Subject(model, model, images, labels, batch=batch), begun, InOrder())
        costs.append([(stage.name, stage.forwards, stage.backwards) for stage in stages_of(begun)])
    assert costs[0] == costs[1]
