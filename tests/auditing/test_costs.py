"""An attack of an audit costs an image the same whatever its batch, and shows the network no more images at once."""

import pytest
import torch
from torch import Tensor, nn

import holdfast as hf
from holdfast import L0, L1, L2, Linf
from holdfast.attacks import SPSA, Attack, OnePixel
from holdfast.auditing.checks_attacks import attacked
from holdfast.auditing.checks_survivors import random_search
from holdfast.auditing.engine import Begun, InOrder, Move, Subject, go_on, run_moves, stages_of, untold
from holdfast.auditing.part import part
from holdfast.auditing.schedule import moves_of
from holdfast.storage.describe import short_repr
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


class Narrow(nn.Module):
    """A network that has room for few images at once, and notes how many it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
        self.most = self.total = 0

    def forward(self, images: Tensor) -> Tensor:
        self.most, self.total = max(self.most, len(images)), self.total + len(images)
        return self.network(images)


@pytest.mark.parametrize("attack", [OnePixel(L0(1), 3, 9), SPSA(Linf(0.1), 3, 40)], ids=short_repr)
def test_the_network_is_shown_no_more_than_the_batch(attack: Attack) -> None:
    network, images = Narrow(), torch.rand(7, 1, 4, 4)
    labels = network(images).argmax(1)
    found, passes = [], []
    for rows in (1024, 5):
        network.total = 0
        found.append(attack.showing(rows)(network, images, labels))
        passes.append(network.total)
    torch.testing.assert_close(found[0], found[1])
    assert passes[0] == passes[1]
    network.most = 0
    run_moves(Subject(network, network, images, labels, batch=3), {"search": Move(attack)})
    assert network.most == 3


def test_a_check_shows_the_network_no_more_than_the_batch() -> None:
    network, images = Narrow(), torch.rand(7, 1, 4, 4)
    subject = Subject(network, network, images, network(images).argmax(1), batch=3)
    network.most = 0
    attacked(part(subject, slice(None)), random_search(L0(1)))
    assert network.most == 3
