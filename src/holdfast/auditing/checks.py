"""Reasons not to believe a robust accuracy, looked for before and after the attacks.

Each check of the registry ends in one of four states: it raised a doubt, it passed (its figure and its criterion are
kept), it does not apply, or it could not run, because the network raised an error. The network is left as it was. All
checks together spend at most a quarter of an audit's passes, unless that is too little for what they need
(rations.py). Their random numbers are their own, and fixed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

import torch

from holdfast.attacks.inputs import check
from holdfast.auditing.checks_attacks import wrong
from holdfast.auditing.checks_rations import step_for
from holdfast.auditing.checks_registry import AFTER, BEFORE, NO_GRADIENT, OF_VIEWS
from holdfast.auditing.checks_scene import Kind, Scene
from holdfast.auditing.engine import Subject
from holdfast.auditing.engine_state import CLEAN, Progress
from holdfast.auditing.findings import RANDOM_OUTPUT, Check, Finding, not_applicable
from holdfast.auditing.looks import reseeded
from holdfast.auditing.part import Part, part
from holdfast.auditing.report import Stage
from holdfast.auditing.surrogate_steadiness import generators_restored
from holdfast.errors import NoGradient, reason
from holdfast.passes import Spent, costed
from holdfast.rng import fresh, number
from holdfast.storage.modules_behind import modules_behind
from holdfast.threats import Threat
from holdfast.types import Network

AMONG, AT_ONCE = 256, 64
"""How many images are looked through for those that the network gets right, and how many of them at once."""
RATIONS = [kind.ration for kind in (*BEFORE, *AFTER)]
RATIONS_AGAIN = [kind.ration for kind in AFTER if kind.again]
MOST = max(ration.most for ration in RATIONS)
"""The most images that a check is shown."""


def checks_of_network(subject: Subject, threat: Threat) -> tuple[Check, ...]:
    """Return what makes the network hard to attack for a wrong reason, before any attack is made.

    Looked at are its first images that it gets right, 64 at most. What it costs to find them is the first check's.

    Raises:
        BadImages, BadLabels: no attack could work on them.
    """
    check(subject.images, subject.labels)
    with restored(subject.model), generators_restored():
        with costed() as looking:
            reseeded(subject.images.device, subject.looks, subject.seed, "right ones")
            right = right_ones(subject)
        scene = Scene(own_seed(subject), threat, right, random=subject.looks > 1)
        checks: list[Check] = []
        for kind in BEFORE:
            checks.append(costed_check(kind, scene, 0))
            raised = {each.name for each in checks if each.state == "raised"}
            scene = replace(scene, random=scene.random or RANDOM_OUTPUT in raised, cut_off=NO_GRADIENT in raised)
        return (replace(checks[0], spent=checks[0].spent.and_also(*looking)), *checks[1:])


def checks_of_attacks(
    subject: Subject,
    threat: Threat,
    found: Progress,
    stages: tuple[Stage, ...],
    earlier: tuple[Check, ...] = (),
    twice: bool = False,
) -> tuple[Check, ...]:
    """Return the earlier checks, and what makes the outcome of an audit hard to believe.

    `stages` has the clean pass first. Of the checks that were made before, only those are made again that further
    attacks can have changed; `twice` says that an audit may come to that. Nothing that the checks break is added to
    the outcome.
    """
    known = {each.name: each for each in earlier}
    steps = steps_after(found, twice)
    subject = own_seed(subject)
    scene = Scene(subject, threat, part(subject, (found.broken_by != CLEAN).nonzero()[:MOST, 0]), found=found,
                  stages=stages, random=subject.looks > 1)  # fmt: skip
    with restored(subject.model), restored(subject.crafted_on), generators_restored():
        for kind in (*AFTER, *(OF_VIEWS if found.fell.shape[1] else ())):
            if kind.again or kind.name not in known:
                now = costed_check(kind, scene, steps[kind.again])
                known[kind.name] = replace(now, spent=now.spent.and_also(found.checked.get(kind.name, Spent())))
    return tuple(known.values())


def record_checks(found: Progress, checks: tuple[Check, ...]) -> None:
    """Write into the progress what an audit that goes on has to know of the checks that were made."""
    found.first = found.first or float(found.passes.sum())
    again = {kind.name for kind in AFTER if kind.again}
    found.checked = {check.name: check.spent for check in checks if check.name in again}


def steps_after(found: Progress, twice: bool) -> dict[bool, int]:
    """Return the steps of the rations for checks that are made once, and for those that are made again.

    The first are at the same step whenever they are made, also in an audit that was stopped and goes on after it: what
    the attacks spent after their first step does not count for them.
    """
    spent = float(found.passes.sum())
    rations = [*RATIONS, *(RATIONS_AGAIN if twice else [])]
    return {False: step_for(found.first or spent, rations), True: step_for(spent, rations)}


def misled(checks: tuple[Check, ...]) -> bool:
    """Say whether a check raised a doubt which says that the attacks failed."""
    telling = {kind.name for kind in (*BEFORE, *AFTER) if kind.misled}
    return any(each.state == "raised" and each.name in telling for each in checks)


def costed_check(kind: Kind, scene: Scene, step: int) -> Check:
    """Return what a check finds at a step of its ration, and what that cost."""
    with costed() as costs:
        found = run_check(kind, replace(scene, count=kind.ration.images(step)))
    return Check(**asdict(found), name=kind.name, spent=costs[0])


def run_check(kind: Kind, scene: Scene) -> Finding:
    """Return what a check finds; a network that stops it is a finding too, and no reason for an audit to end."""
    if kind.needs_right and len(scene.right.images) == 0:
        return not_applicable("the network gets none of the images right that were looked through")
    if kind.compares and scene.random:
        return not_applicable("the network answers at random, so two of its answers cannot be compared")
    if kind.differentiates and scene.cut_off:
        return not_applicable("no gradient reaches the images, which is a check of its own")
    reseeded(scene.subject.images.device, scene.subject.looks, scene.subject.seed, kind.name)
    try:
        with fresh("check", kind.draws_as or kind.name):
            return kind.look(scene)
    except NoGradient:
        return not_applicable("no gradient reaches the images, which is a check of its own")
    except Exception as fault:  # a network may break in any way
        return Finding("could not run", words=f"{type(fault).__name__}: {reason(fault)[:200]}")


def own_seed(subject: Subject) -> Subject:
    """Return the subject under a seed of the checks' own, so that they do not repeat the audit's random numbers."""
    return replace(subject, seed=number(subject.seed, "doubts"))


def right_ones(subject: Subject) -> Part:
    """Return the subject with its first images that the network gets right; with its first, where it cannot tell."""
    subject = part(own_seed(subject), slice(AMONG))
    rows = torch.arange(len(subject.images), device=subject.images.device)
    right = rows[:0]
    try:
        for some in torch.split(rows, AT_ONCE):
            if len(right) < AT_ONCE:
                each = part(subject, some)
                right = torch.cat([right, some[~wrong(each.model, each.images, each)]])
    except Exception:  # it may answer only while gradients are tracked
        right = rows
    return part(subject, right[:AT_ONCE])


@contextmanager
def restored(model: Network) -> Iterator[None]:
    """Give a network back its modes, weights, statistics and gradients, whatever its own forward does to them."""
    modules = modules_behind(model)
    modes = [(module, module.training) for module in modules if hasattr(module, "training")]
    weights = [weight for module in modules for weight in module.parameters(recurse=False)]
    gradients = [(weight, weight.grad) for weight in weights]
    kept_too = [buffer for module in modules for buffer in module.buffers(recurse=False)]
    tensors = [*weights, *kept_too, *(slope for _, slope in gradients if slope is not None)]
    kept = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for weight, gradient in gradients:
            weight.grad = gradient
        with torch.no_grad():
            for tensor, value in zip(tensors, kept, strict=True):
                if not torch.equal(tensor, value):
                    tensor.copy_(value)
