"""Where attacked images lie among the clean ones, in the space of a layer (paper 003, section 3.2, Figures 1 and 9).

The map is t-SNE (van der Maaten and Hinton, 2008) of all points together. A map can mislead, so how well the attacked
images mix is also counted, by nearest neighbours, in the layer's own space.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from holdfast.analysis.analysis import Analysis, AnalysisResult, Series
from holdfast.analysis.features import features
from holdfast.attacks import FGSM, Attack
from holdfast.attacks.attack import with_seed
from holdfast.data import ImageSet
from holdfast.data.order import permutation
from holdfast.extras import need
from holdfast.fields import Count, Positive
from holdfast.types import Flags

TARGETS, REFERENCES, ATTACKED = "targets", "references", "attacked targets"
BATCH = 250


@dataclass(frozen=True)
class Embedding(Analysis):
    """The clean images of one class, those of the others, and the attacked ones of that class, on one map."""

    extras: ClassVar[tuple[str, ...]] = ("analysis",)
    attack: Attack = FGSM()
    layer: str = "penultimate"
    """A named layer; the paper does not say which one it maps."""
    perplexity: Positive = 30.0
    """Lower where there are fewer than three times as many points."""
    neighbours: Count = 10

    def __call__(self, model: nn.Module, data: ImageSet, seed: int) -> AnalysisResult:
        """Choose a class at random, attack its images, and map all of them."""
        need(*self.extras)
        present = data.labels.bincount().nonzero()[:, 0]
        chosen = present[int(permutation(len(present), "targets", seed)[0])]
        target, attack = data.labels == chosen, with_seed(self.attack, seed)
        own = data.subset(target.nonzero()[:, 0])
        attacked = (attack(model, part.images, part.labels) for part in own.batches(BATCH))
        clean = torch.cat([features(model, part.images, self.layer) for part in data.batches(BATCH)]).cpu()
        moved = torch.cat([features(model, images, self.layer) for images in attacked]).cpu()
        target = target.cpu()
        place = on_map(torch.cat([clean, moved]), self.perplexity, seed)
        groups = {REFERENCES: place[: len(clean)][~target], TARGETS: place[: len(clean)][target]}
        groups[ATTACKED] = place[len(clean) :]
        return AnalysisResult(
            {name: _cloud(points) for name, points in groups.items()},
            {
                "class": float(chosen),
                "k-NN purity": purity(moved, clean, target, self.neighbours),
                "silhouette": apart(moved, clean[target]),
            },
        )


def on_map(points: Tensor, perplexity: float, seed: int) -> Tensor:
    """Return the place of each point on a plane, by t-SNE, shape (n, 2)."""
    from sklearn.manifold import TSNE

    fitting = min(perplexity, max(1.0, (len(points) - 1) / 3))
    return torch.from_numpy(TSNE(2, perplexity=fitting, random_state=seed, init="pca").fit_transform(points.numpy()))


def purity(moved: Tensor, clean: Tensor, target: Flags, neighbours: int) -> float:
    """Return the share of targets among the nearest clean points of the attacked ones: 1 where they are mixed."""
    nearest = torch.cdist(moved, clean).topk(min(neighbours, len(clean)), largest=False).indices
    return float(target[nearest].float().mean())


def apart(moved: Tensor, own: Tensor) -> float:
    """Return the silhouette of attacked against clean targets: about 0 where mixed, 1 where far apart.

    NaN where there are too few points (Rousseeuw, 1987).
    """
    from sklearn.metrics import silhouette_score

    if min(len(moved), len(own)) < 2:
        return math.nan
    sides = [0] * len(moved) + [1] * len(own)
    return float(silhouette_score(torch.cat([moved, own]).numpy(), sides))


def _cloud(points: Tensor) -> Series:
    x, y = points.T.tolist()
    return Series(tuple(x), tuple(y), joined=False)
