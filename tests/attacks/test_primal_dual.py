"""PDGD, PDPGD and the proximal operators: known values, adv-lib's loops, wanted classes, logits of any scale."""

import copy
import math
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from holdfast import L0, L1, L2, Linf
from holdfast.attacks import PDGD, PDPGD, Attack, proximal
from holdfast.errors import BadValue
from holdfast.objectives import ClippedMargin, Towards, cross_entropy, dlr, margin
from holdfast.threats import Threat
from tests.attacks.shortest import NORMS, broken, median, share_of_same
from tests.oracles import adv_lib

Operator = Callable[[Tensor, Tensor], Tensor]
OPERATORS = (proximal.l0, proximal.l1, proximal.l2, proximal.linf, proximal.two_thirds)
EACH = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)


def image(*values: float) -> Tensor:
    return torch.tensor([[[values]]], dtype=torch.float32)


def cost(name: str, q: Tensor) -> Tensor:
    """Return h(q) of each row."""
    if name == "l0":
        return (q != 0).sum(1).double()
    return q.abs().pow(2 / 3).sum(1) if name == "two_thirds" else q.norm({"l1": 1, "l2": 2, "linf": math.inf}[name], 1)


# The operators

VALUES = (0.9, -0.4, 0.05, -0.3, 0.6)


