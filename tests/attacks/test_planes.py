"""The shortest way onto a plane inside the box, against a search that knows nothing of it."""

import pytest
import torch

from holdfast import L1, L2, Linf
from holdfast.attacks.planes import onto_plane
from holdfast.threats import Threat


@pytest.mark.parametrize("threat", [Linf(1.0), L2(1.0), L1(1.0)], ids=lambda threat: type(threat).__name__)
def test_lands_on_the_plane_inside_the_box_by_the_shortest_way(threat: Threat) -> None:
    n, d = 200, 6
    x, w = torch.rand(n, d), torch.randn(n, d)
    inside = torch.rand(n, d)
    gap = ((inside - x) * w).sum(1)  # a plane that the box does meet
    step = onto_plane(threat, x, w, gap)
    assert float((x + step).min()) >= -1e-6
    assert float((x + step).max()) <= 1 + 1e-6
    assert torch.allclose((step * w).sum(1), gap, atol=1e-4)
    norm = {"Linf": torch.inf, "L2": 2.0, "L1": 1.0}[type(threat).__name__]
    length = step.norm(p=norm, dim=1)
    for _ in range(300):  # any other point of the plane and the box is at least as far
        other = torch.rand(n, d)
        miss = gap - ((other - x) * w).sum(1)
        pixel = torch.randint(0, d, (n,))
        rows = torch.arange(n)
        other[rows, pixel] += miss / w[rows, pixel]
        valid = (other[rows, pixel] >= 0) & (other[rows, pixel] <= 1)
        assert bool((length <= (other - x).norm(p=norm, dim=1) + 1e-4)[valid].all())


def test_a_plane_out_of_reach_leads_to_the_furthest_corner() -> None:
    x, w = torch.full((1, 3), 0.5), torch.tensor([[1.0, -2.0, 0.0]])
    for threat in (Linf(1.0), L2(1.0), L1(1.0)):
        step = onto_plane(threat, x, w, torch.tensor([100.0]))
        assert torch.allclose(step[:, :2], torch.tensor([[0.5, -0.5]]))
