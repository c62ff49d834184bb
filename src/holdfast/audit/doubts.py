"""Reasons not to believe a robust accuracy, looked for before and after the attacks.

Each check of the registry ends in one of four states: it raised a doubt, it passed (its figure and its criterion are
kept), it does not apply, or it could not run, because the network raised an error. The network is left as it was. All
checks together spend at most about 42,000 passes of single images. Their random numbers are their own, and fixed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace

import torch

from holdfast.attacks.inputs import check
from holdfast.audit.attack_doubts import part, wrong
from holdfast.audit.ensemble import Subject
from holdfast.audit.progress import CLEAN, Progress
from holdfast.audit.registry import AFTER, BEFORE, SAMPLE, Kind, Scene
from holdfast.audit.steadiness import generators_put_back
from holdfast.audit.verdict import Check, Finding, Stage, not_applicable
from holdfast.behaviour import modules_behind
from holdfast.errors import NoGradient, reason
from holdfast.streams import fresh, number
from holdfast.threats import Threat
from holdfast.types import Network

AMONG = 256
"""How many images are looked through for those that the network gets right."""
MANY = 128
"""How many are shown to the checks that count rare images."""


def look_at_model(subject: Subject, threat: Threat) -> tuple[Check, ...]:
    """Return what makes the network hard to attack for a wrong reason, before any attack is made.

    Looked at are its first 64 images that it gets right.

    Raises:
        BadImages, BadLabels: no attack could work on them.
    """
    check(subject.images, subject.labels)
    with left_alone(subject.model), generators_put_back():
        sample = right_ones(subject)
        scene = Scene(own_seed(subject), threat, sample, sample)
        first = made(BEFORE[:1], scene)
        # Of a network that answers at random, two answers compared say nothing.
        scene = replace(scene, random=first[0].state == "raised")
        return first + made(BEFORE[1:], scene)


def look_at_attacks(
    subject: Subject, threat: Threat, found: Progress, stages: tuple[Stage, ...], earlier: tuple[Check, ...] = ()
) -> tuple[Check, ...]:
    """Return the earlier checks, and what makes the outcome of an audit hard to believe.

    `stages` has the clean pass first. Of the checks that were made before, only those are made again that further
    attacks can have changed. Nothing that the checks break is added to the outcome.
    """
    known = {each.name for each in earlier}
    kinds = [kind for kind in AFTER if kind.again or kind.name not in known]
    subject = own_seed(subject)
    many = part(subject, (found.broken_by != CLEAN).nonzero()[:MANY, 0])
    scene = Scene(subject, threat, part(many, slice(SAMPLE)), many, found, stages)
    with left_alone(subject.model), left_alone(subject.crafted_on), generators_put_back():
        new = {each.name: each for each in made(kinds, scene)}
    later = (each for each in new.values() if each.name not in known)
    return (*(new.get(each.name, each) for each in earlier), *later)


def misled(checks: tuple[Check, ...]) -> bool:
    """Say whether a check raised a doubt which says that the attacks failed."""
    telling = {kind.name for kind in (*BEFORE, *AFTER) if kind.misled}
    return any(each.state == "raised" and each.name in telling for each in checks)


def made(kinds: Sequence[Kind], scene: Scene) -> tuple[Check, ...]:
    """Return what the checks find, one after the other."""
    return tuple(Check(**asdict(tried(kind, scene)), name=kind.name) for kind in kinds)


def tried(kind: Kind, scene: Scene) -> Finding:
    """Return what a check finds; a network that stops it is a finding too, and no reason for an audit to end."""
    if kind.needs_right and len(scene.few.images) == 0:
        return not_applicable("the network gets none of the images right that were looked through")
    if kind.compares and scene.random:
        return not_applicable("the network answers at random, so two of its answers cannot be compared")
    try:
        with fresh("check", kind.name):
            return kind.look(scene)
    except NoGradient:
        return not_applicable("no gradient reaches the images, which is a check of its own")
    except Exception as fault:  # a network may break in any way
        return Finding("could not run", words=f"{type(fault).__name__}: {reason(fault)[:200]}")


def own_seed(subject: Subject) -> Subject:
    """Return the subject under a seed of the checks' own, so that they do not repeat the audit's random numbers."""
    return replace(subject, seed=number(subject.seed, "doubts"))


def right_ones(subject: Subject) -> Subject:
    """Return the subject with its first images that the network gets right; with its first, where it cannot tell."""
    subject = own_seed(part(subject, slice(AMONG)))
    try:
        return part(subject, (~wrong(subject.model, subject.images, subject)).nonzero()[:SAMPLE, 0])
    except Exception:  # it may answer only while gradients are tracked
        return part(subject, slice(SAMPLE))


@contextmanager
def left_alone(model: Network) -> Iterator[None]:
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