@pytest.mark.parametrize(
    ("operator", "weight", "values", "expected"),
    [
        (proximal.l0, 0.1, VALUES, (0.9, 0, 0, 0, 0.6)),
        (proximal.l1, 0.1, VALUES, (0.8, -0.3, 0, -0.2, 0.5)),
        (proximal.l2, 0.1, VALUES, (0.8245401, -0.3664623, 0.0458078, -0.2748467, 0.5496934)),
        (proximal.linf, 0.1, VALUES, (0.8, -0.4, 0.05, -0.3, 0.6)),
        (proximal.linf, 0.5, VALUES, (0.5, -0.4, 0.05, -0.3, 0.5)),
        (proximal.linf, 3.0, VALUES, (0, 0, 0, 0, 0)),
        (proximal.two_thirds, 0.1, VALUES, (0.8290338, -0.3004646, 0, -0.1824598, 0.5169326)),
        (proximal.two_thirds, 0.1, (0.26, 0.27, 0.3, 0.5), (0, 0.1423072, 0.1824598, 0.4102816)),
        (proximal.two_thirds, 0.1, (1, -0.7, 0.25), (0.9317436, -0.6218967, 0)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)[:6]),
)
def test_operators_give_known_values(
    operator: Operator, weight: float, values: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    found = operator(image(*values), torch.tensor([weight]))
    assert torch.allclose(found, image(*expected), rtol=0, atol=2e-7)


@EACH
def test_no_other_point_is_better_than_an_operators(operator: Operator) -> None:
    v, weight = torch.randn(200, 1, 2, 3), torch.rand(200) * 0.5
    q = operator(v, weight).flatten(1).double()
    rows, name = v.flatten(1).double(), operator.__name__  # type: ignore[attr-defined]

    def value(point: Tensor) -> Tensor:
        return (point - rows).square().sum(1) / 2 + weight * cost(name, point)

    best = value(q)
    others = [torch.zeros_like(q), rows, *(q * share for share in (0.9, 1.1))]
    for size in (1e-3, 0.1):
        others += [torch.where(q != 0, q + size * torch.randn_like(q), q) for _ in range(20)]
        others += [q + size * torch.randn_like(q) for _ in range(20)]
    assert all(bool((value(other) >= best - 1e-7).all()) for other in others)


@EACH
def test_operators_leave_everything_where_the_weight_is_0_and_nothing_where_it_is_huge(operator: Operator) -> None:
    v = torch.cat([image(0, 1e-6, -0.5, 1.0), image(0, 0, 0, 0)])
    assert torch.equal(operator(v, torch.zeros(2)), v)
    assert not bool(operator(v, torch.full((2,), 1e5)).any())


def test_the_two_thirds_operator_keeps_its_digits_where_the_weight_is_small() -> None:
    v = torch.linspace(0.05, 1, 400).view(1, 1, 20, 20)
    for weight in (1e-12, 1e-6, 1e-4, 1e-3, 1e-2):
        q = v.double()
        for _ in range(60):  # the equation of the minimum, a contraction from here on
            q = v.double() - 2 / 3 * weight * q ** (-1 / 3)
        expected = torch.where(v.double() > 2 / 3 * (24 * weight**3) ** 0.25, q, 0)
        found = proximal.two_thirds(v, torch.tensor([weight]))
        assert torch.allclose(found.double(), expected, rtol=0, atol=1e-7)


# The attacks


@pytest.mark.oracle
@pytest.mark.parametrize("norm", [Linf, L2, L1], ids=lambda norm: norm.__name__)
def test_pdpgd_is_adv_libs(norm: type[Threat], network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    theirs = adv_lib().pdpgd(copy.deepcopy(network), *right, norm=NORMS[norm], num_steps=40)
    same(PDPGD(norm(math.inf), steps=40), theirs, network, right)


@pytest.mark.oracle
def test_pdgd_is_adv_libs(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    theirs = adv_lib().pdgd(copy.deepcopy(network), *right, num_steps=40)
    same(PDGD(steps=40), theirs, network, right)


@pytest.mark.oracle
@pytest.mark.parametrize("sparse", ["two-thirds", "l0"])
def test_pdpgd_in_l0_is_adv_libs_with_an_operator_that_keeps_its_digits(
    sparse: str, network: nn.Module, right: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stable(v: Tensor, weight: Tensor) -> Tensor:
        return proximal.two_thirds(v, weight.flatten())

    monkeypatch.setattr(inside(adv_lib()), "l23_proximal", stable)
    setting = {"norm": 0, "num_steps": 40, "proximal_operator": 23 if sparse == "two-thirds" else 0}
    theirs = adv_lib().pdpgd(copy.deepcopy(network), *right, **setting)
    same(PDPGD(L0(math.inf), steps=40, sparse=sparse), theirs, network, right)


def inside(attacks: ModuleType) -> ModuleType:
    """Return the module that their attack looks its operators up in."""
    return sys.modules[attacks.pdpgd.__module__]


def same(attack: Attack, theirs: Tensor, network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    """Check that an attack makes the same images; rounding moves a few decisions, and then all that follows."""
    images, labels = right
    ours = attack(network, images, labels)
    assert bool(broken(network, ours, labels).all())
    assert share_of_same(ours, theirs) >= 0.9
    mine, other = median(attack.threat, ours, theirs, images)
    assert mine == pytest.approx(other, rel=1e-3)


@pytest.mark.oracle
@pytest.mark.parametrize(
    "attack",
    [PDGD(steps=40, objective=Towards(margin)), PDPGD(Linf(math.inf), steps=40, objective=Towards(margin))],
    ids=lambda attack: type(attack).__name__,
)
def test_goes_to_a_wanted_class_as_adv_libs_do(
    attack: Attack, network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, wanted = right[0], (right[1] + 1) % 10
    setting = {"targeted": True, "num_steps": 40}
    if isinstance(attack, PDGD):
        theirs = adv_lib().pdgd(copy.deepcopy(network), images, wanted, **setting)
    else:
        theirs = adv_lib().pdpgd(copy.deepcopy(network), images, wanted, norm=math.inf, **setting)
    ours = attack(network, images, wanted)
    reached = network(ours).argmax(1) == wanted
    assert torch.equal(reached, network(theirs).argmax(1) == wanted)
    assert float(reached.float().mean()) > 0.9
    assert share_of_same(ours, theirs) >= 0.9


def test_reaches_a_wanted_class_by_the_targeted_ratio(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    wanted = (right[1] + 1) % 10
    found = PDPGD(steps=40, objective=Towards(dlr))(network, right[0], wanted)
    assert float((network(found).argmax(1) == wanted).float().mean()) > 0.9


def test_with_the_ratio_logits_may_have_any_scale(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right[0][:10], right[1][:10]
    attack = PDPGD(Linf(math.inf), steps=20, objective=dlr)
    small, large = (attack(lambda x, s=scale: s * network(x), images, labels) for scale in (2**-8, 2**8))
    assert torch.allclose(small, large, atol=1e-4)


@pytest.mark.parametrize("kind", [PDGD, PDPGD])
def test_refuses_objectives_without_a_boundary_at_0(kind: type[Attack]) -> None:
    for objective in (cross_entropy, Towards(cross_entropy), ClippedMargin()):
        with pytest.raises(BadValue, match=f"{kind.__name__}: objective"):
            kind(objective=objective)
