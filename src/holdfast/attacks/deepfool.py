"""Moosavi-Dezfooli, Fawzi, Frossard: "DeepFool: a simple and accurate method to fool deep neural networks", 2016."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.streams import Stream
from holdfast.threats import L2, Linf, Threat, per_image
from holdfast.types import Flags, Images, Labels, PerImage, Targets

BEYOND = 1e-4
"""How far each step goes past the plane, in the threat's norm.

The paper's formula ends on the plane. Where pixels meet the walls of the box it would creep up to it and never cross;
the authors' code adds the same constant.
"""


@dataclass(frozen=True)
class DeepFool(Attack):
    """Steps to the nearest linearised class boundary until the label changes; a minimum-norm attack.

    The threat's norm is the one that is minimised. With a finite eps, images that need more are cut to the ball. The
    label left is the true one: an image that is already misclassified is returned as it is.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2)
    labelled: ClassVar[bool] = True

    threat: Threat = L2(math.inf)
    steps: int = 50
    overshoot: float = 0.02
    """Applied to the accumulated perturbation, as in algorithm 2 of the paper."""
    candidates: int = 10
    """How many of the most likely classes are considered, the true one included.

    They are ranked anew at each step, where the authors' code keeps those of the clean image; with ten classes it is
    the same.
    """

    def __post_init__(self) -> None:
        """Refuse to look at no class but the true one."""
        super().__post_init__()
        require(self.candidates >= 2, f"DeepFool: candidates = {self.candidates}, not 2 or more")
        require(self.overshoot >= 0, f"DeepFool: overshoot = {self.overshoot}, not 0 or more")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Walk until the label changes; images that are through are not computed further."""
        result = (images if start is None else start).clone()
        active = torch.arange(len(images), device=images.device)
        total = result - images
        for _ in range(self.steps):
            near, crossed = nearest_boundary(model, result[active], targets[active], self.threat.dual, self.candidates)
            active, away, w = active[~crossed], near.away[~crossed], near.w[~crossed]
            if len(active) == 0:
                break
            total[active] += per_image(away + BEYOND) * self.threat.ascent(w)
            moved = images[active] + (1 + self.overshoot) * total[active]
            result[active] = moved.clamp(0, 1)
        return self.threat.project(result, images)


class Boundary(NamedTuple):
    """A linearised boundary f + <w, r> = 0 of each image, and how far it is: |f| over the size of w."""

    f: PerImage
    w: Tensor
    away: PerImage

    def nearer(self, other: "Boundary") -> "Boundary":
        """Return the nearer of two boundaries of each image."""
        better = other.away < self.away
        return Boundary(
            torch.where(better, other.f, self.f),
            torch.where(per_image(better), other.w, self.w),
            torch.where(better, other.away, self.away),
        )


def nearest_boundary(
    model: Watched, x: Images, labels: Labels, size: Callable[[Tensor], PerImage], candidates: int | None = None
) -> tuple[Boundary, Flags]:
    """Return the nearest of the boundaries z_k = z_y to the likeliest classes k other than y, and where one is crossed.

    `candidates` classes are looked at, y included; all where no number is given. `size` is the dual norm of gradients.
    There is one backward pass a class, of which only the nearest boundary is kept, so that the memory needed does not
    grow with the number of classes.
    """
    x = x.detach().requires_grad_()
    logits = model(x)
    others = logits.detach().scatter(1, labels[:, None], -torch.inf)
    count = logits.shape[1] if candidates is None else min(candidates, logits.shape[1])
    ranked = others.topk(count - 1, dim=1).indices
    crossed = ~(logits.detach().gather(1, ranked) < logits.detach().gather(1, labels[:, None])).all(1)
    nearest: Boundary | None = None
    for rank in range(count - 1):
        if rank and not model.keeps:
            logits = model(x)
        wanted, true = logits.gather(1, torch.stack([ranked[:, rank], labels], 1)).unbind(1)
        w = model.gradient(wanted - true, x, keep=rank < count - 2)
        f = (wanted - true).detach()
        found = Boundary(f, w, f.abs() / size(w).clamp_min(1e-12))
        nearest = found if nearest is None else nearest.nearer(found)
    assert nearest is not None, "a network with labels has two classes or more"
    return nearest, crossed
