"""Where a network looks before and after an attack, in pictures (paper 001, Figures 1 and 4).

A map is over the last features, stretched to [0, 1] and as large as the image: yellow where it is highest, blue where
it is lowest. It is of no class, as their sum over the channels is, or Grad-CAM of one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.analysis.analysis import Analysis, AnalysisResult, Tile
from holdfast.analysis.features import layer_output
from holdfast.analysis.one_step import correlation
from holdfast.analysis.tiles import overlaid, png
from holdfast.attacks import PGD, Attack
from holdfast.attacks.attack import at_rest, with_seed
from holdfast.data import ImageSet
from holdfast.devices import exact_products
from holdfast.errors import require
from holdfast.evaluation import judge
from holdfast.fields import Count
from holdfast.methods.attention import cam_average, channel_sum, grad_cam, min_max
from holdfast.metrics import share_of
from holdfast.models import capture
from holdfast.objectives import is_correct
from holdfast.storage.describe import later
from holdfast.types import Images, Labels, Rows

ATTACKED = "attacked"
Kind = Literal["sum", "grad-cam true", "grad-cam false", "cam average"]
"""Maps as `AGKDBML.attention` calls them."""
NAMES: Mapping[Kind, str] = {
    "sum": "attention",
    "grad-cam true": "Grad-CAM, true class",
    "grad-cam false": "Grad-CAM, wrong class",
    "cam average": "mean CAM",
}


@dataclass(frozen=True)
class AttentionMaps(Analysis):
    """The attacked image, and the maps of the clean and of the attacked one, of the first image of a few classes."""

    attack: Attack = PGD(steps=20)
    images: Count = 6
    """At most one a class."""
    layer: str = "attention"
    """A named layer whose output has rows and columns."""
    maps: tuple[Kind, ...] = later(("sum",))
    """Each is shown of the clean and of the attacked image. The wrong class is what the attacked image is read as, or,
    where that is right, the likeliest other one."""

    def __post_init__(self) -> None:
        """Refuse to show no map."""
        super().__post_init__()
        require(bool(self.maps), "AttentionMaps: maps is empty: name one or more")

    @property
    def names_classes(self) -> bool:
        """Whether its result holds the names of classes: rows are called by them."""
        return True

    def count(self, data: ImageSet) -> int:
        """Return how many of the test images it shows."""
        return len(first_of_classes(data.labels, self.images))

    def __call__(self, model: nn.Module, data: ImageSet, seed: int) -> AnalysisResult:
        """Attack the images, and look at where the network looks."""
        chosen = first_of_classes(data.labels, self.images)
        images, labels = data.take(chosen), data.labels[chosen]
        attacked = with_seed(self.attack, seed)(model, images, labels)
        logits = judge(model, attacked)
        wrong = logits.scatter(1, labels[:, None], -torch.inf).argmax(1)
        columns, alike = {ATTACKED: attacked}, {}
        for kind in self.maps:
            classes = wrong if kind == "grad-cam false" else labels
            before, after = (attention(model, each, self.layer, kind, classes) for each in (images, attacked))
            name = NAMES[kind]
            columns |= {f"{name}, clean": overlaid(images, before), f"{name}, attacked": overlaid(attacked, after)}
            alike[f"correlation, {name}"] = float(correlation(before, after).mean())
        named = zip(labels.tolist(), logits.argmax(1).tolist(), strict=True)
        rows = [f"{data.classes[label]}, read as {data.classes[read]}" for label, read in named]
        tiles = (Tile(row, name, png(shown[n])) for n, row in enumerate(rows) for name, shown in columns.items())
        misread = 1 - share_of(is_correct(logits, labels))
        return AnalysisResult({}, alike | {"misread": misread}, tuple(tiles))


def first_of_classes(labels: Labels, count: int) -> Rows:
    """Return the position of the first image of each class, in their order; of the `count` classes that come first."""
    present = labels.unique()
    places: Rows = (labels[None] == present[:, None]).int().argmax(1).sort().values
    return places[:count]


def attention(
    model: nn.Module, images: Images, layer: str, kind: Kind = "sum", classes: Labels | None = None
) -> Tensor:
    """Return the map of each image at its own size, from 0 to 1, shape (n, rows, columns); Grad-CAM's of these classes.

    A map that is the same everywhere is 0.
    """
    if kind == "sum":
        maps = channel_sum(layer_output(model, images, layer))
    else:
        maps = _class_maps(model, images, layer, classes if kind != "cam average" else None)
    grown: Tensor = F.interpolate(min_max(maps)[:, None], images.shape[2:], mode="bilinear")[:, 0]
    return grown


def _class_maps(model: nn.Module, images: Images, layer: str, classes: Labels | None) -> Tensor:
    """Return Grad-CAM of the classes, or the mean map of all classes."""
    exact = torch.autocast(images.device.type, enabled=False), exact_products(images.device)
    with at_rest(model), capture(model, layer) as caught, exact[0], exact[1], torch.enable_grad():
        # Through frozen weights no gradient reaches the features but by the images.
        logits = model(images.detach().clone().requires_grad_())
        features = caught[layer]
        maps = cam_average(features, logits) if classes is None else grad_cam(features, logits, classes)
    return maps.detach()
