"""`hf.audit`: one network, one threat, one honest number."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from holdfast.attacks.inputs import auditable
from holdfast.auditing.allocation import Outlook, further
from holdfast.auditing.autoattack import adversarial
from holdfast.auditing.checks import checks_of_attacks, checks_of_network, misled, record_checks
from holdfast.auditing.checks_registry import OF_COPY
from holdfast.auditing.defended import PROTOCOL, drawn_apart, judge_of, longer_moves, look, looks_of
from holdfast.auditing.distributed import broadcast, check_same
from holdfast.auditing.engine import VIEW, Begun, Move, Subject, Tell, go_on, stages_of, untold
from holdfast.auditing.engine_state import STANDS
from holdfast.auditing.findings import Check
from holdfast.auditing.given import given
from holdfast.auditing.points import PointsOnDisk
from holdfast.auditing.report import Report, Stage
from holdfast.auditing.schedule import moves_of, plan_of
from holdfast.auditing.surrogate import COMPARED, fast_copy, known_precision
from holdfast.auditing.view import viewed
from holdfast.defences.views import DRAWS, steps_of
from holdfast.evaluation import judge
from holdfast.passes import Spent, costed, spend
from holdfast.storage.describe import short_repr
from holdfast.storage.fingerprint import name_of_tensors
from holdfast.threats import Threat
from holdfast.types import Index, Network


def audit(
    model: Network,
    images: Any,
    labels: Tensor | Threat | None = None,
    threat: Threat | None = None,
    effort: str = "standard",
    seed: int = 0,
    batch: int = 250,
    folder: Path | str | None = None,
    tell: Tell = untold,
    precision: str = "float32",
) -> Report:
    """Return how many of the images hold under the threat, as far as the effort can tell.

    `hf.audit(model, images, labels, threat)` takes two tensors; `hf.audit(model, data, threat)` all images of a torch
    Dataset, a DataLoader, an ImageSet or an iterable of (images, labels) pairs, which may not shuffle or augment.

    `fast` and `standard` choose attacks by what they break, `autoattack` is APGD-CE, APGD-T, FAB-T and Square with
    their published budgets, and `thorough` is `standard` and then `autoattack` on what stands. Where a check says that
    the attacks failed, `standard` goes on, through all of AutoAttack at the latest. In L0, where AutoAttack is not
    defined, long attacks of its own stand for it, and `autoattack` is refused. With a folder, an audit that is
    interrupted goes on where it was. With the precision "bfloat16" the first climbs are made in it; all else, and
    every verdict, is float32. The processes of a process group share the work: each of them calls this, with the same
    network and arguments, and gets the same report; the folder must be one that all of them see. A network with
    defences (`defend`) is attacked as each of its views first, then through the one that did best; where they draw at
    random, the mean of many draws is judged. Attacks show the network at most `batch` images at once; checks
    show it at most `batch` or 64, whichever is more.

    Raises:
        UnknownName: there is no such effort or precision.
        UsageError: other processes of this process group were given other arguments.
        BadImages, BadLabels, BadValue: no attack could work on the images, the labels, or under the threat.
    """
    pixels, targets, threat = given(model, images, labels, threat)
    images, labels = auditable(model, pixels, targets, effort, seed, batch, folder)
    longer, precision = longer_moves(model, threat, effort), known_precision(precision)
    moves = moves_of(effort, threat) | longer
    names = [name_of_tensors({name: of}) for name, of in (("labels", labels), ("images", images))]
    said = {"labels": names[0], "images": names[1], "threat": short_repr(threat), "effort": effort}
    check_same(model, **said, seed=seed, batch=batch, precision=precision)
    with drawn_apart(model, images.device):
        with costed() as asking:
            judge(model, images[:2].clone())  # what writes over its images is refused before it meets the caller's
            spend(forwards=len(images[:2]))
        judged = Subject(judge_of(model), model, images, labels, seed, batch, looks=looks_of(model))
        subject, begun, copying = under_way(model, judged, moves, threat, folder, tell, effort, precision)
        checks = charged(carried_out(subject, threat, effort, tuple(longer), begun, tell), copying.and_also(*asking))
        return report_of(subject, threat, effort, begun, checks, names, precision)


def under_way(
    model: Network,
    judged: Subject,
    moves: Mapping[str, Move],
    threat: Threat,
    folder: Path | str | None,
    tell: Tell,
    effort: str,
    precision: str,
) -> tuple[Subject, Begun, Spent]:
    """Return the subject with the copy that is attacked, the ensemble under way, and what making the copy cost.

    Of a defended network the views were attacked by then, and the copy is one of the best of them.
    """
    begun, through, words = None, model, ""
    if steps_of(model):
        named = replace(judged, words=precision)
        begun, name, through = look(model, named, moves, threat, folder, tell, effort)
        words = f"'{name}': "
    with costed() as copying:
        copy = fast_copy(through, judged.images[:COMPARED], precision)
    subject = replace(judged, crafted_on=copy.network, early=copy.early, words=words + copy.words)
    return subject, begun or Begun.of(subject, moves, folder, tell, effort), copying[0]


def carried_out(
    subject: Subject, threat: Threat, effort: str, longer: tuple[str, ...], begun: Begun, tell: Tell
) -> tuple[Check, ...]:
    """Make the steps of the plan that are asked for, and return what all checks found."""
    found, plan = begun.progress, plan_of(effort, threat, DRAWS if subject.looks > 1 else 1, longer)
    checks = broadcast(checks_of_network(subject, threat))
    for number, step in enumerate(plan):
        # An audit that was stopped in this step, or in a later one, had looked at the checks before.
        if found.step < number and step.if_misled and not misled(checks):
            break
        if found.step <= number:
            found.step = number
            go_on(subject, begun, step.choose, tell)
            looked = checks_of_attacks(subject, threat, found, stages_of(begun), checks, len(plan) > 1)
            checks = broadcast(looked)
            record_checks(found, checks)
    return checks


def report_of(
    subject: Subject,
    threat: Threat,
    effort: str,
    begun: Begun,
    checks: tuple[Check, ...],
    names: list[str],
    precision: str,
) -> Report:
    """Return the report of what was found; `names` are those of the labels and of the images."""
    found, best = begun.progress, begun.progress.best
    stages, broken_by = those_shown(stages_of(begun), found.broken_by)
    cost = Spent().and_also(*(check.spent for check in checks))
    views = viewed(found, tuple(name for name, move in begun.moves.items() if move.kind == VIEW))
    return Report(
        threat,
        effort,
        seed=int(subject.seed),  # JSON has no numbers of numpy
        attacked=best if isinstance(best, PointsOnDisk) else adversarial(found, subject.images[:]),
        broken_by=broken_by,
        stages=(*stages, Stage("checks", 0, 0, cost.forwards, cost.backwards, cost.seconds)),
        checks=checks,
        crafted_on=subject.words,
        margin=found.margin,
        best=best,
        labels_fingerprint=names[0],
        images_fingerprint=names[1],
        precision=precision,
        further=None if effort == "autoattack" else further(Outlook.of(begun.moves, found), found.searched),
        views=views,
        judged_by=PROTOCOL if subject.looks > 1 else "",
    )


def charged(checks: tuple[Check, ...], copying: Spent) -> tuple[Check, ...]:
    """Return the checks, with what the fast copy cost added to the cost of its own check."""
    return tuple(replace(each, spent=each.spent.and_also(copying)) if each.name == OF_COPY else each for each in checks)


def those_shown(stages: tuple[Stage, ...], broken_by: Index) -> tuple[tuple[Stage, ...], Index]:
    """Return the stages without those that were shown no image, the clean pass kept, and their numbers for images."""
    kept = [number for number, stage in enumerate(stages) if stage.attacked or number == 0]
    place = torch.full((len(stages) + 1,), STANDS, device=broken_by.device)  # the last row is that of -1
    place[kept] = torch.arange(len(kept), device=broken_by.device)
    return tuple(stages[number] for number in kept), place[broken_by]
