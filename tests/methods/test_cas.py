"""Training with suppressed activations: the form itself without heads, and what heads add."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from holdfast import Linf, models
from holdfast.attacks import PGD
from holdfast.data import made_up_images
from holdfast.errors import UsageError
from holdfast.methods import (
    AT,
    CAS,
    MART,
    TRADES,
    Memory,
)
from holdfast.models import WithAuxiliary, labelled
from holdfast.objectives import (
    Joint,
    cross_entropy,
    divergence,
)
from holdfast.training.dependencies import Lineage

from .batches import a_batch


@pytest.mark.parametrize("form", ["AT", "TRADES", "MART"])
def test_cas_without_weight_on_its_heads_is_the_form_itself(form: str) -> None:
    torch.manual_seed(3)
    model = models.build("wrn-10-1-cas", (1, 8, 8), 10).eval()
    step = PGD(Linf(0.1), steps=2, step_size=0.05)
    cas = CAS(form, step, weight=0.0, beta=6.0)  # type: ignore[arg-type]
    plain = {"AT": AT(step), "TRADES": TRADES(replace(step, objective=divergence)), "MART": MART(step)}[form]
    batch, memory = a_batch(8), Memory()
    crafted = plain.craft(model, batch, memory)
    found, wanted = (method.weigh(model, batch, memory, crafted) for method in (cas, plain))
    assert {name: float(term.detach()) for name, term in found.items()} == pytest.approx(
        {name: float(term.detach()) for name, term in wanted.items()}, abs=1e-6
    )


def test_cas_adds_the_mean_over_its_heads() -> None:
    model = models.build("wrn-10-1-cas", (1, 8, 8), 10).eval()
    batch, cas = a_batch(8), CAS("AT", weight=2.0)
    with torch.no_grad():
        main, *heads = WithAuxiliary(model)(batch.images).unbind(1)
        found = cas.weigh(model, batch, Memory(), (batch.images,))["attacked"]
    losses = [cross_entropy(answer, batch.labels).mean() for answer in (main, *heads)]
    assert math.isclose(float(found), float(losses[0] + 2 * torch.stack(losses[1:]).mean()), abs_tol=1e-5)


def test_cas_refuses_a_network_without_heads() -> None:
    data = made_up_images((1, 8, 8), "train")
    with pytest.raises(UsageError, match="auxiliary"):
        CAS().remember(models.build("digits-net", (1, 8, 8), 10), data, Lineage({}, (1, 8, 8), 10, torch.device("cpu")))


def test_cas_attacks_all_heads_and_trains_with_the_true_labels_as_masks() -> None:
    model, batch = models.build("wrn-10-1-cas", (1, 8, 8), 10), a_batch(8)
    step = PGD(Linf(0.1), steps=2, step_size=0.05)
    (attacked,) = CAS("AT", step).craft(model, batch, Memory())
    joint = replace(step, objective=Joint(cross_entropy, 2.0))
    assert torch.equal(attacked, joint(WithAuxiliary(model), batch.images, batch.labels))
    model.train()
    found = CAS("AT", step).weigh(copy.deepcopy(model), batch, Memory(), (attacked,))["attacked"].detach()
    told, wrong = (
        heads_told(copy.deepcopy(model), attacked, labels) for labels in (batch.labels, batch.labels.roll(1))
    )
    wanted, other = (Joint(cross_entropy, 2.0)(answer, batch.labels).mean() for answer in (told, wrong))
    assert math.isclose(float(found), float(wanted), abs_tol=1e-5)
    assert abs(float(found) - float(other)) > 1e-4


@torch.no_grad()
def heads_told(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the answers of a network in training whose parts are told these labels."""
    with labelled(model, labels):
        answers: torch.Tensor = WithAuxiliary(model)(images)
    return answers
