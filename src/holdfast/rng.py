"""Random numbers that belong to an image, not to the batch it happens to be in.

A stream is keyed by (seed, name, image) and is a pure function of a counter (SplitMix64: Steele, Lea, Flood, 2014), so
a whole batch is drawn at once, on any device, and nothing depends on batch size, order or number of processes. The
image enters by its pixels: equal images draw equal numbers, and a caller need not carry an index around.

Training needs new numbers at every step although the images come back: the loop runs each step under
`fresh(seed, step)`, which enters every key drawn inside.
"""

import hashlib
import math
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.types import Images, Index

_salt: ContextVar[int] = ContextVar("holdfast_salt", default=0)


def number(*words: object) -> int:
    """Return a signed 64-bit number made of `words`, the same in every process."""
    digest = hashlib.blake2b(repr(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


@contextmanager
def fresh(*words: object) -> Iterator[None]:
    """Make every stream opened inside differ from those opened under other words."""
    token = _salt.set(number(_salt.get(), *words))
    try:
        yield
    finally:
        _salt.reset(token)


def _shift(value: Tensor, bits: int) -> Tensor:
    """Shift right and fill with zeros (torch's own shift keeps the sign)."""
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def _mix(value: Tensor) -> Tensor:
    """Scramble 64-bit integers: the finaliser of SplitMix64 (its constants as signed numbers)."""
    value = (value ^ _shift(value, 30)) * -4658895280553007687
    value = (value ^ _shift(value, 27)) * -7723592293110705685
    return value ^ _shift(value, 31)


_GOLDEN = -7046029254386353131


def _fingerprints(images: Images) -> Tensor:
    """Return one 64-bit number an image, made of its pixels."""
    pixels = (images.detach().flatten(1) + 0.0).contiguous().view(torch.int32).long()
    places = _mix(torch.arange(1, pixels.shape[1] + 1, device=images.device) * _GOLDEN)
    return _mix((pixels * (places | 1)).sum(1))


@dataclass(frozen=True)
class Stream:
    """The random numbers of a batch of images: one key an image."""

    keys: Tensor

    @staticmethod
    def of(images: Images, seed: int, *words: object) -> "Stream":
        """Open the stream of each image under `seed` and `words`."""
        return Stream(_mix(_fingerprints(images) ^ number(_salt.get(), operator.index(seed), *words)))

    @staticmethod
    def at(index: Index, seed: int, *words: object) -> "Stream":
        """Open the stream of each position of a data set under `seed` and `words`."""
        return Stream(_mix(_mix(index.long() * _GOLDEN) ^ number(_salt.get(), operator.index(seed), *words)))

    @staticmethod
    def mixed(keys: Tensor) -> "Stream":
        """Open a stream for each of many keys, whatever shape they have, in order."""
        return Stream(_mix(keys.flatten()))

    def split(self, *words: object) -> "Stream":
        """Return an independent stream for each image."""
        return Stream(_mix(self.keys ^ number(*words)))

    def __getitem__(self, chosen: Tensor) -> "Stream":
        """Keep the streams of the chosen images."""
        return Stream(self.keys[chosen])

    def uniform(self, shape: torch.Size | tuple[int, ...]) -> Tensor:
        """Return numbers in [0, 1), shape (n, *shape), float32."""
        count = math.prod(shape)
        counter = torch.arange(1, count + 1, device=self.keys.device) * _GOLDEN
        bits = _mix(self.keys[:, None] + counter[None])
        return (_shift(bits, 40).float() * 2.0**-24).reshape(len(self.keys), *shape)

    def normal(self, shape: torch.Size | tuple[int, ...]) -> Tensor:
        """Return standard normal numbers, shape (n, *shape), float32 (Box and Muller, 1958)."""
        radius = (-2 * (1 - self.split("radius").uniform(shape)).log()).sqrt()
        return radius * (2 * math.pi * self.split("angle").uniform(shape)).cos()
