"""A copy answers as the network and is differentiated as it; what cannot be copied is returned; nothing changes."""

import collections
import copy
import functools
import inspect
import pickle
import random
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.attacks import PGD
from holdfast.audit import folding, surrogate
from holdfast.audit.bfloat16 import InBfloat16
from holdfast.audit.likeness import EXACT, Mismatch, ask, compare
from holdfast.audit.surrogate import fast_copy
from holdfast.evaluation import judge
from holdfast.layers import capture
from holdfast.models import ARCHITECTURES, Normalized, build, expectation, straight_through
from holdfast.models.wide_resnet import WideResNet
from holdfast.threats import Linf
from tests.conftest import Small

FOLDED = {
    "cifar-resnet-20": (19, 19),
    "cifar-resnet-110": (109, 109),
    "digits-net": (2, 2),
    "imagenet-resnet-18": (20, 20),
    "lenet": (0, 0),
    "preact-resnet-18": (8, 17),  # half of its batch norms come before their convolutions
    "resnet-18": (20, 20),
    "small-cnn": (0, 0),
    "vgg-16": (13, 13),
    "wrn-16-2": (7, 13),
}
"""How many batch norms fold, of how many there are; for the larger ones of a family a small one stands."""
STOOD_FOR = {"vgg-19", "wrn-28-10", "wrn-34-10"}


@pytest.fixture(autouse=True)
def _slow_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every machine behave as one without bfloat16, whose choice no clock decides."""
    monkeypatch.setattr(surrogate, "multiplies_bfloat16", lambda device: False)


@pytest.fixture(autouse=True)
def _unchecked_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the tests' type checker off a method, which would refuse to be traced; forwards are read without theirs."""
    block = type(build("cifar-resnet-8", (3, 8, 8), 2).block1[0])
    monkeypatch.setattr(block, "shortcut", inspect.unwrap(block.shortcut))


def trained(network: nn.Module) -> nn.Module:
    """Give batch norms statistics, scales and shifts as after training, and layers that start at zero some weights."""
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            if part.running_mean is not None:
                nn.init.normal_(part.running_mean, std=0.5)
                nn.init.uniform_(part.running_var, 0.02, 2.0)
            if part.affine:
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.normal_(part.bias, std=0.3)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network


def batch_norms(network: nn.Module) -> int:
    return sum(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())


def assert_same(copied: nn.Module, model: nn.Module, images: Tensor) -> None:
    """Compare answers closely and gradients image by image, the network at rest in a copy of its own."""
    rest = copy.deepcopy(model).eval()
    mismatch = compare(ask(copied, images), ask(rest, images))
    assert mismatch.within(Mismatch(1e-5, 1e-4)), mismatch
    answers = judge(rest, images)
    rounding = 1e-4 + 1e-5 * float(answers.max() - answers.min())  # a hundred layers may make answers of many thousands
    torch.testing.assert_close(judge(copied, images), answers, rtol=1e-3, atol=rounding)


def everything(model: nn.Module) -> list[Any]:
    """Return all that a copy might have changed of the network."""
    state = [
        (name, value.clone(), id(value), value.stride()) for name, value in model.state_dict(keep_vars=True).items()
    ]
    weights = [
        (each.requires_grad, each.grad if each.grad is None else each.grad.clone(), each._version)
        for each in model.parameters()
    ]
    parts = [
        (id(part), part.training, {name: list(getattr(part, name)) for name in folding.HOOKS})
        for part in model.modules()
    ]
    return [*state, *weights, *parts]


def assert_equal(first: Any, second: Any) -> None:
    if isinstance(first, Tensor):
        assert torch.equal(first, second)
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    else:
        assert first == second


def test_every_architecture_is_listed() -> None:
    assert set(FOLDED) | STOOD_FOR == {*ARCHITECTURES, "wrn-16-2"}


