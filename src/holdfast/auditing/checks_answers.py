"""Doubts that a network's answers alone raise: is it one function of one image, and does it show its logits?

After the checks of AutoAttack (Croce and Hein, 2020) and the advice of Carlini et al. ("On evaluating adversarial
robustness", 2019). Each check is shown images that the network gets right; its criterion stands beside it.
"""

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from holdfast.attacks.attack import at_rest
from holdfast.auditing.findings import Finding, above, finding, not_applicable
from holdfast.auditing.part import Part
from holdfast.passes import spend
from holdfast.rng import Stream
from holdfast.types import Images, Logits, Network, PerImage


@torch.no_grad()
def ask(model: Network, x: Tensor) -> Logits:
    """Return what the network at rest answers, in the type that it answers in."""
    spend(forwards=len(x))
    with at_rest(model):
        answers: Tensor = model(x)
    return answers


def output_distance(answers: Logits, others: Logits) -> PerImage:
    """Return how far apart two answers to each image are, each first brought to unit length.

    A class that is ruled out, with a logit of minus infinity, counts as 0.
    """
    finite = (z.double().nan_to_num(nan=torch.nan, neginf=0.0) for z in (answers, others))
    a, b = (torch.nn.functional.normalize(z, dim=1) for z in finite)
    length: PerImage = torch.linalg.vector_norm(a - b, dim=1)
    return length


def ulp(answers: Logits) -> float:
    """Return the unit in the last place of the coarsest type that can hold the answers."""
    kept = [
        kind for kind in (torch.bfloat16, torch.float16) if torch.equal(answers.to(kind).to(answers.dtype), answers)
    ]
    return torch.finfo(kept[0] if kept else answers.dtype).eps


def interior_points(subject: Part) -> Images:
    """Return points near the images, off the walls of the box, off grids, and without flat parts.

    Where pixels are equal, maxima are tied, and a tie has no gradient; on a wall, a clamp has none.
    """
    noise = Stream.of(subject.images, subject.seed, "inside").uniform(subject.images.shape[1:])
    return 0.02 + 0.92 * subject.images + 0.04 * noise


REPEATS = 5
RANDOM = 1e-4
"""Distance between answers of unit length (AutoAttack's)."""


def random_output(subject: Part) -> Finding:
    """Doubt a network that answers differently when asked again, unless its defences say so."""
    if subject.looks > 1:
        return not_applicable("its defences draw at random, and it is judged by the mean of many draws")
    first, *others = (ask(subject.model, subject.images) for _ in range(REPEATS))
    figure = max(float(output_distance(first, other).max()) for other in others)
    meaning = (
        "the same image gets different answers: an attack that succeeds once may have been lucky, and one that fails "
        "may have followed noise; audit expectation(model, draws=20)"
    )
    return above(RANDOM + 8 * ulp(first), figure, meaning)


PROBABILITIES = 1e-5
"""How far an entry may leave [0, 1], and a sum leave 1 (AutoAttack's)."""


def probabilities(subject: Part) -> Finding:
    """Doubt a network that answers with probabilities; their logarithms are as good as logits."""
    answers = ask(subject.model, subject.images)
    criterion, answers = PROBABILITIES + 8 * ulp(answers), answers.double()
    low, high = (float(end) for end in answers.aminmax())
    figure = float((answers.sum(1) - 1).abs().max())
    meaning = (
        "the network answers with probabilities, whose gradients vanish where it is sure: give it without its softmax, "
        "or take the logarithm, as hf.models.logarithms(network) and --probabilities do"
    )
    # What is not in [0, 1] is no probability, however its sum comes out.
    figure = max(figure, -low, high - 1)
    return finding(figure <= criterion, criterion, figure, meaning)


def gradients_inside(subject: Part) -> Finding:
    """Doubt a network that differentiates something on its way to the answer.

    Seen through what autograd saves: a forward pass saves, and only a backward pass takes out again. That holds for
    whatever calls it, wrapped or compiled. Where saving cannot be watched, a transform of `torch.func` is at work.

    Raises:
        Exception: the network answers neither with nor without gradients; what it raised.
    """
    taken: list[bool] = []

    def take(tensor: Tensor) -> Tensor:
        taken.append(True)
        return tensor

    ways = [(tracked, _stopped(subject, tracked)) for tracked in (False, True)]
    possible = [tracked for tracked, fault in ways if fault is None]
    if not possible and (fault := ways[0][1]) is not None:
        raise fault
    for tracked in possible:
        with saved_tensors_hooks(lambda tensor: tensor, take):
            stopped = _stopped(subject, tracked)
        if taken or stopped is not None:
            meaning = (
                "the network computes gradients on its way to the answer, as defences do that optimise at test time: "
                "attacks that do not follow this loop fail for the wrong reason; attack the network without the loop "
                "and try its breaks on the whole"
            )
            return finding(True, 0.0, max(1.0, len(taken)), meaning)
    return finding(False, 0.0, 0.0, "")


