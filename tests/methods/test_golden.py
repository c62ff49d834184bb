"""Losses of the methods against numbers worked out by hand (natural logarithms, two images, three classes)."""

import pytest
import torch
from torch import Tensor

from holdfast.methods import AT, CL, TRADES, Kurakin, LossMethod, Memory, MixedAT, Standard, UnifiedEmbedding, full
from holdfast.objectives import distance
from holdfast.types import Batch
from tests.conftest import AsLogits, Given, as_images

CLEAN = ((2.0, 1.0, 0.0), (0.0, 1.0, 0.5))
ATTACKED = ((1.0, 1.5, 0.0), (0.2, 0.8, 0.9))
ATTACK = Given(logits=ATTACKED)
PULLED = sum(
    sum((a - b) ** 2 for a, b in zip(*rows, strict=True)) ** 0.5 / 4 for rows in zip(CLEAN, ATTACKED, strict=True)
)
"""The mean length between the pixels, which are half the logits and the penultimate layer of `AsLogits`."""


@pytest.mark.parametrize(
    ("method", "terms"),
    [
        (Standard(), {"clean": 0.5439378}),
        (AT(ATTACK), {"attacked": 1.0400960}),
        (MixedAT(ATTACK), {"clean": 0.5439378 / 2, "attacked": 1.0400960 / 2}),
        (MixedAT(ATTACK, 0.2), {"clean": 0.8 * 0.5439378, "attacked": 0.2 * 1.0400960}),
        (MixedAT(ATTACK, 1.0), {"attacked": 1.0400960}),
        (TRADES(ATTACK, beta=6.0), {"clean": 0.5439378, "robust": 1.3729759 - 0.5439378}),
        (CL(ATTACK, beta=3.0), {"attacked": 1.0400960, "embedding": 3 * PULLED}),
        (Kurakin((ATTACK,), share=1.0, eps_sampler=full), {"clean": 0.0, "attacked": 1.0400960}),
        (
            UnifiedEmbedding((ATTACK,), weight=0.3, penalty=0.1, eps_sampler=full),
            {"clean": 2 * 0.5439378 / 2.6, "attacked": 0.3 * 2 * 1.0400960 / 2.6, "distance": 0.1 * (1.25 + 0.24) / 2},
        ),
        (CL(ATTACK, "output", 2.0, distance), {"attacked": 1.0400960, "embedding": 2 * (1.25 / 3 + 0.24 / 3) / 2}),
    ],
)
def test_loss(method: LossMethod, terms: dict[str, float]) -> None:
    batch = Batch(as_images(CLEAN), torch.tensor([0, 1]), torch.arange(2))
    found = method.loss(AsLogits(), batch, Memory())
    assert {name: float(term) for name, term in found.items()} == pytest.approx(terms, rel=1e-5)


def gradients(method: LossMethod, term: str) -> tuple[Tensor, Tensor]:
    """Return the gradient of a term towards the answers to clean and to attacked images."""
    seen: list[Tensor] = []

    class Kept(AsLogits):
        def forward(self, images: Tensor) -> Tensor:
            answer = super().forward(images.clone().requires_grad_())
            if answer.requires_grad:  # not where the answer is wanted as a constant
                answer.retain_grad()
                seen.append(answer)
            return answer

    batch = Batch(as_images(CLEAN), torch.tensor([0, 1]), torch.arange(2))
    terms = method.loss(Kept(), batch, Memory())
    terms[term].backward()
    reached = [answer.grad for answer in seen if answer.grad is not None]
    assert len(reached) == 2
    return reached[0], reached[1]


@pytest.mark.parametrize(
    ("method", "term"), [(TRADES(ATTACK), "robust"), (CL(ATTACK, "output"), "embedding")], ids=["TRADES", "CL"]
)
def test_the_gradient_flows_through_both_branches(method: LossMethod, term: str) -> None:
    assert all(float(gradient.abs().sum()) > 0 for gradient in gradients(method, term))
