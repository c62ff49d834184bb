"""sigma-zero: its smooth count, adv-lib's attack, wanted classes, and the fewest values a linear network needs."""

import copy

import pytest
import torch
from torch import Tensor, nn

from holdfast import L0
from holdfast.attacks import SigmaZero
from holdfast.attacks.sigma_zero import smooth_count_slope
from holdfast.errors import BadValue
from holdfast.objectives import Towards, cross_entropy, margin
from tests.attacks.shortest import share_of_same
from tests.oracles import adv_lib


def test_the_slope_of_the_smooth_count_is_the_derivative() -> None:
    r = torch.tensor([0.0, 0.01, -0.03, 0.1, -0.5, 1.0]).view(1, 1, 1, 6)
    known = torch.tensor([0.0, 2.7548209, -2.7700831, 0.2754821, -0.0026455, 0.0003327])
    assert torch.allclose(smooth_count_slope(r, 1e-3).flatten(), known, rtol=1e-6, atol=2e-7)
    wide = torch.randn(3, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    count = (wide.square() / (wide.square() + 1e-3)).flatten(1).mean(1)
    assert count[0].item() == pytest.approx(1, abs=0.1)
    exact = torch.autograd.grad(count.sum(), wide)[0]
    assert torch.allclose(smooth_count_slope(wide.detach(), 1e-3), exact, rtol=1e-9, atol=1e-15)


def test_the_smooth_count_is_finite_at_its_sharpest() -> None:
    r = torch.tensor([0.0, 1e-20, 1e-15, 1.0]).view(1, 1, 1, 4)
    assert bool(smooth_count_slope(r, 1e-30).isfinite().all())


@pytest.mark.oracle
def test_it_is_adv_libs_in_float64(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    # In float32 adv-lib's autograd loses four digits of the smooth count's slope, where large terms cancel.
    images, labels = right
    exact = copy.deepcopy(network).double()
    for steps, alike in ((20, 0.95), (60, 0.75)):  # rounding moves a few decisions, how many depends on the processor
        theirs = adv_lib().sigma_zero(exact, images.double(), labels, num_steps=steps)
        ours = SigmaZero(steps=steps)(network, images, labels)
        assert share_of_same(ours, theirs) >= alike
        counts = [(x != images).flatten(1).sum(1) for x in (ours, theirs)]
        assert float((counts[0] == counts[1]).float().mean()) >= 0.95


def test_of_two_classes_to_reach_one_is_to_leave_the_other() -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), torch.rand(20, 1, 4, 4)
    labels = network(images).argmax(1)
    left = SigmaZero(steps=50)(network, images, labels)
    reached = SigmaZero(steps=50, objective=Towards(margin))(network, images, 1 - labels)
    assert torch.equal(left, reached)
    assert bool((left != images).flatten(1).any(1).all())


def test_a_wanted_class_is_reached_by_few_values(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, wanted = right[0][:20], (right[1][:20] + 1) % 10
    ours = SigmaZero(steps=100, objective=Towards(margin))(network, images, wanted)
    assert float((network(ours).argmax(1) == wanted).float().mean()) >= 0.95
    assert float(L0().distance(ours, images).median()) <= 8


def test_refuses_fields_that_make_no_sense() -> None:
    for field, value in (
        ("sigma", 0.0),
        ("tau", 1.5),
        ("tau", -0.1),
        ("tau_factor", -1.0),
        ("objective", cross_entropy),
    ):
        with pytest.raises(BadValue, match=f"{field} = "):
            SigmaZero(**{field: value})
