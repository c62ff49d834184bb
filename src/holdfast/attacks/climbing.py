"""What a climb keeps of the images that still hold: where each is, what the network says there, and its best point.

The ways of APGD differ in how they step and when they slow down; what a step leaves behind is the same for all.
"""

from abc import ABC
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from holdfast.attacks.attack import succeeded
from holdfast.attacks.watched import Watched
from holdfast.threats import per_image
from holdfast.types import Flags, Images, Objective, PerImage, Targets

Self = TypeVar("Self", bound="Climb")
"""The kind of climb that a method is called on (typing.Self is not understood by the checker of the tests)."""


class Seen(NamedTuple):
    """What the network shows at a point: its answer, the objective there, and the way up."""

    outputs: Tensor
    loss: PerImage
    gradient: Tensor


class Broken(NamedTuple):
    """The images that were broken at a step, and where."""

    place: Tensor
    x: Images


@dataclass(frozen=True)
class Climb(ABC):
    """The climb of each image that still holds, one row an image; `place` is its row in the batch."""

    place: Tensor
    center: Images
    targets: Targets
    x: Images
    outputs: Tensor
    loss: PerImage
    gradient: Tensor
    x_best: Images
    loss_best: PerImage
    gradient_best: Tensor

    def where(self: Self, kept: Flags) -> Self:
        """Keep the rows of some images."""
        rows = kept.nonzero()[:, 0]
        return type(self)(**{name: value.index_select(0, rows) for name, value in vars(self).items()})

    def without_broken(self: Self, objective: Objective) -> tuple[Self, Broken]:
        """Part with the images whose last answer is what the attacker wants."""
        done = succeeded(objective, self.outputs, self.targets)
        if not bool(done.any()):
            return self, Broken(self.place[:0], self.x[:0])
        return self.where(~done), Broken(self.place[done], self.x[done])

    def moved(self: Self, x: Images, seen: Seen, **own: Any) -> Self:
        """Stand at `x`, remember it where it is the best so far, and change some fields of one's own."""
        better = seen.loss > self.loss_best
        return replace(
            self,
            x=x,
            outputs=seen.outputs,
            loss=seen.loss,
            gradient=seen.gradient,
            x_best=torch.where(per_image(better), x, self.x_best),
            loss_best=torch.where(better, seen.loss, self.loss_best),
            gradient_best=torch.where(per_image(better), seen.gradient, self.gradient_best),
            **own,
        )

    def returned(self: Self, back: Flags, **own: Any) -> Self:
        """Go back to the best point where told so, and change some fields of one's own; nothing is asked anew."""
        return replace(
            self,
            x=torch.where(per_image(back), self.x_best, self.x),
            gradient=torch.where(per_image(back), self.gradient_best, self.gradient),
            **own,
        )


def evaluate(model: Watched, x: Images, targets: Targets, objective: Objective, draws: int = 1) -> Seen:
    """Return what the network shows at `x`, in `draws` forward and as many backward passes an image.

    The gradient is the mean over the draws; answer and objective are the last draw's, as in the authors' code.
    """
    total = torch.zeros_like(x)
    for _ in range(draws):
        x = x.detach().requires_grad_()
        outputs = model(x)
        loss = objective(outputs, targets)
        total = total + model.gradient(loss, x)
    return Seen(outputs.detach(), loss.detach(), total / draws)
