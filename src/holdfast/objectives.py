"""What an attack maximises: functions `(outputs, targets) -> one loss an image`, higher is worse for the model.

The target need not be a label and the output need not be logits: distances between features are objectives too.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.errors import ModelFault, require
from holdfast.fields import NonNegative, check_fields
from holdfast.types import Flags, Labels, Logits, Objective, Outputs, PerImage, Takes


def is_correct(logits: Logits, labels: Labels, top: int = 1) -> Flags:
    """Say for each image whether its label is among the `top` highest logits: the only definition of right.

    A class as likely as the label counts as before it, and so does NaN: a robust accuracy is an upper bound, and
    neither a tie nor NaN holds.
    """
    true = logits.gather(1, labels[:, None])
    return (logits < true).sum(1) >= logits.shape[1] - top


def cross_entropy(logits: Logits, labels: Labels) -> PerImage:
    """Return -log softmax(logits) at the label, in float32."""
    return F.cross_entropy(logits.float(), labels, reduction="none")


def soft_cross_entropy(logits: Logits, weights: Logits) -> PerImage:
    """Return -sum_k q_k log softmax(logits)_k, in float32; `weights` holds q, one row of k an image."""
    return -(weights * F.log_softmax(logits.float(), dim=1)).sum(1)


def margin(logits: Logits, labels: Labels) -> PerImage:
    """Return the best other logit less the label's: positive where the image is misclassified."""
    true = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.amax(1) - true


def dlr(logits: Logits, labels: Labels) -> PerImage:
    """Return the difference-of-logits ratio (Croce and Hein, 2020), blind to shift and scale of the logits.

    With two classes its denominator is empty, so the plain margin stands in.
    """
    if logits.shape[1] < 3:
        return margin(logits, labels)
    top = logits.topk(3, dim=1).values
    return margin(logits, labels) / (top[:, 0] - top[:, 2] + 1e-12)


def difference(logits: Logits, pairs: Tensor) -> PerImage:
    """Return the wanted logit less the true one; `pairs` holds (true, wanted) for each image, shape (n, 2)."""
    true, wanted = logits.gather(1, pairs).unbind(1)
    return wanted - true


def targeted_dlr(logits: Logits, pairs: Tensor) -> PerImage:
    """Return the difference to the wanted class as a ratio (Croce and Hein, 2020); `pairs` holds (true, wanted).

    With fewer than four classes its denominator is empty, so the plain difference stands in.
    """
    if logits.shape[1] < 4:
        return difference(logits, pairs)
    top = logits.topk(4, dim=1).values
    return difference(logits, pairs) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)


def wanted_dlr(logits: Logits, wanted: Labels) -> PerImage:
    """Return the wanted logit less the best other one, in the unit of `targeted_dlr`: what `Towards(dlr)` means.

    Negated, `dlr` would climb by shrinking the lead of the top class over the third, whatever the wanted class does.
    The unit has no gradient here: with the wanted class below the third and fourth, a larger lead of the top class
    would raise the ratio.
    """
    lead = -margin(logits, wanted)
    if logits.shape[1] < 4:
        return lead
    top = logits.detach().topk(4, dim=1).values
    return lead / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)


def crosses_zero(objective: Objective) -> bool:
    """Say whether an objective is 0 at the boundary and above it on the attacker's side; True of unknown functions."""
    known = objective.objective if isinstance(objective, Towards) else objective
    plain = known in (cross_entropy, soft_cross_entropy, divergence, distance, euclidean, summed_margin)
    return not plain and not isinstance(known, SmoothedCrossEntropy | ClippedMargin | Joint)


def divergence(logits: Logits, reference: Logits) -> PerImage:
    """Return KL(softmax(reference) || softmax(logits)), in float32.

    Both sides are logarithms, so a class of vanishing probability gives 0 and not NaN.
    """
    log_p = F.log_softmax(reference.float(), dim=1)
    log_q = F.log_softmax(logits.float(), dim=1)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(1)


def distance(outputs: Outputs, reference: Outputs) -> PerImage:
    """Return the mean squared difference over all elements of an image's output."""
    return (outputs.float() - reference.float()).flatten(1).square().mean(1)


def euclidean(outputs: Outputs, reference: Outputs) -> PerImage:
    """Return the Euclidean length of the difference, with a gradient of zero where both are equal."""
    square = (outputs.float() - reference.float()).flatten(1).square().sum(1)
    return square.clamp_min(1e-24).sqrt()


@dataclass(frozen=True)
class Towards:
    """The objective of an attacker who wants the target reached, not left."""

    objective: Objective

    def __post_init__(self) -> None:
        """Refuse objectives on pairs (true, wanted), which go towards a class by themselves, and `undetected`."""
        name = getattr(self.objective, "__name__", repr(self.objective))
        require(self.objective is not undetected, f"Towards({name}): negated, it asks for the label or for an alarm")
        require(_innermost(self.objective) not in (difference, targeted_dlr), f"Towards({name}): it goes to a class")
        require(callable(self.objective), f"Towards: objective = {self.objective!r}: it is a function")

    def __call__(self, outputs: Outputs, targets: Tensor) -> PerImage:
        """Return the negated objective; of `dlr`, joint or not, the ratio that suits a wanted class, `wanted_dlr`."""
        if self.objective is dlr:
            return wanted_dlr(outputs, targets)
        if isinstance(self.objective, Joint) and self.objective.objective is dlr:
            return replace(self.objective, objective=wanted_dlr)(outputs, targets)
        return -self.objective(outputs, targets)


