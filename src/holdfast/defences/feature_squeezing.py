"""Feature squeezing (Xu, Evans, Qi: "Feature squeezing: detecting adversarial examples in deep neural networks", 2018).

A squeezed image should be classified as the image is. The authors' third squeezer, non-local means, is not here. He et
al. (2017) and Carlini and Wagner (2017) broke the detector by attacks that see through the squeezers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holdfast.defences.bit_depth import BitDepth
from holdfast.defences.defence import Defence, Step
from holdfast.defences.detector import Detector, Score
from holdfast.defences.median import Median
from holdfast.defences.views import smooth
from holdfast.errors import require
from holdfast.types import Images, PerImage


@dataclass(frozen=True)
class FeatureSqueezing(Detector):
    """Scores an image by how far squeezing it moves the class probabilities, in L1; of several squeezers the most.

    FeatureSqueezing((BitDepth(5), Median(2))).fitted(classifier, clean)
    """

    squeezers: tuple[Defence, ...] = (BitDepth(5), Median(2))
    threshold: float = 1.2
    """The published one; for CIFAR-10 it is 1.15. Scores are in [0, 2]."""

    def __post_init__(self) -> None:
        """Refuse to squeeze with nothing, and with what stands inside a classifier or draws at random."""
        super().__post_init__()
        require(len(self.squeezers) > 0, "FeatureSqueezing: squeezers = (): give at least one")
        for each in self.squeezers:
            fits = type(each).around is Defence.around and not each.random
            require(fits, f"FeatureSqueezing: {each} does not change images, or does so at random")

    def fitted(self, classifier: nn.Module, clean: Images, attacked: Tensor | None = None) -> "SqueezingScore":
        """Return the score; there is nothing to fit."""
        return SqueezingScore(classifier, self)


class SqueezingScore(Score):
    """The largest L1 distance between the class probabilities of an image and of a squeezed one, in [0, 2]."""

    def __init__(self, classifier: nn.Module, detector: FeatureSqueezing) -> None:
        super().__init__()
        self.classifier = classifier
        self.squeezers = nn.ModuleList(Step(each) for each in detector.squeezers)
        self.usual_threshold = detector.threshold

    def forward(self, images: Images) -> PerImage:
        """Return the score of each image."""
        return self._scored(images, list(self.squeezers))

    def smooth(self, images: Images) -> PerImage:
        """Return the scores, differentiated straight through the squeezers that have no gradient of their own."""
        return self._scored(images, [smooth(step) for step in self.squeezers])

    def _scored(self, images: Images, squeezers: list[nn.Module]) -> PerImage:
        seen = self.classifier(torch.cat([images, *(squeeze(images) for squeeze in squeezers)])).float().softmax(1)
        plain, *squeezed = seen.split(len(images)) if len(images) else [seen] * (1 + len(squeezers))
        return torch.stack([(plain - each).abs().sum(1) for each in squeezed]).amax(0)
