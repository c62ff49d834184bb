"""A short climb: steps that shrink along a cosine, with momentum as in APGD, and broken images leaving at every step.

A fixed schedule spends no steps on learning when to shrink them, as APGD does. Which of the two gets further in few
steps depends on the network (docs/audit.md). In L1 and L0, where a step along the gradient moves few values and wastes
itself on walls, each step goes part of the way to the ball's best corner instead (Frank, Wolfe, 1956): on a linear
network the first one arrives. The forward pass of a step is also the test of the step before it.
"""

import math

import torch

from holdfast.attacks.attack import succeeded
from holdfast.attacks.reached import Reached
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.threats import Sparse, Threat
from holdfast.types import Images, Objective, Targets

FIRST, LAST = 2.0, 0.05
"""The first and the last step in units of eps; in L1 and L0 the last as a share of the way."""


def short_climb(
    threat: Threat, model: Watched, images: Images, targets: Targets, x: Images, steps: int, objective: Objective
) -> Reached:
    """Climb from `x` for `steps` gradients; the last point is tested too."""
    require(threat.eps < math.inf, f"this attack needs a finite eps, got {threat}")
    reached = Reached.nothing(x)
    place, before = torch.arange(len(x), device=x.device), x
    for step in range(steps + 1):
        with torch.set_grad_enabled(step < steps):
            x = x.detach().requires_grad_(step < steps)
            outputs = model(x)
            value = objective(outputs, targets).float()
        done = succeeded(objective, outputs.detach(), targets)
        reached.take(place, Reached(done, x.detach(), value.detach()))
        if step == steps:
            break
        # Images that were just broken are differentiated too, so that an image costs the same in every batch.
        gradient, x, left = model.gradient(value, x), x.detach(), (~done).nonzero()[:, 0]
        if len(left) == 0:
            break
        if len(left) < len(place):
            place, x, before, gradient = place[left], x[left], before[left], gradient[left]
            images, targets = images[left], targets[left]
        x, before = stepped(threat, images, x, before, gradient, step / steps), x
    return reached


def stepped(threat: Threat, images: Images, x: Images, before: Images, gradient: torch.Tensor, passed: float) -> Images:
    """Return the next point, when this share of the climb has passed; the first has no momentum."""
    cosine = (1 + math.cos(math.pi * passed)) / 2
    if isinstance(threat, Sparse):
        share = LAST + (1 - LAST) * cosine
        return threat.project(x + share * (threat.corner(gradient, images) - x), images)
    eta, momentum = threat.eps * (LAST + (FIRST - LAST) * cosine), 0.25 if passed else 0.0
    z = threat.project(x + eta * threat.ascent(gradient), images)
    return threat.project(x + (1 - momentum) * (z - x) + momentum * (x - before), images)
