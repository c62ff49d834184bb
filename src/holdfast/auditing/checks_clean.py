"""Doubts that the clean accuracy alone raises: does the network know these images at all?

A file of other weights, a wrong normalisation, or classes or channels in another order than the network's leave an
accuracy near chance and no error message.
"""

from holdfast.auditing.engine_state import CLEAN, Progress
from holdfast.auditing.findings import Finding, above, not_applicable
from holdfast.metrics import binomial_tail
from holdfast.types import Labels

LUCK = 0.01
"""The probability below which so many right answers are no luck."""


def clean_at_chance(found: Progress, labels: Labels) -> Finding:
    """Doubt a network that is right no more often than one that always names the commonest class.

    That is right at least as often as one that draws its answers, whatever the number of classes.
    """
    count, right = len(labels), int((found.broken_by != CLEAN).sum())
    chance = int(labels.unique(return_counts=True)[1].max()) / count
    if binomial_tail(count, count, chance) > LUCK:
        return not_applicable(f"of {count} images, {chance:.0%} of one class, even all right could be luck")
    meaning = (
        f"{right / count:.1%} of the clean images are right, and naming one class each time gets {chance:.1%}: the "
        "network does not know these images, and its robustness means nothing; likely reasons: another normalisation "
        "(--mean, --std), another order of classes or of channels (BGR), another size or crop, the wrong weights"
    )
    return above(LUCK, binomial_tail(right, count, chance), meaning)
