"""Networks that cannot be attacked: no gradient, no table, an error, one class, no memory."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from holdfast import AutoAttack, Linf, audit
from holdfast.attacks import PGD, Attack, Square
from holdfast.errors import ModelFault, NoGradient
from tests.attacks.members import KINDS, quick

EACH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@EACH
def test_one_class_is_one_line(kind: type[Attack], images: Tensor) -> None:
    if kind.__name__ in ("RandomSign", "UniformNoise", "GaussianNoise", "FeatureDistortion", "FeatureScattering"):
        return  # they ask for no class
    labels = torch.zeros(len(images), dtype=torch.int64)
    with pytest.raises(ModelFault):
        quick(kind)(lambda x: x.flatten(1).sum(1, keepdim=True), images, labels)


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
