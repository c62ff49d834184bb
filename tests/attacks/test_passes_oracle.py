"""What AutoAttack spends: the authors' passes and ours by formula, and how many fewer ours are where images break."""

import copy

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf
from holdfast.attacks import APGD, APGDT, FABT, Attack, Square
from holdfast.passes import Passes, counting

pyautoattack = pytest.importorskip("pyautoattack")
from pyautoattack.autoattack import AutoAttack  # noqa: E402

pytestmark = pytest.mark.oracle


class Counting(torch.autograd.Function):
    """The identity, which counts the images that pass forwards and their gradients that pass backwards."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, images: Tensor, spent: Passes) -> Tensor:
        ctx.spent = spent
        spent.forwards += len(images)
        return images.view_as(images)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        ctx.spent.backwards += len(gradient)
        return gradient, None


T, Q = 10, 60
"""Steps and queries of a small AutoAttack."""

THEIRS = {
    "apgd-ce": (1 + (T + 1) + 1, T + 1),
    "apgd-t": (1 + 9 * (1 + (T + 1)) + 1, 9 * (T + 1)),
    "fab-t": (1 + 9 * (2 + T + T + 1) + 1, 9 * T),
    "square": (1 + 1 + Q + 1 + 1, 0),
}
"""Forward and backward passes of the authors' code for an image that holds against all, the judging included."""

OURS = {
    "apgd-ce": (1 + (T + 1) + 1, T + 1),
    "apgd-t": (1 + 9 * (T + 1) + 1, 9 * (T + 1)),
    "fab-t": (1 + 9 * (T + T) + 1, 9 * T),
    "square": (1 + Q + 1, 0),
}
"""And of ours; the start is a query."""

CHECKS = 8
"""Passes an image of the authors' first batch before any attack: one of accuracy, seven that look for odd defences."""


def theirs_spend(name: str, eps: float, network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Passes, int]:
    """Return what one attack of the authors' driver spends in L-inf, and how many images it breaks."""
    spent, judged = Passes(), copy.deepcopy(network)
    auto = AutoAttack(lambda x: judged(Counting.apply(x, spent)), attacks=[name], eps=eps, seed=0, version="custom")
    for attack in (auto.apgd, auto.apgd_targeted, auto.fab):
        attack.n_iter, attack.n_restarts = T, 1
    auto.square.n_queries = Q
    x = auto.run_standard_evaluation(images, labels)[0]
    spent.forwards -= CHECKS * len(images)
    return spent, int((network(x).argmax(1) != labels).sum())


def ours_spend(name: str, eps: float, network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Passes, int]:
    """Return what our attack of that name spends, one pass of judging included, and how many images it breaks."""
    attacks: dict[str, Attack] = {
        "apgd-ce": APGD(Linf(eps), T),
        "apgd-t": APGDT(Linf(eps), T),
        "fab-t": FABT(Linf(eps), T),
        "square": Square(Linf(eps), queries=Q),
    }
    with counting() as spent:
        x = attacks[name](network, images, labels)
    spent.forwards += len(images)
    return spent, int((network(x).argmax(1) != labels).sum())


@pytest.mark.parametrize("name", THEIRS)
def test_passes_of_the_authors_and_ours(name: str, trained: tuple[nn.Module, Tensor, Tensor]) -> None:
    network, images, labels = trained
    for spend, formulas in ((theirs_spend, THEIRS), (ours_spend, OURS)):
        spent, broken = spend(name, 1e-5, network, images, labels)
        assert broken == 0
        assert (spent.forwards / len(images), spent.backwards / len(images)) == formulas[name]
    theirs, theirs_broken = theirs_spend(name, 0.12, network, images, labels)
    ours, ours_broken = ours_spend(name, 0.12, network, images, labels)
    assert 10 < theirs_broken < len(images) - 5
    assert ours_broken >= theirs_broken - 2
    assert ours.forwards < theirs.forwards - len(images)
    assert ours.backwards < theirs.backwards or name == "square"
