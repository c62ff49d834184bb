"""FAB (Croce, Hein: "Minimally distorted adversarial examples with a fast adaptive boundary attack", 2020, algorithm 1)
and its targeted form, one of the four attacks of AutoAttack.

The norm of the threat is minimised. With a finite eps an image is through as soon as it is broken inside the ball; with
an infinite one all steps are spent on a shorter way.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack, Watched
from holdfast.attacks.deepfool import boundaries
from holdfast.attacks.planes import onto_plane
from holdfast.streams import Stream
from holdfast.threats import L1, L2, Linf, Threat, per_image
from holdfast.types import Images, Labels, Targets

Plane = Callable[[Watched, Images, Targets], tuple[Tensor, Tensor]]
"""`(model, x, targets) -> (f, w)`: how far over the boundary an image is, and the gradient of that."""


@dataclass(frozen=True)
class FAB(Attack):
    """Steps between the nearest linearised boundary and the image, ever closer; a minimum-norm attack."""

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1)

    threat: Threat = L2(math.inf)
    steps: int = 100
    alpha_max: float = 0.1
    """The largest weight of the way back to the image."""
    eta: float = 1.05
    """How far a step goes over the plane."""
    beta: float = 0.9
    """How far an image that is broken goes back towards where it came from."""

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Look for the boundary to whatever class is nearest."""

        def nearest(model: Watched, x: Images, labels: Labels) -> tuple[Tensor, Tensor]:
            f, w = boundaries(model, x, labels, candidates=1_000_000)
            chosen = (f.abs() / self.threat.dual(w.flatten(0, 1)).view_as(f).clamp_min(1e-12)).argmin(1)
            rows = torch.arange(len(f), device=f.device)
            return f[rows, chosen], w[rows, chosen]

        result = search(self, model, images, targets, start, nearest)
        return self.threat.project(result, images)


@dataclass(frozen=True)
class FABT(Attack):
    """FAB towards one wrong class after another, the likeliest on the clean image first."""

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1)

    threat: Threat = Linf()
    steps: int = 100
    classes: int = 9
    """How many wrong classes are tried, as far as there are so many."""
    alpha_max: float = 0.1
    eta: float = 1.05
    beta: float = 0.9

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Look for the boundary to the class of each rank, and keep the shortest way."""
        with torch.no_grad():
            logits = model(images)
        ranked = logits.scatter(1, targets[:, None], -torch.inf).argsort(dim=1, descending=True)
        fab = FAB(self.threat, self.steps, self.alpha_max, self.eta, self.beta)
        result, shortest = images.clone(), images.new_full((len(images),), torch.inf)
        for rank in range(min(self.classes, logits.shape[1] - 1)):
            # Inside a finite ball an image is through once broken; without one, every class may be nearer.
            done = shortest <= (self.threat.eps if self.threat.eps < math.inf else -1.0)
            active = ((logits.argmax(1) == targets) & ~done).nonzero()[:, 0]
            if len(active) == 0:
                break
            pairs = torch.stack([targets[active], ranked[active, rank]], 1)
            found = search(fab, model, images[active], pairs, None if start is None else start[active], to_wanted)
            length = self.threat.distance(found, images[active])
            better = (length > 0) & (length < shortest[active])
            result[active[better]], shortest[active[better]] = found[better], length[better]
        return self.threat.project(result, images)


def to_wanted(model: Watched, x: Images, pairs: Targets) -> tuple[Tensor, Tensor]:
    """Return z_wanted - z_true and its gradient; `pairs` holds (true, wanted)."""
    x = x.detach().requires_grad_()
    true, wanted = model(x).gather(1, pairs).unbind(1)
    return (wanted - true).detach(), model.gradient(wanted - true, x)


def search(fab: FAB, model: Watched, images: Images, targets: Targets, start: Images | None, plane: Plane) -> Images:
    """Return the nearest broken point that is found for each image; the image itself where none is."""
    labels = targets if targets.ndim == 1 else targets[:, 0]
    best, shortest = images.clone(), images.new_full((len(images),), torch.inf)
    x = (images if start is None else start).clone()
    with torch.no_grad():
        active = (model(images).argmax(1) == labels).nonzero()[:, 0]
    for _ in range(fab.steps):
        if len(active) == 0:
            break
        x0, x1 = images[active], x[active]
        f, w = plane(model, x1, targets[active])
        x1 = between(fab, x0, x1, f, w)
        with torch.no_grad():
            broken = model(x1).argmax(1) != labels[active]
        length = fab.threat.distance(x1, x0)
        better = broken & (length < shortest[active])
        best[active[better]], shortest[active[better]] = x1[better], length[better]
        x[active] = torch.where(per_image(broken), x0 + fab.beta * (x1 - x0), x1)
        if fab.threat.eps < math.inf:
            active = active[shortest[active] > fab.threat.eps]
    return best


def between(fab: FAB, x0: Images, x1: Images, f: Tensor, w: Tensor) -> Images:
    """Step onto the plane f + <w, x - x1> = 0 from the point and from the image, and mix both by their lengths."""
    flat = w.flatten(1)
    f = f.float()
    gap0 = -f - (flat * (x0 - x1).flatten(1)).sum(1)
    d1 = onto_plane(fab.threat, x1.flatten(1), flat, -f).view_as(x1)
    d2 = onto_plane(fab.threat, x0.flatten(1), flat, gap0).view_as(x0)
    zero = torch.zeros_like(d1)
    a1, a2 = (fab.threat.distance(d, zero).clamp_min(1e-8) for d in (d1, d2))
    alpha = per_image((a1 / (a1 + a2)).clamp_max(fab.alpha_max))
    return ((1 - alpha) * (x1 + fab.eta * d1) + alpha * (x0 + fab.eta * d2)).clamp(0, 1)
