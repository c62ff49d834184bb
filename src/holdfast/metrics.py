"""From stored outcomes to numbers; nothing here asks a network anything."""

import math
import statistics
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from holdfast.errors import require
from holdfast.evaluation import Outcomes
from holdfast.objectives import is_correct
from holdfast.types import Flags, PerImage

Scores = Float[Tensor, " m"]
"""One number an image, of other images than those beside it."""


def correct(rows: Outcomes, top: int = 1) -> Flags:
    """Say for each image whether the label is among the `top` highest logits."""
    return is_correct(rows.logits, rows.labels, top)


def share_of(flags: Flags) -> float:
    """Return the share of images that are flagged: 9 of 20 is the 0.45 that a person types, which float32's is not.

    Of no images it is NaN.
    """
    return int(flags.sum()) / len(flags) if len(flags) else math.nan


def accuracy(rows: Outcomes, top: int = 1) -> float:
    """Return the share of images whose label is among the `top` highest logits."""
    return share_of(correct(rows, top))


def accuracy_within(rows: Outcomes, radius: float) -> float:
    """Return the accuracy against an attacker who may go as far as `radius`, from a minimum-norm attack's outcomes."""
    return share_of(correct(rows) | (rows.distance > radius))


def worst_case(all_rows: Sequence[Outcomes], top: int = 1) -> float:
    """Return the share of images that stay correct under every one of several attacks."""
    assert all(torch.equal(rows.labels, all_rows[0].labels) for rows in all_rows), "outcomes of the same images"
    return share_of(torch.stack([correct(rows, top) for rows in all_rows]).all(0))


def calibration_error(rows: Outcomes, bins: int = 15) -> float:
    """Return the expected calibration error of the softmax of the logits (Guo et al., 2017).

    Of no images it is NaN.
    """
    confidence = rows.logits.double().softmax(1).amax(1)
    place = (confidence * bins).long().clamp(max=bins - 1)  # a confidence of 1 belongs to the last bin
    gaps = confidence.new_zeros(bins).index_add(0, place, correct(rows).double() - confidence)
    return float(gaps.abs().sum()) / len(confidence) if len(confidence) else math.nan


def interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share measured on `count` images (Wilson, 1927)."""
    z = 1.959964
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))  # rounding: never without the share


def binomial_tail(hits: int, count: int, share: float) -> float:
    """Return how probable `hits` or more of `count` tries are, where each hits with the probability `share`."""
    if hits <= 0 or share >= 1:
        return 1.0
    k = torch.arange(hits, count + 1, dtype=torch.float64)
    n = torch.tensor(float(count), dtype=torch.float64)
    ways = torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    return float((ways + k * math.log(share) + (n - k) * math.log1p(-share)).exp().sum().clamp(max=1))


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the sample standard deviation over seeds.

    The deviation of one is NaN; so are both where a value is, that of a network whose training diverged.
    """
    known = len(values) > 1 and all(map(math.isfinite, values))  # `stdev` raises on any other value
    return statistics.fmean(values), statistics.stdev(values) if known else math.nan


def pearson(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the correlation of two series of equal length; NaN of fewer than two values, or where one is constant."""
    if len(one) < 2 or min(len(set(one)), len(set(other))) < 2:
        return math.nan
    return statistics.correlation(one, other)


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the correlation of the ranks of two series (Spearman, 1904); equal values share their mean rank."""
    ranks = ([sum(a < b for a in each) + (sum(a == b for a in each) - 1) / 2 for b in each] for each in (one, other))
    return pearson(*ranks)


def pearson_interval(correlation: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a correlation of `count` pairs (Fisher, 1921); all of [-1, 1] of three or fewer."""
    if count <= 3 or math.isnan(correlation):
        return -1.0, 1.0
    middle = math.atanh(max(-1 + 1e-15, min(1 - 1e-15, correlation)))
    half = 1.959964 / math.sqrt(count - 3)
    return math.tanh(middle - half), math.tanh(middle + half)


def auroc(clean: PerImage, attacked: Scores) -> float:
    """Return how often an attacked image scores higher than a clean one; a tie counts half (Hanley and McNeil, 1982).

    It is the area under the curve of detection against false alarms. Of no images it is NaN.
    """
    if len(clean) == 0 or len(attacked) == 0:
        return math.nan
    order = clean.sort().values
    below = torch.searchsorted(order, attacked.contiguous())
    not_above = torch.searchsorted(order, attacked.contiguous(), right=True)
    return int((below + not_above).sum()) / (2 * len(clean) * len(attacked))


def threshold_at(clean: PerImage, false_alarms: float) -> float:
    """Return the lowest score of a clean image that no more than this share of the clean images lie above."""
    require(len(clean) > 0, "a threshold needs the scores of clean images, and there are none")
    require(0 <= false_alarms < 1, f"false_alarms = {false_alarms}, not in [0, 1)")
    allowed = int(false_alarms * len(clean) + 1e-9)  # 0.29 * 100 is 28.999999999999996
    return float(clean.sort(descending=True).values[allowed])


def detection_rate(clean: PerImage, attacked: Scores, false_alarms: float) -> float:
    """Return the share of attacked images above the threshold that gives this share of false alarms.

    Of no attacked images it is NaN.
    """
    return share_of(attacked > threshold_at(clean, false_alarms))
