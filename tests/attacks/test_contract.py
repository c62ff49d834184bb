"""What every published attack promises; new ones enrol themselves."""

import dataclasses
from collections.abc import Callable
from typing import get_args, get_origin, get_type_hints

import pytest
import torch
from torch import Tensor, nn

from holdfast import L0, L1, L2, Linf
from holdfast.attacks import FAB, Attack, DeepFoolCL, RayS, UniformNoise
from holdfast.errors import BadImages, BadLabels, BadValue, ModelFault
from holdfast.objectives import Joint, difference, targeted_dlr
from holdfast.passes import counting
from holdfast.types import Objective
from tests.attacks.members import KINDS, THREATS, inside, own, quick
from tests.conftest import BOTH_SHAPES, SHAPES

pytestmark = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@BOTH_SHAPES
@pytest.mark.parametrize("threat", THREATS, ids=str)
def test_stays_in_the_ball_and_in_the_box(
    kind: type[Attack], threat: Linf, small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    if not isinstance(threat, kind.threats):
        with pytest.raises(BadValue, match="is defined for"):
            kind(threat)
        return
    attacked = quick(kind, threat)(small, images, labels)
    assert inside(threat, attacked, images)
    assert attacked.dtype == torch.float32


@pytest.mark.parametrize("threat", [Linf(0.0), L2(0.0), L1(0.0), L0(0)], ids=str)
def test_eps_0_returns_the_input(
    kind: type[Attack], threat: Linf, small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    if isinstance(threat, kind.threats):
        assert torch.equal(quick(kind, threat)(small, images, labels), images)


def test_same_seed_same_images_whatever_the_global_state(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    attack = quick(kind)
    first = attack(small, images, labels)
    torch.manual_seed(99)
    assert torch.equal(attack(small, images, labels), first)


def test_another_seed_draws_other_images(kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor) -> None:
    if not hasattr(quick(kind), "seed"):
        pytest.skip("draws nothing")
    if kind is FAB:
        pytest.skip("draws only to start again: test_odd_networks.py")
    first, second = (quick(kind, seed=seed)(small, images, labels) for seed in (0, 1))
    assert not torch.equal(first, second)


@BOTH_SHAPES
def test_batch_and_order_do_not_matter(kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor) -> None:
    if kind.joint:
        pytest.skip("attacks the images of a batch together")
    attack = quick(kind)
    together = attack(small, images, labels)
    order = torch.randperm(len(images))
    assert torch.allclose(attack(small, images[order], labels[order]), together[order], atol=1e-5)
    parts = [attack(small, images[part], labels[part]) for part in (slice(0, 5), slice(5, 6), slice(6, 12))]
    assert torch.allclose(torch.cat(parts), together, atol=1e-5)


@pytest.mark.parametrize("shape", [SHAPES[1]], ids=["3x7x9"])
def test_rows_columns_and_channels_are_told_apart(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    """Turned images, shown to a network that turns them back, are attacked as they are, only turned."""

    def turned(x: Tensor) -> Tensor:
        return x.transpose(2, 3).flip(1).contiguous()

    if kind in (RayS, DeepFoolCL):
        pytest.skip("goes through the values in their order, or has constants for each channel")
    attack, small = quick(kind), small.eval()
    found = attack(small, images, labels, images)
    if hasattr(attack, "seed") and not torch.equal(quick(kind, seed=1)(small, images, labels, images), found):
        pytest.skip("draws numbers on its way, in their order")
    again = attack(lambda x: small(turned(x)), turned(images), labels, turned(images))
    assert torch.allclose(turned(again), found, atol=1e-5)


def test_leaves_no_trace(kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor) -> None:
    small.train()
    small.norm.eval()  # someone froze the statistics on purpose
    small.last.weight.grad = torch.ones_like(small.last.weight)
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    random, originals = torch.random.get_rng_state(), (images.clone(), labels.clone())
    quick(kind)(small, images, labels)
    assert all(torch.equal(before[name], tensor) for name, tensor in small.state_dict().items())
    assert small.training
    assert small.drop.training
    assert not small.norm.training
    assert torch.equal(small.last.weight.grad, torch.ones_like(small.last.weight))
    assert all(weight.grad is None for name, weight in small.named_parameters() if name != "last.weight")
    assert all(weight.requires_grad for weight in small.parameters())
    assert torch.equal(random, torch.random.get_rng_state())
    assert torch.equal(originals[0], images)
    assert torch.equal(originals[1], labels)
    assert torch.is_grad_enabled()
    assert not any(module._forward_hooks or module._backward_hooks for module in small.modules())


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference_mode"])
def test_works_without_gradients_around_it(
    kind: type[Attack],
    context: Callable[[], torch.no_grad],
    small: nn.Module,
    images: Tensor,
    labels: Tensor,
) -> None:
    expected = quick(kind)(small, images, labels)
    with context():
        found = quick(kind)(small, images.clone(), labels.clone())
    assert torch.equal(found, expected)


def test_works_under_autocast_and_stays_in_the_ball(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        attacked = quick(kind)(small, images, labels)
    assert attacked.dtype == torch.float32
    assert inside(own(kind), attacked, images)


def test_is_the_same_where_new_numbers_are_of_float64(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    attacks = [quick(kind, threat) for threat in THREATS if isinstance(threat, kind.threats)]
    expected = [attack(small, images, labels) for attack in attacks]
    torch.set_default_dtype(torch.float64)
    try:
        found = [attack(small, images, labels) for attack in attacks]
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_works_on_a_frozen_network_and_on_a_function(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    expected = quick(kind)(small, images, labels)
    small.eval().requires_grad_(False)
    assert torch.equal(quick(kind)(small, images, labels), expected)
    assert torch.equal(quick(kind)(lambda x: small(x), images, labels), expected)


@BOTH_SHAPES
def test_an_empty_batch_comes_back_empty(kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor) -> None:
    attacked = quick(kind)(small, images[:0], labels[:0])
    assert attacked.shape == (0, *images.shape[1:])


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 200])
def test_any_number_of_classes(kind: type[Attack], classes: int, images: Tensor) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    attack = quick(kind)
    if classes > 10 and hasattr(attack, "steps"):
        attack = dataclasses.replace(attack, steps=1)  # some ask for a gradient of every class at each step
    attacked = attack(network, images, network(images).argmax(1))
    assert inside(own(kind), attacked, images)


def test_a_batch_with_nothing_left_to_break(kind: type[Attack], small: nn.Module, images: Tensor) -> None:
    small.eval()
    wrong = (small(images).argmax(1) + 1) % 10
    attacked = quick(kind)(small, images, wrong)
    assert inside(own(kind), attacked, images)


def test_passes_are_counted_where_the_network_is_asked(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    asked = 0

    def counted(x: Tensor) -> Tensor:
        nonlocal asked
        asked += len(x)
        return small.eval()(x)

    with counting() as spent:
        quick(kind)(counted, images, labels)
    assert spent.forwards == asked
    assert spent.backwards <= asked * 9  # at most one gradient for each wrong class


def test_constant_and_huge_logits_give_a_result(kind: type[Attack], images: Tensor, labels: Tensor) -> None:
    for scale in (0.0, 1e6):
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        network[1].weight.data *= scale
        attacked = quick(kind)(network, images, labels)
        assert bool(attacked.isfinite().all())


def test_nan_is_an_error_that_says_where(kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor) -> None:
    images[3] = 1.0

    def broken(x: Tensor) -> Tensor:
        bright = (x.flatten(1).mean(1) > 0.85)[:, None]
        return torch.where(bright, torch.nan, small.eval()(x))

    attack = quick(kind)
    asks_nothing = isinstance(attack, UniformNoise) or kind.__name__ in ("RandomSign", "GaussianNoise")
    if asks_nothing:
        assert bool(attack(broken, images, labels).isfinite().all())
        return
    with pytest.raises(ModelFault, match="NaN for image 3"):
        attack(broken, images, labels)


def test_refuses_what_it_cannot_attack(kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor) -> None:
    attack = quick(kind)
    with pytest.raises(BadImages, match=r"Normalized\(mean, std\)"):
        attack(small, images * 4 - 2, labels)
    with pytest.raises(BadImages, match="divide bytes by 255"):
        attack(small, (images * 255).to(torch.uint8), labels)
    with pytest.raises(BadImages, match=r"\(n, c, h, w\)"):
        attack(small, images[0], labels[:1])
    with pytest.raises(BadLabels, match="12 images but 11 targets"):
        attack(small, images, labels[:11])
    with pytest.raises(BadLabels, match="one number for targets"):
        attack(small, images, labels[0])
    with pytest.raises(BadImages, match=r"start is torch\.float64"):
        attack(small, images, labels, images.double())
    with pytest.raises(BadImages, match="start is NaN"):
        attack(small, images, labels, images * torch.nan)
    if kind.labelled:
        with pytest.raises(BadLabels, match="needs one label an image"):
            attack(small, images, labels[:, None])
    with pytest.raises(BadLabels, match="classes count from 0"):
        attack(small, images, labels - 20)


def test_refuses_a_negative_radius(kind: type[Attack]) -> None:
    with pytest.raises(BadValue, match="0 or more"):
        kind(Linf(-0.1))
    with pytest.raises(BadValue, match="8/255"):
        kind(Linf(8))


@pytest.mark.parametrize("objective", [difference, targeted_dlr, Joint(difference)])
def test_refuses_objectives_on_pairs_where_it_takes_labels(kind: type[Attack], objective: Objective) -> None:
    if kind.labelled and "objective" in {field.name for field in dataclasses.fields(kind)}:
        with pytest.raises(BadValue, match=f"{kind.__name__}: objective = "):
            kind(own(kind), objective=objective)


def test_is_a_value(kind: type[Attack]) -> None:
    threat = own(kind)
    assert kind(threat) == kind(threat)
    assert hash(kind(threat)) == hash(kind(threat))
    assert kind.__name__ in repr(kind(threat))
    assert kind(threat) != kind(dataclasses.replace(threat, eps=2 * threat.eps))


@pytest.mark.usefixtures("unchecked")
def test_refuses_fields_that_are_no_numbers(kind: type[Attack]) -> None:
    for name, hint in get_type_hints(kind).items():
        if name not in {field.name for field in dataclasses.fields(kind)}:
            continue
        if hint in (int, int | None):
            wrong: tuple[object, ...] = (2.5, "3", True, 1j)
        elif hint in (float, float | None):
            wrong = ("0.1", torch.nan, torch.inf, 1e308, True, [0.1])
        elif name == "objective":
            wrong = ("margin", 3)
        else:
            continue
        for value in wrong:
            with pytest.raises(BadValue, match=name):
                kind(own(kind), **{name: value})


def test_refuses_numbers_outside_the_range_of_their_field(kind: type[Attack]) -> None:
    for name, hint in get_type_hints(kind, include_extras=True).items():
        for part in (hint, *get_args(hint)):
            for interval in getattr(part, "__metadata__", ()):
                wrong = type(interval.low)(interval.low - 1)
                with pytest.raises(BadValue, match=f"{kind.__name__}: {name} = .*, not "):
                    kind(own(kind), **{name: (wrong,) if get_origin(hint) is tuple else wrong})
