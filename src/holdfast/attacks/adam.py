"""Adam (Kingma, Ba: "Adam: a method for stochastic optimization", 2015, algorithm 1), a row an image.

Against a gradient g, with the step alpha:

    moments = moments.after(g)
    x = x - alpha * moments.mean / moments.size
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Moments:
    """The moving averages of the gradient and of its square, after t of them."""

    m: Tensor
    v: Tensor
    t: int = 0

    @classmethod
    def begin(cls, x: Tensor) -> "Moments":
        """Begin before the first gradient, which has the shape of `x`."""
        return cls(torch.zeros_like(x), torch.zeros_like(x))

    def after(self, g: Tensor) -> "Moments":
        """Return the averages with another gradient in them."""
        m, v = BETA_1 * self.m + (1 - BETA_1) * g, BETA_2 * self.v + (1 - BETA_2) * g.square()
        return Moments(m, v, self.t + 1)

    @property
    def mean(self) -> Tensor:
        """Return the average of the gradients, without the zero that it began from."""
        return self.m / (1 - BETA_1**self.t)

    @property
    def size(self) -> Tensor:
        """Return how large they are, the root of the average of their squares: what Adam divides by."""
        return (self.v / (1 - BETA_2**self.t)).sqrt() + EPSILON

    def __getitem__(self, rows: Tensor | slice) -> "Moments":
        """Return those of some images."""
        return Moments(self.m[rows], self.v[rows], self.t)
