"""Masked networks: each hides its gradients or its answers from attacks in one way; what is beneath is known."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import Member, Recipe
from zoo_honest import conv, mlp, no_norm

import holdfast as hf
from holdfast.models import straight_through
from tests.auditing.broken import OptimisesByTransform, OptimisesFirst, before, behind, rounded, with_backward

Mask = Callable[[nn.Module], nn.Module]
BENEATH = Member("ReLU batch norm", Recipe(conv), hf.Linf(0.1))
"""The network under the masks, which is one of the honest zoo; at this radius little of it holds."""


def thermometer(levels: int) -> Callable[[Tensor], Tensor]:
    """Return how to say of each pixel how many thresholds it passes."""
    steps = (torch.arange(levels) + 0.5) / levels
    return lambda x: (x[..., None] > steps).float().mean(-1)


def cosines(side: int = 8) -> Tensor:
    """Return the matrix of the discrete cosine transform that JPEG makes of a block."""
    places = torch.arange(side)
    matrix: Tensor = torch.cos(torch.pi * (places[None] + 0.5) * places[:, None] / side) * (2 / side) ** 0.5
    matrix[0] /= 2**0.5
    return matrix


def like_jpeg(step: float) -> Callable[[Tensor], Tensor]:
    """Return how to round the coefficients of a block."""
    c = cosines()
    return lambda x: c.T @ ((c @ x @ c.T) / step).round().mul(step) @ c


def shifted(x: Tensor) -> Tensor:
    """Return the images resized by chance and moved by chance, alike for the batch."""
    side = int(torch.randint(6, 9, ()))
    small = F.interpolate(x, size=(side, side), mode="bilinear")
    left, top = (int(torch.randint(9 - side, ())) for _ in range(2))
    return F.pad(small, (left, 8 - side - left, top, 8 - side - top))


class HalfDetached(nn.Module):
    """The true network on images without gradients, and a small share of another with them."""

    def __init__(self, inner: nn.Module, share: float, other: nn.Module) -> None:
        super().__init__()
        self.inner, self.share, self.other = inner, share, other

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        out: Tensor = self.inner(x.detach()) + self.share * self.other(x)
        return out


class Borrowed(nn.Module):
    """The answers of one network with the gradients of another, as of a stale copy."""

    def __init__(self, inner: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.inner, self.other = inner, other

    def forward(self, x: Tensor) -> Tensor:
        """Return the answer."""
        out: Tensor = straight_through(self.inner, self.other)(x)
        return out


class Winners(nn.Module):
    """An activation that keeps the largest values of an image and no others (k-winners-take-all)."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Return the winners, and zeros."""
        flat = x.flatten(1)
        least = flat.topk(max(1, int(self.share * flat.shape[1])), dim=1).values[:, -1:]
        return torch.where(flat >= least, flat, 0.0).view_as(x)


class Plateaus(nn.Module):
    """An activation of hard steps, trained through a straight one."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        """Return the steps; only training sees a slope."""
        straight = F.hardtanh(x)
        hard = (straight * self.steps).round() / self.steps
        return straight + (hard - straight).detach() if self.training else hard


class Signs(Plateaus):
    """An activation of signs alone."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the signs; only training sees a slope."""
        straight = F.hardtanh(x)
        return straight + (x.sign() - straight).detach() if self.training else x.sign()


class Steep(nn.Module):
    """A network whose activations are saturated sigmoids: the steepness is multiplied after training."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = 200.0

    def forward(self, x: Tensor) -> Tensor:
        """Return the sigmoid."""
        return torch.sigmoid(x * (1.0 if self.training else self.factor))


class Warm(nn.Module):
    """Logits divided by a temperature that waves with the image."""

    def __init__(self, inner: nn.Module, height: float, waves: float) -> None:
        super().__init__()
        self.inner, self.height, self.waves = inner, height, waves

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, all multiplied by one positive number an image."""
        wave = torch.sin(self.waves * x.flatten(1).sum(1, keepdim=True))
        out: Tensor = self.inner(x) * torch.exp(self.height * wave)
        return out


class Awake(nn.Module):
    """Batch norm that normalises by its batch, at rest too."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Return the answer under the batch's own statistics."""
        kept = [(part, part.training) for part in self.inner.modules() if isinstance(part, nn.BatchNorm2d)]
        for part, _ in kept:
            part.training, part.momentum = True, 0.0
        out: Tensor = self.inner(x)
        for part, mode in kept:
            part.training = mode
        return out


def sine(height: float, waves: float) -> Callable[[Tensor], Tensor]:
    """Return how to shatter a gradient with a small, fast wave."""
    return lambda z: z + height * torch.sin(waves * z)


def untrained() -> nn.Module:
    """Return a network of the same shape that has learned nothing."""
    torch.manual_seed(1)
    return conv(norm=no_norm).eval()


def one_hot(z: Tensor) -> Tensor:
    """Return the class alone."""
    return F.one_hot(z.argmax(1), z.shape[1]).float()


