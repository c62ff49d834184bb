"""How the tests of the fast copy compare it with its network."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.auditing import surrogate_folding
from holdfast.auditing.surrogate_likeness import Difference, ask, compare
from holdfast.evaluation import judge


def trained(network: nn.Module) -> nn.Module:
    """Give batch norms statistics, scales and shifts as after training, and layers that start at zero some weights."""
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            if part.running_mean is not None:
                nn.init.normal_(part.running_mean, std=0.5)
                nn.init.uniform_(part.running_var, 0.02, 2.0)
            if part.affine:
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.normal_(part.bias, std=0.3)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network


def batch_norms(network: nn.Module) -> int:
    return sum(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())


def assert_same(copied: nn.Module, model: nn.Module, images: Tensor) -> None:
    """Compare answers closely and gradients image by image, the network at rest in a copy of its own."""
    rest = copy.deepcopy(model).eval()
    mismatch = compare(ask(copied, images), ask(rest, images))
    assert mismatch.within(Difference(1e-5, 1e-4)), mismatch
    answers = judge(rest, images)
    rounding = 1e-4 + 1e-5 * float(answers.max() - answers.min())  # a hundred layers may make answers of many thousands
    torch.testing.assert_close(judge(copied, images), answers, rtol=1e-3, atol=rounding)


def everything(model: nn.Module) -> list[Any]:
    """Return all that a copy might have changed of the network."""
    state = [
        (name, value.clone(), id(value), value.stride()) for name, value in model.state_dict(keep_vars=True).items()
    ]
    weights = [
        (each.requires_grad, each.grad if each.grad is None else each.grad.clone(), each._version)
        for each in model.parameters()
    ]
    parts = [
        (id(part), part.training, {name: list(getattr(part, name)) for name in surrogate_folding.HOOKS})
        for part in model.modules()
    ]
    return [*state, *weights, *parts]


def assert_equal(first: Any, second: Any) -> None:
    if isinstance(first, Tensor):
        assert torch.equal(first, second)
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    else:
        assert first == second


def block(*more: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), *more)


def head(features: int = 6) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, 5))


class Branching(nn.Module):
    """Looks at the data, so it cannot be traced; its blocks can."""

    def __init__(self) -> None:
        super().__init__()
        self.light, self.dark, self.head = block(), block(), head()

    def forward(self, images: Tensor) -> Tensor:
        chosen = self.light if images.mean() > 0.5 else self.dark
        return self.head(chosen(images))
