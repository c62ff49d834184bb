"""Doubts about what an audit left standing: would another search, a longer one or the network itself say otherwise?"""

import math
from dataclasses import replace

import torch

from holdfast.attacks import APGDT, DDN, FABT, PGD, Attack, MultiTargeted, OnePixel, SigmaZero, Square
from holdfast.auditing.checks_attacks import attacked, broken, climb, standing, wrong
from holdfast.auditing.engine import Subject
from holdfast.auditing.engine_state import STANDS, Progress
from holdfast.auditing.findings import Finding, above, finding, not_applicable
from holdfast.auditing.part import Part, part
from holdfast.auditing.report import Stage
from holdfast.errors import NoGradient
from holdfast.evaluation import judge
from holdfast.metrics import interval, share_of
from holdfast.objectives import margin
from holdfast.passes import spend
from holdfast.threats import L0, L1, L2, Threat
from holdfast.types import Index, Rows

NO_SURVIVORS = "no image is left standing"
BLACK_BOX = 0.01
"""Share of all images that random search breaks and no gradient does.

AutoAttack's own warning comes at 0.2 %, which honest networks reach: of robust ones squares break a few more.
"""
BLACK_BOX_IMAGES = 3
"""And how many they must be: one or two are chance."""
RETRY_STEPS = 20


def black_box_wins(
    subject: Subject, threat: Threat, found: Progress, stages: tuple[Stage, ...], retried: int
) -> Finding:
    """Doubt gradients that miss what random search broke, also when tried on so many of these images once more.

    Where Square had its turn before the last gradients, they may have come too late for its images.
    """
    moves = [number for number, stage in enumerate(stages) if stage.random_search]
    rows = torch.isin(found.broken_by, found.broken_by.new_tensor(moves)).nonzero()[:, 0]
    if len(rows) <= BLACK_BOX * len(subject.images):
        return finding(False, BLACK_BOX, len(rows) / len(subject.images), "")
    again = part(subject, rows[:retried])
    try:
        seen = len(standing(again, climb(threat, RETRY_STEPS, margin), climb(threat, RETRY_STEPS)))
    except NoGradient:  # then gradients miss every image
        seen = len(again.images)
    figure = len(rows) * seen / len(again.images) / len(subject.images)
    meaning = (
        "random search broke images that no gradient attack did: the gradients mislead, and a stronger search may "
        "break more; give Square more queries, and look for what hides the gradients"
    )
    return finding(figure > BLACK_BOX and seen >= BLACK_BOX_IMAGES, BLACK_BOX, figure, meaning)


QUERIES = 80
LUCKY = 0.01
"""Share of the survivors that a short random search breaks."""


def random_search_wins(subject: Subject, threat: Threat, found: Progress, searched: int) -> Finding:
    """Doubt attacks that leave what a short random search from the clean image breaks."""
    subject = part(subject, found.standing()[:searched])
    if len(subject.images) == 0:
        return not_applicable(NO_SURVIVORS)
    black_box = replace(subject, crafted_on=subject.model)
    figure = float(broken(black_box, random_search(threat)).float().mean())
    meaning = (
        f"{QUERIES} queries of a random search broke images that all attacks left: the attacks fail, and the robust "
        "accuracy is too high; audit with effort 'thorough', and look for what hides the gradients"
    )
    return above(LUCKY, figure, meaning)


