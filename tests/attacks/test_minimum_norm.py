"""What every minimum-norm attack promises: the shortest way to a plane, and what a distance must mean."""

import math

import pytest
import torch
from torch import Tensor, nn

from holdfast import L0, L1, L2, Linf
from holdfast.attacks import (
    ALMA,
    CWL2,
    DDN,
    FAB,
    FABT,
    FMN,
    PDGD,
    PDPGD,
    Attack,
    DeepFool,
    DeepFoolCL,
    SigmaZero,
    SuperDeepFool,
)
from holdfast.attacks.planes import onto_plane
from holdfast.attacks.primal_dual import PrimalDual
from holdfast.errors import BadValue
from holdfast.threats import Threat
from tests.attacks.shortest import NORMS, broken

QUICK = (
    DDN(steps=40),
    *(FMN(norm(math.inf), steps=40) for norm in NORMS),
    CWL2(steps=40, searches=3, step_size=0.05, initial_constant=1.0),
    *(ALMA(norm(math.inf), steps=150) for norm in (L2, L1)),
    SigmaZero(steps=40),
    PDGD(steps=40),
    PDPGD(L1(math.inf), steps=40),
    SuperDeepFool(steps=4, deepfool_steps=20),
)
EACH = pytest.mark.parametrize("attack", QUICK, ids=lambda attack: f"{type(attack).__name__}-{attack.threat}")


