"""APGD, algorithm 1 of "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
attacks" (Croce, Hein, 2020): projected gradient ascent with momentum that halves its own step. In L1 it climbs in
another way (Croce, Hein, 2021), which has its own file.

As in the authors' code, an image is through at its first misclassified iterate; here it then leaves the batch, so that
it costs nothing further. Targets that are not labels are climbed to the end, and the best point is returned.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch

from holdfast.attacks.apgd_l1 import climb_sparsely, wide_start
from holdfast.attacks.attack import Attack, full_step, succeeded
from holdfast.attacks.climbing import Climb, Seen, evaluate
from holdfast.attacks.reached import Reached, restarted
from holdfast.attacks.surface import on_the_surface
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, Share
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import L1, L2, Linf, NormalisedLinf, Threat, per_image
from holdfast.types import Flags, Images, Index, Objective, PerImage, Targets


@dataclass(frozen=True)
class APGD(Attack):
    """Parameter-free projected gradient ascent; one of the four attacks of AutoAttack.

    For L-inf, L2 and L1, at a hundred steps and more.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1, NormalisedLinf)

    threat: Threat = Linf()
    steps: Count = 100
    restarts: Count = 1
    objective: Objective = cross_entropy
    rho: Share = 0.75
    """A checkpoint halves the step where the objective rose in at most this share of the steps since the last one.

    In L1 the step follows the sparsity instead.
    """
    draws: Count = 1
    """How many passes the gradient of a step is averaged over: more than one for a network that answers at random.

    AutoAttack's version for such networks takes 20.
    """
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a ball without an end."""
        super().__post_init__()
        full_step(self.threat)  # the first step is twice as long

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Climb with the images that hold; one already broken is returned as it is."""
        result = images.clone()
        with torch.no_grad():
            held = (~succeeded(self.objective, model(images), targets)).nonzero()[:, 0]
        if len(held):
            first = None if start is None else start[held]
            result[held] = self.climbs(model, images[held], targets[held], first, stream[held]).best
        return result

    def climbs(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Reached:
        """Climb from the start or a random one, then from others with what still holds."""

        def climb(restart: int, rows: Index) -> Reached:
            chosen, own = images[rows], stream[rows].split(restart)
            first = self.first(chosen, own) if start is None or restart else start[rows]
            return self.climb(model, chosen, targets[rows], first)

        return restarted(self.restarts, images, climb)

    def first(self, images: Images, stream: Stream) -> Images:
        """Return a random point of the ball's surface, cut to the box; in L1 one of a wider ball."""
        if isinstance(self.threat, L1):
            return wide_start(self.threat, images, stream)
        return self.threat.project(on_the_surface(self.threat, images, self.threat.eps, stream), images)

    def climb(self, model: Watched, images: Images, targets: Targets, x: Images) -> Reached:
        """Return which images were broken, and for each the point that breaks it, else its best one."""
        if isinstance(self.threat, L1):
            view = partial(evaluate, model, objective=self.objective, draws=self.draws)
            return climb_sparsely(self.threat, self.steps, self.objective, view, images, targets, x)
        reached = Reached.nothing(images)
        at = State.begin(self, model, images, targets, x)
        checkpoints = schedule(self.steps)
        for step in range(self.steps + 1):
            at, out = at.without_broken(self.objective)
            reached.best[out.place], reached.broken[out.place] = out.x, True
            if len(at.place) == 0 or step == self.steps:
                break
            if step in checkpoints:
                at = at.checkpoint(checkpoints[step], self.rho)
            at = at.advance(self, model, momentum=0.25 if step else 0.0)
        reached.best[at.place], reached.value[at.place] = at.x_best, at.loss_best
        return reached


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
class State(Climb):
    """A climb in L-inf or L2: besides, where each image was before, its step, and how it went since the checkpoint."""

    x_before: Images
    eta: PerImage
    rises: PerImage
    reduced: Flags
    loss_best_before: PerImage

    @staticmethod
    def begin(attack: APGD, model: Watched, center: Images, targets: Targets, x: Images) -> "State":
        """Return the state at the start, with a step of twice the radius."""
        seen = evaluate(model, x, targets, attack.objective, attack.draws)
        n, place = torch.ones_like(seen.loss), torch.arange(len(x), device=x.device)
        # The reference compares the first step's objective with 0, not with the start's.
        at = Seen(seen.outputs, torch.zeros_like(seen.loss), seen.gradient)
        eta, rises = 2 * attack.threat.eps * n, torch.zeros_like(n)
        return State(place, center, targets, x, *at, x, seen.loss, seen.gradient, x, eta, rises, n.bool(), seen.loss)

    def advance(self, attack: APGD, model: Watched, momentum: float) -> "State":
        """Take one step with momentum and look at where it leads."""
        project, ascent = attack.threat.project, attack.threat.ascent
        z = project(self.x + per_image(self.eta) * ascent(self.gradient), self.center)
        x = self.x + (1 - momentum) * (z - self.x) + momentum * (self.x - self.x_before)
        x = project(x, self.center)
        seen = evaluate(model, x, self.targets, attack.objective, attack.draws)
        return self.moved(x, seen, x_before=self.x, rises=self.rises + (seen.loss > self.loss))

    def checkpoint(self, interval: int, rho: float) -> "State":
        """Halve the step and go back to the best point, where the climb has stalled."""
        oscillates = self.rises <= rho * interval
        stuck = ~self.reduced & (self.loss_best_before >= self.loss_best)
        halved = oscillates | stuck
        return self.returned(
            halved,
            eta=torch.where(halved, self.eta / 2, self.eta),
            rises=torch.zeros_like(self.rises),
            reduced=halved,
            loss_best_before=self.loss_best,
        )