@pytest.mark.parametrize("name", FOLDED)
def test_a_copy_of_every_architecture_is_exact_and_the_network_untouched(name: str) -> None:
    side = max(8, getattr(ARCHITECTURES[name].network, "smallest", 1)) if name in ARCHITECTURES else 8
    model = trained(build(name, (3, side, side), 7))
    images = torch.rand(3, 3, side, side)
    before = everything(model)
    found = fast_copy(model, images)
    assert_equal(everything(model), before)
    folded, of = FOLDED[name]
    assert batch_norms(model) == of
    assert found.network is not model
    assert isinstance(found.network, nn.Module)
    assert batch_norms(found.network) == of - folded, found.words
    assert f"{folded} of {of} batch norms" in found.words
    assert "channels last" in found.words
    assert found.mismatch < 1e-5
    assert_same(found.network, model, torch.rand(4, 3, side, side))
    parts = list(found.network.modules())
    assert not any(part.training or isinstance(part, nn.Dropout) for part in parts)
    assert not any(weight.requires_grad for weight in found.network.parameters())
    convolutions = [part for part in parts if isinstance(part, nn.Conv2d)]
    assert all(part.weight.is_contiguous(memory_format=torch.channels_last) for part in convolutions)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kind", "norm", "shape", "more"),
    [
        (nn.Conv1d, nn.BatchNorm1d, (5, 4, 9), {"kernel_size": 3, "padding": 1, "padding_mode": "circular"}),
        (nn.Conv2d, nn.BatchNorm2d, (5, 4, 7, 7), {"kernel_size": 3, "padding": 1, "groups": 2, "stride": 2}),
        (nn.Conv2d, nn.SyncBatchNorm, (5, 4, 7, 7), {"kernel_size": 3, "dilation": 2}),
        (nn.Conv3d, nn.BatchNorm3d, (2, 4, 3, 3, 3), {"kernel_size": 2}),
        (nn.Linear, nn.BatchNorm1d, (5, 4), {}),
    ],
)
def test_folding_is_exact_in_float64(
    kind: Any, norm: Any, shape: tuple[int, ...], more: Any, bias: bool, affine: bool
) -> None:
    layer = kind(4, 6, bias=bias, **more).double()
    after = trained(norm(6, eps=0.1, affine=affine)).double().eval()
    x = torch.rand(shape, dtype=torch.float64)
    wanted = after(layer(x))
    weight = layer.weight
    folding.fold(layer, after)
    assert layer.weight is not weight
    assert not layer.weight.requires_grad
    torch.testing.assert_close(layer(x), wanted, rtol=1e-12, atol=1e-12)


def without_eps(layer: Any, norm: Any) -> None:
    """Fold as one should not."""
    norm.eps = 0.0
    folding.fold(layer, norm)


def without_mean(layer: Any, norm: Any) -> None:
    """Fold as one should not."""
    norm.running_mean.zero_()
    folding.fold(layer, norm)


@pytest.mark.parametrize("wrong", [without_eps, without_mean])
def test_a_copy_that_answers_otherwise_is_not_used(wrong: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = trained(Small()), torch.rand(4, 1, 8, 8)
    model.norm.eps = 1e-3
    assert fast_copy(model, images).network is not model
    original = folding.fold
    monkeypatch.setattr(folding, "fold", lambda layer, norm: _with(original, wrong, layer, norm))
    found = fast_copy(model, images)
    assert found.network is model
    assert "a copy differs by" in found.words


def _with(original: Callable[..., None], wrong: Callable[..., None], layer: Any, norm: Any) -> None:
    """Call the wrong folding while the right one is what it calls."""
    put, folding.fold = folding.fold, original
    try:
        wrong(layer, norm)
    finally:
        folding.fold = put


def test_a_copy_that_is_differentiated_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def detached(found: folding.Changes, network: Small) -> None:
        network.norm.register_forward_hook(lambda part, given, answer: answer.detach() + 0 * answer)

    monkeypatch.setattr(surrogate, "apply", detached)
    model = trained(Small())
    found = fast_copy(model, torch.rand(4, 1, 8, 8))
    assert found.network is model
    assert found.words.endswith("in logits, 1 in gradients")


def test_one_image_at_a_kink_is_no_difference_but_most_are() -> None:
    images = torch.rand(5, 1, 8, 8)
    own = ask(trained(Small()).eval(), images)
    for count, far in ((1, 0.0), (4, 1.0)):
        gradient = own.gradient.clone()
        gradient[:count] *= 2
        mismatch = compare(own._replace(gradient=gradient), own)
        assert mismatch == pytest.approx((0.0, far))
        assert mismatch.within(EXACT) == (far == 0)


def block(*more: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), *more)


def head(features: int = 6) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, 5))


