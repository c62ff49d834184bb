"""The two losses of paper 000: one attacked image for both terms, and a second maximum for the embeddings."""

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf
from holdfast.attacks import FGSM, FeatureDistortion
from holdfast.errors import BadValue
from holdfast.methods import CL, Memory
from holdfast.storage.describe import describe
from holdfast.types import Batch

EPS = 0.1


class Line(nn.Module):
    """A network whose embedding is one linear function of the image, so that its largest change is known."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(16, 1), nn.Linear(1, 3)
        self.layers = {"penultimate": "inner"}

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.outer(self.inner(images.flatten(1)))
        return logits


@pytest.fixture
def batch() -> Batch:
    images = 0.3 + 0.4 * torch.rand(6, 1, 4, 4)
    return Batch(images, torch.arange(6) % 3, torch.arange(6))


def embedding(method: CL, model: nn.Module, batch: Batch) -> float:
    return float(method.loss(model, batch, Memory())["embedding"].detach())


def test_the_second_maximum_is_as_far_as_the_embedding_can_move_in_the_ball(batch: Batch) -> None:
    model, second = Line(), FeatureDistortion(Linf(EPS), steps=20, step_size=0.02)
    largest = 6.0 * EPS * float(model.inner.weight.detach().abs().sum())
    assert embedding(CL(FGSM(Linf(EPS)), second=second), model, batch) == pytest.approx(largest, rel=1e-4)
    weak = CL(FGSM(Linf(EPS / 2)))
    assert embedding(weak, model, batch) == pytest.approx(largest / 2, rel=1e-4)
    both = CL(weak.attack, second=second)
    assert embedding(both, model, batch) == pytest.approx(largest, rel=1e-4)  # its own ball, not that of the first
    terms = [float(method.loss(model, batch, Memory())["attacked"].detach()) for method in (weak, both)]
    assert terms[0] == terms[1]


def test_a_loss_without_it_is_named_as_before() -> None:
    assert "second" not in str(describe(CL()))


def test_a_price_below_nothing_is_refused() -> None:
    with pytest.raises(BadValue, match="-1"):
        CL(beta=-1.0)
