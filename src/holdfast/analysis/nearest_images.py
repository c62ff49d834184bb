"""What an attacked image looks like to a network: the training images whose features point most nearly the same way.

They are the first of those that vote in a column of neighbours.
"""

from dataclasses import dataclass

import torch
from torch import nn

from holdfast.analysis.analysis import AnalysisResult, Tile, TrainingAnalysis
from holdfast.analysis.attention_maps import first_of_classes
from holdfast.analysis.features import directions
from holdfast.analysis.tiles import png
from holdfast.attacks import PGD, Attack
from holdfast.attacks.attack import with_seed
from holdfast.data import ImageSet
from holdfast.evaluation import judge
from holdfast.fields import Count

BATCH = 250


@dataclass(frozen=True)
class NearestImages(TrainingAnalysis):
    """The attacked first image of a few classes, and its nearest training images in a layer's space."""

    attack: Attack = PGD(steps=20)
    images: Count = 6
    """At most one a class."""
    nearest: Count = 3
    layer: str = "penultimate"

    @property
    def names_classes(self) -> bool:
        """Whether its result holds the names of classes: rows are called by them."""
        return True

    def count(self, data: ImageSet) -> int:
        """Return how many of the test images it shows."""
        return len(first_of_classes(data.labels, self.images))

    def __call__(self, model: nn.Module, data: ImageSet, train_set: ImageSet, seed: int) -> AnalysisResult:
        """Attack the images, and find what is near to them."""
        chosen = first_of_classes(data.labels, self.images)
        images, labels = data.take(chosen), data.labels[chosen]
        attacked = with_seed(self.attack, seed)(model, images, labels)
        read = judge(model, attacked).argmax(1)
        bank = torch.cat([directions(model, part.images, self.layer) for part in train_set.batches(BATCH)])
        likeness = directions(model, attacked, self.layer) @ bank.T
        found = likeness.topk(min(self.nearest, len(train_set)), dim=1).indices
        near = train_set.labels[found]
        tiles = []
        for n, image in enumerate(attacked):
            label, said, *others = (data.classes[each] for each in (int(labels[n]), int(read[n]), *near[n].tolist()))
            row = f"{label}, read as {said}, near {', '.join(others)}"
            tiles.append(Tile(row, "attacked", png(image)))
            shown = enumerate(train_set.take(found[n]), 1)
            tiles += [Tile(row, f"near {place}", png(neighbour)) for place, neighbour in shown]
        of_class, as_read = (float((near == each[:, None]).double().mean()) for each in (labels, read))
        return AnalysisResult({}, {"near ones of the class": of_class, "of the class read": as_read}, tuple(tiles))
