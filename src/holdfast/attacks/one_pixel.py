"""The one-pixel attack (Su, Vargas, Sakurai: "One pixel attack for fooling deep neural networks", 2019): differential
evolution over where a few pixels are and what colour they get; asks for outputs only.

A child is made of three members drawn without repetition, and takes its parent's place if it is fitter; there is no
crossover. The paper stops once the true class is below 5 %; here an image is through once it is misclassified.
"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack, succeeded
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, Interval
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import L0, Threat
from holdfast.types import Images, Objective, Targets


@dataclass(frozen=True)
class OnePixel(Attack):
    """Differential evolution of the places and colours of a few pixels; a black-box attack.

    L0 counts values, and a pixel of c channels is c of them: L0(3) is one pixel of a colour image, or three of a grey
    one. As many pixels are changed as it takes to use up eps; where c does not divide it, the smallest changes beyond
    eps are undone.
    """

    gradient_free: ClassVar[bool] = True

    threats: ClassVar[tuple[type[Threat], ...]] = (L0,)

    threat: Threat = L0(3)
    generations: Count = 100
    population: Annotated[int, Interval(3)] = 400
    factor: Annotated[float, Interval(0, 2)] = 0.5
    """The weight F of the difference of two members, from 0 to 2 (Storn and Price, 1997)."""
    rows: Count = 1024
    """How many images the network is shown at once, at most."""
    objective: Objective = cross_entropy
    """The fitness: the probability of the true class falls as its cross entropy grows."""
    seed: int = 0

    def showing(self, most: int) -> "OnePixel":
        """Return the attack with fewer rows, where that is fewer: what it finds is the same."""
        return replace(self, rows=min(self.rows, most))

    @torch.no_grad()
    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Evolve until an image is broken, and return what broke it, else its fittest member; `start` is not used."""
        result = images.clone()
        active = (~succeeded(self.objective, model(images), targets)).nonzero()[:, 0]
        pool = self.founders(images[active], stream[active].split("founders"))
        tried, fitness = pool, images.new_full(pool.shape[:2], -torch.inf)
        for generation in range(self.generations + 1):
            if pool.numel() == 0:
                break
            score, wrong = self.judge(model, images[active], targets[active], tried)
            fitter = score > fitness
            pool, fitness = torch.where(fitter[..., None, None], tried, pool), torch.where(fitter, score, fitness)
            broken, rows = wrong.any(1), torch.arange(len(active), device=images.device)
            breaks, best = score.masked_fill(~wrong, -torch.inf).argmax(1), fitness.argmax(1)
            chosen = torch.where(broken[:, None, None], tried[rows, breaks], pool[rows, best])
            result[active] = self.paint(images[active], chosen)
            active, pool, fitness = active[~broken], pool[~broken], fitness[~broken]
            tried = self.children(pool, images, stream[active].split(generation))
        return result

    def founders(self, images: Images, stream: Stream) -> Tensor:
        """Return the first members: rows and columns evenly, colours by a normal law of mean 128 and deviation 127.

        Members have shape (n, population, pixels, 2 + c): row, column, in pixels, and the values of the c channels.
        """
        c, h, w = images.shape[1:]
        count = -int(-min(self.threat.eps, c * h * w) // c)
        place = stream.split("place").uniform((self.population, count, 2)) * torch.tensor([h, w], device=images.device)
        colour = (128 + 127 * stream.split("colour").normal((self.population, count, c))) / 255
        return torch.cat([place, colour.clamp(0, 1)], 3)

    def children(self, pool: Tensor, images: Images, stream: Stream) -> Tensor:
        """Return r1 + F (r2 - r3) for each member, cut to the image and to [0, 1]."""
        rows = torch.arange(len(pool), device=pool.device)[:, None]
        r1, r2, r3 = (pool[rows, member] for member in three(stream, self.population))
        c, h, w = images.shape[1:]
        ends = pool.new_tensor([h, w, *(1.0,) * c])
        return (r1 + self.factor * (r2 - r3)).clamp_min(0).minimum(ends)

    def judge(self, model: Watched, images: Images, targets: Targets, members: Tensor) -> tuple[Tensor, Tensor]:
        """Return how fit each member is, and whether it breaks its image, both of shape (n, population)."""
        n, size = members.shape[:2]
        owners, members = torch.arange(n, device=images.device).repeat_interleave(size), members.flatten(0, 1)
        score, wrong = [], []
        for owner, some in zip(torch.split(owners, self.rows), torch.split(members, self.rows), strict=True):
            outputs = model(self.paint(images[owner], some))
            score.append(self.objective(outputs, targets[owner]).float())
            wrong.append(succeeded(self.objective, outputs, targets[owner]))
        return torch.cat(score).view(n, size), torch.cat(wrong).view(n, size)

    def paint(self, images: Images, members: Tensor) -> Images:
        """Return the images with the pixels of one member each, shape (n, pixels, 2 + c); the last one covers."""
        (_, c, h, w), count = images.shape, members.shape[1]
        row, column = (members[..., i].long().clamp_max(end - 1) for i, end in enumerate((h, w)))
        place, x = row * w + column, images.flatten(2).clone()
        for pixel in range(count):  # one at a time: of two colours at one place, a device would keep either
            x.scatter_(2, place[:, pixel, None, None].expand(-1, c, 1), members[:, pixel, 2:, None])
        x = x.view_as(images)
        return self.threat.project(x, images) if count * c > self.threat.eps else x


def three(stream: Stream, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return three different members for each child, drawn evenly, each of shape (n, size)."""
    left = torch.tensor([size, size - 1, size - 2], device=stream.keys.device)
    first, second, third = (stream.uniform((size, 3)) * left).long().unbind(2)
    second = second + (second >= first)
    third = third + (third >= torch.minimum(first, second))
    third = third + (third >= torch.maximum(first, second))
    return first, second, third
