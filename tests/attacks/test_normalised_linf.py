"""The ball of normalised pixels, as attacks use it."""

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf, NormalisedLinf, audit
from holdfast.attacks import FAB, FGSM, PDPGD, PGD, Attack, DeepFool, RayS, Square
from holdfast.cli.audit_request import Ball
from holdfast.errors import BadValue, UsageError
from tests.attacks.members import KINDS, quick

BOTH = [kind for kind in KINDS if {Linf, NormalisedLinf} <= set(kind.threats)]
STD = (0.3, 0.1, 0.25)


@pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.__name__)
def test_with_a_deviation_of_1_every_attack_finds_what_it_finds_in_linf(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    expected = quick(kind, Linf(0.1))(small, images, labels)
    assert torch.equal(quick(kind, NormalisedLinf(0.1, (1.0,)))(small, images, labels), expected)


def test_a_step_of_signs_moves_each_channel_by_eps_times_its_own_deviation() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4, 2))
    images, labels = torch.full((5, 3, 2, 2), 0.5), torch.zeros(5, dtype=torch.long)
    threat = NormalisedLinf(0.2, STD)
    for attack in (FGSM(threat), Square(threat, queries=20), RayS(threat, queries=50)):
        moved = (attack(network, images, labels) - images).abs().flatten(2)
        torch.testing.assert_close(moved.amax((0, 2)), 0.2 * torch.tensor(STD), rtol=1e-5, atol=0)
    steps = PGD(threat, steps=2, step_size=0.05, random_start=False)(network, images, labels)
    assert float(NormalisedLinf(1.0, STD).distance(steps, images).max()) == pytest.approx(0.1, abs=1e-5)


@pytest.mark.parametrize("attack", [FAB, DeepFool])
def test_the_nearest_boundary_of_a_linear_network_is_as_far_as_the_dual_norm_says(attack: type[FAB | DeepFool]) -> None:
    generator = torch.Generator().manual_seed(2)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 2))
    images = 0.5 + 0.02 * torch.rand(20, 3, 4, 4, generator=generator)
    labels, threat = network(images).argmax(1), NormalisedLinf(float("inf"), STD)
    weight = network[1].weight[0] - network[1].weight[1]
    gap = (network(images) @ torch.tensor([1.0, -1.0])).abs().detach()
    least = gap / threat.dual(weight.detach().view(1, 3, 4, 4))
    found = threat.distance(attack(threat)(network, images, labels), images)
    assert bool((found >= least * (1 - 1e-4)).all())
    assert bool((found <= least * 1.06 + 1e-3).all())


def test_grey_images_take_the_smallest_deviation_and_other_channels_are_refused() -> None:
    grey = torch.full((2, 1, 3, 3), 0.5)
    moved = NormalisedLinf(0.2, STD).project(grey + 1, grey)
    assert float((moved - grey).max()) == pytest.approx(0.02, abs=1e-6)
    with pytest.raises(BadValue, match="images have 2 channels, and std has 3 numbers"):
        NormalisedLinf(0.2, STD).project(grey.expand(2, 2, 3, 3), grey.expand(2, 2, 3, 3))
    for std in ((), (0.2, -1.0), (0.2, 63.0)):
        with pytest.raises(BadValue, match="give the deviation of each channel"):
            NormalisedLinf(0.2, std)


def test_what_is_written_for_pixels_refuses_it() -> None:
    with pytest.raises(BadValue, match="PDPGD is defined for Linf, L2, L1, L0, not NormalisedLinf"):
        PDPGD(NormalisedLinf())


def test_an_audit_and_the_command_line_take_it() -> None:
    assert Ball("normalisedlinf", 0.5, (0.1,))() == NormalisedLinf(0.5, (0.1,))
    with pytest.raises(UsageError, match=r"--threat\.std is of NormalisedLinf"):
        Ball("L2", std=(0.1,))()
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    images = torch.rand(4, 1, 4, 4)
    labels = network(images).argmax(1)
    report = audit(network, images, labels, NormalisedLinf(0.5, (0.2,)), effort="fast")
    alike = audit(network, images, labels, Linf(0.1), effort="fast")
    assert report.robust_accuracy == alike.robust_accuracy
    assert float((report.adversarial - images).abs().max()) <= 0.1 + 1e-6
