"""A zoo of networks, each broken in one way on purpose around an honest one, and how the honest ones are made."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.attacks import Attack
from holdfast.data import ImageSet
from holdfast.models.straight_through import straight_through


def trained(
    network: nn.Module, data: ImageSet, steps: int, attack: Attack | None = None, rate: float = 0.01
) -> nn.Module:
    """Return the network after a moment of training, on attacked images if an attack is given."""
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(network.train().parameters(), rate)
    for _ in range(steps):
        rows = torch.randint(len(data), (128,))
        images, labels = data.images[rows], data.labels[rows]
        if attack is not None:
            images = attack(network, images, labels)
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
    optimizer.zero_grad()
    return network.eval()


class Around(nn.Module):
    """A network whose images, or whose answers, pass through a function first, or after."""

    def __init__(self, inner: nn.Module, front: Any = None, back: Any = None) -> None:
        super().__init__()
        self.inner, self.front, self.back = inner, front, back

    def forward(self, images: Tensor) -> Tensor:
        answers = self.inner(images if self.front is None else self.front(images))
        return answers if self.back is None else self.back(answers)


def behind(front: Callable[[Tensor], Tensor]) -> Callable[[nn.Module], nn.Module]:
    """Return how to put a function before a network."""
    return lambda inner: Around(inner, front, None)


def before(back: Callable[[Tensor], Tensor]) -> Callable[[nn.Module], nn.Module]:
    """Return how to put a function after a network."""
    return lambda inner: Around(inner, None, back)


class OptimisesFirst(nn.Module):
    """Moves its images to where it is surer of its answer, before it answers."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def moved(self, images: Tensor) -> Tensor:
        x = images.detach().requires_grad_()
        return torch.autograd.grad(self.inner(x).logsumexp(1).sum(), x)[0]

    def forward(self, images: Tensor) -> Tensor:
        with torch.enable_grad():
            step = self.moved(images)
        return self.inner(images + 0.01 * step.detach())


class OptimisesIfTracked(OptimisesFirst):
    """As before, but it cannot answer where gradients are not tracked."""

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images + 0.01 * self.moved(images).detach())


class OptimisesByTransform(OptimisesFirst):
    """As before, by torch.func."""

    def moved(self, images: Tensor) -> Tensor:
        return torch.func.grad(lambda x: self.inner(x).logsumexp(1).sum())(images.detach())


class TrainsItself(OptimisesFirst):
    """Follows its own entropy with its weights at test time, as TENT does, and keeps what it learned."""

    def forward(self, images: Tensor) -> Tensor:
        with torch.enable_grad():
            (-self.inner(images.detach()).logsumexp(1).mean()).backward()
        with torch.no_grad():
            for weight in self.inner.parameters():
                weight -= 1e-4 * weight.grad
        return self.inner(images)