def _stopped(subject: Part, tracked: bool) -> Exception | None:
    """Return what keeps the network from answering, with or without gradients tracked; None where it answers."""
    images = subject.images.clone().requires_grad_(tracked)
    spend(forwards=len(images))
    try:
        with at_rest(subject.model), torch.set_grad_enabled(tracked):
            subject.model(images)
    except Exception as fault:  # a network may break in any way
        return fault
    return None


COMPANY = 1e-3
"""Distance between answers of unit length to one image in two batches; kernels of other shapes round otherwise."""
FEW = 8
"""How many of the images are asked about again, in other company."""


def batch_dependence(subject: Part) -> Finding:
    """Doubt a network whose answer to an image depends on the images beside it."""
    few = subject.images[:FEW]
    among = ask(subject.model, subject.images)[:FEW]
    alone = torch.cat([ask(subject.model, image) for image in torch.split(few, 1)])
    # White companions move the mean of a batch further than images of the same kind do.
    beside_white = ask(subject.model, torch.cat([few, torch.ones_like(few)]))[: len(few)]
    figure = max(float(output_distance(among, alone).max()), float(output_distance(among, beside_white).max()))
    meaning = (
        "the answer to an image depends on its batch, as with batch norm that stays in training mode: robust accuracy "
        "of single images means nothing here; fix the statistics, or audit in batches of one"
    )
    return above(COMPANY + 8 * ulp(among), figure, meaning)


PLACES, NUDGE, END = 16, 1e-4, 0.02
"""How many pixel values are moved, by how much in the middle of [0, 1], and by how much at its ends."""
UNMOVED = 0.5
"""Share of the images. An 8-bit grid hides the nudge of about 80 %; a float32 network shows it for all."""


def quantised_input(subject: Part) -> Finding:
    """Doubt a network that does not see small changes at all, or none near black or near white."""
    x = interior_points(subject)
    before = ask(subject.model, x)
    if ulp(before) > torch.finfo(torch.float32).eps:
        return not_applicable("the answers have no more digits than half precision, whose rounding hides small changes")
    order = Stream.of(subject.images, subject.seed, "places").uniform((x[0].numel(),))
    chosen = (order <= order.sort().values[:, [min(PLACES, order.shape[1]) - 1]]).view_as(x)
    pairs = [(x, x + NUDGE), (torch.zeros_like(x), END + 0 * x), (torch.ones_like(x), 1 - END + 0 * x)]
    shares = []
    for one, other in pairs:
        answers = (ask(subject.model, torch.where(chosen, values, x)) for values in (one, other))
        shares.append(float((next(answers) == next(answers)).all(1).float().mean()))
    figure = max(shares)
    meaning = (
        "small changes of the pixels leave the answer exactly as it was: the network rounds or clamps its input, and "
        "gradients do not see over the steps; wrap that part in straight_through"
    )
    return above(UNMOVED, figure, meaning)


CEILING = 0.1
"""Share of the images that have the highest margin of all, to the last digit, where they are of several classes."""


def saturated(subject: Part) -> Finding:
    """Doubt answers that have reached a ceiling: no climb, on whatever objective, has a slope to follow there.

    A softmax that rounds to 1 is none: logits a hundred times as large leave the same images standing, as the attacks
    climb on margins. Nor is a part of the network that is silent: its images have one answer, hence one class.
    """
    answers = ask(subject.model, subject.images)
    top = answers.topk(2, dim=1).values
    margins = (top[:, 0] - top[:, 1]).double()
    last_digit = ulp(answers) * float(top.abs().max())
    highest = margins >= margins.max() - last_digit
    classes = answers.argmax(1)[highest]
    figure = float(highest.float().mean()) if bool((classes != classes[:1]).any()) else 0.0
    meaning = (
        f"{figure:.0%} of the images, of several classes, have exactly the same margin: the answers have reached a "
        "ceiling, as behind a softmax, a tanh or an argmax, where no gradient is left; give the network without it"
    )
    return above(CEILING, figure, meaning)