class Branching(nn.Module):
    """Looks at the data, so it cannot be traced; its blocks can."""

    def __init__(self) -> None:
        super().__init__()
        self.light, self.dark, self.head = block(), block(), head()

    def forward(self, images: Tensor) -> Tensor:
        chosen = self.light if images.mean() > 0.5 else self.dark
        return self.head(chosen(images))


def test_a_network_that_branches_on_data_is_folded_where_that_is_certain() -> None:
    model = trained(Branching())
    light = 0.6 + 0.4 * torch.rand(4, 3, 8, 8)
    found = fast_copy(model, light)
    assert "1 of 2 batch norms" in found.words  # the other was not seen at work
    assert isinstance(found.network, Branching)
    assert_same(found.network, model, light)
    assert_same(found.network, model, light - 0.6)


class Trap(nn.Module):
    """A convolution and a batch norm that do not fold."""

    forwards: ClassVar[dict[str, Callable[..., Tensor]]] = {
        "used twice": lambda self, x: self.norm(y := self.conv(x)) + y,
        "called twice": lambda self, x: self.norm(self.conv(x)) + self.conv(x.flip(3)),
        "called before": lambda self, x: self.conv(x.flip(3)) + self.norm(self.conv(x)),
        "normalised twice": lambda self, x: self.norm(self.norm(self.conv(x))),
        "weight read": lambda self, x: self.norm(self.conv(x)) * self.conv.weight.mean(),
        "changed between": lambda self, x: self.norm(self.conv(x).mul_(2)),
        "changed behind": lambda self, x: (y := self.conv(x), y.relu_(), self.norm(y))[2],
        "before": lambda self, x: self.conv2(self.norm3(x)),
    }

    def __init__(self, name: str) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), head()
        self.norm3, self.conv2 = nn.BatchNorm2d(3), nn.Conv2d(3, 6, 3, padding=1)
        self.name = name

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.forwards[self.name](self, images))


class Rows(nn.Module):
    """A linear layer of rows of rows, whose batch norm counts the rows, not the features."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(8, 8), nn.BatchNorm1d(8)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.linear(images.flatten(1, 2)[:, :8])).mean(2)


class OwnNorm(nn.BatchNorm2d):
    """A batch norm and more."""

    def forward(self, given: Tensor) -> Tensor:
        return 2 * super().forward(given)


def shared() -> nn.Module:
    part = nn.Conv2d(3, 3, 3, padding=1)
    return nn.Sequential(part, nn.BatchNorm2d(3), part, nn.BatchNorm2d(3), head(3))


def patched() -> nn.Module:
    """A batch norm whose forward is another's on this one object."""
    model = nn.Sequential(block(), head())
    model[0][1].forward = torch.sigmoid
    return model