class Plane(nn.Module):
    """Logits (z, -z) with z = <w, x> + b."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.randn(16)
        self.b = 0.2 - 0.5 * float(self.w.sum())

    def forward(self, images: Tensor) -> Tensor:
        z = images.flatten(1) @ self.w + self.b
        return torch.stack([z, -z], 1)


def shortest(plane: Plane, threat: Threat, images: Tensor) -> Tensor:
    """Return the distance of each image to the plane, in the box."""
    x, gap = images.flatten(1), -plane(images)[:, 0]
    w = plane.w.expand_as(x)
    if isinstance(threat, L0):  # the values that gain most, each to its wall
        room = torch.where(gap[:, None] * w > 0, 1 - x, x)
        gained = (room * w.abs()).sort(1, descending=True).values.cumsum(1)
        return 1.0 + (gained < gap.abs()[:, None]).sum(1)
    step = onto_plane(threat, x, w, gap).view_as(images)
    return threat.distance(step, torch.zeros_like(step))


@pytest.mark.parametrize(
    ("attack", "slack"),
    [
        (DDN(steps=100), 1.002),
        (FMN(L2(math.inf), steps=100), 1.002),
        (FMN(Linf(math.inf), steps=100), 1.01),
        (FMN(L1(math.inf), steps=100), 1.02),
        (FMN(L0(math.inf), steps=100), 1.0),
        (CWL2(steps=80, searches=7, step_size=0.03, initial_constant=0.1), 1.01),
        (ALMA(steps=300), 1.002),
        (ALMA(L1(math.inf), steps=1000), 1.02),
        (SigmaZero(steps=100), 1.0),
        # Adam moves every pixel as far as any other: these end within a few hundredths, nearer with more steps.
        (PDGD(steps=250), 1.08),
        (PDPGD(Linf(math.inf), steps=200), 1.05),
        (PDPGD(L1(math.inf), steps=200), 1.1),
    ],
    ids=lambda value: str(value)[:12],
)
def test_finds_the_shortest_way_to_a_plane(attack: Attack, slack: float) -> None:
    plane, images = Plane(), torch.rand(40, 1, 4, 4)
    labels = plane(images).argmax(1)
    attacked = attack(plane, images, labels)
    assert bool(broken(plane, attacked, labels).all())
    exact = shortest(plane, attack.threat, images)
    found = attack.threat.distance(attacked, images)
    assert bool((found >= exact * (1 - 1e-4)).all())
    assert float((found / exact).median()) <= slack


# What a distance means


@EACH
def test_a_distance_says_at_which_radius_an_image_breaks(
    attack: Attack, network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right
    free = attack(network, images, labels)
    length = attack.threat.distance(free, images)
    found = broken(network, free, labels)
    assert torch.equal(found, length > 0)
    assert int(found.sum()) > len(found) / 2
    for share in (0.25, 0.5, 0.75):
        ordered = length[found].sort().values
        place = int(share * len(ordered))
        radius = float((ordered[place] + ordered[place - 1]) / 2)
        radius = math.floor(radius) if isinstance(attack.threat, L0) else radius  # a count of values is whole
        fixed = type(attack)(**{**vars(attack), "threat": type(attack.threat)(radius)})
        cut = fixed(network, images, labels)
        assert float(fixed.threat.distance(cut, images).max()) <= radius + 1e-6
        breaks = broken(network, cut, labels)
        assert bool(breaks[length.le(radius) & found].all())
        # What needs more is cut to the ball's surface, and may happen to break there if it was met just beyond; with
        # few steps, what PDGD and PDPGD meet is far from the shortest.
        near = radius + 1 if isinstance(attack.threat, L0) else 1.06 * radius  # in L0 the next is one value away
        assert isinstance(attack, PrimalDual) or bool((length[breaks] <= near).all())
        # FMN breaks just these; some kernels round one image at the radius to its other side.
        others = int((breaks != (found & (length <= radius))).sum())
        assert not isinstance(attack, FMN) or others <= 1
        beyond = found & (length > radius)
        if not isinstance(attack.threat, L0):
            at = fixed.threat.distance(cut, images)[beyond]
            assert torch.allclose(at, torch.full_like(at, radius), atol=1e-5)
        assert torch.equal(cut[~found], images[~found])


@EACH
def test_what_is_wrong_already_costs_one_look_and_what_is_broken_inside_the_ball_no_more(
    attack: Attack, network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right
    asked = []

    def counted(x: Tensor) -> Tensor:
        asked.append(len(x))
        return network(x)

    assert torch.equal(attack(counted, images, (labels + 1) % 10), images)
    assert asked == [len(images)]
    asked.clear()
    attack(counted, images, labels)
    free = sum(asked)
    asked.clear()
    wide = type(attack)(
        **{**vars(attack), "threat": type(attack.threat)(0.9 if isinstance(attack.threat, Linf) else 9)}
    )
    assert bool(broken(network, wide(counted, images, labels), labels).float().mean() > 0.5)
    assert sum(asked) < 0.7 * free


@EACH
def test_an_image_that_nothing_breaks_comes_back(attack: Attack, images: Tensor) -> None:
    never = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    never[1].weight.data *= 1e-3
    never[1].bias.data = torch.tensor([9.0, 0.0, 0.0])
    assert torch.equal(attack(never, images, torch.zeros(12, dtype=torch.int64)), images)


@pytest.mark.parametrize(
    "attack",
    [DDN(steps=40), FMN(steps=40), CWL2(steps=40, searches=3, step_size=0.05), SigmaZero(steps=40)],
    ids=lambda a: str(a)[:4],
)
def test_a_start_that_is_broken_is_never_lost(attack: Attack, network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    start = (images + 0.3 * torch.randn_like(images)).clamp(0, 1)
    works = broken(network, start, labels)
    assert int(works.sum()) >= 3
    found = attack(network, images, labels, start)
    length = attack.threat.distance(found, images)
    assert bool((length < attack.threat.distance(start, images))[works].all())
    assert bool(broken(network, found, labels)[works].all())


@pytest.mark.parametrize("attack", [*QUICK, DeepFool(), DeepFoolCL()], ids=lambda a: f"{type(a).__name__}-{a.threat}")
def test_what_is_wrong_already_stays_whatever_the_start(
    attack: Attack, network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right
    start = (images + 0.3 * torch.randn_like(images)).clamp(0, 1)
    assert torch.equal(attack(network, images, (labels + 1) % 10, start), images)


@pytest.mark.parametrize("attack", [PDGD(steps=40), PDPGD(L0(math.inf), steps=40)], ids=lambda a: type(a).__name__)
def test_a_start_that_is_broken_is_the_longest_way_of_the_primal_dual_attacks(
    attack: Attack, network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right
    start = (images + 0.3 * torch.randn_like(images)).clamp(0, 1)
    works = broken(network, start, labels)
    assert int(works.sum()) >= 3
    found = attack(network, images, labels, start)
    assert bool((attack.threat.distance(found, images) <= attack.threat.distance(start, images))[works].all())
    assert bool(broken(network, found, labels)[works].all())


@pytest.mark.parametrize("attack", [FAB(Linf(0.9), steps=1), FABT(Linf(0.9), steps=1), FAB(steps=1)])
def test_a_start_that_is_broken_is_what_fab_falls_back_on(attack: FAB | FABT) -> None:
    def tent(x: Tensor) -> Tensor:  # above 0 between 0.5 and 0.7, as far as whose edge no step from the start goes
        bump = 0.1 - (x.flatten(1) - 0.6).abs()
        return torch.cat([torch.zeros_like(bump), bump], 1)

    image, label = torch.full((1, 1, 1, 1), 0.2), torch.tensor([0])
    found = attack(tent, image, label, torch.full_like(image, 0.55))
    assert bool(broken(tent, found, label))
    assert float(found) <= 0.55 + 1e-6
    wrong = attack(tent, torch.full_like(image, 0.6), label, torch.full_like(image, 0.55))
    assert float(wrong) == float(torch.tensor(0.6))  # what is broken already stays as it is


def test_refuses_fields_that_make_no_sense() -> None:
    for kind, field, value in (
        (DDN, "gamma", 1.0),
        (DDN, "initial_norm", 0.0),
        (DDN, "levels", 1),
        (FMN, "gamma", 0.0),
        (FMN, "gamma_final", 1.0),
        (CWL2, "searches", 0),
        (CWL2, "initial_constant", 0.0),
        (CWL2, "confidence", -1.0),
        (PDGD, "final_step", 0.0),
        (PDGD, "first_ratio", 1e-7),
        (PDPGD, "first_ratio", 0.0),
        (PDPGD, "dual_step", -0.1),
    ):
        with pytest.raises(BadValue, match=f"{field} = "):
            kind(**{field: value})