@dataclass(frozen=True)
class ClippedMargin:
    """The margin, flat once the image is misclassified by `confidence` (Carlini and Wagner, 2017)."""

    confidence: float = 50.0

    def __call__(self, logits: Logits, labels: Labels) -> PerImage:
        """Return -max(z_y - max_other + confidence, 0)."""
        return -(self.confidence - margin(logits.float(), labels)).clamp_min(0)


@dataclass(frozen=True)
class SmoothedCrossEntropy:
    """Cross-entropy with a label that gives `smoothing` away, in equal parts to the other classes.

    The form of Feature Scattering and AGKD-BML. PyTorch's own gives a part back to the label: its smoothing e is
    e (k - 1) / k here.
    """

    smoothing: float = 0.1

    def __call__(self, logits: Logits, labels: Labels) -> PerImage:
        """Return -sum_k q_k log softmax(logits)_k with q_y = 1 - smoothing."""
        log_p = F.log_softmax(logits.float(), dim=1)
        true, classes = log_p.gather(1, labels[:, None])[:, 0], logits.shape[1]
        return -(1 - self.smoothing) * true - self.smoothing / (classes - 1) * (log_p.sum(1) - true)


def summed_margin(logits: Logits, labels: Labels) -> PerImage:
    """Return each image's share of -max(sum of the true logits less sum of the best others, 0), the sums over a batch.

    The "CW" of CAS (Bai et al., 2021). It is weak, and is here only to repeat their numbers: once the mean margin of
    the batch is lost, the gradient of every image is zero, also of those that still hold.
    """
    lead = -margin(logits.float(), labels).sum()
    return (-lead.clamp_min(0) / len(logits)).expand(len(logits))


@dataclass(frozen=True)
class Joint:
    """The objective of the logits, and `weight` times its mean over the auxiliary heads (CAS; Bai et al., 2021).

    For networks that answer (n, heads + 1, k), the logits first, as `models.WithAuxiliary` does. Targets of three
    dimensions are such answers themselves, as for `Joint(divergence, 2.0)`.
    """

    objective: Objective
    weight: NonNegative = 2.0

    def __post_init__(self) -> None:
        """Refuse what is no function, a weight below 0, `Towards`, and what auxiliary heads have no answer for."""
        check_fields(self)
        alone = "auxiliary heads answer without an alarm, so climb undetected alone, on WithAlarm(classifier, alarm)"
        require(self.objective is not undetected, f"Joint(undetected): {alone}")
        require(not of_heads(self.objective), f"Joint({self.objective!r}): the heads of a network are joined once")
        # What the attacker wants of an image is asked of the outermost objective alone.
        require(not isinstance(self.objective, Towards), "Joint(Towards(...)): write Towards(Joint(...))")

    def __call__(self, outputs: Outputs, targets: Tensor) -> PerImage:
        """Return the weighted sum.

        Raises:
            ModelFault: the outputs are not those of a network with auxiliary heads.
        """
        fits = outputs.ndim == 3 and outputs.shape[1] >= 2
        needed = "(images, heads + 1, classes), as of WithAuxiliary(model)"
        require(fits, f"Joint needs outputs of shape {needed}, not {tuple(outputs.shape)}", ModelFault)
        answers = outputs.unbind(1)
        wanted = targets.unbind(1) if targets.ndim == 3 else [targets] * len(answers)
        main, *heads = (self.objective(one, target) for one, target in zip(answers, wanted, strict=True))
        return main + self.weight * torch.stack(heads).mean(0)


def undetected(outputs: Logits, labels: Labels) -> PerImage:
    """Return the smaller of the margin and of how far a detector's score is below its threshold.

    For networks that answer (n, k + 1), the score less its threshold last, as `defences.WithAlarm` does. It is above 0
    where an image is misclassified and not detected. Both are in their own units: attacks here follow the direction of
    the gradient alone, so the units decide only which of the two is climbed while both are below 0. As the smaller is
    climbed, a climb stays near the boundary, where a score of softmax differences is not flat yet.
    """
    return torch.minimum(margin(outputs[:, :-1], labels), -outputs[:, -1])


def of_heads(objective: Objective | None) -> bool:
    """Say whether an objective is on a network that answers with auxiliary logits after its own."""
    return isinstance(objective.objective if isinstance(objective, Towards) else objective, Joint)


def joins_images(objective: Objective | None) -> bool:
    """Say whether what an objective says of an image depends on the others of its batch."""
    return _innermost(objective) is summed_margin


def _innermost(objective: Objective | None) -> Objective | None:
    while isinstance(objective, Towards | Joint):
        objective = objective.objective
    return objective


def of_margin(objective: Objective) -> bool:
    """Say whether an objective is the margin, or the way to a wanted class by it, which planes between classes are."""
    return objective is margin or objective == Towards(margin)


def targets_of(objective: Objective | None) -> Takes:
    """Return what an objective compares with; of one that is not from here, anything."""
    objective = _innermost(objective)
    if objective in (difference, targeted_dlr):
        return "pairs"
    known = objective in (cross_entropy, margin, dlr, wanted_dlr, summed_margin, undetected) or isinstance(
        objective, ClippedMargin | SmoothedCrossEntropy
    )
    return "labels" if known else "anything"
