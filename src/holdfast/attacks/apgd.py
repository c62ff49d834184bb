"""APGD, algorithm 1 of "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
attacks" (Croce, Hein, 2020): projected gradient ascent with momentum that halves its own step.

As in the authors' code, an image is through at its first misclassified iterate; here it then leaves the batch, so that
it costs nothing further. Targets that are not labels are climbed to the end, and the best point is returned.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack, Watched, succeeded
from holdfast.errors import require
from holdfast.objectives import cross_entropy
from holdfast.streams import Stream
from holdfast.threats import L2, Linf, Threat, per_image
from holdfast.types import Flags, Images, Objective, PerImage, Targets


@dataclass(frozen=True)
class APGD(Attack):
    """Parameter-free projected gradient ascent; one of the four attacks of AutoAttack."""

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2)

    threat: Threat = Linf()
    steps: int = 100
    restarts: int = 1
    objective: Objective = cross_entropy
    rho: float = 0.75
    """A checkpoint halves the step where the objective rose in at most this share of the steps since the last one."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        super().__post_init__()
        require(0 < self.rho <= 1, f"APGD: rho = {self.rho}, not in (0, 1]")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Climb from a random start, again for what still holds; an image already broken is returned as it is."""
        result = images.clone()
        with torch.no_grad():
            held = ~succeeded(self.objective, model(images), targets)
        active = held.nonzero()[:, 0]
        for restart in range(self.restarts):
            if len(active) == 0:
                break
            chosen, own = images[active], stream[active].split(restart)
            first = self.first(chosen, own) if start is None or restart else start[active]
            found, reached = self.climb(model, chosen, targets[active], first)
            result[active] = reached
            active = active[~found]
        return result

    def first(self, images: Images, stream: Stream) -> Images:
        """Return a random point of the ball's surface, cut to the box."""
        noise = (
            2 * stream.uniform(images.shape[1:]) - 1
            if isinstance(self.threat, Linf)
            else stream.normal(images.shape[1:])
        )
        size = self.threat.distance(noise, torch.zeros_like(noise)).clamp_min(1e-12)
        return self.threat.project(images + self.threat.eps * noise / per_image(size), images)

    def climb(self, model: Watched, images: Images, targets: Targets, x: Images) -> tuple[Flags, Images]:
        """Return which images were broken, and for each the point that breaks it, else its best one."""
        best = images.clone()
        broken = torch.zeros(len(images), dtype=torch.bool, device=images.device)
        at = State.begin(self, model, images, targets, x)
        checkpoints = schedule(self.steps)
        for step in range(self.steps + 1):
            at, out = at.without_broken(self.objective)
            best[out.place], broken[out.place] = out.x, True
            if len(at.place) == 0 or step == self.steps:
                break
            at = at.advance(self, model, momentum=0.25 if step else 0.0)
            if step + 1 in checkpoints:
                at = at.checkpoint(checkpoints[step + 1], self.rho)
        best[at.place] = at.x_best
        return broken, best


def schedule(steps: int) -> dict[int, int]:
    """Return after which steps there is a checkpoint, and how many steps lie before it (22 %, then 3 % fewer each)."""
    interval, least, shrink = (max(int(share * steps), 1) for share in (0.22, 0.06, 0.03))
    found, at = {}, interval
    while at <= steps:
        found[at] = interval
        interval = max(interval - shrink, least)
        at += interval
    return found


@dataclass(frozen=True)
class Broken:
    """The images that were broken at a step, and where."""

    place: Tensor
    x: Images


@dataclass(frozen=True)
class State:
    """Everything that APGD keeps for the images that still hold, one row an image."""

    place: Tensor
    center: Images
    targets: Targets
    x: Images
    x_before: Images
    x_best: Images
    outputs: Tensor
    gradient: Tensor
    gradient_best: Tensor
    loss: PerImage
    loss_best: PerImage
    loss_best_before: PerImage = field(repr=False)
    eta: PerImage
    rises: PerImage
    reduced: Flags

    @staticmethod
    def begin(attack: APGD, model: Watched, center: Images, targets: Targets, x: Images) -> "State":
        """Return the state at the start, with a step of twice the radius."""
        outputs, loss, gradient = evaluate(model, x, targets, attack.objective)
        n = torch.ones_like(loss)
        place = torch.arange(len(x), device=x.device)
        # The reference compares the first step's objective with 0, not with the start's.
        zero, eta = torch.zeros_like(loss), 2 * attack.threat.eps * n
        return State(
            place, center, targets, x, x, x, outputs, gradient, gradient, zero, loss, loss, eta, zero, n.bool()
        )  # fmt: skip

    def where(self, kept: Flags) -> "State":
        """Keep the rows of some images."""
        rows = kept.nonzero()[:, 0]
        return State(**{name: value.index_select(0, rows) for name, value in vars(self).items()})

    def without_broken(self, objective: Objective) -> tuple["State", Broken]:
        """Part with the images whose last answer is what the attacker wants."""
        done = succeeded(objective, self.outputs, self.targets)
        if not bool(done.any()):
            return self, Broken(self.place[:0], self.x[:0])
        return self.where(~done), Broken(self.place[done], self.x[done])

    def advance(self, attack: APGD, model: Watched, momentum: float) -> "State":
        """Take one step with momentum and look at where it leads."""
        project, ascent = attack.threat.project, attack.threat.ascent
        z = project(self.x + per_image(self.eta) * ascent(self.gradient), self.center)
        x = self.x + (1 - momentum) * (z - self.x) + momentum * (self.x - self.x_before)
        x = project(x, self.center)
        outputs, loss, gradient = evaluate(model, x, self.targets, attack.objective)
        better = loss > self.loss_best
        return replace(
            self,
            x=x,
            x_before=self.x,
            outputs=outputs,
            loss=loss,
            gradient=gradient,
            rises=self.rises + (loss > self.loss),
            x_best=torch.where(per_image(better), x, self.x_best),
            gradient_best=torch.where(per_image(better), gradient, self.gradient_best),
            loss_best=torch.where(better, loss, self.loss_best),
        )

    def checkpoint(self, interval: int, rho: float) -> "State":
        """Halve the step and go back to the best point, where the climb has stalled."""
        oscillates = self.rises <= rho * interval
        stuck = ~self.reduced & (self.loss_best_before >= self.loss_best)
        halved = oscillates | stuck
        return replace(
            self,
            eta=torch.where(halved, self.eta / 2, self.eta),
            x=torch.where(per_image(halved), self.x_best, self.x),
            gradient=torch.where(per_image(halved), self.gradient_best, self.gradient),
            rises=torch.zeros_like(self.rises),
            reduced=halved,
            loss_best_before=self.loss_best,
        )


def evaluate(model: Watched, x: Images, targets: Targets, objective: Objective) -> tuple[Tensor, PerImage, Tensor]:
    """Return the answer, the objective and its gradient, in one forward and one backward pass."""
    x = x.detach().requires_grad_()
    outputs = model(x)
    loss = objective(outputs, targets)
    return outputs.detach(), loss.detach(), model.gradient(loss, x)
