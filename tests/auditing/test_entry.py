"""What `hf.audit` refuses, in words of its own, before it attacks anything."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import holdfast as hf
from holdfast.attacks import PGD, RayS, Square
from holdfast.errors import HoldfastError
from holdfast.evaluation import judge
from tests.unchecked import refusals

X, Y = torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64)


class Answering(nn.Module):
    """A network whose answer is not what it should be."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Any:
        """Return it."""
        return self.answer(x.flatten(1))


@pytest.mark.parametrize(
    ("images", "labels", "threat", "words"),
    [
        (X * 255, Y, hf.Linf(0.1), "0, 1"),
        (X[:0], Y[:0], hf.Linf(0.1), "no images"),
        (X, Y - 1, hf.Linf(0.1), "a label is -1"),
    ],
    ids=["bytes", "no images", "label below 0"],
)
def test_images_labels_and_threats_that_are_none_are_refused(
    images: Any, labels: Tensor, threat: Any, words: str
) -> None:
    with pytest.raises(HoldfastError, match=words):
        hf.audit(nn.Flatten(), images, labels, threat)


def test_kinds_and_shapes_are_refused_where_no_type_checker_runs() -> None:
    given = "(images.numpy(), labels, threat), (images, labels[:3], threat), (images, labels, 0.1)"
    numpy, labels, threat = refusals("hf.audit(torch.nn.Flatten(), *it)", given)
    assert "images are a ndarray" in numpy
    assert "4 images but 3" in labels
    assert "the threat is 0.1" in threat


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: (x, x), "a tuple"),
        (lambda x: {"logits": x}, "a dict"),
        (lambda x: x[:, :1], r"shape \(2, 1\)"),
        (lambda x: x[:, 0], r"shape \(2,\)"),
    ],
    ids=["tuple", "dict", "one logit", "no classes"],
)
def test_a_network_that_answers_no_logits_is_named(answer: Any, words: str) -> None:
    with pytest.raises(HoldfastError, match=words):
        hf.audit(Answering(answer), X, Y, hf.Linf(0.1), "fast")


