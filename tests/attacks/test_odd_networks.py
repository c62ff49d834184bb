"""What every attack does with networks that answer in other types, rule classes out, or are infinitely steep."""

import copy
import functools
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from holdfast import L1, L2, AutoAttack, Linf, audit
from holdfast.attacks import APGD, APGDT, FAB, MIM, PGD, Attack, DeepFool, DeepFoolCL, Square
from holdfast.attacks.attack import at_rest
from holdfast.attacks.watched import Watched
from holdfast.errors import BadValue, ModelFault, NoGradient
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
            with pytest.raises(BadValue, match="give a finite eps"):
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


@EACH
def test_one_class_is_one_line(kind: type[Attack], images: Tensor) -> None:
    if kind.__name__ in ("RandomSign", "UniformNoise", "GaussianNoise", "FeatureDistortion", "FeatureScattering"):
        return  # they ask for no class
    labels = torch.zeros(len(images), dtype=torch.int64)
    with pytest.raises(ModelFault):
        quick(kind)(lambda x: x.flatten(1).sum(1, keepdim=True), images, labels)


# Networks that are no plain module at rest


def test_every_part_of_a_large_network_is_put_to_rest() -> None:
    network = nn.Sequential(*(nn.Conv2d(1, 1, 1) for _ in range(2000)))
    for way in (network, lambda x: network(x)):
        with at_rest(way):
            assert not any(part.training for part in network.modules())
        assert all(part.training for part in network.modules())


class Wrapper:
    """An object around a network, as the authors of AutoAttack advise one."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, x: Tensor) -> Tensor:
        """Ask it."""
        return self.network(x)


HIDDEN: dict[str, Callable[[nn.Module], Callable[[Tensor], Tensor]]] = {
    "wrapper": Wrapper,
    "method of a wrapper": lambda network: Wrapper(network).__call__,
    "bound method": lambda network: network.forward,
    "function": lambda network: lambda x: network(x),
    "partial": lambda network: functools.partial(lambda asked, x: asked(x), network),
    "list in a module": lambda network: Listed([network]),
}


class Listed(nn.Module):
    """A module that keeps its parts in a list, where torch does not see them."""

    def __init__(self, parts: list[nn.Module]) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, x: Tensor) -> Tensor:
        """Ask the first."""
        return self.parts[0](x)


@pytest.mark.parametrize("how", HIDDEN)
def test_a_network_in_training_mode_is_put_to_rest_wherever_it_hides(
    how: str, small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    expected = PGD(Linf(0.1), steps=2)(small.eval(), images, labels)
    small.train()
    small.norm.eval()  # someone froze the statistics on purpose
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    hidden = HIDDEN[how](small)
    assert torch.equal(PGD(Linf(0.1), steps=2)(hidden, images, labels), expected)
    if how == "wrapper":
        audit(hidden, images, labels, Linf(0.1), "fast")
    assert all(torch.equal(before[name], tensor) for name, tensor in small.state_dict().items())
    assert small.training
    assert not small.norm.training
    assert all(weight.grad is None for weight in small.parameters())


def frozen(network: nn.Module, images: Tensor) -> Callable[[Tensor], Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls scripts deprecated; people have them
        return torch.jit.freeze(torch.jit.trace(network.eval(), images))


def test_a_frozen_script_is_attacked_and_audited_as_its_network_is(
    small: nn.Module, images: Tensor, labels: Tensor
) -> None:
    script = frozen(small, images)
    assert torch.allclose(PGD(Linf(0.1))(script, images, labels), PGD(Linf(0.1))(small, images, labels), atol=1e-6)
    ours, its = (audit(each, images, labels, Linf(0.1), "fast") for each in (small, script))
    assert ours.robust_accuracy == its.robust_accuracy


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_what_cannot_be_differentiated_is_searched_at_random(small: nn.Module, images: Tensor, labels: Tensor) -> None:
    small.eval()
    with torch.inference_mode():
        inferred = copy.deepcopy(small)
    networks = {
        "use_reentrant=False": lambda x: checkpoint(small, x, use_reentrant=True),
        "inference mode": inferred,
    }
    for said, network in networks.items():
        with pytest.raises(NoGradient, match=said):
            PGD(Linf(0.1))(network, images, labels)
        assert Square(Linf(0.1), queries=5)(network, images, labels).shape == images.shape
        report = audit(network, images, labels, Linf(0.1), "fast")
        assert "no gradient reaches the images" in [doubt.name for doubt in report.doubts]


def raises(x: Tensor) -> Tensor:
    raise KeyError("it has\nmany lines")


def raises_on_the_way_back(x: Tensor) -> Tensor:
    answer = x.flatten(1)[:, :10] * 1
    if answer.requires_grad:
        answer.register_hook(raises)
    return answer


ANSWERS: dict[str, Callable[[Tensor], object]] = {
    "an error": raises,
    "one class": lambda x: x.flatten(1)[:, :1],
    "one logit": lambda x: x.flatten(1)[:, 0],
    "a map": lambda x: x[:, :, :4],
    "complex numbers": lambda x: x.flatten(1) * 1j,
    "a tuple": lambda x: (x.flatten(1), x),
    "a number": lambda x: x.sum(),
    "another device": lambda x: x.flatten(1).to("meta"),
    "fewer rows": lambda x: x.flatten(1)[1:],
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_is_no_table_is_a_fault_of_the_network_in_one_line(
    answer: str, images: Tensor, labels: Tensor
) -> None:
    asked = ANSWERS[answer]
    ways = (
        lambda: PGD(Linf(0.1))(asked, images, labels),
        lambda: Square(Linf(0.1), queries=5)(asked, images, labels),
        lambda: audit(asked, images, labels, Linf(0.1), "fast"),
        lambda: AutoAttack(asked, verbose=False).run_standard_evaluation(images, labels),
    )
    for way in ways:
        with pytest.raises(ModelFault) as told:
            way()
        assert "\n" not in str(told.value)


def test_an_error_on_the_way_back_is_a_fault_of_the_network(images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ModelFault, match="KeyError") as told:
        PGD(Linf(0.1))(raises_on_the_way_back, images, labels)
    assert isinstance(told.value.__cause__, KeyError)


def test_no_memory_is_left_to_the_caller(images: Tensor, labels: Tensor) -> None:
    def full(x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError):
        PGD(Linf(0.1))(full, images, labels)
