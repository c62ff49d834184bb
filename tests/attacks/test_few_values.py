"""Attacks that step on few values, in L1 and L0: what their default steps reach."""

import pytest
import torch
from torch import Tensor, nn

from holdfast import L0, L1, L2, Linf, NormalisedLinf
from holdfast.attacks import BIM, FGSM, MIM, PGD, RFGSM
from holdfast.attacks.presets import bim
from holdfast.errors import BadValue
from holdfast.passes import counting
from holdfast.threats import Threat
from tests.attacks.shortest import broken

Trained = tuple[nn.Module, Tensor, Tensor]


def stand(attack: BIM | FGSM | MIM | PGD, trained: Trained) -> float:
    network, images, labels = trained
    return 1 - float(broken(network, attack(network, images, labels), labels).float().mean())


@pytest.mark.parametrize("kind", [PGD, BIM, MIM])
def test_more_steps_in_l0_are_no_weaker(kind: type[BIM | MIM | PGD], trained: Trained) -> None:
    few, many = (stand(kind(L0(5), steps), trained) for steps in (5, 100))
    assert few < 0.2
    assert many <= few + 0.02


def test_the_steps_of_a_preset_in_l0_take_a_value_to_its_wall(trained: Trained) -> None:
    assert bim(L0(5), 10, 20).step_size == 1.0
    assert bim(L1(5), 10, 20).step_size == 0.5
    assert stand(FGSM(L0(5)), trained) < 0.2
    with pytest.raises(BadValue, match="finite eps"):
        FGSM(L0(torch.inf))(*trained)


@pytest.mark.parametrize("n1", [0.0, torch.inf])
def test_a_preset_takes_a_finite_number_of_steps_to_the_wall(n1: float) -> None:
    with pytest.raises(BadValue, match=str(n1)):
        bim(Linf(0.1), n1, 3)


@pytest.mark.parametrize("threat", [Linf(0.1), NormalisedLinf(0.3, (0.3,)), L2(0.5), L1(3.0), L0(5)], ids=str)
def test_rfgsm_without_a_random_step_is_fgsm(threat: Threat) -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), torch.rand(6, 1, 4, 4)
    labels = network(images).argmax(1)
    expected = FGSM(threat)(network, images, labels)
    assert torch.equal(RFGSM(threat, alpha=0.0)(network, images, labels), expected)
    assert not torch.equal(RFGSM(threat)(network, images, labels), expected)


def test_steps_in_l1_do_not_run_into_walls(trained: Trained) -> None:
    assert stand(BIM(L1(3.0), 10), trained) < 0.2  # 70 % stand where steps are spent on values at a wall


@pytest.mark.parametrize("eps", [1.5, 2.0, 3.0])
def test_momentum_in_l1_costs_nothing(eps: float, trained: Trained) -> None:
    spent = []
    found = []
    for kind in (BIM, MIM):
        with counting() as passes:
            found.append(stand(kind(L1(eps), 20), trained))
        spent.append(passes)
    assert spent[0] == spent[1]
    assert found[1] <= found[0] + 0.02
