"""Doubts that a network's gradients raise: are there any, and do they say how the answers change?

After the signs of obfuscated gradients of Athalye et al. ("Obfuscated gradients give a false sense of security", 2018)
and the indicators of Pintor et al. ("Indicators of attack failure", 2022).
"""

import copy

import torch
from torch import Tensor, nn

from holdfast.attacks.attack import at_rest
from holdfast.auditing.checks_answers import ask, interior_points, ulp
from holdfast.auditing.findings import Finding, above_for, finding, not_applicable
from holdfast.auditing.part import Part
from holdfast.objectives import margin
from holdfast.passes import spend
from holdfast.rng import Stream
from holdfast.threats import Threat
from holdfast.types import Images, Labels, Network, Objective, PerImage


def towards_images(model: Network, x: Tensor, labels: Labels, objective: Objective) -> Tensor:
    """Return the gradient of the objective towards the images, in their type.

    Raises:
        RuntimeError: no gradient reaches them.
    """
    spend(forwards=len(x), backwards=len(x))
    with at_rest(model), torch.inference_mode(False), torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        # What was made in inference mode cannot be kept for the way back; a clone can.
        return torch.autograd.grad(objective(model(x), labels.clone()).sum(), x)[0]


def interrupted(subject: Part) -> Finding:
    """Doubt a network that cannot be differentiated, or not towards its images.

    Raises:
        Exception: the network does not answer at all, or lacks memory; what it raised.
    """
    try:
        towards_images(subject.model, subject.images, subject.labels, margin)
    except torch.OutOfMemoryError:
        raise
    except Exception as fault:  # a network may break in any way
        ask(subject.model, subject.images)
        reason = str(fault).partition("\n")[0][:120]
        meaning = (
            f"no gradient reaches the images ({type(fault).__name__}: {reason}): attacks by gradient say nothing; wrap "
            "the part that stops it in straight_through, and believe black-box attacks only"
        )
        return finding(True, 0.0, 1.0, meaning)
    return finding(False, 0.0, 0.0, "")


TINY = torch.finfo(torch.float32).tiny
"""A gradient whose largest entry is below this counts as none: a step along it is not of full size."""
ZERO = 0.04
"""Share of the images without a gradient: 1.6 % at most on honest networks, 4.7 % at least on those that have steps."""
LOOKS = 4
"""Random points of an image's ball at which the answer is another, unless the network is constant there."""


def zero_gradients(subject: Part, threat: Threat) -> Finding:
    """Doubt a margin that has no gradient at an image, or at a random point of its ball, and yet is not constant there.

    A network that is constant, as where its features are silent, hides nothing. Where the cross-entropy alone has no
    gradient it has rounded to nothing, which does not stop a climb on the margin.
    """
    at = Stream.of(subject.images, subject.seed, "zero gradients")
    points = [threat.random_start(subject.images, at.split(look)) for look in range(LOOKS)]
    slopes = [towards_images(subject.model, x, subject.labels, margin) for x in (subject.images, points[0])]
    flat = torch.stack([g.abs().flatten(1).amax(1) < TINY for g in slopes])
    if bool(flat.any()):
        answers = [ask(subject.model, x) for x in (subject.images, *points)]
        flat &= torch.stack([(other != answers[0]).any(1) for other in answers[1:]]).any(0)
    shares = flat.float().mean(1).tolist()
    meaning = (
        f"the margin has no gradient at {shares[0]:.0%} of the images, and at {shares[1]:.0%} of random points near "
        "them, though the answer changes there: attacks stand still on such steps; replace them by something smooth"
    )
    return above_for(int(flat.sum(1).max()), flat.shape[1], ZERO, max(shares), meaning)


STEPS = (1e-6, 1e-4, 1e-3, 1e-2)
"""Sizes of the changes of every pixel that measure the slope; one that agrees is enough, and where it does for every
image no further one is tried."""
ROUNDING = 16
"""Units in the last place that a logit may be off by."""
WRONG, OF_IMAGES = 0.1, 0.1
"""Relative error of the slope, and the share of images that may have it."""


def wrong_gradients(subject: Part) -> Finding:
    """Doubt a network whose gradient does not predict, at any size of step, how its margin changes."""
    labels = subject.labels
    model, x = exact(subject.model, interior_points(subject))
    if ulp(ask(model, x[:1])) > torch.finfo(torch.float32).eps:
        return not_applicable("the answers have no more digits than half precision, whose rounding looks like a slope")
    gradient = towards_images(model, x, labels, margin)
    signs = Stream.of(subject.images, subject.seed, "directions").uniform(x.shape[1:]) < 0.5
    directions = (gradient.sign(), 2 * signs.to(x.dtype) - 1)
    errors = torch.stack([prediction_error(model, x, labels, gradient, d) for d in directions]).amax(0)
    wrong = errors > WRONG
    meaning = (
        "the gradient does not say how the answer changes, as with a backward pass of one's own or a straight-through "
        "estimate: attacks by gradient are misled, unless the stand-in was chosen for them; believe black-box ones too"
    )
    return above_for(int(wrong.sum()), len(wrong), OF_IMAGES, float(wrong.float().mean()), meaning)


def exact(model: Network, x: Images) -> tuple[Network, Tensor]:
    """Return a float64 copy of the network and the images in float64; both as they are where that cannot be."""
    if not isinstance(model, nn.Module):
        return model, x
    try:
        twin = copy.deepcopy(model).double()
        ask(twin, x[:1].double())
    except Exception:  # a part that cannot be copied, or insists on float32
        return model, x
    return twin, x.double()


def prediction_error(model: Network, x: Tensor, labels: Labels, gradient: Tensor, direction: Tensor) -> PerImage:
    """Return the relative error of <gradient, direction> as the slope along the direction, at the best step size.

    What rounding explains is no error, nor is what a kink explains: on either side of one the slopes differ, and the
    second difference shows by how much. A step where these two cover half of the slope says nothing.
    """
    predicted = (gradient * direction).flatten(1).sum(1).double()
    length = gradient.flatten(1).norm(dim=1).double()
    answers = ask(model, x)
    here = margin(answers.double(), labels)
    blur = ROUNDING * ulp(answers) * answers.double().abs().amax(1)
    least = torch.full_like(here, torch.inf)
    for h in STEPS:
        if bool((least <= WRONG).all()):
            break
        up, down = (margin(ask(model, x + sign * h * direction).double(), labels) for sign in (1, -1))
        measured, excused = (up - down) / (2 * h), (up + down - 2 * here).abs() / (2 * h) + blur / h
        scale = torch.stack([measured.abs(), predicted.abs(), length]).amax(0)
        error = ((measured - predicted).abs() - excused).clamp_min(0) / scale.clamp_min(TINY)
        least = torch.where(excused < scale / 2, least.minimum(error), least)
    return torch.where(least.isinf(), torch.zeros_like(least), least)
