"""FAB (Croce, Hein: "Minimally distorted adversarial examples with a fast adaptive boundary attack", 2020, algorithm 1)
and its targeted form, one of the four attacks of AutoAttack.

The norm of the threat is minimised. With a finite eps an image is through as soon as it is broken inside the ball; with
an infinite one all steps are spent on a shorter way.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack
from holdfast.attacks.balls import Shortest, answer
from holdfast.attacks.deepfool import nearest_boundary
from holdfast.attacks.planes import onto_plane
from holdfast.attacks.reached import Reached, restarted
from holdfast.attacks.surface import on_the_surface
from holdfast.attacks.watched import Watched
from holdfast.attacks.wrong_classes import wrong_classes
from holdfast.errors import require
from holdfast.fields import Count, Interval, Positive
from holdfast.objectives import Towards, difference, is_correct, margin, of_margin
from holdfast.rng import Stream
from holdfast.threats import L1, L2, Linf, NormalisedLinf, Threat, per_image
from holdfast.types import Images, Index, Labels, Objective, Rows, Targets

Plane = Callable[[Watched, Images, Targets], tuple[Tensor, Tensor]]
"""`(model, x, targets) -> (f, w)`: how far over the boundary an image is, and the gradient of that."""


@dataclass(frozen=True)
class FAB(Attack):
    """Steps between the nearest linearised boundary and the image, ever closer; a minimum-norm attack.

    The one to take in L-inf. A step costs a backward pass for every wrong class, so many classes want FABT or few
    `candidates`.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1, NormalisedLinf)
    labelled: ClassVar[bool] = True

    threat: Threat = L2(math.inf)
    steps: Count = 100
    alpha_max: Annotated[float, Interval(0, 1)] = 0.1
    """The largest weight of the way back to the image."""
    eta: Positive = 1.05
    """How far a step goes over the plane."""
    beta: Annotated[float, Interval(0, 1)] = 0.9
    """How far an image that is broken goes back towards where it came from."""
    restarts: Count = 1
    """Runs from the image itself, then from random points half an eps away, with what still holds."""
    candidates: Annotated[int, Interval(2)] | None = None
    """How many of the likeliest classes are looked at, the true one included; None: all, as in the paper."""
    seed: int = 0
    objective: Objective = margin
    """The margin; `Towards(margin)` goes to the boundary of the wanted class alone, which is not in the paper."""

    def __post_init__(self) -> None:
        """Refuse to start again half of infinity away, and planes that are not between classes."""
        super().__post_init__()
        require(of_margin(self.objective), f"FAB: objective = {self.objective}, not margin or Towards(margin)")
        require(self.restarts == 1 or self.threat.eps < math.inf, f"FAB: restarts need a finite eps, not {self.threat}")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Look for the boundary to whatever class is nearest, or to the wanted one."""

        def nearest(model: Watched, x: Images, labels: Labels) -> tuple[Tensor, Tensor]:
            found = nearest_boundary(model, x, labels, self.threat.dual, self.candidates)[0]
            return found.f, found.w

        plane = before_wanted if isinstance(self.objective, Towards) else nearest

        def again(restart: int, rows: Index) -> Reached:
            center, own = images[rows], stream[rows].split(restart)
            first = center if start is None else start[rows]
            if restart:
                first = on_the_surface(self.threat, center, self.threat.eps / 2, own).clamp(0, 1)
            best = Shortest.none(self.threat, center)
            if start is not None and not restart:
                look_at(first, best, torch.arange(len(rows), device=rows.device), model, targets[rows], self.objective)
            found = search(self, model, best, targets[rows], first, plane)
            return Reached(found.length <= self.threat.eps, found.x, -found.length)

        held = ~answer(model, images, targets, self.objective)[1]
        return self.threat.project(restarted(self.restarts, images, again, held).best, images)


@dataclass(frozen=True)
class FABT(Attack):
    """FAB towards one wrong class after another, the likeliest on the clean image first.

    For L-inf, and for L2 and L1 on networks that were not trained against attacks, where its ways are the shortest.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1, NormalisedLinf)
    labelled: ClassVar[bool] = True

    threat: Threat = Linf()
    steps: Count = 100
    classes: Count = 9
    """How many wrong classes are tried, as far as there are so many."""
    alpha_max: Annotated[float, Interval(0, 1)] = 0.1
    eta: Positive = 1.05
    beta: Annotated[float, Interval(0, 1)] = 0.9

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Look for the boundary to the class of each rank, and keep the shortest way."""
        with torch.no_grad():
            logits = model(images)
        fab = FAB(self.threat, self.steps, self.alpha_max, self.eta, self.beta)
        best = Shortest.none(self.threat, images)
        held = is_correct(logits, targets)
        if start is not None:
            look_at(start, best, held.nonzero()[:, 0], model, targets, margin)
            if self.threat.eps < math.inf:
                held &= best.length > self.threat.eps
        for turn in wrong_classes(logits, targets, self.classes, held):
            active = turn.active
            first = images[active] if start is None else start[active]
            none = Shortest.none(self.threat, images[active])
            found = search(fab, model, none, turn.pairs, first, to_wanted)
            best.take(active, found.x, found.length, found.length < math.inf)
            # Inside a finite ball an image is through once broken; without one, every class may be nearer.
            if self.threat.eps < math.inf:
                held[active] = best.length[active] > self.threat.eps
        return self.threat.project(best.x, images)


def before_wanted(model: Watched, x: Images, wanted: Labels) -> tuple[Tensor, Tensor]:
    """Return z_wanted - max_other and its gradient."""
    x = x.detach().requires_grad_()
    lead = Towards(margin)(model(x), wanted)
    return lead.detach(), model.gradient(lead, x)


def to_wanted(model: Watched, x: Images, pairs: Targets) -> tuple[Tensor, Tensor]:
    """Return z_wanted - z_true and its gradient; `pairs` holds (true, wanted)."""
    x = x.detach().requires_grad_()
    true, wanted = model(x).gather(1, pairs).unbind(1)
    return (wanted - true).detach(), model.gradient(wanted - true, x)


def look_at(start: Images, best: Shortest, place: Rows, model: Watched, targets: Targets, objective: Objective) -> None:
    """Keep the starts of the images at `place` that are breaks: the search may find none that is nearer."""
    if len(place):
        best.keep(place, start[place], answer(model, start[place], targets[place], objective)[1])


def search(fab: FAB, model: Watched, best: Shortest, targets: Targets, start: Images, plane: Plane) -> Shortest:
    """Return the shortest break of each image, of those in `best` and those that are found.

    The images hold when they come; `targets` are their labels, wanted classes, or pairs (true, wanted).
    """
    objective = fab.objective if targets.ndim == 1 else difference
    images, x, active = best.images, start.clone(), torch.arange(len(start), device=start.device)
    active = active[best.unsettled(active)]
    for _ in range(fab.steps):
        if len(active) == 0:
            break
        x0, x1 = images[active], x[active]
        f, w = plane(model, x1, targets[active])
        x1 = between(fab, x0, x1, f, w)
        broken = answer(model, x1, targets[active], objective)[1]
        best.take(active, x1, fab.threat.distance(x1, x0), broken)
        x[active] = torch.where(per_image(broken), x0 + fab.beta * (x1 - x0), x1)
        active = active[best.unsettled(active)]
    return best


def between(fab: FAB, x0: Images, x1: Images, f: Tensor, w: Tensor) -> Images:
    """Step onto the plane f + <w, x - x1> = 0 from the point and from the image, and mix both by their lengths."""
    gap0 = -f - (w * (x0 - x1)).flatten(1).sum(1)
    d1, d2 = onto_plane(fab.threat, x1, w, -f), onto_plane(fab.threat, x0, w, gap0)
    zero = torch.zeros_like(d1)
    a1, a2 = (fab.threat.distance(d, zero).clamp_min(1e-8) for d in (d1, d2))
    alpha = per_image((a1 / (a1 + a2)).clamp_max(fab.alpha_max))
    return ((1 - alpha) * (x1 + fab.eta * d1) + alpha * (x0 + fab.eta * d2)).clamp(0, 1)
