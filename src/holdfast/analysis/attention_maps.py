"""Where a network looks before and after an attack, in pictures (paper 001, Figure 4).

The map is the sum over the channels of the last features, stretched to [0, 1] and as large as the image: yellow where
it is highest, blue where it is lowest.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.analysis.analysis import Analysis, AnalysisResult, Tile
from holdfast.analysis.features import layer_output
from holdfast.analysis.one_step import correlation
from holdfast.analysis.tiles import overlaid, png
from holdfast.attacks import PGD, Attack
from holdfast.attacks.attack import with_seed
from holdfast.data import ImageSet
from holdfast.evaluation import judge
from holdfast.fields import Count
from holdfast.methods.attention import channel_sum, min_max
from holdfast.metrics import share_of
from holdfast.objectives import is_correct
from holdfast.types import Images, Labels, Rows

ATTACKED, CLEAN_MAP, ATTACKED_MAP = "attacked", "attention, clean", "attention, attacked"


@dataclass(frozen=True)
class AttentionMaps(Analysis):
    """The attacked image, and the maps of the clean and of the attacked one, of the first image of a few classes."""

    attack: Attack = PGD(steps=20)
    images: Count = 6
    """At most one a class."""
    layer: str = "attention"
    """A named layer whose output has rows and columns."""

    def count(self, data: ImageSet) -> int:
        """Return how many of the test images it shows."""
        return len(first_of_classes(data.labels, self.images))

    def __call__(self, model: nn.Module, data: ImageSet, seed: int) -> AnalysisResult:
        """Attack the images, and look at where the network looks."""
        chosen = first_of_classes(data.labels, self.images)
        images, labels = data.take(chosen), data.labels[chosen]
        attacked = with_seed(self.attack, seed)(model, images, labels)
        logits = judge(model, attacked)
        before, after = (attention(model, each, self.layer) for each in (images, attacked))
        columns = {ATTACKED: attacked, CLEAN_MAP: overlaid(images, before), ATTACKED_MAP: overlaid(attacked, after)}
        named = zip(labels.tolist(), logits.argmax(1).tolist(), strict=True)
        rows = [f"{data.classes[label]}, read as {data.classes[read]}" for label, read in named]
        tiles = (Tile(row, name, png(shown[n])) for n, row in enumerate(rows) for name, shown in columns.items())
        alike = float(correlation(before, after).mean())
        misread = 1 - share_of(is_correct(logits, labels))
        return AnalysisResult({}, {"correlation of the maps": alike, "misread": misread}, tuple(tiles))


def first_of_classes(labels: Labels, count: int) -> Rows:
    """Return the position of the first image of each class, in their order; of the `count` classes that come first."""
    present = labels.unique()
    places: Rows = (labels[None] == present[:, None]).int().argmax(1).sort().values
    return places[:count]


def attention(model: nn.Module, images: Images, layer: str) -> Tensor:
    """Return the map of each image at its own size, from 0 to 1, shape (n, rows, columns)."""
    maps = min_max(channel_sum(layer_output(model, images, layer)))
    grown: Tensor = F.interpolate(maps[:, None], images.shape[2:], mode="bilinear")[:, 0]
    return grown
