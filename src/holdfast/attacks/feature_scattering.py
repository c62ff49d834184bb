"""Feature scattering (Zhang and Wang: "Defense against adversarial attacks using feature scattering-based adversarial
training", 2019, algorithm 1): one step that moves a batch away from itself by optimal transport.

The constants, and what the paper leaves open, are the authors' code's: the features are the logits, and the gradient
goes through the iterations that find the transport.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack, full_step
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, NonNegative
from holdfast.rng import Stream
from holdfast.storage.describe import later
from holdfast.threats import Linf, Threat
from holdfast.types import Images, Outputs, Targets

LAMBDA = 0.01
"""The weight of the transport's entropy, in units of the cost."""
ITERATIONS = 100
"""Of Sinkhorn, at most."""
TOLERANCE = 0.1
"""The change of the potentials, summed over the batch, below which Sinkhorn stops."""
FLOOR = 1e-6
"""Keeps the cosine and the logarithm finite; exp(-cost / LAMBDA) underflows for nearly opposite logits."""


@dataclass(frozen=True)
class FeatureScattering(Attack):
    """Steps from a random start that raise the cost of transport from the clean batch to the attacked one.

    The paper takes one full step. Targets are not looked at, as no labels are needed; but what an image becomes depends
    on its batch.
    """

    joint: ClassVar[bool] = True

    threat: Threat = Linf()
    seed: int = 0
    steps: Count = later(1)
    step_size: NonNegative | None = later(None)
    """A full step, eps, where none is given."""

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Take the steps; the clean logits are constants."""
        model.labels = None  # features have no classes that a label could lie beyond
        with torch.no_grad():
            clean = model(images)
        step_size = full_step(self.threat) if self.step_size is None else self.step_size
        x = self.threat.random_start(images, stream) if start is None else start
        for _ in range(self.steps):
            x = x.detach().requires_grad_()
            found = model(x)
            with torch.autocast(images.device.type, enabled=False):  # costs are compared at the scale of LAMBDA = 0.01
                C = cost(clean, found)
                gradient = model.gradient((transport(C) * C).sum(1), x)
            x = self.threat.project(x.detach() + step_size * self.threat.ascent(gradient, x), images)
        return x


def cost(clean: Outputs, found: Outputs) -> Tensor:
    """Return 1 - cos between each clean and each found output, not below 0, shape (n, n), in float32."""
    a, b = clean.float().flatten(1), found.float().flatten(1)
    cosine: Tensor = a @ b.T / (a.norm(dim=1)[:, None] * b.norm(dim=1)[None]).clamp_min(FLOOR)
    return (1 - cosine).clamp_min(0)


def transport(C: Tensor) -> Tensor:
    """Return the plan that moves n equal weights at nearly the least cost, by Sinkhorn's iterations, shape (n, n)."""
    u, v = C.new_zeros(len(C)), C.new_zeros(len(C))
    mu = torch.full_like(u, 1 / len(C))
    for _ in range(ITERATIONS):
        before = u
        u = u + LAMBDA * (mu.log() - (plan(C, u, v).sum(1) + FLOOR).log())
        v = v + LAMBDA * (mu.log() - (plan(C, u, v).sum(0) + FLOOR).log())
        # One or two iterations usually suffice: looking costs less than running all hundred.
        if float((u - before).detach().abs().sum()) < TOLERANCE:
            break
    return plan(C, u, v)


def plan(C: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Return the plan of the potentials u and v."""
    return ((u[:, None] + v[None, :] - C) / LAMBDA).exp()
