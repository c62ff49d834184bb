"""Attacked, purified and clean images, one below the other (Figure 3 of paper 004)."""

from dataclasses import dataclass

from torch import nn

from holdfast.analysis.analysis import Analysis, AnalysisResult, Tile
from holdfast.analysis.attention_maps import first_of_classes
from holdfast.analysis.tiles import png
from holdfast.attacks import Attack, FeatureDistortion
from holdfast.attacks.attack import with_seed
from holdfast.data import ImageSet
from holdfast.defences import purified, views
from holdfast.evaluation import judge
from holdfast.fields import Count
from holdfast.metrics import share_of
from holdfast.objectives import is_correct


@dataclass(frozen=True)
class PurifiedImages(Analysis):
    """The first image of each class attacked on the bare classifier, what the defences make of it, and itself."""

    attack: Attack = FeatureDistortion()
    images: Count = 10

    @property
    def names_classes(self) -> bool:
        """Whether its result holds the names of classes: columns are called by them."""
        return True

    def count(self, data: ImageSet) -> int:
        """Return how many of the test images it shows."""
        return len(first_of_classes(data.labels, self.images))

    def __call__(self, model: nn.Module, data: ImageSet, seed: int) -> AnalysisResult:
        """Attack the classifier without its defences, and let them purify."""
        chosen = first_of_classes(data.labels, self.images)
        images, labels = data.take(chosen), data.labels[chosen]
        attacked = with_seed(self.attack, seed)(views(model).get("bare classifier", model), images, labels)
        rows = {"attacked": attacked, "purified": purified(model, attacked).detach(), "clean": images}
        names = [data.classes[label] for label in labels.tolist()]
        tiles = (Tile(row, name, png(shown[n])) for row, shown in rows.items() for n, name in enumerate(names))
        right = share_of(is_correct(judge(model, attacked), labels))
        return AnalysisResult({}, {"right after purification": right}, tuple(tiles))
