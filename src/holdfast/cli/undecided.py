"""What a file of weights leaves open, tried out: how many images its network gets right in each way to read it."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from holdfast.data import ImageSet
from holdfast.errors import ModelFault, UsageError
from holdfast.evaluation import judge
from holdfast.models import Undecided
from holdfast.objectives import is_correct

ENOUGH, FEW, LARGE, SHOWN = 250, 64, 10_000_000, 6
"""How many images each way is tried on, how many on networks of so many weights, and how many ways are told."""
CALLED = {"normalize": "normalisation"}
"""What options are called in words, where that is another word."""


def tried_out(left: Undecided, read: Callable[[Mapping[str, str]], nn.Module], data: ImageSet) -> UsageError:
    """Return the error that says for each way to read the file how many of some images its network gets right.

    A wrong way may be as right as the true one, or more, so it is told and never taken.
    """
    rights = [(_share_right(read(choice), data), choice) for choice in left.choices]
    best = sorted(rights, key=lambda each: -each[0])
    ways = [f"{right:.1%} with --option {_words(choice)}" for right, choice in best[:SHOWN]]
    less = f", less with {len(best) - SHOWN} others" if len(best) > SHOWN else ""
    also = "; or --mean and --std" if "normalize" in left.left_open else ""
    what = " and ".join(CALLED.get(word, word) for word in left.left_open)
    return UsageError(
        f"{left.origin} does not say the {what} of its network: choose; of some images it gets right "
        f"{', '.join(ways)}{less}{also}"
    )


def _share_right(model: nn.Module, data: ImageSet) -> float:
    """Return the share of some images, spread over all, that a network gets right; none where it answers with NaN."""
    large = sum(weight.numel() for weight in model.parameters()) > LARGE
    index = torch.linspace(0, len(data) - 1, min(FEW if large else ENOUGH, len(data))).round().long()
    try:
        return float(is_correct(judge(model, data.take(index)), data.labels[index]).float().mean())
    except ModelFault:
        return 0.0


def _words(choice: Mapping[str, str]) -> str:
    return " ".join(f"{word}={value}" for word, value in choice.items())
