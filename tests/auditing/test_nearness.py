"""How near an image is to being wrong: exact on a linear network, unknown where there is no gradient."""

import pytest
import torch
from torch import Tensor, nn

from holdfast import L1, L2, Linf
from holdfast.auditing.allocation import FIRST_RATE, LEAST_RATE, beforehand
from holdfast.auditing.ledger import BANDS, bands_of
from holdfast.auditing.nearness import slope
from holdfast.objectives import margin
from holdfast.threats import Threat


def linear() -> nn.Module:
    """Return a linear network of two classes."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        weight.data = torch.randn(weight.shape, generator=generator)
    with torch.no_grad():  # the boundary passes through the middle of the box
        model[1].bias -= model(torch.full((1, 1, 4, 4), 0.5))[0]
    return model.eval()


@pytest.mark.parametrize("threat", [Linf(0.01), L2(0.04), L1(0.1)], ids=str)
def test_on_a_linear_network_what_is_nearer_than_a_radius_breaks_and_nothing_else(threat: Threat) -> None:
    model = linear()
    images = 0.3 + 0.4 * torch.rand(200, 1, 4, 4, generator=torch.Generator().manual_seed(1))  # no wall is near
    with torch.no_grad():
        labels = model(images).argmax(1)
        distance = -margin(model(images), labels) / slope(model, images, labels, threat)
        step = threat.ascent(-(model[1].weight[0] - model[1].weight[1]).view(1, 1, 4, 4))  # type: ignore[union-attr, index]
        signs = torch.where(labels == 0, 1.0, -1.0).view(-1, 1, 1, 1)
        broken = model(images + threat.eps * signs * step).argmax(1) != labels
    assert 20 < int(broken.sum()) < 180
    assert torch.equal(distance < 1, broken)


def test_without_a_gradient_the_slope_is_zero() -> None:
    images, labels = torch.rand(3, 1, 4, 4), torch.zeros(3, dtype=torch.int64)

    def detached(x: Tensor) -> Tensor:
        return linear()(x.detach())

    def constant(x: Tensor) -> Tensor:
        return 0 * x.flatten(1)[:, :2]

    assert slope(detached, images, labels, Linf(0.1)).tolist() == [0, 0, 0]
    assert slope(constant, images, labels, Linf(0.1)).tolist() == [0, 0, 0]


def test_what_is_expected_beforehand_falls_with_the_distance_and_by_rank_where_none_is_known() -> None:
    bands = bands_of(100, 100)
    at_the_boundary = beforehand(torch.zeros(100), bands)
    far = beforehand(torch.full((100,), 9.0), bands)
    unknown = beforehand(torch.full((100,), torch.inf), bands)
    filled = int(bands.max()) + 1
    torch.testing.assert_close(at_the_boundary[:filled], torch.full((filled,), FIRST_RATE, dtype=torch.float64))
    assert bool((far == LEAST_RATE).all())
    assert len(far) == BANDS
    assert bool((unknown[:filled].diff() < 0).all())
    assert float(unknown[0]) == FIRST_RATE


def test_in_inference_mode_the_slope_is_the_same() -> None:
    model, threat = linear(), Linf(0.01)
    images, labels = torch.rand(5, 1, 4, 4), torch.zeros(5, dtype=torch.int64)
    expected = slope(model, images, labels, threat)
    with torch.inference_mode():
        assert torch.equal(slope(model, images, labels, threat), expected)
    assert bool((expected > 0).all())