class Twice(nn.Module):
    """One block under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.second = block()
        self.head = head()

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.second(images))


def doubled(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @functools.wraps(forward)
    def wrapper(self: nn.Module, images: Tensor) -> Tensor:
        return 2 * forward(self, images)

    return wrapper


class Decorated(nn.Sequential):
    """Parts whose answer is doubled by what stands around the forward."""

    @doubled
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images)


class Kept(nn.Module):
    """A stage whose answer a hook keeps, to be added later."""

    def __init__(self) -> None:
        super().__init__()
        self.stage, self.norm, self.head = nn.Sequential(nn.Conv2d(3, 6, 3)), nn.BatchNorm2d(6), head()
        self.stage.register_forward_hook(Kept.keep)

    @staticmethod
    def keep(part: nn.Module, given: Any, answer: Tensor) -> Tensor:
        KEPT["answer"] = answer
        return answer

    def forward(self, images: Tensor) -> Tensor:
        normed = self.norm(self.stage(images))
        return self.head(normed + KEPT.pop("answer", 0))


KEPT: dict[str, Tensor] = {}


def hooked_dropout() -> nn.Module:
    model = nn.Sequential(block(nn.Dropout()), head())
    model[0][1] = nn.Identity()
    model[0][3].register_forward_hook(lambda part, given, answer: answer.square())
    return model


TRAPS = {
    **{name: lambda name=name: Trap(name) for name in Trap.forwards},
    "rows": Rows,
    "subclass": lambda: nn.Sequential(nn.Conv2d(3, 6, 3), OwnNorm(6), head()),
    "shared": shared,
    "patched": patched,
    "two names": Twice,
    "decorated": lambda: nn.Sequential(Decorated(nn.Conv2d(3, 6, 3)), nn.BatchNorm2d(6), head()),
    "kept by a hook": Kept,
    "hooked dropout": hooked_dropout,
    "batch statistics": lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6, track_running_stats=False), head()),
    "weight norm": lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 6, 3)), nn.BatchNorm2d(6), head()
    ),
}


@pytest.mark.parametrize("name", TRAPS)
def test_what_does_not_fold_stays(name: str) -> None:
    model, images = trained(TRAPS[name]()), torch.rand(4, 3, 8, 8)
    found = fast_copy(model, images)
    assert found.words.startswith("a copy at rest; 0 of"), found.words
    assert isinstance(found.network, nn.Module)
    assert batch_norms(found.network) == batch_norms(model)
    assert_same(found.network, model, images)


class Restless(nn.Module):
    """A network that is not a function of the images alone, in as many ways as there are."""

    ways: ClassVar[dict[str, Callable[..., object]]] = {
        "noise": lambda self, y: y + 1e-7 * torch.randn_like(y),
        "unused noise": lambda self, y: y if torch.rand(()) < 2 else -y,
        "dropout": lambda self, y: F.dropout(y, 0.5, training=True),
        "python": lambda self, y: y * random.random(),
        "numpy": lambda self, y: y * np.random.rand(),  # noqa: NPY002
        "own generator": lambda self, y: y + torch.rand(y.shape, generator=self.generator),
        "counter": lambda self, y: (setattr(self, "count", self.count + 1), y)[1],
        "list": lambda self, y: (self.seen.append(len(y)), y)[1],
        "queue": lambda self, y: (self.queue.append(1), y)[1],
        "array": lambda self, y: (self.array.__iadd__(1), y)[1],
        "buffer": lambda self, y: (self.total.add_(1), y)[1],
        "attribute": lambda self, y: (setattr(self, "last", y.detach()), y)[1],
        "first call": lambda self, y: (self.scale.setdefault("scale", 2.0), y)[1],
    }

    def __init__(self, way: str) -> None:
        super().__init__()
        self.body, self.way, self.count, self.seen, self.scale = nn.Sequential(block(), head()), way, 0, [], {}
        self.generator = torch.Generator() if way == "own generator" else None
        self.queue, self.array = collections.deque(), np.zeros(3)
        self.register_buffer("total", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        return self.ways[self.way](self, self.body(images))


@pytest.mark.parametrize("way", Restless.ways)
def test_what_is_random_or_keeps_state_stays_itself(way: str) -> None:
    model = Restless(way).eval()
    images = torch.rand(4, 3, 8, 8)
    if way == "attribute":
        model(images)  # from the second call on one tensor only takes the place of another
    generators = random.getstate(), repr(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    found = fast_copy(model, images)
    assert found.network is model
    assert found.words.removeprefix("the network itself: ") in (
        "it draws random numbers",
        "it keeps something of what it is asked",
        "it does not answer the same images alike",
    )
    assert model.count == 0
    assert not model.seen
    assert not model.total
    assert random.getstate() == generators[0]
    assert repr(np.random.get_state()) == generators[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), generators[2])


class Locked(Small):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class One(Small):
    def __deepcopy__(self, memory: object) -> "One":
        return self


class Raising(Small):
    def forward(self, images: Tensor) -> Tensor:
        raise KeyError("no such thing")


class NotANumber(Small):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * torch.nan


class Pair(Small):
    def forward(self, images: Tensor) -> Any:
        return super().forward(images), 1


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (torch.flatten, "it is a function"),
        (torch.compile(Small(), backend="eager"), "it is compiled"),
        (Locked(), "a copy raises TypeError: cannot pickle"),
        (One(), "its copies share parts with it"),
        (Raising(), "a copy raises KeyError: 'no such thing'"),
        (NotANumber(), "it does not answer the same images alike"),
        (Pair(), "a copy raises TypeError"),
        (Small().double(), "a copy raises RuntimeError"),
    ],
    ids=lambda value: value.split(":")[0] if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_be_copied_stays_itself(model: Any, words: str) -> None:
    before = everything(model) if isinstance(model, nn.Module) else []
    found = fast_copy(model, torch.rand(4, 1, 8, 8))
    assert found.network is model
    assert found.words.startswith(f"the network itself: {words}")
    assert_equal(everything(model) if isinstance(model, nn.Module) else [], before)


def test_without_images_there_is_no_copy(small: nn.Module) -> None:
    found = fast_copy(small, torch.zeros(0, 1, 8, 8))
    assert found.network is small
    assert "no images" in found.words


def test_nothing_of_the_network_changes(images: Tensor, labels: Tensor, small: nn.Module) -> None:
    F.cross_entropy(small(images), labels).backward()  # it has gradients to lose
    small.conv.weight.requires_grad_(False)
    small.to(memory_format=torch.channels_last)
    small.drop.eval()  # a mode of its own
    handle = small.conv.register_forward_hook(lambda *_: None)
    before, given, pickled = everything(small), images.clone(), len(small.state_dict())
    for context in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16)):
        with context:
            found = fast_copy(small, images)
        assert found.network is not small, found.words
    assert_equal(everything(small), before)
    assert torch.equal(images, given)
    assert len(small.state_dict()) == pickled
    handle.remove()


def test_rounding_around_the_call_does_not_look_like_a_difference() -> None:
    model, images = trained(build("cifar-resnet-8", (3, 8, 8), 5)), torch.rand(4, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = fast_copy(model, images)
    assert found.words == fast_copy(model, images).words
    assert found.mismatch < 1e-5


class Sized(Small):
    """Notes the size of what it sees, which is always the same."""

    size = 8

    def forward(self, images: Tensor) -> Tensor:
        self.size = images.shape[2]
        return super().forward(images)


def test_what_stands_for_images_in_a_trace_does_not_stay_on_the_copy() -> None:
    model, images = trained(Sized()).eval(), torch.rand(4, 1, 8, 8)
    model(images)
    found = fast_copy(model, images)
    assert isinstance(found.network, Sized)
    assert "1 of 1" in found.words
    assert vars(found.network)["size"] == 8


def test_hooks_go_along_and_their_owner_sees_only_tensors() -> None:
    model, images, seen = trained(nn.Sequential(block(nn.Dropout()), block()[2], head())), torch.rand(4, 3, 8, 8), []
    model[1].register_forward_hook(lambda part, given, answer: seen.append(answer) or 3 * answer)
    found = fast_copy(model, images)
    assert "1 of 1" in found.words  # the first block has no hook inside
    assert seen
    assert all(type(each) is Tensor for each in seen)
    assert_same(found.network, model, images)
    model[0][0].register_forward_pre_hook(lambda part, given: (2 * given[0],))
    found = fast_copy(model, images)
    assert "0 of 1" in found.words
    assert_same(found.network, model, images)


def test_a_network_and_its_copy_can_be_pickled_and_copied_again() -> None:
    model, images = trained(Small()), torch.rand(4, 1, 8, 8)
    before = pickle.dumps(model)
    first = fast_copy(model, images)
    assert pickle.dumps(model) == before
    assert_same(pickle.loads(pickle.dumps(first.network)), model, images)
    second = fast_copy(first.network, images)
    assert second.network is not first.network
    assert "0 of 0" in second.words
    assert second.mismatch < 1e-6
    assert_same(second.network, model, images)


def test_layers_keep_their_names() -> None:
    model, images = trained(build("digits-net", (1, 8, 8), 10)).eval(), torch.rand(4, 1, 8, 8)
    fast = fast_copy(model, images).network
    with capture(model, "block1", "penultimate") as wanted, torch.no_grad():
        model(images)
    with capture(fast, "block1", "penultimate") as seen, torch.no_grad():
        fast(images)
    for name in wanted:
        torch.testing.assert_close(seen[name], wanted[name], rtol=1e-4, atol=1e-5)


class Viewing(nn.Module):
    """Flattens by `view`, which channels that come last do not allow."""

    def __init__(self) -> None:
        super().__init__()
        self.block, self.last = block(), nn.Linear(6 * 64, 5)

    def forward(self, images: Tensor) -> Tensor:
        features = self.block(images)
        return self.last(features.view(features.shape[0], -1))


def test_a_network_that_wants_its_channels_first_keeps_them_first() -> None:
    model, images = trained(Viewing()), torch.rand(4, 3, 8, 8)
    found = fast_copy(model, images)
    assert "1 of 1 batch norms folded; weights as they lay" in found.words
    assert_same(found.network, model, images)


def test_what_is_differentiated_otherwise_than_it_answers_stays_so() -> None:
    network = trained(nn.Sequential(block(), head()))
    model = nn.Sequential(straight_through(lambda x: (8 * x).round() / 8), Normalized(0.5, 0.2), network)
    images = torch.rand(4, 3, 8, 8)
    for each in (model, expectation(model, draws=1)):
        found = fast_copy(each, images)
        assert "1 of 1" in found.words
        assert_same(found.network, each, images)


def test_images_made_on_the_copy_break_the_network() -> None:
    model, images = trained(Small()).eval(), torch.rand(32, 1, 8, 8)
    labels = judge(model, images).argmax(1)
    fast = fast_copy(model, images).network
    attack = PGD(Linf(0.3), steps=5)
    own, on_copy = (judge(model, attack(each, images, labels)).argmax(1) != labels for each in (model, fast))
    assert own.float().mean() > 0.2
    assert (own != on_copy).sum() <= 1


class TestBfloat16:
    """A processor that multiplies bfloat16 is made up, so that every machine runs these."""

    @pytest.fixture(autouse=True)
    def _fast_processor(self, monkeypatch: pytest.MonkeyPatch, _slow_processor: None) -> None:
        monkeypatch.setattr(surrogate, "multiplies_bfloat16", lambda device: True)
        monkeypatch.setattr(surrogate, "times_as_fast", lambda one, other, images: 2.0)

    def test_images_and_answers_stay_float32(self) -> None:
        model, images = trained(Small()).eval(), torch.rand(16, 1, 8, 8)
        found = fast_copy(model, images)
        assert isinstance(found.network, InBfloat16)
        assert found.words.endswith("bfloat16, 2.0 times as fast")
        assert 1e-5 < found.mismatch < 0.05
        assert found.network.network.conv.weight.dtype == torch.bfloat16
        assert found.network(images).dtype == torch.float32
        mismatch = compare(ask(found.network, images), ask(model, images))
        assert mismatch.logits == pytest.approx(found.mismatch)
        assert mismatch.gradients < 0.2
        attacked = PGD(Linf(0.1), steps=3)(found.network, images, judge(model, images).argmax(1))
        assert attacked.dtype == torch.float32

    def test_the_copy_of_a_copy_is_in_bfloat16_once(self) -> None:
        model, images = trained(Small()).eval(), torch.rand(4, 1, 8, 8)
        twice = fast_copy(fast_copy(model, images).network, images).network
        assert sum(isinstance(part, InBfloat16) for part in twice.modules()) == 1

    def test_it_is_left_where_it_does_not_pay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(surrogate, "times_as_fast", lambda one, other, images: 1.25)
        found = fast_copy(trained(Small()), torch.rand(4, 1, 8, 8))
        assert not isinstance(found.network, InBfloat16)
        assert found.words.endswith("float32, as bfloat16 is only 1.25 times as fast")

    def test_it_is_left_where_the_answers_do_not_bear_it(self) -> None:
        last = nn.Linear(64, 3)
        nn.init.constant_(last.bias, 1e4)  # bfloat16 has no digits left for what differs
        found = fast_copy(nn.Sequential(nn.Flatten(), last), torch.rand(4, 1, 8, 8))
        assert not isinstance(found.network, InBfloat16)
        assert "as bfloat16 differs by" in found.words

    def test_it_is_left_where_the_network_has_none(self) -> None:
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), Strict())
        found = fast_copy(model, torch.rand(4, 1, 8, 8))
        assert not isinstance(found.network, InBfloat16)
        assert found.words.endswith("float32, as it raises in bfloat16")

    def test_nothing_is_timed_where_the_processor_has_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(surrogate, "multiplies_bfloat16", lambda device: False)
        monkeypatch.setattr(surrogate, "times_as_fast", lambda *_: pytest.fail("timed"))
        assert "does not multiply bfloat16" in fast_copy(trained(Small()), torch.rand(4, 1, 8, 8)).words


class Strict(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        assert logits.dtype == torch.float32
        return logits


def test_a_deep_network_of_another_family_folds_as_it_is_written() -> None:
    model, images = trained(WideResNet(depth=10, width=2, dropout=0.3)), torch.rand(2, 3, 8, 8)
    found = fast_copy(model, images)
    assert "4 of 7" in found.words
    assert_same(found.network, model, images)
