"""Batch norms are folded where that is exact and certain; what does not fold stays, and the copy is the network."""

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from holdfast.auditing import surrogate, surrogate_folding
from holdfast.auditing.surrogate import fast_copy
from holdfast.auditing.surrogate_likeness import EXACT, ask, compare
from holdfast.models import ARCHITECTURES, build
from holdfast.models.wide_resnet import WideResNet
from tests.auditing.copies import (
    Branching,
    assert_equal,
    assert_same,
    batch_norms,
    block,
    everything,
    head,
    trained,
)
from tests.classifiers import CLASSIFIERS
from tests.conftest import Small

pytestmark = pytest.mark.usefixtures("unchecked_method")

FOLDED = {
    "cifar-resnet-20": (19, 19),
    "cifar-resnet-110": (109, 109),
    "digits-net": (2, 2),
    "imagenet-resnet-18": (20, 20),
    "lenet": (0, 0),
    "lenet-5": (0, 0),
    "madry-wrn-16-2": (7, 13),  # the first unit activates before it branches
    "preact-resnet-18": (8, 17),  # half of its batch norms come before their convolutions
    "resnet-18": (20, 20),
    "resnet-18-cas": (20, 20),
    "small-cnn": (0, 0),
    "sml-resnet": (25, 38),
    "vgg-16": (13, 13),
    "vgg-16-cas": (13, 13),
    "wong-kolter": (0, 0),
    "wrn-16-2": (7, 13),
    "wrn-16-2-cas": (7, 13),
}
"""How many batch norms fold, of how many there are; for the larger ones of a family a small one stands."""
STOOD_FOR = {"madry-wrn-34-10", "vgg-19", "wrn-28-10", "wrn-34-10", "wrn-34-10-cas"}


def test_every_classifier_is_listed() -> None:
    assert set(FOLDED) | STOOD_FOR == {*CLASSIFIERS, "madry-wrn-16-2", "wrn-16-2", "wrn-16-2-cas"}


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
    assert "channels-last memory format" in found.words
    assert found.mismatch < 1e-5
    assert_same(found.network, model, torch.rand(4, 3, side, side))
    parts = list(found.network.modules())
    assert not any(part.training or isinstance(part, nn.Dropout) for part in parts)
    assert not any(weight.requires_grad for weight in found.network.parameters())
    convolutions = [part for part in parts if isinstance(part, nn.Conv2d)]
    assert all(part.weight.is_contiguous(memory_format=torch.channels_last) for part in convolutions)


def test_batch_norms_fold_behind_a_normalisation_of_each_image() -> None:
    model = trained(build("cifar-resnet-20", (3, 8, 8), 7, normalize="per-image"))
    found = fast_copy(model, torch.rand(3, 3, 8, 8))
    assert "19 of 19 batch norms" in found.words
    assert "channels-last memory format" in found.words
    assert_same(found.network, model, torch.rand(4, 3, 8, 8))


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
    surrogate_folding.fold(layer, after)
    assert layer.weight is not weight
    assert not layer.weight.requires_grad
    torch.testing.assert_close(layer(x), wanted, rtol=1e-12, atol=1e-12)


def without_eps(layer: Any, norm: Any) -> None:
    """Fold as one should not."""
    norm.eps = 0.0
    surrogate_folding.fold(layer, norm)


def without_mean(layer: Any, norm: Any) -> None:
    """Fold as one should not."""
    norm.running_mean.zero_()
    surrogate_folding.fold(layer, norm)


@pytest.mark.parametrize("wrong", [without_eps, without_mean])
def test_a_copy_that_answers_otherwise_is_not_used(wrong: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = trained(Small()), torch.rand(4, 1, 8, 8)
    model.norm.eps = 1e-3
    assert fast_copy(model, images).network is not model
    original = surrogate_folding.fold
    monkeypatch.setattr(surrogate_folding, "fold", lambda layer, norm: _with(original, wrong, layer, norm))
    found = fast_copy(model, images)
    assert found.network is model
    assert "a copy differs by" in found.words


def _with(original: Callable[..., None], wrong: Callable[..., None], layer: Any, norm: Any) -> None:
    """Call the wrong folding while the right one is what it calls."""
    put, surrogate_folding.fold = surrogate_folding.fold, original
    try:
        wrong(layer, norm)
    finally:
        surrogate_folding.fold = put


def test_a_copy_that_is_differentiated_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def detached(found: surrogate_folding.Changes, network: Small) -> None:
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
    assert found.words.startswith("a copy in evaluation mode; 0 of"), found.words
    assert isinstance(found.network, nn.Module)
    assert batch_norms(found.network) == batch_norms(model)
    assert_same(found.network, model, images)


def test_a_deep_network_of_another_family_folds_as_it_is_written() -> None:
    model, images = trained(WideResNet(depth=10, width=2, dropout=0.3)), torch.rand(2, 3, 8, 8)
    found = fast_copy(model, images)
    assert "4 of 7" in found.words
    assert_same(found.network, model, images)