def sharp() -> nn.Sequential:
    """Return a network that is sure of nothing, on pixels of 8x8."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10)).eval()


def drawn(network: nn.Module, count: int) -> tuple[Tensor, Tensor]:
    """Return images, and as labels what the network says of them."""
    images = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return images, network(images).argmax(1)


def test_breaks_are_verified_in_float32_whatever_the_caller_s_autocast() -> None:
    network = sharp()
    images, labels = drawn(network, 60)
    with torch.autocast("cpu", torch.bfloat16):
        report = hf.audit(network, images, labels, hf.Linf(0.05), "fast")
    assert 0 < int(report.broken.sum()) < 60
    assert bool((network(report.adversarial).argmax(1) != labels)[report.broken].all())


class Rounded(torch.autograd.Function):
    """A quantiser whose author wrote no backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Round to 64 levels."""
        return (63 * x).round() / 63


WITHOUT = [Tensor.detach, lambda x: torch.from_numpy(x.numpy().copy()), Rounded.apply]


@pytest.mark.parametrize("stop", WITHOUT, ids=["detach", "numpy", "no backward"])
def test_a_network_without_gradients_is_searched_at_random(stop: Any) -> None:
    network = sharp()
    images, labels = drawn(network, 12)
    report = hf.audit(nn.Sequential(Answering(lambda x: stop(x).reshape(-1, 1, 8, 8)), network), images, labels,
                      hf.Linf(0.3))  # fmt: skip
    assert "no gradient reaches the images" in [doubt.name for doubt in report.doubts]
    assert report.robust_accuracy < 1 == report.clean_accuracy


def test_a_network_that_names_its_class_alone_does_not_seem_to_hold() -> None:
    network = sharp()
    images, labels = drawn(network, 10)
    alone = nn.Sequential(network, Answering(lambda z: nn.functional.one_hot(z.argmax(1), 10).float()))
    broken = hf.audit(network, images, labels, hf.Linf(0.1), "fast").broken
    assert int(broken.sum()) > 7
    report = hf.audit(alone, images[broken], labels[broken], hf.Linf(0.1))
    assert report.robust_accuracy == 0
    low, high = report.interval
    few = [doubt for doubt in report.doubts if doubt.name == "too few images"]
    assert [doubt.figure for doubt in few] == [(high - low) / 2]  # of what stands after the escalation, not before


@pytest.mark.parametrize("norm", [hf.Linf(0.05), hf.L2(0.3)], ids=str)
def test_a_network_in_float64_is_audited_as_well(norm: hf.Threat) -> None:
    network = sharp()
    images, labels = drawn(network, 12)
    double = nn.Sequential(Answering(Tensor.double), network.double())
    report = hf.audit(double, images, labels, norm, "fast")
    assert int(report.broken.sum()) > 0


def test_images_that_ask_for_a_gradient_give_a_report_that_does_not() -> None:
    network = sharp()
    images, labels = drawn(network, 4)
    report = hf.audit(network, images.requires_grad_(), labels, hf.Linf(0.05), "fast")
    assert not report.adversarial.requires_grad
    assert not report.best.requires_grad


@pytest.mark.parametrize("way", [lambda x: x.sub_(0.5).div_(0.5), lambda x: x.mul_(0.5)], ids=["sub", "mul"])
def test_a_network_that_writes_over_its_images_is_named_and_they_stay(way: Any) -> None:
    images, labels = drawn(sharp(), 4)
    before = images.clone()

    class Writes(nn.Module):
        """A network that changes what it is shown."""

        def forward(self, x: Tensor) -> Tensor:
            """Change it first."""
            return way(x).flatten(1)

    with pytest.raises(HoldfastError, match="changes its images, or its weights, in place"):
        hf.audit(Writes(), images, labels, hf.Linf(0.1), "fast")
    for attack in (PGD(), Square(queries=5), RayS(queries=5)):
        with pytest.raises(HoldfastError, match="changes its images, or its weights, in place"):
            attack(Writes(), images, labels)
    assert torch.equal(images, before)


@pytest.mark.parametrize("kind", [torch.float16, torch.float64])
def test_weights_of_another_type_are_named(kind: torch.dtype) -> None:
    images, labels = drawn(sharp(), 4)
    network = sharp().to(kind)
    for look in (partial(hf.audit, threat=hf.Linf(0.1), effort="fast"), PGD()):
        with pytest.raises(HoldfastError, match=rf"weights are {kind}.*call \.float\(\)"):
            look(network, images, labels)


def test_one_row_for_many_images_is_named() -> None:
    images, _ = drawn(sharp(), 4)
    with pytest.raises(HoldfastError, match=r"shape \(1, 10\) for 4 images"):
        judge(Answering(lambda x: x[:1, :10]), images)


def test_a_ball_without_an_end_is_refused() -> None:
    images, labels = drawn(sharp(), 4)
    with pytest.raises(HoldfastError, match=r"finite eps, got"):
        hf.audit(sharp(), images, labels, hf.Linf(math.inf), "fast")


def test_inference_mode_raises_no_doubt() -> None:
    network = sharp()
    images, labels = drawn(network, 20)
    with torch.inference_mode():
        report = hf.audit(network, images, labels, hf.Linf(0.02), "fast")
    assert "no gradient reaches the images" not in [doubt.name for doubt in report.doubts]


def test_labels_that_the_network_has_no_class_for_and_empty_batches_are_refused() -> None:
    images, labels = drawn(sharp(), 4)
    with pytest.raises(HoldfastError, match=r"a label is 1[0-9], but the network knows classes 0 to 9"):
        hf.audit(sharp(), images, labels + 10, hf.Linf(0.1), "fast")
    with pytest.raises(HoldfastError, match="batch = 0"):
        hf.audit(sharp(), images, labels, hf.Linf(0.1), "fast", batch=0)


@pytest.mark.usefixtures("unchecked")
def test_a_seed_of_numpy_is_reported_as_python_s_is() -> None:
    images, labels = drawn(sharp(), 2)
    report = hf.audit(sharp(), images, labels, hf.Linf(1.0), "fast", seed=np.int64(1))
    assert type(report.seed) is int
