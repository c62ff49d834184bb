"""What restarts keep, and what they cost."""

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf
from holdfast.attacks import APGD, CW, FAB, ODI, PGD, Attack
from holdfast.errors import BadValue
from holdfast.objectives import margin
from holdfast.passes import counting


@pytest.mark.parametrize("kind", [PGD, APGD, ODI])
def test_an_image_that_holds_keeps_its_highest_point(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    one, many = (
        margin(
            small.eval()(kind(Linf(0.004), steps=3, restarts=restarts, objective=margin)(small, images, labels)), labels
        )
        for restarts in (1, 8)
    )
    assert bool((many < 0).any())
    assert bool((many >= one)[many < 0].all())
    assert bool((many > one)[many < 0].any())


@pytest.mark.parametrize("kind", [PGD, CW, APGD, ODI, FAB])
def test_an_image_that_is_broken_takes_no_more_restarts(kind: type[Attack], small: nn.Module, images: Tensor) -> None:
    labels = small.eval()(images).argmax(1)
    spent = []
    for restarts in (1, 4):
        with counting() as passes:
            found = kind(Linf(0.5), steps=10, restarts=restarts)(small, images, labels)
        assert bool((small(found).argmax(1) != labels).all())
        spent.append(passes.backwards)
    assert spent[0] == spent[1]


def test_what_an_image_becomes_does_not_depend_on_its_batch(small: nn.Module, images: Tensor, labels: Tensor) -> None:
    attack = PGD(Linf(0.02), steps=3, restarts=4)
    parts = [attack(small, images[part], labels[part]) for part in (slice(0, 5), slice(5, 12))]
    assert torch.allclose(torch.cat(parts), attack(small, images, labels), atol=1e-5)


@pytest.mark.parametrize("kind", [PGD, CW])
def test_restarts_that_would_repeat_one_climb_are_refused(kind: type[PGD | CW]) -> None:
    with pytest.raises(BadValue, match=f"{kind.__name__}: restarts = 3 without random_start"):
        kind(restarts=3, random_start=False)
    assert kind(random_start=False).restarts == 1
