"""How well scores tell attacked images from clean ones: closed forms, laws, and scikit-learn's own numbers."""

import math

import pytest
import torch
from sklearn.metrics import roc_auc_score

from holdfast.errors import BadValue
from holdfast.metrics import auroc, detection_rate, threshold_at


def drawn(levels: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the scores of clean and attacked images; few levels make many ties."""
    source = torch.Generator().manual_seed(seed)
    clean, attacked = torch.rand(83, generator=source), torch.rand(61, generator=source) + 0.2
    return (clean * levels).floor() / levels, (attacked * levels).floor() / levels


@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_auroc_is_that_of_scikit_learn_with_and_without_ties(levels: int) -> None:
    clean, attacked = drawn(levels, levels)
    expected = roc_auc_score([0] * len(clean) + [1] * len(attacked), torch.cat([clean, attacked]).numpy())
    assert math.isclose(auroc(clean, attacked), expected, rel_tol=1e-12)


def test_auroc_in_closed_form() -> None:
    low, high = torch.tensor([0.0, 1.0]), torch.tensor([2.0, 3.0, 4.0])
    assert auroc(low, high) == 1
    assert auroc(high, low) == 0
    assert auroc(high, high) == 0.5
    assert auroc(torch.tensor([1.0, 3.0]), torch.tensor([2.0])) == 0.5
    assert math.isnan(auroc(low, high[:0]))
    assert math.isnan(auroc(low[:0], high))


def test_auroc_turns_with_the_sides_and_sees_the_order_alone() -> None:
    clean, attacked = drawn(7, 1)
    assert math.isclose(auroc(clean, attacked) + auroc(attacked, clean), 1)
    assert auroc(clean, attacked) == auroc(clean.exp() - 5, attacked.exp() - 5)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.29, 0.5, 0.99])
def test_false_alarms_are_the_share_that_was_asked_for(share: float) -> None:
    clean = torch.rand(100, generator=torch.Generator().manual_seed(2))
    assert int((clean > threshold_at(clean, share)).sum()) == round(100 * share)


def test_with_ties_there_are_never_more_false_alarms_than_asked_for() -> None:
    clean, _ = drawn(3, 3)
    for share in (0.01, 0.05, 0.4, 0.9):
        assert float((clean > threshold_at(clean, share)).float().mean()) <= share


def test_detection_rate_in_closed_form_and_rising_with_false_alarms() -> None:
    clean, attacked = torch.arange(100.0), torch.tensor([50.0, 94.0, 94.5, 98.5, 99.0, 200.0])
    assert detection_rate(clean, attacked, 0.01) == 3 / 6
    assert detection_rate(clean, attacked, 0.05) == 4 / 6
    assert detection_rate(clean, attacked, 0.0) == 1 / 6
    assert math.isnan(detection_rate(clean, attacked[:0], 0.05))


def test_what_gives_no_threshold_is_refused_in_one_line() -> None:
    with pytest.raises(BadValue, match=r"^false_alarms = 1, not in \[0, 1\)$"):
        threshold_at(torch.rand(4), 1)
    with pytest.raises(BadValue, match=r"^a threshold needs the scores of clean images, and there are none$"):
        threshold_at(torch.rand(0), 0.05)