def flipped(x: Tensor, g: Tensor) -> Tensor:
    """Return the gradient, reversed in a chequerboard."""
    places = torch.arange(g.shape[-1])
    return g * (1 - 2 * ((places[:, None] + places) % 2)).to(g)


def away(x: Tensor, g: Tensor) -> Tensor:
    """Return the gradient, reversed on dark pixels."""
    return torch.where(x < 0.3, -g, g)


def gone(x: Tensor) -> Tensor:
    """Return the images without their changes of less than a sixteenth, as a denoiser would leave them."""
    return (x * 8).round() / 8


PLAIN: tuple[tuple[str, Mask], ...] = (
    ("quantised input, 20 levels", behind(rounded(20))),
    ("quantised input, 4 levels", behind(rounded(4))),
    ("thermometer", behind(thermometer(10))),
    ("thermometer, straight through", behind(straight_through(thermometer(6)))),
    ("clamped below", behind(lambda x: x.clamp_min(0.1))),
    ("clamped above", behind(lambda x: x.clamp_max(0.85))),
    ("like JPEG", behind(like_jpeg(0.3))),
    ("like JPEG, straight through", behind(straight_through(like_jpeg(0.6)))),
    ("probabilities", before(lambda z: z.softmax(1))),
    ("probabilities, sharpened", before(lambda z: (30 * z).softmax(1))),
    ("logarithms with a floor", before(lambda z: ((20 * z).softmax(1) + 1e-9).log())),
    ("saturated tanh logits", before(lambda z: (5 * (z - z.topk(2).values.mean(1, keepdim=True))).tanh())),
    ("half detached", lambda inner: HalfDetached(inner, 0.02, untrained())),
    ("half detached, more", lambda inner: HalfDetached(inner, 0.2, untrained())),
    ("straight through, slope reversed", with_backward(lambda x, g: -g)),
    ("another's backward", with_backward(lambda x, g: g.roll(3, -1))),
    ("noise on the images", behind(lambda x: x + 0.1 * torch.randn_like(x))),
    ("noise on the logits", before(lambda z: z + 0.5 * torch.randn_like(z))),
    ("random resizing", behind(shifted)),
    ("dropout that stays", before(lambda z: F.dropout(z, 0.2, training=True))),
    ("gradient flipped in a chequerboard", with_backward(flipped)),
    ("gradient reversed on dark pixels", with_backward(away)),
    ("fast sine on the images", behind(sine(0.02, 300.0))),
    ("fast sine on the logits", before(sine(0.3, 50.0))),
    ("loop at test time", OptimisesFirst),
    ("loop at test time, torch.func", OptimisesByTransform),
    ("argmax", before(one_hot)),
    ("logits rounded", before(lambda z: z.round())),
    ("batch norm awake", Awake),
    ("mean of the batch", before(lambda z: z - 0.1 * z.mean(0))),
    ("temperature that waves", lambda inner: Warm(inner, 3.0, 20.0)),
    ("temperature that waves, slower", lambda inner: Warm(inner, 3.0, 5.0)),
    ("stale copy's gradients", lambda inner: Borrowed(inner, untrained())),
    ("detached", behind(lambda x: x.detach())),
    ("hides in L-inf only", behind(gone)),
    ("hides in L-inf only, straight through", behind(straight_through(gone))),
)  # fmt: skip
TRAINED: tuple[tuple[str, Recipe], ...] = (
    ("k winners take all", Recipe(partial(conv, partial(Winners, 0.1), no_norm))),
    ("k winners take all, dense", Recipe(partial(mlp, 128, 128, act=partial(Winners, 0.1)))),
    ("plateaus of a hard activation", Recipe(partial(conv, partial(Plateaus, 2), no_norm))),
    ("signs for activations", Recipe(partial(mlp, 128, 64, act=Signs))),
    ("sigmoids 200 times as steep", Recipe(partial(mlp, 64, 64, act=Steep))),
    ("sigmoids 200 times as steep, convolutions", Recipe(partial(conv, Steep, no_norm))),
)
SCALED: tuple[tuple[str, Mask], ...] = (
    ("distilled at a high temperature", before(lambda z: 20 * z)),
    ("logits x 10000", before(lambda z: 10000 * z)),
)
"""They blind the cross-entropy and nothing else: a climb on the margin is led as on the network beneath."""


def masked() -> tuple[Member, ...]:
    """Return the masked networks, in their order."""
    alone = (Member(name, recipe, BENEATH.threat) for name, recipe in TRAINED)
    return (*(replace(BENEATH, name=name, around=mask, kept_as=BENEATH.name) for name, mask in PLAIN), *alone)


def scaled() -> tuple[Member, ...]:
    """Return the networks that hide from the cross-entropy alone."""
    return tuple(replace(BENEATH, name=name, around=mask, kept_as=BENEATH.name) for name, mask in SCALED)
