"""AGKD-BML: attention-guided knowledge distillation and bidirectional metric learning (Wang et al., 2021; paper 001).

Each image is attacked towards its most confusing class, and an image of that class is attacked back. A teacher that
was trained on clean images says where to look; embeddings are pulled to the clean image and pushed from the image that
was attacked back.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from holdfast.attacks import PGD, Attack
from holdfast.attacks.attack import objective_of
from holdfast.data import ImageSet
from holdfast.errors import UsageError, require
from holdfast.fields import Interval, NonNegative
from holdfast.methods.attention import cam_average, channel_mean, channel_sum, grad_cam, min_max
from holdfast.methods.bilateral import most_confusing
from holdfast.methods.finished_classifier import finished_classifier
from holdfast.methods.mart import boost, weighted_divergence
from holdfast.methods.memory import Borrowed, Memory
from holdfast.methods.method import Crafted, CraftedMethod, Finished, Origin, predict
from holdfast.methods.pool import Pool
from holdfast.methods.triplets import NormForm, sizes_of, triplet
from holdfast.models import capture
from holdfast.objectives import SmoothedCrossEntropy, Towards, cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf
from holdfast.types import Batch, Images, Labels, Logits, Outputs, Terms

Parts = tuple[Tensor, ...]
"""Of the attacked, the clean, and the attacked-back images."""
Attention = Literal["sum", "mean", "grad-cam true", "grad-cam false", "cam average"]


@dataclass(frozen=True)
class AGKDBML(CraftedMethod):
    """Smoothed cross-entropy on attacked images, a teacher's attention, and bidirectional triplets.

    Without `attention_weight` it is the ablation "BML", without `metric_weight` the ablation "AGKD". The defaults are
    the released code's, with the two steps of the paper's main model; `as_printed` is what the paper's equations say
    instead. A student that begins at its teacher, as in the release, is a run with `start=Start(teacher)`.
    """

    teacher: Origin | None = None
    """The run whose network says where to look. Without one it is the network as this run begins: give one, or begin at
    one, as fresh weights teach nothing."""
    attack: Attack = PGD(Linf(8 / 255), steps=2, step_size=4 / 255, objective=Towards(cross_entropy))
    """Towards a class, for both directions; the paper does not print the size of its two steps."""
    smoothing: Annotated[float, Interval(0, 1, "[)")] = 0.5
    """What a label gives away to the other classes in equal parts; of two classes less than half."""
    attention_weight: NonNegative = 1.0
    attention: Attention = "sum"
    """Over the channels (of no class), or of a class: Grad-CAM of the true or of the false one, or the mean of all."""
    stretched: bool = True
    """Each map goes from 0 to 1 by its lowest and highest value, as released; the paper does not speak of it."""
    layer: str = "attention"
    """The layer whose output the attention is of: by default the last one that is larger than 1x1."""
    metric_weight: NonNegative = 2.0
    """The paper's lambda_1."""
    margin: NonNegative = 0.03
    norm_weight: NonNegative = 0.001
    """The paper's lambda_2."""
    norm_inside: bool = True
    """The size of the embeddings counts lambda_1 lambda_2, as released; else lambda_2, as in equation 7."""
    norm_form: NormForm = "mean square"
    embedding: str = "penultimate"
    mart: NonNegative = 0.0
    """The weight of MART's divergence, together with its boosting term; 6 for seven and ten steps, 0 without MART."""
    passes: Literal[1, 3] = 1
    """Attacked, clean and attacked-back images pass at once, or each by themselves: what batch norm sees."""

    def __post_init__(self) -> None:
        """Refuse an attack that does not go to a class."""
        super().__post_init__()
        wanted = f"AGKDBML: the attack goes towards a class: give it objective=Towards(...), not {self.attack}"
        require(isinstance(objective_of(self.attack), Towards), wanted)

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep the training images at hand, and the teacher where attention counts."""
        with capture(model, *self.layers()):
            pass  # a layer that the network does not have is refused before anything is trained
        classes, most = len(train_set.classes), 1 - 1 / len(train_set.classes)
        words = f"AGKDBML: smoothing = {self.smoothing}: with {classes} classes a label has to keep the largest part"
        require(self.smoothing < most, words)
        pool = Pool(train_set, finished.augment)
        pool.check_classes()
        if self.attention_weight == 0:
            return Memory(pool=pool)
        if self.teacher is None:
            return Memory(pool=pool, teacher=copy.deepcopy(model))
        return Memory(pool=pool, teacher=Borrowed(finished_classifier(self.teacher, train_set, finished)))

    def using(self, runs: tuple[Origin, ...]) -> "AGKDBML":
        """Learn from the network of the one run."""
        require(len(runs) == 1, f"AGKDBML learns from one teacher, and {len(runs)} runs are given", UsageError)
        return replace(self, teacher=runs[0])

    def as_printed(self) -> "AGKDBML":
        """Return the method with the attention and the norm of the paper's equations, in place of the release's."""
        return replace(self, attention="mean", stretched=False, norm_form="l2", norm_inside=False)

    def craft(self, model: nn.Module, batch: Batch, memory: Memory) -> Crafted:
        """Attack both ways (algorithm 1, lines a to b2), and let the teacher say where to look."""
        x1, y1 = batch.images, batch.labels
        y_mc = most_confusing(predict(model, x1), y1)
        x2 = memory.pool.draw(y_mc, Stream.of(x1, 0, "AGKDBML")).images
        # An image's random numbers are its own, so both directions are attacked at once.
        attacked = self.attack(model, torch.cat([x1, x2]), torch.cat([y_mc, y1]))
        classes = self.classes(model, attacked, torch.cat([y1, y_mc]))
        guide = self.guide(memory.teacher, torch.cat([x1, x2]), classes) if self.attention_weight else attacked[:0]
        return attacked, classes, guide

    def weigh(self, model: nn.Module, batch: Batch, memory: Memory, crafted: Crafted) -> Terms:
        """Show the student all three parts, and weigh (lines c to e)."""
        x1, y1 = batch.images, batch.labels
        (x1_mc, x2_back), (c1, c2), guides = (each.chunk(2) for each in crafted)
        maps, E, logits = self.shown(model, (x1_mc, x1, x2_back), (c1, c1, c2))
        terms = {"attacked": SmoothedCrossEntropy(self.smoothing)(logits[0], y1).mean()}
        if self.attention_weight:
            sizes = f"{tuple(guides[0].shape[1:])} of the teacher and {tuple(maps[0].shape[1:])} of the student"
            require(maps[0].shape == guides[0].shape, f"AGKDBML: attention maps are {sizes}: both have one size")
            gap = (maps[0] - guides[0]).abs().mean() + (maps[2] - guides[1]).abs().mean()
            terms["attention"] = self.attention_weight * gap
        if self.metric_weight:
            norm_weight = self.norm_weight * (self.metric_weight if self.norm_inside else 1.0)
            terms["triplets"] = self.metric_weight * triplet(E[0], E[1], E[2], self.margin).mean()
            terms["norms"] = norm_weight * sizes_of(*E, form=self.norm_form)
        if self.mart:
            terms["boosted"] = boost(logits[0], y1).mean()
            terms["robust"] = self.mart * weighted_divergence(logits[0], logits[1], y1).mean()
        return terms

    def layers(self) -> tuple[str, ...]:
        """Return the layers whose outputs count."""
        return *((self.layer,) if self.attention_weight else ()), *((self.embedding,) if self.metric_weight else ())

    def classes(self, model: nn.Module, attacked: Images, labels: Labels) -> Labels:
        """Return the class that the attention of each attacked image is of: its own, or the one it is taken for."""
        asked = self.attention == "grad-cam false" and self.attention_weight > 0
        return predict(model, attacked).argmax(1) if asked else labels

    def shown(self, model: nn.Module, parts: Sequence[Images], classes: Sequence[Labels]) -> tuple[Parts, Parts, Parts]:
        """Return maps, embeddings and logits of each part."""
        if self.passes == 1:
            whole = self.seen(model, torch.cat(list(parts)), torch.cat(list(classes)))
            maps, embeddings, logits = (found.chunk(len(parts)) for found in whole)
        else:
            each = [self.seen(model, images, of) for images, of in zip(parts, classes, strict=True)]
            maps, embeddings, logits = zip(*each, strict=True)
        return maps, embeddings, logits

    def seen(self, model: nn.Module, images: Images, classes: Labels) -> tuple[Tensor, Outputs, Logits]:
        """Return maps, embeddings and logits of images, with gradients."""
        with capture(model, *self.layers()) as caught:
            logits = model(images)
        nothing = logits.new_zeros(len(images))
        maps = self.map(caught[self.layer], logits, classes) if self.attention_weight else nothing
        return maps, caught.get(self.embedding, nothing), logits

    def guide(self, teacher: nn.Module, images: Images, classes: Labels) -> Tensor:
        """Return the teacher's maps of clean images, as constants."""
        of_a_class = self.attention not in ("sum", "mean")
        network = teacher.network if isinstance(teacher, Borrowed) else teacher
        with torch.set_grad_enabled(of_a_class), capture(network, self.layer) as caught:
            logits = network(images.clone().requires_grad_(of_a_class))
        return self.map(caught[self.layer], logits, classes).detach()

    def map(self, features: Outputs, logits: Logits, classes: Labels) -> Tensor:
        """Return the attention of each image, shape (n, rows, columns)."""
        if self.attention == "sum":
            maps = channel_sum(features)
        elif self.attention == "mean":
            maps = channel_mean(features)
        elif self.attention == "cam average":
            maps = cam_average(features, logits)
        else:
            maps = grad_cam(features, logits, classes)
        return min_max(maps) if self.stretched else maps
