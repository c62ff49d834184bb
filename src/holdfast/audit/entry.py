"""`hf.audit`: one network, one threat, one honest number."""

import time
from pathlib import Path

from holdfast import record
from holdfast.attacks.attack import check
from holdfast.audit.autoattack import adversarial
from holdfast.audit.cascade import escalation, moves_of
from holdfast.audit.doubts import look_at_attacks, look_at_model, recounted
from holdfast.audit.ensemble import Subject, Tell, run_moves, untold
from holdfast.audit.processes import first_ones
from holdfast.audit.surrogate import fast_copy
from holdfast.audit.verdict import Report, Stage
from holdfast.errors import BadImages, BadValue, require
from holdfast.evaluation import judge
from holdfast.passes import counting, spend
from holdfast.threats import Threat
from holdfast.types import Images, Labels, Network

MISLED = (
    "input rounded or clamped",
    "no gradient reaches the images",
    "random search beats the attacks",
    "wrong gradients",
    "zero gradients",
)
"""The doubts after which `standard` searches further, at random and from many starts."""


def audit(
    model: Network,
    images: Images,
    labels: Labels,
    threat: Threat,
    effort: str = "standard",
    seed: int = 0,
    batch: int = 250,
    folder: Path | str | None = None,
    tell: Tell = untold,
) -> Report:
    """Return how many of the images hold under the threat, as far as the effort can tell.

    `fast` and `standard` are the cascade, `autoattack` is APGD-CE, APGD-T, FAB-T and Square with their published
    budgets, and `thorough` is the cascade and then `autoattack` on what stands. With a folder, an audit that is
    interrupted goes on where it was.

    Raises:
        UnknownName: there is no such effort.
        BadImages, BadLabels, BadValue: no attack could work on the images, the labels, or under the threat.
    """
    require(isinstance(threat, Threat), f"the threat is {threat!r}: give one such as holdfast.Linf(8 / 255)", BadValue)
    check(images, labels)
    require(len(images) > 0, "there are no images to audit", BadImages)
    moves, images = moves_of(effort, threat), images.detach()
    began = time.monotonic()
    with counting() as spent:
        judge(model, images[:2].clone())  # what writes over its images is refused before it meets the caller's
        spend(forwards=len(images[:2]))
        copy = fast_copy(model, images[:batch])
        subject = Subject(model, copy.network, images, labels, seed, batch)
        doubts = look_at_model(subject, threat)
    seconds = time.monotonic() - began
    found, stages = run_moves(subject, moves, folder, tell)
    began = time.monotonic()
    with counting() as later:
        doubts += look_at_attacks(subject, threat, found, stages)
    doubts, seconds = first_ones(doubts), seconds + time.monotonic() - began
    if effort == "standard" and any(doubt.name in MISLED for doubt in doubts):
        found, stages = run_moves(subject, moves | escalation(threat), folder, tell, after=found)
        doubts = recounted(doubts, found)
    checks = Stage("doubts", 0, 0, spent.forwards + later.forwards, spent.backwards + later.backwards, seconds)
    adversaries = adversarial(found, images)
    return Report(
        threat, effort, seed, adversaries, found.broken_by, (*stages, checks), doubts, copy.words, found.margin,
        found.best.to(images.device), record.fingerprint_of_tensors({"labels": labels}),
    )  # fmt: skip
