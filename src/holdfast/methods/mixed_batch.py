"""Batches of clean and attacked images (Kurakin, Goodfellow, Bengio: "Adversarial machine learning at scale", 2017).

Of m images in a batch k are attacked. The k places are shared out in equal parts among one or more origins of attacked
images: attacks on the network as it is now ("step_ll", both one-step attacks), or images saved from other runs (cascade
training, Na et al., 2017).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.attacks import Attack
from holdfast.errors import BadValue, require
from holdfast.methods.bank import Bank, SavedImages
from holdfast.methods.eps_sampling import EpsSampler
from holdfast.methods.memory import Memory
from holdfast.methods.method import Origin
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf, per_image
from holdfast.types import Batch, Images, Labels, Logits, Network, PerImage, Terms

Adversaries = tuple[Attack | SavedImages, ...]
"""What attacks a part of each batch: equal parts of the images for each."""


@dataclass(frozen=True)
class Mixed:
    """What the network is shown at once: first `attacked` attacked images, then clean ones."""

    images: Images
    labels: Labels
    attacked: int


def check_adversaries(adversaries: Adversaries, share: float, weight: float) -> None:
    """Refuse what no batch can be mixed from."""
    require(bool(adversaries), "there is nothing to fill the attacked places: give an attack")
    require(0 < share <= 1, f"share = {share}, not above 0 and up to 1")
    require(weight >= 0, f"weight = {weight}, not 0 or more")
    for adversary in adversaries:
        if isinstance(adversary, Attack) and not isinstance(adversary.threat, Linf):
            raise BadValue(f"{adversary.threat}: eps is drawn for each image, which is defined for Linf")


def mixes_by_place(adversaries: Adversaries, share: float) -> bool:
    """Return whether which images are attacked, and by what, hangs on their places in a batch."""
    return share < 1 or len(adversaries) > 1


def check_places(adversaries: Adversaries, share: float, images: int) -> None:
    """Refuse a largest batch in which an adversary has no place, or, where the share is not 1, no image stays clean."""
    count = round(share * images)
    words = f"share = {share} of the largest batch, of {images} images, is {count} attacked"
    require(count >= len(adversaries), f"{words}: at least {len(adversaries)} are needed, one for each adversary")
    require(share == 1 or count < images, f"{words}: none is left clean")


def saved_from(runs: Iterable[Origin], beside: Adversaries) -> tuple[SavedImages, ...]:
    """Return the images saved from runs, up to the largest eps that the attacks beside them have."""
    sizes = [adversary.threat.eps for adversary in beside if isinstance(adversary, Attack)]
    largest = math.ceil(255 * max(sizes, default=16 / 255) - 1e-6)
    return tuple(SavedImages(run, largest) for run in runs)


def mixed(
    model: Network,
    batch: Batch,
    memory: Memory,
    adversaries: Adversaries,
    share: float,
    eps_sampler: EpsSampler,
    paired: bool,
) -> Mixed:
    """Attack the first `share` of a batch; with `paired` their clean partners are shown as well, in the same order.

    The first images are as random as any, since the order of an epoch is.
    """
    count = round(share * len(batch.images))
    attacked, partners = [], []
    for place, part in enumerate(torch.arange(count, device=batch.index.device).tensor_split(len(adversaries))):
        images, labels, adversary = batch.images[part], batch.labels[part], adversaries[place]
        size = eps_sampler(Stream.of(images, 0, "size of the attack", place))
        if isinstance(adversary, Attack):
            found = clip_to_eps(adversary(model, images, labels), images, size * adversary.threat.eps)
        else:
            bank: Bank = getattr(memory, f"bank{place}")
            found, images = bank.draw(batch.index[part], size)
        attacked.append(found)
        partners.append(images)
    clean = (partners if paired else []) + [batch.images[count:]]
    labels = torch.cat([batch.labels[:count], batch.labels if paired else batch.labels[count:]])
    return Mixed(torch.cat(attacked + clean), labels, count)


def clip_to_eps(attacked: Images, images: Images, eps: PerImage) -> Tensor:
    """Return the images no further than `eps`, one number an image, from where they were.

    After one step of signs this is the attack of that eps itself.
    """
    return images + (attacked - images).minimum(per_image(eps)).maximum(per_image(-eps))


def mixed_cross_entropy(logits: Logits, batch: Mixed, weight: float) -> Terms:
    """Return the cross-entropy where an attacked image counts `weight` times a clean one (Kurakin et al., section 3).

    The denominator is (m - k) + weight k: 83.2 for 64 clean and 64 attacked images at 0.3.
    """
    loss, count = cross_entropy(logits, batch.labels), batch.attacked
    total = len(loss) - count + weight * count
    return {"clean": loss[count:].sum() / total, "attacked": weight * loss[:count].sum() / total}
