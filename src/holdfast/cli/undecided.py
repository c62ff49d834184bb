"""What a file of weights leaves open, tried out: how many images its network gets right in each way to read it."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from holdfast.data import ImageSet
from holdfast.errors import ModelFault, UsageError
from holdfast.evaluation import judge
from holdfast.models import Undecided
from holdfast.objectives import is_correct
from holdfast.types import Images, Labels

ENOUGH, SHOWN = 250, 6
"""How many images each way is tried on, and how many ways are told."""


def tried_out(left: Undecided, read: Callable[[Mapping[str, str]], nn.Module], data: ImageSet) -> UsageError:
    """Return the error that says for each way to read the file how many of some images its network gets right.

    A wrong way may be nearly as right as the true one, so it is told and never taken.
    """
    count = min(ENOUGH, len(data))
    index = torch.linspace(0, len(data) - 1, count).round().long()
    some, labels = data.take(index), data.labels[index]
    rights = [(_right(read(choice), some, labels), choice) for choice in left.choices]
    best = sorted(rights, key=lambda each: -each[0])
    ways = [f"{right / count:.1%} with --option {_words(choice)}" for right, choice in best[:SHOWN]]
    less = f", less with {len(best) - SHOWN} others" if len(best) > SHOWN else ""
    also = "; or --mean and --std" if "normalize" in left.left_open else ""
    said = f"{left.origin} does not say its {' and '.join(left.left_open)}: choose"
    return UsageError(f"{said}; of {count} images it gets right {', '.join(ways)}{less}{also}")


def _right(model: nn.Module, images: Images, labels: Labels) -> int:
    """Return how many images a network gets right; none where it answers with NaN."""
    try:
        return int(is_correct(judge(model, images), labels).sum())
    except ModelFault:
        return 0


def _words(choice: Mapping[str, str]) -> str:
    return " ".join(f"{word}={value}" for word, value in choice.items())
