"""Doubts that short attacks on a few images raise: does the search behave as one that works would?

After the signs of Athalye et al. ("Obfuscated gradients give a false sense of security", 2018) and the indicators of
Pintor et al. ("Indicators of attack failure", 2022). Points are made on the network that the audit's attacks see, and
judged by the network itself.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise

import torch

from holdfast.attacks import APGD, FGSM, ODI, PGD, Attack
from holdfast.attacks.attack import with_seed
from holdfast.auditing.findings import Finding, above_for, finding, not_applicable
from holdfast.auditing.part import Part, part
from holdfast.evaluation import judge
from holdfast.objectives import cross_entropy, is_correct, margin
from holdfast.passes import spend
from holdfast.threats import Sparse, Threat
from holdfast.types import Flags, Images, Labels, Logits, Network, Objective, PerImage, Rows


def attacked(subject: Part, attack: Attack, start: Images | None = None) -> Images:
    """Return the images after an attack, made under the subject's seed."""
    attack = with_seed(attack.showing(subject.batch), subject.seed)
    parts = torch.split(torch.arange(len(subject.images), device=subject.images.device), subject.batch)
    each = [
        attack(subject.crafted_on, subject.images[rows], subject.labels[rows], None if start is None else start[rows])
        for rows in parts
    ]
    return torch.cat(each)


def wrong(model: Network, images: Images, subject: Part) -> Flags:
    """Return which of the images a network gets wrong; a tie is wrong."""
    spend(forwards=len(images))
    answers = torch.cat([judge(model, some) for some in torch.split(images, subject.batch)])
    return ~is_correct(answers, subject.labels)


def broken(subject: Part, attack: Attack, start: Images | None = None) -> Flags:
    """Return which images an attack breaks."""
    return wrong(subject.model, attacked(subject, attack, start), subject)


@dataclass(frozen=True)
class Breaks:
    """Which images attacks break, for checks that make the same attack on the same first images.

    What one check has found is not made again for another that draws its random numbers under the same name.
    """

    known: dict[Attack, Flags] = field(default_factory=dict)

    def of(self, subject: Part, attack: Attack) -> Flags:
        """Return which of the images the attack breaks."""
        known = self.known.get(attack, torch.zeros(0, dtype=torch.bool, device=subject.images.device))
        if len(known) < len(subject.images):
            rest = broken(part(subject, slice(len(known), None)), attack)
            known = self.known[attack] = torch.cat([known, rest])
        return known[: len(subject.images)]


def standing(subject: Part, *attacks: Attack) -> Rows:
    """Return the images that attacks in turn do not break, each shown what the ones before it left."""
    rows = torch.arange(len(subject.images), device=subject.images.device)
    for attack in attacks:
        if len(rows):
            rows = rows[~broken(part(subject, rows), attack)]
    return rows


def climb(threat: Threat, steps: int, objective: Objective = cross_entropy) -> Attack:
    """Return a climb of so many steps: APGD, and in L0, where it is not defined, steps towards the best corners."""
    kind = APGD if isinstance(threat, APGD.threats) else ODI
    return kind(threat, steps=steps, objective=objective)


ONE_STEP = 0.005
"""Share of the images that one step breaks and ten do not."""
ONE_STEP_IMAGES = 3
"""And how many they must be: one or two are chance."""


def one_step_wins(subject: Part, threat: Threat) -> Finding:
    """Doubt gradients that lead attacks of ten steps, by either loss, less far than one of one step."""
    hit = part(subject, broken(subject, FGSM(threat)).nonzero()[:, 0])
    if len(hit.images) == 0:
        return finding(False, ONE_STEP, 0.0, "")
    small = PGD(threat, random_start=False, objective=margin)
    # In L1 and L0 ten steps of PGD, each on few values, are honestly behind a single one that spends all on them.
    left = standing(hit, PGD(threat), climb(threat, 10, margin) if isinstance(threat, Sparse) else small)
    figure = len(left) / len(subject.images)
    meaning = (
        "one large step breaks images that ten small ones leave: the gradients are of use far from the image only, a "
        "sign of masking; try more steps, larger ones, and black-box attacks"
    )
    return finding(figure > ONE_STEP and len(left) >= ONE_STEP_IMAGES, ONE_STEP, figure, meaning)


UNBOUNDED_STEPS = 50
UNBOUNDED = 0.1
"""Share of the images that stand although every image is allowed.

The silent parts of honest networks keep up to 6 %; masked networks that raise this keep 16 % and more.
"""


