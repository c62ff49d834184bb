"""Feature distortion, the attack that algorithm 1 of paper 004 makes its training images with (the self-supervised
perturbation of Naseer et al.: "A self-supervised approach for adversarial robustness", 2020).

The paper prints the gradient towards the clean image, which is a misprint for the attacked one, and leaves step size
and steps open: 0.01 and 100 are those of Naseer et al.'s code. The start is drawn from the ball; theirs is normal noise
in place of the image, which the first projection makes nearly a random corner.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holdfast.attacks.attack import Attack
from holdfast.attacks.reached import Reached, restarted
from holdfast.attacks.watched import Watched
from holdfast.errors import ModelFault, UsageError, require
from holdfast.fields import Count, NonNegative
from holdfast.models.layers import capture
from holdfast.objectives import distance
from holdfast.rng import Stream
from holdfast.threats import Linf, Threat
from holdfast.types import Images, Index, Objective, PerImage, Targets

Features = list[Tensor]
"""One tensor a layer, one row an image."""


@dataclass(frozen=True)
class FeatureDistortion(Attack):
    """Moves the features of an image far from those of the clean one, whatever its label.

    It needs no labels: targets are not looked at, and the network may be a plain extractor of features.
    """

    threat: Threat = Linf(16 / 255)
    steps: Count = 100
    step_size: NonNegative = 0.01
    layers: tuple[str, ...] = ()
    """The layers whose features count, by the names that `capture` knows; the network's own output where none is."""
    restarts: Count = 1
    """Runs from different starts, the first from `start` if one is given; the one of largest distance is kept.

    A start at the image itself goes nowhere: the gradient of the distance is zero there.
    """
    objective: Objective = distance
    """Compares features with the clean ones; over several layers it is summed."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a word where a tuple of names is meant."""
        super().__post_init__()
        require(isinstance(self.layers, tuple), f"FeatureDistortion: layers = {self.layers!r}: a tuple of names")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Climb from random starts and keep the farthest."""
        model.labels = None  # features have no classes that a label could lie beyond
        with features_of(model, self.layers) as features:
            with torch.no_grad():
                clean = features(images)

            def climb(restart: int) -> Images:
                first = self.threat.random_start(images, stream.split(restart)) if start is None or restart else start
                return self.climb(model, features, first, images, clean)

            def again(restart: int, _rows: Index) -> Reached:  # all rows: nothing is ever broken
                x = climb(restart)
                with torch.no_grad():
                    far = self.distortion(features(x), clean)
                return Reached(torch.zeros_like(far, dtype=torch.bool), x, far)

            return climb(0) if self.restarts == 1 else restarted(self.restarts, images, again).best

    def climb(
        self, model: Watched, features: Callable[[Images], Features], x: Images, images: Images, clean: Features
    ) -> Images:
        """Take `steps` steps up the distance from the clean features."""
        for _ in range(self.steps):
            x = x.detach().requires_grad_()
            gradient = model.gradient(self.distortion(features(x), clean), x)
            x = self.threat.project(x.detach() + self.step_size * self.threat.ascent(gradient, x), images)
        return x

    def distortion(self, found: Features, clean: Features) -> PerImage:
        """Return how far the features are from the clean ones."""
        return torch.stack([self.objective(*pair) for pair in zip(found, clean, strict=True)]).sum(0)


@contextmanager
def features_of(model: Watched, layers: tuple[str, ...]) -> Iterator[Callable[[Images], Features]]:
    """Give a function from images to what the named layers return, or the network itself where none is named.

    Raises:
        UsageError: the network is a plain function, which has no layers, or no layer of it has that name.
        ModelFault: a layer was passed by, or returned something else than one row an image.
    """
    if not layers:
        yield lambda x: [model(x)]
        return
    if not isinstance(model.model, nn.Module):
        raise UsageError(f"layers = {layers}: a plain function has none; give a torch module, or leave layers empty")
    with capture(model.model, *layers) as seen:

        def features(x: Images) -> Features:
            model(x)
            for name in layers:
                if not isinstance(seen.get(name), Tensor) or len(seen[name]) != len(x):
                    raise ModelFault(f"layer '{name}' gave no tensor with one row for each of {len(x)} images")
            return [seen[name] for name in layers]

        yield features
