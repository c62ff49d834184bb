"""Reasons not to believe a robust accuracy, looked for before and after the attacks.

A check that a broken network stops is skipped, unless that is what it looks for; the network is left as it was.
All checks together spend at most about 40,000 passes of single images. Their random numbers are their own, and fixed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from holdfast.attacks.attack import check
from holdfast.audit.answer_doubts import (
    batch_dependence,
    gradients_inside,
    hidden_steps,
    probabilities,
    random_output,
    saturated,
)
from holdfast.audit.attack_doubts import flat_curve, losses_disagree, one_step_wins, part, unbounded_fails, wrong
from holdfast.audit.ensemble import Subject
from holdfast.audit.gradient_doubts import interrupted, wrong_gradients, zero_gradients
from holdfast.audit.progress import CLEAN, Progress
from holdfast.audit.steadiness import generators_put_back
from holdfast.audit.survivor_doubts import (
    black_box_wins,
    not_converged,
    random_search_wins,
    surrogate_differs,
    too_few_images,
)
from holdfast.audit.verdict import Doubt, Stage
from holdfast.streams import number
from holdfast.threats import Threat
from holdfast.types import Network

SAMPLE, AMONG = 64, 256
"""How many images the network gets right a check is shown, and how many are looked through for them."""
MANY = 128
"""How many are shown to the checks that count rare images."""

Check = Callable[[], Doubt | None]


def look_at_model(subject: Subject, threat: Threat) -> tuple[Doubt, ...]:
    """Return what makes the network hard to attack for a wrong reason, before any attack is made.

    Looked at are its first 64 images that it gets right.

    Raises:
        BadImages, BadLabels: no attack could work on them.
    """
    check(subject.images, subject.labels)
    with left_alone(subject.model), generators_put_back():
        sample = right_ones(subject)
        if len(sample.images) == 0:
            return ()
        alone: list[Check] = [
            partial(look, sample) for look in (probabilities, gradients_inside, interrupted, saturated)
        ]
        # Of a network that answers at random, two answers compared say nothing.
        comparing: list[Check] = [partial(look, sample) for look in (batch_dependence, hidden_steps, wrong_gradients)]
        random = raised([partial(random_output, sample)])
        return random + raised([*alone, partial(zero_gradients, sample, threat), *([] if random else comparing)])


def look_at_attacks(subject: Subject, threat: Threat, found: Progress, stages: tuple[Stage, ...]) -> tuple[Doubt, ...]:
    """Return what makes the outcome of an audit hard to believe; `stages` has the clean pass first.

    Nothing that the checks break is added to the outcome.
    """
    subject = own_seed(subject)
    many = part(subject, (found.broken_by != CLEAN).nonzero()[:MANY, 0])
    few = part(many, slice(SAMPLE))
    checks: list[Check] = [
        partial(black_box_wins, subject, threat, found, stages),
        partial(random_search_wins, subject, threat, found),
        partial(not_converged, subject, threat, found),
    ]
    if len(few.images):
        checks += [partial(look, few, threat) for look in (unbounded_fails, flat_curve)]
        checks += [partial(look, many, threat) for look in (one_step_wins, losses_disagree, surrogate_differs)]
    with left_alone(subject.model), left_alone(subject.crafted_on), generators_put_back():
        return raised([*checks, partial(too_few_images, found)])


def recounted(doubts: tuple[Doubt, ...], found: Progress) -> tuple[Doubt, ...]:
    """Return the doubts with that about the number of images as it is after an escalation."""
    others = tuple(doubt for doubt in doubts if doubt.name != "too few images")
    return others + raised([partial(too_few_images, found)])


def raised(checks: list[Check]) -> tuple[Doubt, ...]:
    """Return the doubts of the checks that raise one."""
    return tuple(doubt for each in checks if (doubt := tried(each)) is not None)


def tried(look: Check) -> Doubt | None:
    """Return the doubt of a check; none where the network stops it."""
    try:
        return look()
    except Exception:  # a network may break in any way, and the audit of one must not
        return None


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
    if not isinstance(model, nn.Module):
        yield
        return
    modes = [(module, module.training) for module in model.modules()]
    gradients = [(weight, weight.grad) for weight in model.parameters()]
    tensors = [*model.parameters(), *model.buffers(), *(slope for _, slope in gradients if slope is not None)]
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
