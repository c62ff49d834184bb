"""The mean of random answers: what is averaged, what it costs, and that attacks gain by it."""

import threading

import pytest
import torch
from torch import Tensor, nn

import holdfast as hf
from holdfast.attacks import FGSM, PGD
from holdfast.errors import BadValue, ModelFault
from holdfast.models import expectation
from holdfast.objectives import cross_entropy
from holdfast.passes import counting


class Scripted:
    """Answers with one logits after the other."""

    def __init__(self, *answers: Tensor) -> None:
        self.answers = list(answers)

    def __call__(self, images: Tensor) -> Tensor:
        return self.answers.pop(0)


class Noisy(nn.Module):
    """A linear classifier of two classes whose weights tremble at each call, for each image by itself."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.w, self.sigma, self.asked = torch.randn(64), sigma, 0

    def forward(self, images: Tensor) -> Tensor:
        self.asked += len(images)
        flat = images.flatten(1) - 0.5
        z = (flat * (self.w + self.sigma * torch.randn_like(flat))).sum(1)
        return torch.stack([z, -z], 1)

    def voted(self, images: Tensor, votes: int = 301) -> Tensor:
        """Return the class that most draws name."""
        return (torch.stack([self(images).argmax(1) for _ in range(votes)]).float().mean(0) > 0.5).long()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(12, 1, 8, 8)


def test_probabilities_are_averaged_and_cross_entropy_is_the_logarithm_of_their_mean(images: Tensor) -> None:
    answers = [5 * torch.randn(12, 4) for _ in range(3)]
    found = hf.expectation(Scripted(*answers), 3)(images)
    mean = torch.stack([answer.softmax(1) for answer in answers]).mean(0)
    assert torch.allclose(found.exp(), mean, atol=1e-6)
    labels = torch.randint(4, (12,))
    assert torch.allclose(cross_entropy(found, labels), -mean[range(12), labels].log(), atol=1e-5)


def test_certain_draws_stay_finite(images: Tensor) -> None:
    sure = torch.tensor([[1e6, 0.0, -1e6]]).repeat(12, 1).requires_grad_()
    found = expectation(Scripted(sure, sure.flip(1)), 2)(images)
    (gradient,) = torch.autograd.grad(found[:, 0].sum(), sure)
    assert bool(found.isfinite().all())
    assert bool(gradient.isfinite().all())
    assert torch.allclose(found[:, 0], torch.tensor(0.5).log())


def test_one_draw_of_a_certain_network_attacks_alike(small: nn.Module, images: Tensor) -> None:
    labels = small.eval()(images).argmax(1)
    attack = PGD(hf.Linf(0.1), steps=5)
    found, plain = attack(expectation(small, 1), images, labels), attack(small, images, labels)
    assert float(torch.isclose(found, plain, atol=1e-5).float().mean()) > 0.99


def test_every_draw_is_a_pass_in_both_directions(images: Tensor) -> None:
    noisy, labels = Noisy(1.0), torch.zeros(12, dtype=torch.int64)
    with counting() as spent:
        PGD(hf.Linf(0.1), steps=4)(expectation(noisy, 5), images, labels)
    assert spent.forwards == noisy.asked == 12 * 4 * 5
    assert spent.backwards == 12 * 4 * 5


def test_backward_passes_are_counted_from_another_thread_too(images: Tensor) -> None:
    x = images.requires_grad_()
    with counting() as spent:
        answer = expectation(Noisy(1.0), 5)(x)
        thread = threading.Thread(target=lambda: answer.sum().backward())  # as CUDA's backward passes run
        thread.start()
        thread.join()
    assert spent.backwards == 12 * 4  # the fifth is counted by the attack


def test_the_variance_of_the_gradient_falls_as_one_over_the_draws(images: Tensor) -> None:
    noisy, labels = Noisy(0.05), torch.zeros(12, dtype=torch.int64)
    noisy.w *= 0.1

    def spread(draws: int) -> float:
        model, gradients = expectation(noisy, draws), []
        for _ in range(100):
            x = images.clone().requires_grad_()
            gradients.append(torch.autograd.grad(cross_entropy(model(x), labels).sum(), x)[0])
        return float(torch.stack(gradients).var(0).mean())

    assert spread(1) / spread(16) == pytest.approx(16, rel=0.2)


def test_an_attack_breaks_more_votes_with_draws_than_without() -> None:
    noisy, images = Noisy(sigma=8.0), 0.4 + 0.2 * torch.rand(100, 1, 8, 8)
    labels = noisy.voted(images)
    attack = FGSM(hf.Linf(0.04))
    broken = [
        float((noisy.voted(attack(model, images, labels)) != labels).float().mean())
        for model in (noisy, expectation(noisy, 64))
    ]
    assert broken[1] > broken[0] + 0.3


def test_what_has_no_mean_is_refused(small: nn.Module, images: Tensor) -> None:
    with pytest.raises(BadValue, match="draws = 0, not 1 or more"):
        expectation(small, 0)
    with pytest.raises(ModelFault, match=r"gave shape \(12, 1, 8, 8\); logits \(n, k\) are needed"):
        expectation(nn.Identity(), 2)(images)
