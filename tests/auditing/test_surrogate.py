"""A copy answers as the network and is differentiated as it; what cannot be copied is returned; nothing changes."""

import collections
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
from holdfast.auditing.surrogate import fast_copy
from holdfast.auditing.surrogate_bfloat16 import InBfloat16
from holdfast.auditing.surrogate_likeness import ask, compare
from holdfast.evaluation import judge
from holdfast.models import Normalized, build, expectation, straight_through
from holdfast.models.layers import capture
from holdfast.threats import Linf
from tests.auditing.copies import assert_equal, assert_same, block, everything, head, trained
from tests.conftest import Small

pytestmark = pytest.mark.usefixtures("unchecked_method")


class Restless(nn.Module):
    """A network that is not a function of the images alone, in as many ways as there are."""

    ways: ClassVar[dict[str, Callable[..., Any]]] = {
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
        self.body, self.way, self.count = nn.Sequential(block(), head()), way, 0
        self.seen: list[int] = []
        self.scale: dict[str, float] = {}
        self.generator = torch.Generator() if way == "own generator" else None
        self.queue: collections.deque[int] = collections.deque()
        self.array = np.zeros(3)
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


class Listed(nn.Module):
    """Keeps its network in a list, where torch does not see it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.networks = [network]

    def forward(self, images: Tensor) -> Tensor:
        return self.networks[0](images)


class Closed(nn.Module):
    """Asks its network through a function, which a copy shares with it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.asked = lambda images: network(images)

    def forward(self, images: Tensor) -> Tensor:
        return self.asked(images)


def test_a_network_in_a_list_is_copied_at_rest() -> None:
    network, images = trained(Small()), torch.rand(16, 1, 8, 8)
    before, wanted = everything(network), judge(network, images)
    found = fast_copy(Listed(network), images)
    assert isinstance(found.network, Listed), found.words
    assert_equal(everything(network), before)
    with torch.no_grad():
        torch.testing.assert_close(found.network(images), wanted)


def test_what_a_network_in_a_list_keeps_is_seen() -> None:
    model = Listed(Restless("counter"))
    assert fast_copy(model, torch.rand(4, 3, 8, 8)).network is model


def test_a_network_that_a_function_holds_is_not_touched() -> None:
    network = trained(Small())
    before, model = everything(network), Closed(network)
    found = fast_copy(model, torch.rand(16, 1, 8, 8))
    assert found.network is model
    assert "its copies share parts with it" in found.words
    assert_equal(everything(network), before)


class Holding(nn.Module):
    """Calls its network as the script that audits it may call the whole."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.audited = network

    def forward(self, images: Tensor) -> Tensor:
        return self.audited(images)


def test_a_network_may_have_the_name_of_an_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Holding(trained(Small()))
    monkeypatch.setitem(globals(), "audited", model)
    found = fast_copy(model, torch.rand(16, 1, 8, 8))
    assert found.network is not model, found.words


def test_a_part_without_weights_may_be_shared() -> None:
    ends = nn.Hardtanh()
    model = nn.Sequential(Closed(ends), trained(Small()))
    found = fast_copy(model, torch.rand(16, 1, 8, 8))
    assert found.network is not model, found.words
    assert ends.training


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
    assert "1 of 1 batch norms folded; default memory format" in found.words
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


class Strict(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        assert logits.dtype == torch.float32
        return logits


class TestBfloat16:
    """The numbers are the same whether or not the processor multiplies bfloat16 itself."""

    def test_it_is_a_second_copy_and_only_where_it_is_asked_for(self) -> None:
        model, images = trained(Small()).eval(), torch.rand(16, 1, 8, 8)
        assert fast_copy(model, images).early is None
        found = fast_copy(model, images, "bfloat16")
        assert not isinstance(found.network, InBfloat16)
        assert isinstance(found.early, InBfloat16)
        assert found.words.endswith("in bfloat16")

    def test_images_and_answers_stay_float32(self) -> None:
        model, images = trained(Small()).eval(), torch.rand(16, 1, 8, 8)
        early = fast_copy(model, images, "bfloat16").early
        assert isinstance(early, InBfloat16)
        assert early.network.conv.weight.dtype == torch.bfloat16
        assert early(images).dtype == torch.float32
        mismatch = compare(ask(early, images), ask(model, images))
        assert 1e-5 < mismatch.logits < 0.05
        assert mismatch.gradients < 0.2
        attacked = PGD(Linf(0.1), steps=3)(early, images, judge(model, images).argmax(1))
        assert attacked.dtype == torch.float32

    def test_it_is_left_where_the_answers_do_not_bear_it(self) -> None:
        last = nn.Linear(64, 3)
        nn.init.constant_(last.bias, 1e4)  # bfloat16 has no digits left for what differs
        found = fast_copy(nn.Sequential(nn.Flatten(), last), torch.rand(4, 1, 8, 8), "bfloat16")
        assert found.early is None
        assert "as bfloat16 differs by" in found.words

    def test_it_is_left_where_the_network_has_none(self) -> None:
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), Strict())
        found = fast_copy(model, torch.rand(4, 1, 8, 8), "bfloat16")
        assert found.early is None
        assert "float32 throughout" in found.words
