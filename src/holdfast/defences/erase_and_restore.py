"""Erase-and-Restore (Zuo and Zeng: "Exploiting the sensitivity of L2 adversarial examples to erase-and-restore", 2021).

Attacked images change their class when a few pixels are removed and restored, clean ones do not. The authors restore
by Telea's inpainting, here it is harmonic (inpainting.py); their ten principal components an image for ImageNet are not
here. It is meant against L2 attacks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holdfast.attacks.attack import at_rest
from holdfast.defences.detector import BATCH, Detector, Score
from holdfast.defences.inpainting import blobs, inpainted
from holdfast.defences.stumps import Stumps, boosted
from holdfast.errors import require
from holdfast.fields import Count, Share
from holdfast.models.straight_through import straight_through
from holdfast.types import Images, PerImage


@dataclass(frozen=True)
class EraseAndRestore(Detector):
    """Scores an image by boosted trees on its class probabilities and on those of its restored versions.

    EraseAndRestore().fitted(classifier, clean, attacked)
    """

    masks: Count = 11
    share: Share = 0.1
    """Of the pixels that a mask removes, in blobs of 2x2."""
    trees: Count = 200
    seed: int = 0

    def fitted(self, classifier: nn.Module, clean: Images, attacked: Tensor | None = None) -> "RestoredScore":
        """Fit the trees to tell the attacked images from the clean ones.

        Raises:
            MissingExtra: scikit-learn, of the extra `analysis`, is not installed.
        """
        told = attacked is not None and len(attacked) > 0 and len(clean) > 0
        require(told, "EraseAndRestore is fitted to clean and to attacked images: give some of both")
        assert attacked is not None
        rows, columns = clean.shape[2:]
        removed = blobs((rows, columns), self.share, self.masks, self.seed).to(clean.device)
        nothing = torch.zeros(0, device=clean.device)
        score = RestoredScore(classifier, removed, Stumps(nothing.long(), nothing, nothing, nothing))
        with torch.no_grad(), at_rest(classifier):
            own, other = (torch.cat([score.features(part) for part in each.split(BATCH)]) for each in (clean, attacked))
        score.stumps = boosted(own, other, self.trees, self.seed)
        return score


class RestoredScore(Score):
    """The vote of the trees, in [-1, 1]."""

    usual_threshold = 0.0
    removed: Tensor

    def __init__(self, classifier: nn.Module, removed: Tensor, stumps: Stumps) -> None:
        super().__init__()
        self.classifier = classifier
        self.stumps = stumps
        self.register_buffer("removed", removed)

    def forward(self, images: Images) -> PerImage:
        """Return the score of each image."""
        vote: Tensor = self.stumps(self.features(images))
        return vote

    def smooth(self, images: Images) -> PerImage:
        """Return the scores, differentiated as if the trees answered gradually."""
        near = straight_through(self.forward, lambda seen: self.stumps.smooth(self.features(seen)))
        vote: Tensor = near(images)
        return vote

    def features(self, images: Images) -> Tensor:
        """Return the class probabilities of each image and of its restored versions, shape (n, (masks + 1) k)."""
        many = len(self.removed)
        restored = inpainted(images.repeat_interleave(many, 0), self.removed.repeat(len(images), 1, 1))
        seen = self.classifier(torch.cat([images, restored])).float().softmax(1)
        plain, after = seen[: len(images)], seen[len(images) :]
        return torch.cat([plain, after.reshape(len(images), many * seen.shape[1])], 1)