class Wakes(nn.Module):
    """Puts a batch norm in training mode whenever it is asked."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.norm, self.inner = nn.BatchNorm2d(1), inner

    def forward(self, images: Tensor) -> Tensor:
        self.norm.train()
        return self.inner(0.3 + 0.3 * self.norm(images))


class Backward(torch.autograd.Function):
    """The identity, with a backward pass of its own."""

    @staticmethod
    def forward(context: Any, x: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        context.save_for_backward(x)
        context.change = change
        return x.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return context.change(context.saved_tensors[0], gradient), None


def with_backward(change: Callable[[Tensor, Tensor], Tensor]) -> Callable[[nn.Module], nn.Module]:
    """Return how to give a network another gradient: a function of its images and of the true one."""
    return behind(lambda images: Backward.apply(images, change))


def rounded(levels: int) -> Callable[[Tensor], Tensor]:
    return lambda images: (images * levels).round() / levels


def waves(count: int, height: float = 4) -> Callable[[Tensor], Tensor]:
    """Return how to put waves on the pixels, `count` to each of the 16 steps of grey of the digits.

    They leave the levels themselves alone and rise there, as an honest network would; in between they fall.
    """
    turns = 2 * torch.pi * 16 * count
    return lambda images: images + height * torch.sin(turns * images) / turns


def decoyed(z: Tensor) -> Tensor:
    """Put the class after the best one right behind it: the margin no longer tells how near the others are."""
    best = z.max(1, keepdim=True)
    return z.scatter(1, (best.indices + 1) % z.shape[1], best.values - 0.01)


MODELS: dict[str, tuple[Callable[[nn.Module], nn.Module], str]] = {
    "noise on the logits": (before(lambda z: z + 0.1 * torch.randn_like(z)), "random output"),
    "noise on the images": (behind(lambda x: x + 0.05 * torch.randn_like(x)), "random output"),
    "dropout that stays": (before(lambda z: F.dropout(z, 0.2)), "random output"),
    "softmax": (before(lambda z: z.softmax(1)), "probabilities instead of logits"),
    "softmax in half precision": (before(lambda z: z.softmax(1).half()), "probabilities instead of logits"),
    "softmax rounded to bfloat16": (
        before(lambda z: z.softmax(1).bfloat16().float()),
        "probabilities instead of logits",
    ),
    "gradient steps": (OptimisesFirst, "gradients inside the network"),
    "gradient steps, wrapped": (lambda inner: nn.Sequential(OptimisesFirst(inner)), "gradients inside the network"),
    "gradient steps, tracked only": (OptimisesIfTracked, "gradients inside the network"),
    "gradient steps by torch.func": (OptimisesByTransform, "gradients inside the network"),
    "trains itself": (TrainsItself, "gradients inside the network"),
    "batch norm wakes": (Wakes, "answers depend on the batch"),
    "batch norm of its batch": (
        behind(lambda x: F.batch_norm(x, None, None, training=True) / 3 + 0.3),
        "answers depend on the batch",
    ),
    "mean of the batch": (before(lambda z: z - 0.1 * z.mean(0)), "answers depend on the batch"),
    "detached": (behind(lambda x: x.detach()), "no gradient reaches the images"),
    "numpy": (behind(lambda x: torch.from_numpy(x.numpy().copy())), "no gradient reaches the images"),
    "no gradients allowed": (
        lambda inner: Around(torch.no_grad()(inner), None, None),
        "no gradient reaches the images",
    ),
    "steps": (behind(lambda x: (x * 4).round() / 4), "zero gradients"),
    "signs": (behind(lambda x: (x - 0.5).sign() / 2 + 0.5), "zero gradients"),
    "flat logits": (before(lambda z: z.detach() + 0 * z), "zero gradients"),
    "reversed backward": (with_backward(lambda x, g: -g), "wrong gradients"),
    "doubled backward": (with_backward(lambda x, g: g * (1 + (torch.arange(8) % 2))), "wrong gradients"),
    "another's backward": (with_backward(lambda x, g: g.roll(1, -1)), "wrong gradients"),
    "coarse steps, straight through": (behind(straight_through(rounded(3))), "wrong gradients"),
    "8 bits": (behind(rounded(255)), "input rounded or clamped"),
    "8 bits, straight through": (behind(straight_through(rounded(255))), "input rounded or clamped"),
    "8 bits, cut off": (behind(straight_through(lambda x: (x * 255).floor() / 255)), "input rounded or clamped"),
    "4 bits": (behind(straight_through(rounded(15))), "input rounded or clamped"),
    "clamped below": (behind(lambda x: x.clamp_min(0.1)), "input rounded or clamped"),
    "clamped above": (behind(lambda x: x.clamp_max(0.9)), "input rounded or clamped"),
    "tanh of sharp logits": (before(lambda z: (20 * z).tanh()), "saturated logits"),
    "logarithms with a floor": (before(lambda z: ((20 * z).softmax(1) + 1e-9).log()), "saturated logits"),
    "argmax": (before(lambda z: F.one_hot(z.argmax(1), 10).float()), "saturated logits"),
}
"""How a network is broken, and the doubt that this must raise before any attack."""

ATTACKS: dict[str, tuple[Callable[[nn.Module], nn.Module], float, set[str]]] = {
    "another's backward": (with_backward(lambda x, g: g.roll(3, -1)), 0.2, {"black-box beats white-box"}),
    "steps": (
        behind(rounded(20)),
        0.2,
        {"black-box beats white-box", "random search beats the attacks", "unbounded attack fails"},
    ),
    "waves": (behind(waves(4)), 0.1, {"one step beats ten"}),
    "waves that lift": (behind(waves(2)), 0.1, {"accuracy does not fall with eps"}),
    "waves that trap": (behind(waves(1, 10)), 0.02, {"accuracy does not fall with eps"}),
    "a decoy": (before(decoyed), 0.1, {"losses disagree"}),
}
"""How a network is broken, the radius in L-inf, and the doubts that this must raise after the attacks."""
