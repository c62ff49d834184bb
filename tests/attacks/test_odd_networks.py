"""What every attack does with networks that answer in other types, rule classes out, or are infinitely steep."""

import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from holdfast import L1, L2, Linf
from holdfast.attacks import APGD, APGDT, FAB, MIM, PGD, Attack, DeepFool, DeepFoolCL
from holdfast.attacks.watched import Watched
from holdfast.errors import BadValue
from tests.attacks.members import KINDS, inside, own, quick

EACH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@EACH
def test_answers_in_float64_are_taken_in_float32(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    attack, small = quick(kind), small.eval()
    assert torch.equal(attack(lambda x: small(x).double(), images, labels), attack(small, images, labels))


@EACH
def test_a_class_that_is_ruled_out_is_no_obstacle(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    small.eval()

    def ruled(x: Tensor) -> Tensor:
        return torch.cat([small(x), x.new_full((len(x), 1), -torch.inf)], 1)

    assert inside(own(kind), quick(kind)(ruled, images, labels), images)


@EACH
def test_an_infinite_gradient_is_no_obstacle(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    small.eval()
    images[:, :, :4] = 0  # where the slope of the root is infinite
    assert inside(own(kind), quick(kind)(lambda x: small(x.clamp_min(0).sqrt()), images, labels), images)


def test_an_infinite_gradient_does_not_look_like_robustness(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    rooted = nn.Sequential(Root(), network)
    labels = rooted(images).argmax(1)
    for attack in (MIM(Linf(0.1)), PGD(Linf(0.1)), APGD(Linf(0.1))):
        assert float((rooted(attack(rooted, images, labels)).argmax(1) != labels).float().mean()) > 0.5


class Root(nn.Module):
    """The square root of each pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """Return it."""
        return x.sqrt()


def test_attacks_without_a_meaning_are_refused() -> None:
    for kind in (APGD, APGDT):
        for threat in (Linf(torch.inf), L2(torch.inf), L1(torch.inf)):
            with pytest.raises(BadValue, match="finite eps"):
                kind(threat)
    with pytest.raises(BadValue, match="is defined for Linf, L2"):
        DeepFool(L1(1.0))


def test_fab_starts_again_where_its_seed_says(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    first, again, other = (FAB(L2(0.4), steps=10, restarts=4, seed=seed)(network, images, labels) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


class GivesItsBuffersAway(torch.autograd.Function):
    """The identity, differentiated as by torch.compile, which frees its buffers while it computes the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        if torch._C._autograd._get_current_graph_task_keep_graph():
            raise RuntimeError("This backward function was compiled with non-empty donated buffers")
        return gradient


NEAREST = pytest.mark.parametrize(
    "attack", [FAB(L2(torch.inf), 5), DeepFool(), DeepFoolCL()], ids=lambda attack: type(attack).__name__
)
"""The attacks that ask one forward pass for several gradients."""


@EACH
def test_a_compiled_network_is_attacked_as_the_plain_one(
    kind: type[Attack], small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    small.eval()
    expected = quick(kind)(small, images, labels)
    assert torch.equal(quick(kind)(lambda x: GivesItsBuffersAway.apply(small(x)), images, labels), expected)


@NEAREST
@pytest.mark.slow
def test_torch_compile_is_no_obstacle(attack: Attack, small: nn.Module, images: Tensor, labels: Tensor) -> None:
    compiled = torch.compile(small.eval(), backend="aot_eager", dynamic=True)
    assert torch.allclose(attack(compiled, images, labels), attack(small, images, labels), atol=1e-6)


@NEAREST
def test_the_gradients_of_all_classes_are_never_held_at_once(
    attack: Attack, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, ask, made, most = nn.Sequential(nn.Flatten(), nn.Linear(64, 40)), Watched.gradient, [], 0

    def watched(*arguments: Any, **options: Any) -> Tensor:
        nonlocal most
        found = ask(*arguments, **options)
        made.append(weakref.ref(found))
        most = max(most, sum(each() is not None for each in made))
        return found

    monkeypatch.setattr(Watched, "gradient", watched)
    attack(network, images, network(images).argmax(1))
    assert len(made) > 9
    assert most <= 3


def test_watching_holds_as_much_after_many_calls_as_after_one(images: Tensor) -> None:
    """Small tensors that stay, between gradients that go, scatter the memory: a gigabyte for 1,000 classes."""
    watched, x = Watched(nn.Flatten(), torch.zeros(len(images), dtype=torch.int64)), images.clone().requires_grad_()
    held = []
    for _ in range(3):
        watched.gradient(watched(x).sum(1), x)
        held.append(sum(len(each) if isinstance(each, list) else 1 for each in vars(watched).values()))
    assert len(set(held)) == 1
