"""Orders of images that a seed fixes, the same on every device."""

import torch

from holdfast.rng import number
from holdfast.types import Index


def permutation(count: int, *words: object) -> Index:
    """Return the positions 0..count-1 in a random order that only `words` decide."""
    generator = torch.Generator().manual_seed(number("order", *words))
    return torch.randperm(count, generator=generator)