def random_search(threat: Threat) -> Attack:
    """Return a random search of `QUERIES` queries: squares, and in L0, where these are too large, pixels."""
    if isinstance(threat, Square.threats):
        return Square(threat, queries=QUERIES)
    return OnePixel(threat, generations=3, population=QUERIES // 4)


def evenly(rows: Rows, count: int) -> Index:
    """Return so many of the rows, from the first to the last; all where they are fewer."""
    return rows[torch.linspace(0, len(rows) - 1, min(len(rows), count), device=rows.device).round().long()]


SHORT_STEPS = 60
"""How long a minimum-norm attack is tried on survivors, which are spread over all margins."""
SHORTER, SHORTER_IMAGES = 0.03, 2
"""Share of them that it breaks within the radius, and how many they must be: one is chance."""


def shorter_ways_win(subject: Subject, threat: Threat, found: Progress, tried: int) -> Finding:
    """Doubt attacks that leave what a search from the other side breaks: over the boundary first, then nearer.

    Networks trained in one norm hide their gradients from climbs in another; a walk along the boundary still finds it.
    """
    left = found.ranked()
    if len(left) == 0:
        return not_applicable(NO_SURVIVORS)
    spread = part(subject, evenly(left, tried))
    hit = int(broken(spread, shortest(threat)).sum())
    figure = hit / len(spread.images)
    meaning = (
        f"an attack that looks for the nearest break finds it inside the ball for {hit} of {len(spread.images)} images "
        "that all attacks left: the attacks fail, and the robust accuracy is too high; audit with effort 'thorough'"
    )
    return finding(figure > SHORTER and hit >= SHORTER_IMAGES, SHORTER, figure, meaning)


def shortest(threat: Threat) -> Attack:
    """Return a short minimum-norm attack of the norm."""
    if isinstance(threat, L2):
        return DDN(threat, steps=SHORT_STEPS)
    if isinstance(threat, L0):
        return SigmaZero(threat, steps=SHORT_STEPS)
    return FABT(threat, steps=SHORT_STEPS // CLASSES, classes=CLASSES)


FRAGILE, MORE_STEPS = 3, 50
"""The most fragile survivors, one for each so many that are tried anew, are climbed on from their best points, so
long."""
CLASSES, SHORT = 3, 10
"""Towards how many wrong classes some of the more fragile half are tried anew, for how many steps each."""
CONVERGED = 0.005
"""Share of all images that either breaks, or would break."""
CONVERGED_IMAGES = 3
"""And how many they must be: one or two are chance."""


def not_converged(subject: Subject, threat: Threat, found: Progress, tried: int) -> Finding:
    """Doubt a budget to which a little more adds breaks: longer on the most fragile survivors, and wider.

    An image whose margin is far from zero may yet have a wrong class that was not tried: hence the second.
    """
    left = found.ranked()
    if len(left) == 0:
        return not_applicable(NO_SURVIVORS)
    half = left[: math.ceil(len(left) / 2)]
    spread = evenly(half, tried)
    targeted = APGDT if isinstance(threat, L1) else MultiTargeted
    wider = broken(part(subject, spread), targeted(threat, steps=SHORT, classes=CLASSES))
    longer = climb(threat, MORE_STEPS, margin)
    fragile = left[: tried // FRAGILE]
    further = broken(part(subject, fragile), longer, found.best[fragile])
    expected = int(wider.sum()) * len(half) / len(spread)
    figure = max(expected, int(further.sum())) / len(subject.images)
    meaning = (
        f"{MORE_STEPS} more steps, or short attacks towards {CLASSES} wrong classes, break so many of the most fragile "
        f"survivors that the robust accuracy would fall by about {figure:.2%}: the attacks were stopped too early; "
        "audit with more effort"
    )
    enough = max(int(wider.sum()), int(further.sum())) >= CONVERGED_IMAGES
    return finding(figure > CONVERGED and enough, CONVERGED, figure, meaning)


SURROGATE = 0.01
"""Share of the claims that the network itself does not confirm."""
TIE = 0.03
"""Margin, in units of the largest logit, that the rounding of a fast copy may turn around."""


def surrogate_differs(subject: Part, threat: Threat) -> Finding:
    """Doubt attacks made on a copy whose breaks are none for the network itself."""
    if subject.crafted_on is subject.model:
        return not_applicable("the attacks were made on the network itself")
    points = attacked(subject, PGD(threat, objective=margin))
    claimed = wrong(subject.crafted_on, points, subject)
    if not bool(claimed.any()):
        return finding(False, SURROGATE, 0.0, "")
    spend(forwards=len(points))
    answers = torch.cat([judge(subject.model, some) for some in torch.split(points, subject.batch)])
    unconfirmed = claimed & (margin(answers, subject.labels) < -TIE * answers.abs().amax(1))
    figure = float(unconfirmed.sum() / claimed.sum())
    meaning = (
        "images that break the fast copy, on which the attacks are made, do not break the network itself: attacks stop "
        "at breaks that are none; attack the network itself, in float32"
    )
    return above(SURROGATE, figure, meaning)


HALF_WIDTH = 0.05
"""Half of the 95 % interval of the robust accuracy."""


def too_few_images(found: Progress) -> Finding:
    """Doubt an accuracy that so few images leave open by more than five points either way."""
    count = len(found.broken_by)
    low, high = interval(share_of(found.broken_by == STANDS), count)
    figure = (high - low) / 2
    meaning = (
        f"{count} images leave the robust accuracy open by {figure:.1%} either way: audit more of them before you "
        "compare it with another"
    )
    return above(HALF_WIDTH, figure, meaning)
