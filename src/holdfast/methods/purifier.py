"""What trainings of purifiers share: a finished classifier, images attacked with it, two distances to the clean ones.

The purifier is the run's own network, from images to images. The classifier (`source`) stays as it is. What is attacked
are its features at `layers`, without labels, unless the attack is one on labels.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, final

import torch
from torch import nn

from holdfast.attacks import Attack, FeatureDistortion
from holdfast.data import ImageSet
from holdfast.errors import UsageError, require
from holdfast.fields import Interval, NonNegative
from holdfast.methods.finished_classifier import finished_classifier, shown_shape
from holdfast.methods.memory import Borrowed, Memory
from holdfast.methods.method import Finished, Method, Origin, predict
from holdfast.models import Features
from holdfast.models.architecture import Shape
from holdfast.objectives import distance, euclidean, is_correct
from holdfast.threats import Linf
from holdfast.types import Batch, Images, Labels, Objective, Outputs, PerImage, Terms


def absolute(outputs: Outputs, reference: Outputs) -> PerImage:
    """Return the mean absolute difference over all elements of an image's output."""
    return (outputs.float() - reference.float()).flatten(1).abs().mean(1)


Distance = Literal["l1", "l2", "norm"]
"""The mean absolute difference, the mean squared difference, or the Euclidean length of the difference."""
DISTANCES: Mapping[str, Objective] = {"l1": absolute, "l2": distance, "norm": euclidean}


@dataclass(frozen=True)
class PurifierMethod(Method):
    """A training of a network that takes an attack out of images."""

    trains: ClassVar[Literal["logits", "images"]] = "images"
    example_network: ClassVar[str] = "unet-b"

    source: Origin | None = None
    """The run of the classifier whose features are attacked and compared."""
    layers: tuple[str, ...] = ("block2",)
    """The classifier's layers whose outputs these features are."""
    attack: Attack = FeatureDistortion(Linf(16 / 255), steps=10, step_size=0.01)
    """How the images that the purifier is shown are made: on the features, or, if it attacks labels, on the logits."""
    clean_share: Annotated[float, Interval(0, 1, "[)")] = 0.0
    """The share of each batch that the purifier is shown as it is."""
    pixel: Distance = "l2"
    """How far a purified image is from the clean one."""
    pixel_weight: NonNegative = 1.0
    perceptual: Distance = "l2"
    """How far the features of a purified image are from those of the clean one."""
    perceptual_weight: NonNegative = 1.0

    def __post_init__(self) -> None:
        """Refuse fields out of range, and an attack between two classes."""
        super().__post_init__()
        kind = type(self).__name__
        require(self.attack.takes != "pairs", f"{kind}: {self.attack} needs pairs of classes, and there are none here")
        require(len(self.layers) > 0, f"{kind}: layers = (): name at least one")

    @property
    def by_place(self) -> bool:
        """Whether the first of each batch are shown as they are."""
        return self.clean_share > 0

    @final
    def check_batch(self, images: int) -> None:
        """Refuse a batch too small for its share of clean images."""
        clean = round(self.clean_share * images)
        words = f"clean_share = {self.clean_share} of the largest batch, of {images} images, is {clean}"
        require(self.clean_share == 0 or 0 < clean < images, f"{words}: at least one, and not all, are needed")

    @abstractmethod
    def judges(self, shape: Shape) -> dict[str, nn.Module]:
        """Return the networks, by name, that are trained against the purifier of images of this shape."""

    @final
    def using(self, runs: tuple[Origin, ...]) -> "PurifierMethod":
        """Attack the features of the one run's classifier."""
        kind = type(self).__name__
        require(len(runs) == 1, f"{kind} uses one classifier, and {len(runs)} runs are given", UsageError)
        return replace(self, source=runs[0])

    @final
    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep the classifier, and what is trained against the purifier."""
        judges = self.judges(shown_shape(train_set, finished))
        if self.source is None:
            words = f"{type(self).__name__} needs the run of a classifier: source, or --others FOLDER"
            require(self.attack.gradient_free and self.perceptual_weight == 0, words, UsageError)
            return Memory(**judges)
        classifier = finished_classifier(self.source, train_set, finished)
        Features(classifier, *self.layers)  # a layer that it has not is refused before anything is trained
        return Memory(source=Borrowed(classifier), **judges)

    @final
    def trained(self, model: nn.Module, memory: Memory) -> dict[str, nn.Module]:
        """Return the purifier, and what is trained against it."""
        others = {name: part for name, part in memory.named_children() if not isinstance(part, Borrowed)}
        return {"model": model, **others}

    @final
    def measure(
        self, model: nn.Module, images: Images, labels: Labels, memory: Memory, attack: Attack | None
    ) -> dict[str, PerImage]:
        """Return whether the classifier is right about purified images, clean and attacked, and how near these are.

        The attack, the method's own where none is given, sees the classifier and not the purifier. "psnr" is that of
        purified attacked images beside the clean ones, in dB.
        """
        seen = self.attack if attack is None or self.source is None else attack
        purified = predict(model, self.attacked(seen, images, labels, memory))
        found = {"psnr": psnr(purified, images)}
        if self.source is None:
            return found
        judged = {"clean": predict(model, images), "robust": purified}
        network = memory.source.network
        return {name: is_correct(predict(network, each), labels).float() for name, each in judged.items()} | found

    def shown(self, batch: Batch, memory: Memory) -> Images:
        """Return what the purifier is shown: the first of a batch as they are, which is any as it is shuffled."""
        clean = round(self.clean_share * len(batch.images))
        images, labels = batch.images[clean:], batch.labels[clean:]
        return torch.cat([batch.images[:clean], self.attacked(self.attack, images, labels, memory)])

    def attacked(self, attack: Attack, images: Images, labels: Labels, memory: Memory) -> Images:
        """Return attacked images: those of an attack on labels are made on the logits, all others on the features."""
        if attack.gradient_free and self.source is None:
            return attack(nn.Flatten(), images, labels)  # noise asks no network
        names_layers = isinstance(attack, FeatureDistortion) and bool(attack.layers)
        if attack.takes == "labels" or names_layers:
            return attack(memory.source.network, images, labels)
        features = self.features(memory)
        return attack(features, images, predict(features, images))

    def features(self, memory: Memory) -> Features:
        """Return the classifier up to the layers that count."""
        return Features(memory.source.network, *self.layers)

    def nearness(self, purified: Images, images: Images, memory: Memory) -> Terms:
        """Return the terms that draw purified images to the clean ones, in pixels and in features."""
        terms = {}
        if self.pixel_weight:
            terms["pixel"] = self.pixel_weight * DISTANCES[self.pixel](purified, images).mean()
        if self.perceptual_weight:
            features = self.features(memory)
            far = DISTANCES[self.perceptual](features(purified), predict(features, images))
            terms["perceptual"] = self.perceptual_weight * far.mean()
        return terms


def psnr(images: Images, reference: Images) -> PerImage:
    """Return the peak signal-to-noise ratio, in dB, of images in [0, 1]; at most 100."""
    return -10 * distance(images, reference).clamp_min(1e-10).log10()
