"""Clean accuracy at chance: raised where a network does not know its images, by a test that is exact."""

import pytest
import torch
from scipy.stats import binomtest
from torch import Tensor, nn

from holdfast import Linf
from holdfast.auditing.checks import checks_of_attacks
from holdfast.auditing.checks_clean import clean_at_chance
from holdfast.auditing.engine import Subject, run_moves
from holdfast.data import ImageSet
from holdfast.metrics import binomial_tail
from tests.auditing.broken import Around
from tests.conftest import Small


def found(answers: Tensor, labels: Tensor) -> tuple[str, float | None, str]:
    """Return what the check says of these answers to the labels."""
    images = answers.float()[:, None, None, None] / 10
    network = Around(nn.Flatten(), back=lambda z: -(z * 10 - torch.arange(10)).abs())
    subject = Subject(network, network, images, labels)
    finding = clean_at_chance(run_moves(subject, {})[0], labels)
    return finding.state, finding.figure, finding.words


LABELS = torch.arange(100) % 10


@pytest.mark.parametrize(
    ("answers", "labels", "state"),
    [
        (LABELS, LABELS, "passed"),
        ((LABELS + 1) % 10, LABELS, "raised"),
        (0 * LABELS + 3, LABELS, "raised"),
        (torch.where(torch.arange(100) < 20, LABELS, LABELS.add(1) % 10), LABELS, "passed"),
        (torch.where(torch.arange(100) < 17, LABELS, LABELS.add(1) % 10), LABELS, "raised"),
        (0 * LABELS, (torch.arange(100) < 30).long(), "raised"),
        (0 * LABELS, (torch.arange(100) < 70).long(), "raised"),
        ((torch.arange(100) < 70).long(), (torch.arange(100) < 70).long(), "passed"),
        (LABELS[:1], LABELS[:1], "not applicable"),
        (0 * LABELS, 0 * LABELS, "not applicable"),
        (LABELS[:3], LABELS[:3], "not applicable"),
        (LABELS[:4], LABELS[:4], "passed"),
    ],
)
def test_it_is_raised_where_naming_one_class_does_as_well(answers: Tensor, labels: Tensor, state: str) -> None:
    was, figure, words = found(answers, labels)
    assert was == state
    right, count = int((answers == labels).sum()), len(labels)
    chance = int(labels.bincount().max()) / count
    if state == "not applicable":
        assert "luck" in words
    else:
        exact = binomtest(right, count, chance, alternative="greater").pvalue
        assert figure == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(("hits", "count", "share"), [(0, 5, 0.1), (5, 5, 0.1), (12, 100, 0.1), (5600, 50_000, 0.11)])
def test_the_tail_is_scipy_s(hits: int, count: int, share: float) -> None:
    exact = binomtest(hits, count, share, alternative="greater").pvalue
    assert binomial_tail(hits, count, share) == pytest.approx(exact, rel=1e-6)
    assert binomial_tail(hits, count, 1.0) == 1.0


def test_an_audit_says_what_may_be_wrong(data: ImageSet) -> None:
    torch.manual_seed(0)
    network = Small().eval()
    subject = Subject(network, network, data.images[:40], data.labels[:40])
    attacked, stages = run_moves(subject, {})
    checks = {each.name: each for each in checks_of_attacks(subject, Linf(0.1), attacked, stages)}
    check = checks["clean accuracy at chance"]
    assert (check.state, check.passes) == ("raised", 0)
    reasons = ("--mean, --std", "order of classes", "BGR", "size or crop", "wrong weights")
    assert all(reason in check.words for reason in reasons)
