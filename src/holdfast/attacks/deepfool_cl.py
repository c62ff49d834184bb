"""DeepFool as the code of paper 000 runs it, kept to reproduce that paper's columns and for nothing else.

It differs from the algorithm in three ways (the torchattacks form): the overshoot multiplies each step, the point is
clipped to [0, 1] at each step, and the images it clips are the *normalised* ones. Every pixel darker than the data
set's mean becomes the mean at the first step, so that its columns measure this clipping more than any distance.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from holdfast.attacks.attack import Attack
from holdfast.attacks.balls import begin
from holdfast.attacks.deepfool import nearest_boundary
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.fields import Count, NonNegative, Positive
from holdfast.objectives import margin
from holdfast.rng import Stream
from holdfast.threats import L2, Threat, per_image
from holdfast.types import Images, Targets

CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2470, 0.2435, 0.2616)


@dataclass(frozen=True)
class DeepFoolCL(Attack):
    """DeepFool inside the box [0, 1] of normalised pixels: the variant of paper 000, no measure of robustness."""

    labelled: ClassVar[bool] = True

    threat: Threat = L2(float("inf"))
    steps: Count = 20
    overshoot: NonNegative = 0.02
    mean: tuple[float, ...] = CIFAR_MEAN
    std: tuple[Positive, ...] = CIFAR_STD
    """The normalisation whose space is clipped; grey images take the average of the channels."""

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Walk in normalised space u = (x - mean) / std; images already misclassified stay untouched."""
        mean, std = self._constants(images)
        result = begin(model, images, targets, start, margin)
        active = torch.arange(len(images), device=images.device)
        for _ in range(self.steps):
            near, crossed = nearest_boundary(model, result[active], targets[active], lambda w: L2().dual(w * std))
            active, f, away, w = active[~crossed], near.f[~crossed], near.away[~crossed], near.w[~crossed] * std
            if len(active) == 0:
                break
            length = away.square() / f.abs().clamp_min(1e-30)  # |f| over the squared size of w
            u = (result[active] - mean) / std + (1 + self.overshoot) * per_image(length) * w
            result[active] = mean + std * u.clamp(0, 1)
        return self.threat.project(result, images)

    def _constants(self, images: Images) -> tuple[torch.Tensor, torch.Tensor]:
        same = len(self.mean) == len(self.std) and (images.shape[1] in (1, len(self.mean)))
        require(same, f"DeepFoolCL: mean = {self.mean}, std = {self.std}: images have {images.shape[1]} channels")
        mean, std = (images.new_tensor(value) for value in (self.mean, self.std))
        if images.shape[1] == 1:
            mean, std = mean.mean()[None], std.mean()[None]
        return mean[:, None, None], std[:, None, None]
