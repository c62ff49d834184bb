"""Another gradient for a step: exact forward, chosen backward, and attacks that succeed where the plain one is none."""

import pytest
import torch
from torch import Tensor, nn

import holdfast as hf
from holdfast.attacks import FGSM, PGD
from holdfast.errors import ModelFault
from holdfast.models import straight_through


class Quantised(nn.Module):
    """Rounds pixels to eighths: its gradient is zero almost everywhere."""

    def forward(self, images: Tensor) -> Tensor:
        return (images * 8).round() / 8


@pytest.fixture
def images() -> Tensor:
    return torch.rand(20, 1, 4, 4)


def test_the_answer_is_exact_and_the_gradient_the_identity_s(images: Tensor) -> None:
    x = images.clone().requires_grad_()
    answer = straight_through(Quantised())(x)
    assert torch.equal(answer, Quantised()(images))
    weights = torch.randn_like(images)
    assert torch.equal(torch.autograd.grad((weights * answer).sum(), x)[0], weights)


def test_the_gradient_is_the_stand_in_s(images: Tensor) -> None:
    x = images.clone().requires_grad_()
    answer = straight_through(lambda x: (x > 0.5).float(), backward=torch.sigmoid)(x)
    assert torch.equal(answer, (images > 0.5).float())
    found = torch.autograd.grad(answer.sum(), x)[0]
    assert torch.allclose(found, torch.sigmoid(images) * (1 - torch.sigmoid(images)))


@pytest.mark.parametrize("attack", [FGSM(hf.Linf(0.4)), PGD(hf.Linf(0.4), random_start=False)], ids=["FGSM", "PGD"])
def test_an_attack_fails_without_and_succeeds_with_it(attack: hf.attacks.Attack, images: Tensor) -> None:
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    defended = nn.Sequential(Quantised(), classifier)
    labels = defended(images).argmax(1)
    assert torch.equal(attack(defended, images, labels), images)
    around = nn.Sequential(hf.straight_through(Quantised()), classifier)
    attacked = attack(around, images, labels)
    assert float((defended(attacked).argmax(1) != labels).float().mean()) > 0.6


def test_what_leaves_torch_can_be_attacked_too(images: Tensor) -> None:
    def rounded(x: Tensor) -> Tensor:
        return torch.from_numpy((x.detach().numpy() * 8).round() / 8)

    classifier = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    labels = classifier(rounded(images)).argmax(1)
    with pytest.raises(ModelFault, match="no gradient reaches the images"):
        FGSM(hf.Linf(0.4))(nn.Sequential(Named(rounded), classifier), images, labels)
    attacked = FGSM(hf.Linf(0.4))(nn.Sequential(straight_through(rounded), classifier), images, labels)
    assert float((classifier(rounded(attacked)).argmax(1) != labels).float().mean()) > 0.6


class Named(nn.Module):
    """A function as a module."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(images)


def test_the_module_keeps_its_weights_and_modes(images: Tensor) -> None:
    inner = nn.Conv2d(1, 1, 3, padding=1)
    step = straight_through(inner)
    assert set(step.state_dict()) == {"module.weight", "module.bias"}
    assert not step.eval().module.training
    answer = step(images.requires_grad_())
    answer.sum().backward()
    assert inner.weight.grad is None


def test_a_stand_in_of_another_shape_is_refused(images: Tensor) -> None:
    with pytest.raises(ModelFault, match=r"shape \(20, 16\), the identity with \(20, 1, 4, 4\): give a differentiable"):
        straight_through(nn.Flatten())(images)
    with pytest.raises(ModelFault, match="the stand-in with"):
        straight_through(Quantised(), backward=nn.Flatten())(images)


def test_under_autocast_the_gradient_is_float32(images: Tensor) -> None:
    step = straight_through(nn.Conv2d(1, 1, 1))
    x = images.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        answer = step(x)
    assert answer.dtype == torch.bfloat16
    assert torch.equal(torch.autograd.grad(answer.sum(), x)[0], torch.ones_like(images))
