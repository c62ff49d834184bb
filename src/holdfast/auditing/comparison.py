"""Two networks on the same images: which is more robust, by how much, and whether that is more than chance.

Both saw the same images, so only those count on which they differ: McNemar, "Note on the sampling error of the
difference between correlated proportions or percentages" (1947), exact; the interval is method 10 of Newcombe,
"Improved confidence intervals for the difference between binomial proportions based on paired data" (1998).
"""

import math
from dataclasses import dataclass

from holdfast.auditing.report import Report
from holdfast.errors import UsageError, require
from holdfast.metrics import interval


@dataclass(frozen=True)
class Comparison:
    """On how many images each of two networks is robust, and the difference of their robust accuracies."""

    both: int
    first_only: int
    second_only: int
    neither: int
    names: tuple[str, ...] = ("the first", "the second")
    random: bool = False
    """Whether a network answers at random, so that its counts are those of one draw."""

    @property
    def count(self) -> int:
        """How many images both were attacked on."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def difference(self) -> float:
        """The robust accuracy of the first less that of the second."""
        return (self.first_only - self.second_only) / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference that the number of images leaves."""
        return paired_interval(self.both, self.first_only, self.second_only, self.neither)

    @property
    def p_value(self) -> float:
        """How often chance alone would part the images on which they differ so unevenly or more (exact McNemar)."""
        return two_sided(self.first_only, self.second_only)

    @property
    def is_noise(self) -> bool:
        """Whether the interval of the difference contains 0."""
        low, high = self.interval
        return low <= 0 <= high

    def __str__(self) -> str:
        """Return the counts, and what they say in plain words."""
        first, second = self.names
        low, high = (100 * end for end in self.interval)
        figures = f"95 % interval {low:+.2f} to {high:+.2f}, exact McNemar p = {self.p_value:.3g}"
        counts = (
            f"of {self.count} images both networks are robust on {self.both}, only {first} on {self.first_only}, "
            f"only {second} on {self.second_only}, neither on {self.neither}"
        )
        said = f"{first} less {second}: {100 * self.difference:+.2f} points of robust accuracy ({figures})"
        return f"{counts}\n{said}\n{self.verdict}"

    @property
    def verdict(self) -> str:
        """The difference in plain words."""
        if self.is_noise:
            return "this difference is not significant: its interval contains 0; more images may decide it"
        better, worse = self.names if self.difference > 0 else self.names[::-1]
        draw = "; one of them answers at random, so this is true of one draw only" if self.random else ""
        return f"{better} is robust on more images than {worse}, as far as these attacks can tell{draw}"


def compare(first: Report, second: Report, names: tuple[str, ...] = ("the first", "the second")) -> Comparison:
    """Return how two networks differ on the images and under the threat that both were audited with.

    Raises:
        UsageError: the reports are of other images or another threat, or were made with another effort or precision.
    """
    require(
        first.threat == second.threat,
        f"the threats differ, {first.threat} and {second.threat}: audit both under one",
        UsageError,
    )
    require(
        first.effort == second.effort,
        f"the efforts differ, {first.effort} and {second.effort}: audit both with one",
        UsageError,
    )
    require(
        first.precision == second.precision,
        f"the precisions differ, {first.precision} and {second.precision}: audit both in one",
        UsageError,
    )
    require(
        first.images_fingerprint == second.images_fingerprint,
        "the reports are of different images: audit both networks on the same",
        UsageError,
    )
    labels = "the reports are of images with different labels: audit both networks with the same"
    require(first.labels_fingerprint == second.labels_fingerprint, labels, UsageError)
    one, other = (~report.broken.cpu() for report in (first, second))
    counted = [int(part.sum()) for part in (one & other, one & ~other, ~one & other, ~one & ~other)]
    random = first.answers_at_random or second.answers_at_random
    return Comparison(counted[0], counted[1], counted[2], counted[3], names, random)


def two_sided(first_only: int, second_only: int) -> float:
    """Return the p-value of so uneven a division under a fair coin; 1 where nothing is divided."""
    count, term, tail = first_only + second_only, 1, 0
    for few in range(min(first_only, second_only) + 1):
        tail += term
        term = term * (count - few) // (few + 1)
    return min(1.0, 2 * tail / (1 << count))


def paired_interval(both: int, first_only: int, second_only: int, neither: int) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two shares that were counted on the same images."""
    count = both + first_only + second_only + neither
    first, second = (both + first_only) / count, (both + second_only) / count
    (low1, high1), (low2, high2) = interval(first, count), interval(second, count)
    sides = (both + first_only) * (second_only + neither) * (both + second_only) * (first_only + neither)
    product = both * neither - first_only * second_only
    # Agreement is taken for half an image a cell weaker than it looks.
    agreed = max(product - count / 2, 0) if product > 0 else product
    phi = agreed / math.sqrt(sides) if sides else 0.0
    difference = first - second
    below, above = (
        math.sqrt(max(a**2 - 2 * phi * a * b + b**2, 0.0))
        for a, b in ((first - low1, high2 - second), (high1 - first, second - low2))
    )
    return difference - below, difference + above