def unbounded_fails(subject: Part, threat: Threat) -> Finding:
    """Doubt attacks that do not reach zero where they may turn any image into any other."""
    free = threat.of_radius(threat.diameter(subject.images))
    climbs = (climb(free, UNBOUNDED_STEPS, margin), climb(free, UNBOUNDED_STEPS))
    left = len(standing(subject, *climbs))
    meaning = (
        "even an attack that may turn any image into any other leaves some right: the search fails, not the attacker; "
        "the robust accuracy says nothing until another attack reaches zero here"
    )
    total = len(subject.images)
    return above_for(left, total, UNBOUNDED, left / total, meaning)


FACTORS = (0.5, 1.0, 2.0, 4.0)
"""The radii at which the accuracy is taken, in units of eps."""
CLIMB_STEPS = 10
"""How long the climbs are that two checks share."""
RISE, CHANCE = 0.05, 3
"""How much the accuracy may rise from one radius to a larger one, and how many images that is at least: one or two are
chance."""
FELL, FLAT = 0.9, 0.8
"""A plateau: the smallest radius leaves at most FELL of the images, and the largest at least FLAT of those; no fewer
than CHANCE fell, and no fewer stand."""


def flat_curve(subject: Part, threat: Threat, breaks: Breaks) -> Finding:
    """Doubt an accuracy that rises with the radius, or falls at first and then no more."""
    if threat.eps == 0:
        return not_applicable("a radius of 0 has no multiples")
    radii = [min(factor * threat.eps, threat.diameter(subject.images)) for factor in FACTORS]
    attacks = [climb(threat.of_radius(eps), CLIMB_STEPS, margin) for eps in radii]
    left = [len(subject.images) - int(breaks.of(subject, attack).sum()) for attack in attacks]
    curve = [count / len(subject.images) for count in left]
    risen = max(later - earlier for earlier, later in pairwise(left))
    rise = risen / len(subject.images)
    many = min(len(subject.images) - left[0], left[-1]) >= CHANCE
    flat = many and curve[0] <= FELL and curve[-1] >= FLAT * curve[0]
    points = ", ".join(f"{factor:g} eps: {share:.0%}" for factor, share in zip(FACTORS, curve, strict=True))
    meaning = (
        f"the accuracy does not fall as the radius grows ({points}): a larger ball holds the smaller one, so the "
        "attack misses what is there; try more steps, other losses and black-box attacks"
    )
    rises = rise > RISE and risen >= CHANCE
    if flat and not rises:
        return finding(True, FLAT * curve[0], curve[-1], meaning)
    return finding(rises, RISE, rise, meaning)


LOSSES = 0.08
"""Difference of the robust accuracies by two losses, at the lower end of its 95 % interval."""
USUAL = 10.0
"""How far the best logit is above the middle one, in the median, once all are scaled for the cross-entropy."""


@dataclass(frozen=True)
class ScaledEntropy:
    """The cross-entropy of logits times a number."""

    factor: float

    def __call__(self, logits: Logits, labels: Labels) -> PerImage:
        """Return -log softmax(factor logits) at the label."""
        return cross_entropy(self.factor * logits.float(), labels)


def usual_entropy(subject: Part) -> ScaledEntropy:
    """Return the cross-entropy of logits brought to a usual size.

    Logits of a hundredth of the size, or of a hundred times as much, are no mask, but they blunt a plain cross-entropy:
    on honest networks by 12 and by 25 points.
    """
    spend(forwards=len(subject.images))
    answers = torch.cat([judge(subject.model, some) for some in torch.split(subject.images, subject.batch)])
    height = float((answers.amax(1) - answers.median(1).values).median())
    return ScaledEntropy(USUAL / height if 0 < height < math.inf else 1.0)


def losses_disagree(subject: Part, threat: Threat, breaks: Breaks) -> Finding:
    """Doubt a network that is much weaker under one loss than under the other."""
    by_entropy = broken(subject, climb(threat, CLIMB_STEPS, usual_entropy(subject)))
    by_margin = breaks.of(subject, climb(threat, CLIMB_STEPS, margin))
    count, apart = len(subject.images), int((by_margin != by_entropy).sum())
    figure = (int(by_margin.sum()) - int(by_entropy.sum())) / count
    weak, strong = ("cross-entropy", "margin") if figure > 0 else ("margin", "cross-entropy")
    meaning = (
        f"attacks on the {strong} break {abs(figure):.1%} of the images more than attacks on the {weak}, whose "
        f"gradients seem masked: disbelieve figures measured with the {weak} alone, and try further losses"
    )
    beyond_chance = abs(figure) - 2 * math.sqrt(apart) / count
    return finding(beyond_chance > LOSSES, LOSSES, abs(figure), meaning)
