"""`hf.audit`: one network, one threat, one honest number."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from holdfast import record
from holdfast.attacks.inputs import auditable
from holdfast.audit.autoattack import adversarial
from holdfast.audit.cascade import plan_of
from holdfast.audit.doubts import look_at_attacks, look_at_model, misled
from holdfast.audit.ensemble import Move, Subject, Tell, run_moves, untold
from holdfast.audit.processes import check_same, first_ones
from holdfast.audit.progress import begin
from holdfast.audit.surrogate import fast_copy, known_precision
from holdfast.audit.verdict import Report, Stage
from holdfast.errors import BadValue, require
from holdfast.evaluation import judge
from holdfast.passes import counting, spend
from holdfast.threats import Threat
from holdfast.types import Network


def audit(
    model: Network,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    effort: str = "standard",
    seed: int = 0,
    batch: int = 250,
    folder: Path | str | None = None,
    tell: Tell = untold,
    precision: str = "float32",
) -> Report:
    """Return how many of the images hold under the threat, as far as the effort can tell.

    `fast` and `standard` are the cascade, `autoattack` is APGD-CE, APGD-T, FAB-T and Square with their published
    budgets, and `thorough` is the cascade and then `autoattack` on what stands. Where a check says that the attacks
    failed, `standard` goes on, through all of AutoAttack at the latest. With a folder, an audit that is interrupted
    goes on where it was. With the precision "bfloat16" the first climbs of the cascade are made in it; all else, and
    every verdict, is float32. The processes of a process group share the work: each of them calls this, with the same
    arguments, and gets the same report.

    Raises:
        UnknownName: there is no such effort or precision.
        UsageError: other processes of this process group were given other arguments.
        BadImages, BadLabels, BadValue: no attack could work on the images, the labels, or under the threat.
    """
    require(isinstance(threat, Threat), f"the threat is {threat!r}: give one such as holdfast.Linf(8 / 255)", BadValue)
    images, labels = auditable(model, images, labels, effort, seed, batch, folder)
    plan, precision = plan_of(effort, threat), known_precision(precision)
    right, pixels = (record.fingerprint_of_tensors({name: of}) for name, of in (("labels", labels), ("images", images)))
    check_same(right, pixels, record.brief(threat), effort, seed, batch, precision)
    costs: list[Stage] = []
    with costed(costs):
        judge(model, images[:2].clone())  # what writes over its images is refused before it meets the caller's
        spend(forwards=len(images[:2]))
        copy = fast_copy(model, images[:batch], precision)
        subject = Subject(model, copy.network, images, labels, seed, batch, copy.early, copy.words)
        checks = first_ones(look_at_model(subject, threat))
    moves, found = dict[str, Move](), begin(images)
    stages: tuple[Stage, ...] = ()
    for step in plan:
        if step.if_misled and not misled(checks):
            continue
        moves |= step.moves
        found, stages = run_moves(subject, moves, folder, tell, after=found)
        with costed(costs):
            checks = first_ones(look_at_attacks(subject, threat, found, stages, checks))
    return Report(
        threat,
        effort,
        int(seed),  # JSON has no numbers of numpy
        adversarial(found, images),
        found.broken_by,
        (*stages, together(costs)),
        checks,
        copy.words,
        found.margin,
        found.best.to(images.device),
        right,
        pixels,
        precision,
    )


@contextmanager
def costed(costs: list[Stage]) -> Iterator[None]:
    """Add what is done inside to the costs of the checks."""
    began = time.monotonic()
    with counting() as spent:
        yield
    costs.append(Stage("checks", 0, 0, spent.forwards, spent.backwards, time.monotonic() - began))


def together(costs: list[Stage]) -> Stage:
    """Return the costs of all checks as one stage."""
    spent = (sum(cost.forwards for cost in costs), sum(cost.backwards for cost in costs))
    return Stage("checks", 0, 0, *spent, sum(cost.seconds for cost in costs))
