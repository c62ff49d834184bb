"""SPSA: its estimate becomes the gradient, and its steps are Adam's."""

import math

import pytest
import torch
from torch import Tensor, nn

from holdfast import L1, L2, Linf
from holdfast.attacks import SPSA
from holdfast.attacks.square_windows import signs
from holdfast.attacks.watched import Watched
from holdfast.objectives import margin
from holdfast.rng import Stream
from holdfast.threats import Threat
from tests.attacks.networks import Held, middle


def test_the_estimate_becomes_the_gradient_with_many_samples() -> None:
    network, images = Held(25), middle(7, 1, 5, 5)
    labels = torch.zeros(7, dtype=torch.int64)
    x = images.clone().requires_grad_()
    true = torch.autograd.grad(margin(network(x).double(), labels).sum(), x)[0]

    def error(samples: int) -> float:
        attack, own = SPSA(samples=samples, delta=0.02), Stream.of(images, 0)
        found = attack.gradient(Watched(network, labels), images, labels, own)
        return float((found - true).norm() / true.norm())

    # On a plane a pair gives <g, v> v exactly, whose mean has a relative error of the root of (d - 1) / samples.
    for samples in (24, 384, 6144):
        with torch.no_grad():
            assert error(samples) == pytest.approx(math.sqrt(24 / samples), rel=0.35)


class Valley(nn.Module):
    """A network that class 0 always wins, by a lead that is least at the image `bottom`."""

    def __init__(self, bottom: Tensor) -> None:
        super().__init__()
        self.bottom = bottom

    def forward(self, images: Tensor) -> Tensor:
        lead = 1 + (images - self.bottom).flatten(1).square().sum(1)
        return torch.stack([lead, torch.zeros_like(lead)], 1)


def test_spsa_follows_its_own_steps() -> None:
    # Estimates around any point but the moving one (CleverHans: twice the image) run past the bottom to the ball's end.
    images = 0.4 + 0.2 * torch.rand(5, 1, 3, 3)
    bottom = images[:1] * 0 + 0.5
    attacked = SPSA(Linf(0.3), steps=120, samples=32)(Valley(bottom), images, torch.zeros(5, dtype=torch.int64))
    assert float((attacked - bottom).abs().max()) < 0.02
    assert float((attacked - images).abs().max()) < 0.15


@pytest.mark.parametrize("threat", [Linf(0.1), L2(0.4), L1(1.5)], ids=["Linf", "L2", "L1"])
def test_spsa_is_adam_on_the_estimates(threat: Threat) -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(25, 8), nn.Tanh(), Held(8)), middle(3, 1, 5, 5)
    labels, attack = torch.zeros(3, dtype=torch.int64), SPSA(threat, steps=5, samples=40, step_size=0.03, seed=3)
    attacked = attack(network, images, labels)
    stream = Stream.of(images, 3, "SPSA")
    for image in range(3):
        x = images[image].clone().requires_grad_()
        adam = torch.optim.Adam([x], 0.03)
        for step in range(5):
            own = stream[torch.tensor([image])].split(step)
            x.grad = torch.zeros_like(x)
            for first, count in ((0, 32), (32, 8)):
                for v in signs(own.split(first), (count, 1, 5, 5))[0]:
                    with torch.no_grad():
                        ends = network(torch.stack([x + 0.01 * v, x - 0.01 * v]))
                    lead = ends[:, 0] - ends[:, 1:].amax(1)  # Adam goes down, so it is the lead that it lowers
                    x.grad += (lead[0] - lead[1]) / 0.02 * v / 40
            adam.step()
            x.data = threat.project(x.data[None], images[image][None])[0]
        assert torch.allclose(attacked[image], x.data, atol=1e-4)


def test_spsa_lands_where_the_true_gradient_leads() -> None:
    network, images = Held(25, classes=2), middle(6, 1, 5, 5)
    attacked = SPSA(Linf(0.05), steps=30, samples=256)(network, images, torch.zeros(6, dtype=torch.int64))
    slope = (network.weight[:, 1] - network.weight[:, 0]).detach().view(1, 1, 5, 5)
    steep = slope.abs() > slope.abs().median()  # the estimate is as unsure of every value: it may miss the flat ones
    assert torch.allclose(attacked[:, steep[0]], (images + 0.05 * slope.sign())[:, steep[0]])
