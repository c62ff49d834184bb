"""CW-L2: its constants, its confidence, torch's own Adam, and three other libraries."""

import copy

import pytest
import torch
from torch import Tensor, nn

from holdfast import L2
from holdfast.attacks import CWL2
from holdfast.errors import BadValue
from holdfast.objectives import Towards, cross_entropy, dlr, margin
from holdfast.types import Objective
from tests.attacks.shortest import broken, median, share_of_same
from tests.oracles import adv_lib


def test_more_constants_never_find_a_longer_way_and_a_search_beats_one_constant(
    network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right[0][:16], right[1][:16]
    lengths = []
    for searches in (1, 3, 6):
        found = CWL2(steps=50, searches=searches, step_size=0.05, initial_constant=10.0)(network, images, labels)
        assert bool(broken(network, found, labels).all())
        lengths.append(L2().distance(found, images))
    assert bool((lengths[0] >= lengths[1]).all())
    assert bool((lengths[1] >= lengths[2]).all())
    assert float(lengths[1].mean()) < 0.9 * float(lengths[0].mean())
    assert float(lengths[2].mean()) < float(lengths[1].mean())


def test_confidence_is_how_far_the_margin_is_beyond(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right[0][:8], right[1][:8]
    plain, sure = (
        CWL2(steps=50, searches=4, step_size=0.05, initial_constant=1.0, confidence=confidence)(network, images, labels)
        for confidence in (0.0, 2.0)
    )
    for attacked, least, most in ((plain, 0.0, 1.0), (sure, 2.0, 3.0)):
        reached = margin(network(attacked), labels)
        assert float(reached.min()) >= least
        assert float(reached.median()) <= most
    assert bool((L2().distance(sure, images) > L2().distance(plain, images)).all())


def test_one_constant_is_torch_adam_in_tanh_space(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels, c = right[0][:10] * 0.9 + 0.05, right[1][:10], 2.0
    kept = ~broken(network, images, labels)
    images, labels = images[kept], labels[kept]
    w = (2 * images - 1).atanh().requires_grad_()
    optimizer = torch.optim.Adam([w], 0.02)
    best, shortest = images.clone(), torch.full((len(images),), torch.inf)
    for _ in range(81):
        x = (w.tanh() + 1) / 2
        logits, square = network(x), (x - images).square().sum((1, 2, 3))
        found = (logits.argmax(1) != labels) & (square.detach() < shortest)
        best[found], shortest[found] = x.detach()[found], square.detach()[found]
        optimizer.zero_grad()
        (square + c * (-margin(logits, labels)).clamp_min(0)).sum().backward()
        optimizer.step()
    ours = CWL2(steps=80, searches=1, step_size=0.02, initial_constant=c)(network, images, labels)
    assert int((shortest < torch.inf).sum()) >= 5
    assert torch.allclose(ours, best, atol=2e-3)
    assert torch.allclose(L2().distance(ours, images), (best - images).flatten(1).norm(dim=1), atol=1e-4)


@pytest.mark.oracle
def test_cw_l2_is_adv_libs_and_as_short_as_foolboxes(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right[0][:16], right[1][:16]
    budget = {"confidence": 0.0, "abort_early": False}
    theirs = adv_lib().carlini_wagner_l2(
        copy.deepcopy(network), images, labels, learning_rate=0.05, initial_const=0.02, binary_search_steps=4,
        max_iterations=60, **budget,
    )  # fmt: skip
    ours = CWL2(steps=60, searches=4, step_size=0.05, initial_constant=0.02)(network, images, labels)
    assert float(broken(network, ours, labels).float().mean()) > 0.9
    mine, other = median(L2(), ours, theirs, images)
    assert mine == pytest.approx(other, rel=0.005)
    assert share_of_same(ours, theirs) >= 0.5
    foolbox = pytest.importorskip("foolbox", exc_type=ImportError)
    judge = foolbox.attacks.L2CarliniWagnerAttack(4, 60, 0.05, initial_const=0.02, **budget)
    model = foolbox.PyTorchModel(copy.deepcopy(network), bounds=(0, 1), device="cpu")
    theirs = judge(model, images, labels, epsilons=None)[1]
    mine, other = median(L2(), ours, theirs, images)
    assert mine == pytest.approx(other, rel=0.02)


@pytest.mark.oracle
def test_cw_l2_with_one_constant_is_as_short_as_torchattacks(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    torchattacks = pytest.importorskip("torchattacks", exc_type=ImportError)
    images, labels = right[0] * 0.9 + 0.05, right[1]  # its tanh space is infinite at black and white
    theirs = torchattacks.CW(copy.deepcopy(network), c=2.0, steps=80, lr=0.02)(images, labels)
    ours = CWL2(steps=80, searches=1, step_size=0.02, initial_constant=2.0)(network, images, labels)
    mine, other = median(L2(), ours, theirs, images)
    assert mine == pytest.approx(other, rel=0.02)


@pytest.mark.parametrize(
    "objective", [cross_entropy, Towards(cross_entropy), Towards(dlr)], ids=["plain", "wanted", "wanted ratio"]
)
def test_any_objective_is_climbed_until_the_image_breaks(
    objective: Objective, network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right[0][:10], right[1][:10]
    targets = (labels + 1) % 10 if isinstance(objective, Towards) else labels
    attack = CWL2(steps=40, searches=4, step_size=0.05, initial_constant=0.1, objective=objective)
    found = network(attack(network, images, targets)).argmax(1)
    reached = found == targets if isinstance(objective, Towards) else found != labels
    assert int(reached.sum()) >= 9


def test_confidence_wants_a_boundary_at_0() -> None:
    with pytest.raises(BadValue, match="confidence = 2"):
        CWL2(confidence=2.0, objective=cross_entropy)
