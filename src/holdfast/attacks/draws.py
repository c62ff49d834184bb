"""The random numbers of many queries, drawn together: the very numbers that each query would draw for itself.

A query of a black-box attack needs a handful of numbers an image, and to draw them costs as much as a small network.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from holdfast.rng import Stream, number
from holdfast.types import Rows

Words = tuple[object, ...]
Known = dict[tuple[tuple[Words, ...], tuple[int, ...]], Tensor]


@dataclass(frozen=True)
class Draws:
    """The streams `stream.split(query)` of the queries from `first` on, `count` of them."""

    stream: Stream
    first: int
    count: int
    known: Known = field(default_factory=dict)
    """What was drawn, of shape (n, count, ...); `numbers` writes into it."""

    def only(self, rows: Rows) -> "Draws":
        """Return the draws of some of the images."""
        return Draws(self.stream[rows], self.first, self.count, {key: it[rows] for key, it in self.known.items()})

    def of(self, query: int) -> "Query":
        """Return the stream of one query."""
        return Query(self, query - self.first)

    def numbers(self, path: tuple[Words, ...], shape: tuple[int, ...]) -> Tensor:
        """Return what the streams give that are split by the words of `path` one after another."""
        if (path, shape) not in self.known:
            queries = [number(query) for query in range(self.first, self.first + self.count)]
            keys = self.stream.keys
            stream = Stream.mixed(keys[:, None] ^ torch.tensor(queries, device=keys.device))
            for words in path:
                stream = stream.split(*words)
            self.known[path, shape] = stream.uniform((math.prod(shape),)).reshape(len(keys), self.count, *shape)
        return self.known[path, shape]


@dataclass(frozen=True)
class Query:
    """The stream of one query, and what is split from it; it answers as a `Stream` does."""

    draws: Draws
    place: int
    path: tuple[Words, ...] = ()

    def split(self, *words: object) -> "Query":
        """Return an independent stream for each image."""
        return Query(self.draws, self.place, (*self.path, words))

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        """Return numbers in [0, 1), shape (n, *shape), float32."""
        return self.draws.numbers(self.path, shape)[:, self.place]
