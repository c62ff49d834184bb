"""Where attacked images lie among the clean ones, in the space of a layer (paper 003, section 3.2, Figures 1 and 9).

The map is t-SNE (van der Maaten and Hinton, 2008) of all points together. A map can mislead, so how well the attacked
images mix is also counted, by nearest neighbours, in the layer's own space.
"""

import math
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.analysis.analysis import Analysis, AnalysisResult, Series
from holdfast.analysis.features import features
from holdfast.attacks import FGSM, Attack
from holdfast.attacks.attack import with_seed
from holdfast.data import ImageSet
from holdfast.data.order import permutation
from holdfast.devices import need
from holdfast.errors import require
from holdfast.fields import Count, Interval, Positive
from holdfast.storage.describe import later
from holdfast.types import Flags, Images

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
    target: Annotated[int, Interval(0)] | None = later(None)
    """The class whose images are attacked; without one the seed draws it."""
    clouds: Literal["target", "class"] = later("target")
    """Clean points are of the target or of any other class, or each class is a cloud of its own."""
    metric: Literal["euclidean", "cosine"] = later("euclidean")
    """How far apart two features are; for cosine they are first brought to unit length."""
    learning_rate: Positive | None = later(None)
    """Of t-SNE as scikit-learn counts it, which is a quarter of what other programs say; None follows the points."""
    iterations: Annotated[int, Interval(250)] = later(1_000)
    """At most this many, 250 of them with the exaggeration that t-SNE begins with."""
    patience: Count = later(300)
    """It stops after so many iterations without progress."""
    points: Count | None = later(None)
    """Clean images on the map, at most, which the seed draws; attacked are those of the target among them."""

    @property
    def names_classes(self) -> bool:
        """Whether its result holds the names of classes: clouds of classes are called by them."""
        return self.clouds == "class"

    def count(self, data: ImageSet) -> int:
        """Return how many of the test images it maps."""
        return min(self.points or len(data), len(data))

    def __call__(self, model: nn.Module, data: ImageSet, seed: int) -> AnalysisResult:
        """Attack the images of one class, and map all of them."""
        need(*self.extras)
        if self.count(data) < len(data):
            data = data.subset(permutation(len(data), "mapped", seed)[: self.points].sort().values)
        chosen = self._target(data, seed)
        target, attack = data.labels == chosen, with_seed(self.attack, seed)
        own = data.subset(target.nonzero()[:, 0])
        attacked = (attack(model, part.images, part.labels) for part in own.batches(BATCH))
        clean = torch.cat([self._features(model, part.images) for part in data.batches(BATCH)])
        moved = torch.cat([self._features(model, images) for images in attacked])
        target = target.cpu()
        place = self.on_map(torch.cat([clean, moved]), seed)
        return AnalysisResult(
            self._series(data, chosen, place[: len(clean)], place[len(clean) :]),
            {
                "class": float(chosen),
                "k-NN purity": purity(moved, clean, target, self.neighbours),
                "silhouette": apart(moved, clean[target]),
            },
        )

    def on_map(self, points: Tensor, seed: int) -> Tensor:
        """Return the place of each point on a plane, by t-SNE, shape (n, 2)."""
        from sklearn.manifold import TSNE

        perplexity = min(self.perplexity, max(1.0, (len(points) - 1) / 3))
        tsne = TSNE(
            perplexity=perplexity, metric=self.metric, init="pca", random_state=seed, max_iter=self.iterations,
            learning_rate=self.learning_rate or "auto", n_iter_without_progress=self.patience,
        )  # fmt: skip
        return torch.from_numpy(tsne.fit_transform(points.numpy()))

    def _target(self, data: ImageSet, seed: int) -> int:
        present = data.labels.bincount().nonzero()[:, 0]
        if self.target is None:
            return int(present[int(permutation(len(present), "targets", seed)[0])])
        require(self.target in present.tolist(), f"target = {self.target}: no image that is mapped is of that class")
        return self.target

    def _features(self, model: nn.Module, images: Images) -> Tensor:
        found = features(model, images, self.layer).cpu()
        return F.normalize(found, dim=1) if self.metric == "cosine" else found

    def _series(self, data: ImageSet, chosen: int, clean: Tensor, moved: Tensor) -> dict[str, Series]:
        """Return the clouds: the attacked points are the last."""
        labels = data.labels.cpu()
        if self.clouds == "target":
            groups = {REFERENCES: clean[labels != chosen], TARGETS: clean[labels == chosen], ATTACKED: moved}
            return {name: _cloud(points) for name, points in groups.items()}
        groups = {name: clean[labels == place] for place, name in enumerate(data.classes) if (labels == place).any()}
        attacked = {f"{data.classes[chosen]}, attacked": replace(_cloud(moved), marked=True)}
        return {name: _cloud(points) for name, points in groups.items()} | attacked


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
