"""Networks that return more than logits, or probabilities: adapted when told, refused in one line otherwise."""

from collections import namedtuple
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf
from holdfast.attacks import PGD
from holdfast.errors import BadValue, ModelFault
from holdfast.models import adapt, capture, logarithms
from holdfast.models.architecture import check_answer

Pair = namedtuple("Pair", ["loss", "table"])
WAYS: dict[str, tuple[Callable[[Tensor, Tensor], Any], str | int, str]] = {
    "dict": (lambda x, z: {"aux": x, "out": z}, "out", "a dict of 'aux' and 'out'"),
    "tuple": (lambda x, z: (x, z), 1, "a tuple of 0 and 1"),
    "list": (lambda x, z: [z], 0, "a list of 0"),
    "named tuple": (lambda x, z: Pair(x, z), "table", "a Pair of 'loss' and 'table'"),
    "named tuple by place": (lambda x, z: Pair(x, z), 1, "a Pair of 'loss' and 'table'"),
    "object": (lambda x, z: SimpleNamespace(loss=None, logits=z), "logits", "a SimpleNamespace of 'loss' and 'logits'"),
}


class Returning(nn.Module):
    """A linear network that returns its logits among other things."""

    def __init__(self, way: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.way, self.last = way, nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Any:
        return self.way(x, self.last(x.flatten(1)))


@pytest.mark.parametrize("name", WAYS)
def test_a_part_is_taken_when_it_is_told_and_else_refused_with_the_remedy(name: str) -> None:
    way, part, shown = WAYS[name]
    network, images, labels = Returning(way), torch.rand(5, 3, 2, 2), torch.arange(5) % 4
    model = adapt(network, mean=0.5, std=2.0, answers=part)
    with capture(model, "penultimate") as seen:
        logits = model(images)
    torch.testing.assert_close(logits, network.last(((images - 0.5) / 2).flatten(1)))
    assert seen["penultimate"].shape == (5, 12)
    assert PGD(Linf(0.1))(model, images, labels).shape == images.shape
    check_answer(model, "it", (3, 2, 2), 4)
    remedy = rf"{shown}: say which are the logits, as in hf.models.adapt\(network, answers=.*\) or --answers"
    for refused in (
        lambda: PGD(Linf(0.1))(network, images, labels),
        lambda: check_answer(network, "it", (3, 2, 2), 4),
    ):
        with pytest.raises((ModelFault, BadValue), match=remedy) as told:
            refused()
        assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("way", "part", "said"),
    [
        (WAYS["dict"][0], "logits", "of 'aux' and 'out', of which 'logits' is no tensor: its parts are 'aux' and"),
        (WAYS["tuple"][0], 2, "a tuple of 0 and 1, of which 2 is no tensor"),
        (WAYS["object"][0], "loss", "of which 'loss' is no tensor"),
        (lambda x, z: z, "logits", r"shape \(2, 4\), of which 'logits' is no tensor: leave that out"),
        (lambda x, z: None, 0, "a NoneType, of which 0 is no tensor"),
    ],
)
def test_a_part_that_is_not_there_is_one_line(way: Callable[..., Any], part: str | int, said: str) -> None:
    with pytest.raises(ModelFault, match=said):
        check_answer(adapt(Returning(way), answers=part), "it", (3, 2, 2), 4)


def test_the_remedy_names_what_looks_like_logits() -> None:
    with pytest.raises(ModelFault, match=r"answers=1\) or --answers 1$"):
        PGD(Linf(0.1))(Returning(WAYS["tuple"][0]), torch.rand(2, 3, 2, 2), torch.zeros(2).long())


@pytest.mark.parametrize("columns", [lambda z: z[:, :1], lambda z: z[:, 0]])
def test_one_score_an_image_is_refused_with_the_remedy(columns: Callable[[Tensor], Tensor]) -> None:
    network = Returning(lambda x, z: columns(z))
    with pytest.raises(BadValue, match=r"of one score z, torch.cat\(\[-z, z\], 1\) makes the logits of two classes"):
        check_answer(network, "it", (3, 2, 2), 2)
    with pytest.raises(ModelFault, match=r"torch.cat\(\[-z, z\], 1\) makes two of one"):
        PGD(Linf(0.1))(network, torch.rand(2, 3, 2, 2), torch.zeros(2).long())


def test_logarithms_of_probabilities_attack_like_the_logits_before_them() -> None:
    logits = adapt(Returning(lambda x, z: 5 * z), layers={"last": "last"})
    model = logarithms(nn.Sequential(logits, nn.Softmax(1)))
    images, labels = torch.rand(5, 3, 2, 2), torch.arange(5) % 4
    torch.testing.assert_close(model(images), logits(images).log_softmax(1))
    assert torch.equal(PGD(Linf(0.1))(model, images, labels), PGD(Linf(0.1))(logits, images, labels))
    with capture(model, "last") as seen:
        model(images)
    assert seen["last"].shape == (5, 4)


def test_a_probability_of_0_has_a_gradient_and_one_below_0_is_none() -> None:
    model = logarithms(lambda x: torch.cat([x.flatten(1), 1 - x.flatten(1)], 1))
    x = torch.zeros(1, 1, 1, 1, requires_grad=True)
    answer = model(x)
    assert answer.isfinite().all()
    answer.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert model(torch.full((1, 1, 1, 1), 1.5)).isnan().any()
