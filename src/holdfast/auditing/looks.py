"""When an image counts as wrong: what one look at the network says, or, where it draws at random, several in a row."""

import torch

from holdfast.attacks.watched import check_labels
from holdfast.devices import reseed
from holdfast.evaluation import judge
from holdfast.objectives import is_correct, margin
from holdfast.passes import spend
from holdfast.rng import number
from holdfast.types import Flags, Images, Labels, Network, PerImage


def looked(model: Network, images: Images, labels: Labels, looks: int = 1) -> tuple[PerImage, Flags]:
    """Return the margin of each image, and whether it is wrong: in each of so many looks in a row.

    An image that is right in one look is not looked at again; of the looks that were made the lowest margin is told.
    """
    logits = judge(model, images)
    check_labels(labels, logits)
    spend(forwards=len(images))
    reached = margin(logits, labels).nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf)  # of two ruled out
    wrong = ~is_correct(logits, labels)
    if looks > 1 and bool(wrong.any()):
        again = wrong.nonzero()[:, 0]
        lower, wrong[again] = looked(model, images[again], labels[again], looks - 1)
        reached[again] = reached[again].minimum(lower)
    return reached, wrong


def reseeded(device: torch.device, looks: int, *words: object) -> None:
    """Seed what a network that draws at random draws from, so that a piece of work repeats whatever was done before."""
    if looks > 1:
        reseed(device, number("draws", *words))
