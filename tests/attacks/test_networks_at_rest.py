"""Networks in training mode are put to rest, wherever they hide: in a wrapper, a function, a list, a script."""

import functools
import warnings
from collections import deque
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf, audit
from holdfast.attacks import PGD
from holdfast.attacks.attack import at_rest


def test_every_part_of_a_large_network_is_put_to_rest() -> None:
    network = nn.Sequential(*(nn.Conv2d(1, 1, 1) for _ in range(2000)))
    for way in (network, lambda x: network(x)):
        with at_rest(way):
            assert not any(part.training for part in network.modules())
        assert all(part.training for part in network.modules())


class Wrapper:
    """An object around a network, as the authors of AutoAttack advise one."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, x: Tensor) -> Tensor:
        """Ask it."""
        return self.network(x)


HIDDEN: dict[str, Callable[[nn.Module], Callable[[Tensor], Tensor]]] = {
    "wrapper": Wrapper,
    "method of a wrapper": lambda network: Wrapper(network).__call__,
    "bound method": lambda network: network.forward,
    "function": lambda network: lambda x: network(x),
    "partial": lambda network: functools.partial(lambda asked, x: asked(x), network),
    "list in a module": lambda network: Listed([network]),
    "queue": lambda network: functools.partial(lambda queue, x: queue[0](x), deque([network])),
    "decorator of a package": lambda network: torch.enable_grad()(nn.Sequential(network).forward),
}


class Listed(nn.Module):
    """A module that keeps its parts in a list, where torch does not see them."""

    def __init__(self, parts: list[nn.Module]) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, x: Tensor) -> Tensor:
        """Ask the first."""
        return self.parts[0](x)


@pytest.mark.parametrize("how", HIDDEN)
def test_a_network_in_training_mode_is_put_to_rest_wherever_it_hides(
    how: str, small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    expected = PGD(Linf(0.1), steps=2)(small.eval(), images, labels)
    small.train()
    small.norm.eval()  # someone froze the statistics on purpose
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    hidden = HIDDEN[how](small)
    assert torch.equal(PGD(Linf(0.1), steps=2)(hidden, images, labels), expected)
    if how == "wrapper":
        audit(hidden, images, labels, Linf(0.1), "fast")
    assert all(torch.equal(before[name], tensor) for name, tensor in small.state_dict().items())
    assert small.training
    assert not small.norm.training
    assert all(weight.grad is None for weight in small.parameters())


def frozen(network: nn.Module, images: Tensor) -> Callable[[Tensor], Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls scripts deprecated; people have them
        return torch.jit.freeze(torch.jit.trace(network.eval(), images))


def test_a_frozen_script_is_attacked_and_audited_as_its_network_is(
    small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    script = frozen(small, images)
    assert torch.allclose(PGD(Linf(0.1))(script, images, labels), PGD(Linf(0.1))(small, images, labels), atol=1e-6)
    ours, its = (audit(each, images, labels, Linf(0.1), "fast") for each in (small, script))
    assert ours.robust_accuracy == its.robust_accuracy
