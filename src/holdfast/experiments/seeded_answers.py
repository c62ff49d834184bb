"""What random defences draw for a table, a figure or a picture: it follows from the seed, whatever was drawn before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from holdfast.devices import isolated, reseed
from holdfast.rng import number


@contextmanager
def seeded_answers(device: torch.device, seed: int) -> Iterator[Callable[[int], None]]:
    """Seed what is drawn inside, and leave the caller's random state as it was.

    Yields a function that seeds it anew for the images after the first so many: what goes on after an interruption
    then ends as what was never interrupted.
    """

    def anew(done: int) -> None:
        reseed(device, number(seed, "answers", done))

    with isolated(device):
        reseed(device, number(seed, "answers"))
        yield anew
