"""Moosavi-Dezfooli, Fawzi, Frossard: "DeepFool: a simple and accurate method to fool deep neural networks", 2016."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack
from holdfast.attacks.balls import begin
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.fields import Count, Interval, NonNegative
from holdfast.objectives import Towards, margin, of_margin
from holdfast.rng import Stream
from holdfast.threats import L2, Linf, NormalisedLinf, Threat, per_image
from holdfast.types import Flags, Images, Labels, Logits, Objective, PerImage, Rows, Targets

BEYOND = 1e-4
"""How far each step goes past the plane, in the threat's norm.

The paper's formula ends on the plane. Where pixels meet the walls of the box it would creep up to it and never cross;
the authors' code adds the same constant.
"""


@dataclass(frozen=True)
class DeepFool(Attack):
    """Steps to the nearest linearised class boundary until the label changes; a minimum-norm attack.

    The threat's norm is the one that is minimised. For a first look at a few passes: FAB finds shorter ways in L-inf,
    DDN in L2. With a finite eps, images that need more are cut to the ball. The label left is the true one: an image
    that is already misclassified is returned as it is.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, NormalisedLinf)
    labelled: ClassVar[bool] = True

    threat: Threat = L2(math.inf)
    steps: Count = 50
    overshoot: NonNegative = 0.02
    """Applied to the accumulated perturbation, as in algorithm 2 of the paper."""
    candidates: Annotated[int, Interval(2)] = 10
    """How many of the most likely classes are considered, the true one included.

    They are ranked anew at each step, where the authors' code keeps those of the clean image; with ten classes it is
    the same.
    """
    objective: Objective = margin
    """The margin; `Towards(margin)` walks to the boundary of the wanted class alone, which is not in the paper."""

    def __post_init__(self) -> None:
        """Refuse planes that are not between classes."""
        super().__post_init__()
        require(of_margin(self.objective), f"DeepFool: objective = {self.objective}, not margin or Towards(margin)")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Walk until the label changes."""
        first = begin(model, images, targets, start, self.objective)
        return self.threat.project(walk(self, model, images, targets, first)[0], images)


def walk(fool: DeepFool, model: Watched, images: Images, labels: Labels, first: Images) -> tuple[Images, Labels]:
    """Return where each image stops, broken or out of steps, and the class whose boundary it went to last.

    Images that are through are not computed further, nor those that all walls of the box hold: they would not move any
    more. An image that has never moved has its label as that class.
    """
    x, towards = first.clone(), labels.clone()
    active = torch.arange(len(images), device=images.device)
    total = x - images
    for _ in range(fool.steps):
        if len(active) == 0:
            break
        if isinstance(fool.objective, Towards):
            rows, near = boundary_of_wanted(model, x[active], labels[active], fool.threat.dual)
        else:
            rows, near = nearest_of_standing(model, x[active], labels[active], fool.threat.dual, fool.candidates)
        if near is None:
            break
        active = active[rows]
        towards[active] = near.k
        total[active] += per_image(near.away + BEYOND) * fool.threat.ascent(near.w)
        moved = (images[active] + (1 + fool.overshoot) * total[active]).clamp(0, 1)
        going = (moved != x[active]).flatten(1).any(1)
        x[active] = moved
        active = active[going]
    return x, towards


class Boundary(NamedTuple):
    """A linearised boundary f + <w, r> = 0 of each image, to class k, and how far it is: |f| over the size of w."""

    k: Labels
    f: PerImage
    w: Tensor
    away: PerImage

    def nearer(self, other: "Boundary") -> "Boundary":
        """Return the nearer of two boundaries of each image."""
        better = other.away < self.away
        return Boundary(
            torch.where(better, other.k, self.k),
            torch.where(better, other.f, self.f),
            torch.where(per_image(better), other.w, self.w),
            torch.where(better, other.away, self.away),
        )

    def only(self, rows: Rows) -> "Boundary":
        """Return the boundaries of some of the images."""
        return Boundary(self.k[rows], self.f[rows], self.w[rows], self.away[rows])


def nearest_boundary(
    model: Watched, x: Images, labels: Labels, size: Callable[[Tensor], PerImage], candidates: int | None = None
) -> tuple[Boundary, Flags]:
    """Return the nearest of the boundaries z_k = z_y to the likeliest classes k other than y, and where one is crossed.

    `candidates` classes are looked at, y included; all where no number is given. `size` is the dual norm of gradients.
    """
    x = x.detach().requires_grad_()
    logits = model(x)
    classes, crossed = likeliest(logits, labels, candidates)
    return nearest(model, x, logits, labels, classes, size), crossed


def nearest_of_standing(
    model: Watched, images: Images, labels: Labels, size: Callable[[Tensor], PerImage], candidates: int | None
) -> tuple[Rows, Boundary | None]:
    """Return which images stand, and their nearest boundary; None where no image stands.

    Where the backward passes of the others would be more than the forward passes of those that stand, these are asked
    again by themselves.
    """
    x = images.detach().requires_grad_()
    logits = model(x)
    classes, crossed = likeliest(logits, labels, candidates)
    rows = (~crossed).nonzero()[:, 0]
    if len(rows) == 0:
        return rows, None
    if (len(x) - len(rows)) * classes.shape[1] <= len(rows):
        return rows, nearest(model, x, logits, labels, classes, size).only(rows)
    x = images[rows].requires_grad_()
    return rows, nearest(model, x, model(x), labels[rows], classes[rows], size)


def boundary_of_wanted(
    model: Watched, images: Images, wanted: Labels, size: Callable[[Tensor], PerImage]
) -> tuple[Rows, Boundary | None]:
    """Return which images are not of the wanted class, and the boundary f = z_wanted - max_other of each; None of none.

    The images that are through are few at a step, and there is one gradient: nothing is asked again.
    """
    x = images.detach().requires_grad_()
    lead = Towards(margin)(model(x), wanted)
    rows = (lead.detach() <= 0).nonzero()[:, 0]
    if len(rows) == 0:
        return rows, None
    w, f = model.gradient(lead, x), lead.detach()
    return rows, Boundary(wanted, f, w, f.abs() / size(w).clamp_min(1e-12)).only(rows)


def likeliest(logits: Logits, labels: Labels, candidates: int | None) -> tuple[Tensor, Flags]:
    """Return the likeliest classes other than the label, shape (n, candidates - 1), and which images are misclassified.

    All classes are candidates where no number is given.
    """
    logits = logits.detach()
    count = logits.shape[1] if candidates is None else min(candidates, logits.shape[1])
    classes = logits.scatter(1, labels[:, None], -torch.inf).topk(count - 1, dim=1).indices
    return classes, ~(logits.gather(1, classes) < logits.gather(1, labels[:, None])).all(1)


def nearest(
    model: Watched, x: Images, logits: Logits, labels: Labels, classes: Tensor, size: Callable[[Tensor], PerImage]
) -> Boundary:
    """Return the nearest boundary of each image to one of its `classes`; `logits` are what the model answers to `x`.

    There is one backward pass a class, of which only the nearest boundary is kept, so that the memory needed does not
    grow with the number of classes.
    """
    nearest: Boundary | None = None
    gaps = gaps_to(logits, labels, classes)
    for rank, k in enumerate(classes.unbind(1)):
        if rank and not model.keeps:
            gaps = gaps_to(model(x), labels, classes)
        w, f = model.gradient(gaps[rank], x, keep=rank < classes.shape[1] - 1), gaps[rank].detach()
        found = Boundary(k, f, w, f.abs() / size(w).clamp_min(1e-12))
        nearest = found if nearest is None else nearest.nearer(found)
    assert nearest is not None, "a network with labels has two classes or more"
    return nearest


def gaps_to(logits: Logits, labels: Labels, classes: Tensor) -> tuple[Tensor, ...]:
    """Return z_k - z_y of each image for each of its classes k, one after another."""
    return (logits.gather(1, classes) - logits.gather(1, labels[:, None])).unbind(1)
