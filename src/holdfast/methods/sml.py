"""Single-directional metric learning (Mao et al.: "Metric learning for adversarial robustness", 2019: its "TLA").

The released configuration for CIFAR-10: the anchor is the attacked image; the positives are the clean image in noise
and another clean image of its class; the negative is the clean image of another class that lies nearest to the anchor.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from holdfast.attacks import PGD, Attack
from holdfast.attacks.attack import at_rest
from holdfast.data import ImageSet
from holdfast.errors import require
from holdfast.fields import Count, NonNegative
from holdfast.methods.memory import Memory
from holdfast.methods.method import Crafted, CraftedMethod, Finished, check_linf
from holdfast.methods.pool import Pool
from holdfast.methods.triplets import sizes_of, triplet
from holdfast.models import capture
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf
from holdfast.types import Batch, Images, Labels, Objective, Outputs, Terms

Positive = Literal["noise", "class"]
"""The clean image in noise as large as the attack's ball, or another clean image of its class."""


@dataclass(frozen=True)
class SML(CraftedMethod):
    """Adversarial training, and triplets of attacked images with clean ones of their own and of other classes."""

    attack: Attack = PGD(Linf(8 / 255), steps=7, step_size=2 / 255)
    positives: tuple[Positive, ...] = ("noise", "class")
    """A triplet for each; paper 001 speaks of one."""
    margin: NonNegative = 0.03
    weight: NonNegative = 2.0
    """What each triplet weighs."""
    norm_weight: NonNegative = 0.001
    """Of the embeddings' mean squares, inside each triplet."""
    candidates: Count = 10
    """Clean images drawn for each image of the batch, among which its negative is looked for."""
    embedding: str = "penultimate"
    objective: Objective = cross_entropy
    """Of the attacked images."""

    def __post_init__(self) -> None:
        """Refuse no positive at all, and another norm than the one that the noise has."""
        super().__post_init__()
        check_linf(self.attack.threat, "SML")
        require(len(self.positives) >= 1, "SML: positives = (), not one or more of noise, class")

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep the training images at hand."""
        return Memory(pool=Pool(train_set, finished.augment))

    def craft(self, model: nn.Module, batch: Batch, memory: Memory) -> Crafted:
        """Return the anchors, their negatives, and their positives of each kind."""
        attacked = self.attack(model, batch.images, batch.labels)
        negatives = self.negatives(model, attacked, batch.labels, memory.pool)
        return attacked, negatives, *(self.positive(kind, batch, memory.pool) for kind in self.positives)

    def weigh(self, model: nn.Module, batch: Batch, memory: Memory, crafted: Crafted) -> Terms:
        """Return the terms; each part passes through the network by itself, as in the release."""
        with capture(model, self.embedding) as seen:
            answers = [(model(part), seen[self.embedding]) for part in crafted]
        (logits, anchor), (_, away), *close = answers
        pulled = [triplet(anchor, positive, away, self.margin).mean() for _, positive in close]
        sizes = [sizes_of(anchor, positive, away, form="mean square") for _, positive in close]
        return {
            "attacked": self.objective(logits, batch.labels).mean(),
            "triplets": self.weight * torch.stack(pulled).sum(),
            "norms": self.weight * self.norm_weight * torch.stack(sizes).sum(),
        }

    def positive(self, kind: Positive, batch: Batch, pool: Pool) -> Images:
        """Return what each image's anchor is pulled to."""
        stream = Stream.of(batch.images, 0, "SML", kind)
        if kind == "class":
            return pool.draw(batch.labels, stream).images
        noise = (2 * stream.uniform(batch.images.shape[1:]) - 1) * self.attack.threat.eps
        return ((255 * (batch.images + noise)).round() / 255).clamp(0, 1)

    def negatives(self, model: nn.Module, attacked: Images, labels: Labels, pool: Pool) -> Images:
        """Return, for each attacked image, the candidate of another class that the network at rest puts nearest."""
        keys = Stream.of(attacked.repeat_interleave(self.candidates, 0), 0, "SML", "candidates")
        place = torch.arange(len(keys.keys), device=attacked.device) % self.candidates
        drawn = pool.any(Stream.mixed(keys.keys + place))
        anchors = embed(model, attacked, self.embedding)
        # In batches as large as the run's: activations of all candidates at once fall out of the processor's caches.
        found = torch.cat([embed(model, part, self.embedding) for part in drawn.images.split(len(attacked))])
        return drawn.images[nearest_other(anchors, labels, found, drawn.labels)]


@torch.no_grad()
def embed(model: nn.Module, images: Images, layer: str) -> Outputs:
    """Return the embeddings of the network at rest, as constants."""
    with at_rest(model), capture(model, layer) as seen:
        model(images)
    return seen[layer].float().flatten(1)


def nearest_other(anchors: Tensor, labels: Tensor, found: Tensor, classes: Tensor) -> Tensor:
    """Return, for each anchor, the row of another class with the highest cosine.

    As released, rows of its own class count as 0, so one of these is returned where no other has a cosine above 0.
    """
    unit, others = (rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12) for rows in (anchors, found))
    with torch.autocast(anchors.device.type, enabled=False):  # cosines near 1 are told apart in float32 alone
        cosine = (unit @ others.T).masked_fill(labels[:, None] == classes[None], 0)
    rows: Tensor = cosine.argmax(1)
    return rows
