"""Doubts about what an audit left standing: would another search, a longer one or the network itself say otherwise?"""

import math
from dataclasses import replace

import torch

from holdfast.attacks import APGD, APGDT, DDN, FABT, PGD, MultiTargeted, Square
from holdfast.audit.attack_doubts import attacked, broken, part, standing, wrong
from holdfast.audit.ensemble import Subject
from holdfast.audit.progress import STANDS, Progress
from holdfast.audit.verdict import Finding, Stage, above, finding, not_applicable
from holdfast.errors import NoGradient
from holdfast.evaluation import judge
from holdfast.metrics import interval, share_of
from holdfast.objectives import margin
from holdfast.passes import spend
from holdfast.threats import L1, L2, Threat

NO_SURVIVORS = "no image is left standing"
BLACK_BOX = 0.002
"""Share of all images that random search breaks and no gradient does (AutoAttack's)."""
BLACK_BOX_IMAGES = 3
"""And how many they must be: one or two are chance."""
RETRIED, RETRY_STEPS = 32, 20


def black_box_wins(subject: Subject, threat: Threat, found: Progress, stages: tuple[Stage, ...]) -> Finding:
    """Doubt gradients that miss what random search broke, also when tried on the same images once more.

    Where Square had its turn before the last gradients, they may have come too late for its images.
    """
    moves = [number for number, stage in enumerate(stages) if stage.random_search]
    rows = torch.isin(found.broken_by, found.broken_by.new_tensor(moves)).nonzero()[:, 0]
    if len(rows) <= BLACK_BOX * len(subject.images):
        return finding(False, BLACK_BOX, len(rows) / len(subject.images), "")
    again = part(subject, rows[:RETRIED])
    short = APGD(threat, steps=RETRY_STEPS)
    try:
        missed = len(rows) * len(standing(again, replace(short, objective=margin), short)) / len(again.images)
    except NoGradient:  # then gradients miss every image
        missed = float(len(rows))
    figure = missed / len(subject.images)
    meaning = (
        "random search broke images that no gradient attack did: the gradients mislead, and a stronger search may "
        "break more; give Square more queries, and look for what hides the gradients"
    )
    return finding(figure > BLACK_BOX and missed >= BLACK_BOX_IMAGES, BLACK_BOX, figure, meaning)


SEARCHED, QUERIES = 64, 80
LUCKY = 0.01
"""Share of the survivors that a short random search breaks."""


def random_search_wins(subject: Subject, threat: Threat, found: Progress) -> Finding:
    """Doubt attacks that leave what a short random search from the clean image breaks."""
    subject = part(subject, found.standing()[:SEARCHED])
    if len(subject.images) == 0:
        return not_applicable(NO_SURVIVORS)
    black_box = replace(subject, crafted_on=subject.model)
    figure = float(broken(black_box, Square(threat, queries=QUERIES)).float().mean())
    meaning = (
        f"{QUERIES} random squares broke images that all attacks left: the attacks fail, and the robust accuracy is "
        "too high; audit with effort 'thorough', and look for what hides the gradients"
    )
    return above(LUCKY, figure, meaning)


SHORTENED, SHORT_STEPS = 32, 60
"""How many survivors a minimum-norm attack is tried on, spread over all margins, and how long."""
SHORTER, SHORTER_IMAGES = 0.03, 2
"""Share of them that it breaks within the radius, and how many they must be: one is chance."""


def shorter_ways_win(subject: Subject, threat: Threat, found: Progress) -> Finding:
    """Doubt attacks that leave what a search from the other side breaks: over the boundary first, then nearer.

    Networks trained in one norm hide their gradients from climbs in another; a walk along the boundary still finds it.
    """
    left = found.ranked()
    if len(left) == 0:
        return not_applicable(NO_SURVIVORS)
    chosen = torch.linspace(0, len(left) - 1, min(len(left), SHORTENED), device=left.device).round().long()
    spread = part(subject, left[chosen])
    steps = SHORT_STEPS // CLASSES
    nearest = DDN(threat, steps=SHORT_STEPS) if isinstance(threat, L2) else FABT(threat, steps=steps, classes=CLASSES)
    hit = int(broken(spread, nearest).sum())
    figure = hit / len(spread.images)
    meaning = (
        f"an attack that looks for the nearest break finds it inside the ball for {hit} of {len(chosen)} images "
        "that all attacks left: the attacks fail, and the robust accuracy is too high; audit with effort 'thorough'"
    )
    return finding(figure > SHORTER and hit >= SHORTER_IMAGES, SHORTER, figure, meaning)


FRAGILE, MORE_STEPS = 32, 50
"""How many of the most fragile survivors are climbed on from their best points, and how long."""
WIDE, CLASSES, SHORT = 96, 3, 10
"""How many of the more fragile half are tried anew, towards how many wrong classes, for how many steps each."""
CONVERGED = 0.005
"""Share of all images that either breaks, or would break."""
CONVERGED_IMAGES = 3
"""And how many they must be: one or two are chance."""


def not_converged(subject: Subject, threat: Threat, found: Progress) -> Finding:
    """Doubt a budget to which a little more adds breaks: longer on the most fragile survivors, and wider.

    An image whose margin is far from zero may yet have a wrong class that was not tried: hence the second.
    """
    left = found.ranked()
    if len(left) == 0:
        return not_applicable(NO_SURVIVORS)
    half = left[: math.ceil(len(left) / 2)]
    spread = half[:: math.ceil(len(half) / WIDE)]
    targeted = APGDT if isinstance(threat, L1) else MultiTargeted
    wider = broken(part(subject, spread), targeted(threat, steps=SHORT, classes=CLASSES))
    longer = APGD(threat, steps=MORE_STEPS, objective=margin)
    further = broken(part(subject, left[:FRAGILE]), longer, found.best[left[:FRAGILE]])
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


def surrogate_differs(subject: Subject, threat: Threat) -> Finding:
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
