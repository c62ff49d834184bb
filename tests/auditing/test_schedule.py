"""The cascade: what it must find where the truth is known."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy.optimize import linprog

import holdfast as hf
from holdfast import L0, L1, L2, Linf, Threat
from holdfast.attacks import FGSM, PDPGD, SigmaZero
from holdfast.auditing import entry, schedule_norms
from holdfast.auditing.checks import misled
from holdfast.auditing.engine import Move
from holdfast.auditing.findings import Check
from holdfast.auditing.schedule import moves_of
from holdfast.errors import BadValue
from holdfast.evaluation import judge
from holdfast.objectives import margin
from tests.auditing.tiny import linear


def highest(threat: Threat, pixels: list[float], slope: list[float]) -> float:
    """Return how much a linear function can rise inside ball and box, by linear programming; in L0 the best few."""
    up, down = [1 - pixel for pixel in pixels], list(pixels)
    if isinstance(threat, L0):
        rises = (s * u if s > 0 else -s * d for s, u, d in zip(slope, up, down, strict=True))
        return sum(sorted(rises)[-int(threat.eps) :])
    if isinstance(threat, Linf):
        return sum(
            s * min(threat.eps, u) if s > 0 else -s * min(threat.eps, d)
            for s, u, d in zip(slope, up, down, strict=True)
        )
    bounds = [(0, wall) for wall in up + down]
    found = linprog([-s for s in slope] + slope, A_ub=[[1.0] * len(bounds)], b_ub=[threat.eps], bounds=bounds)
    return float(-found.fun)


@pytest.mark.parametrize("threat", [Linf(0.06), L1(1.2), L0(1)], ids=str)
def test_on_a_linear_network_the_shortest_effort_breaks_all_that_can_be_broken(threat: Threat) -> None:
    test, model = hf.load("digits", "test"), linear()
    images, labels = test.take(torch.arange(60)), test.labels[:60]
    weight, logits = model[1].weight.detach(), model(images).detach()
    breakable = []
    for image, label, answer in zip(images.flatten(1).tolist(), labels.tolist(), logits, strict=True):
        rises = [
            float(answer[other] - answer[label]) + highest(threat, image, (weight[other] - weight[label]).tolist())
            for other in range(10)
            if other != label
        ]
        breakable.append(max(rises) >= 0)
    assert 10 < sum(breakable) < 50
    assert hf.audit(model, images, labels, threat, effort="fast").broken.tolist() == breakable


def test_standard_and_thorough_choose_from_all_that_fast_has_and_from_autoattack() -> None:
    for threat in (Linf(0.1), L2(0.5), L1(2.0)):
        fast, standard, trusted = (moves_of(effort, threat) for effort in ("fast", "standard", "autoattack"))
        assert moves_of("thorough", threat) == standard
        assert fast.items() <= standard.items()
        assert trusted.items() <= standard.items()


def test_in_l0_standard_leaves_no_more_than_the_best_of_its_longest_attacks_and_autoattack_is_refused() -> None:
    test, model, threat = hf.load("digits", "test"), linear(), L0(1)
    images, labels = test.take(torch.arange(40)), test.labels[:40]
    report = hf.audit(model, images, labels, threat)
    for attack in (SigmaZero(threat), PDPGD(threat)):
        with torch.no_grad():
            held = model(attack(model, images, labels)).argmax(1) == labels
        assert int((~report.broken).sum()) <= int(held.sum())
    assert float(threat.distance(report.adversarial, images).max()) <= 1
    with pytest.raises(BadValue, match="L0"):
        hf.audit(model, images, labels, threat, "autoattack")


@pytest.mark.parametrize("threat", [Linf(0.03), L2(0.2), L1(0.6)], ids=str)
def test_the_nearest_points_are_those_whose_margins_are_told(threat: Threat) -> None:
    test, model = hf.load("digits", "test"), linear()
    images, labels = test.take(torch.arange(60)), test.labels[:60]
    report = hf.audit(model, images, labels, threat, effort="fast")
    assert report.best is not None
    assert report.margin is not None
    assert float(threat.distance(report.best, images).max()) <= threat.eps * (1 + 1e-5)
    torch.testing.assert_close(margin(judge(model, report.best), labels), report.margin)
    found = report.broken_by > 0
    assert torch.equal(report.best[found], report.adversarial[found])
    assert bool((report.margin[~report.broken] < 0).all())


def test_a_check_that_says_the_attacks_failed_sends_standard_through_all_of_autoattack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    test, model = hf.load("digits", "test"), linear()
    images, labels = test.take(torch.arange(4)), test.labels[:4]
    chosen = {"quick": Move(FGSM(Linf(0.001)), first="all"), "never": Move(FGSM(Linf(0.001)), passes=math.inf)}
    monkeypatch.setattr(entry, "moves_of", lambda *_: {**chosen, "trusted": Move(FGSM(Linf(0.001)), passes=1e9)})
    monkeypatch.setattr(schedule_norms, "published", lambda threat: {"trusted": FGSM(threat)})
    monkeypatch.setattr(schedule_norms, "COSTS", {"trusted": 1e9})
    monkeypatch.setattr(entry, "checks_of_attacks", lambda *_: ())
    for effort, failed, made in (
        ("standard", False, []),
        ("standard", True, ["trusted"]),
        ("thorough", False, ["trusted"]),
    ):
        monkeypatch.setattr(entry, "misled", lambda checks, failed=failed: failed)
        report = hf.audit(model, images, labels, Linf(0.001), effort)
        assert [stage.name for stage in report.stages] == ["clean", "quick", *made, "checks"]


def test_doubts_about_the_attacks_are_those_that_send_on() -> None:
    raised = Check("raised", 1.0, 0.0, "so", "budget not converged")
    assert misled((raised,))
    assert not misled((replace(raised, name="too few images"), replace(raised, state="passed")))


def test_a_norm_that_no_schedule_is_written_for_is_refused() -> None:
    half: Any = type("Half", (Threat,), {"eps": 1.0})  # a norm of somebody else
    half.__abstractmethods__ = frozenset()
    threat = half()
    with pytest.raises(BadValue, match="an audit is defined for Linf, L2, L1, L0, NormalisedLinf, not"):
        moves_of("standard", threat)
    with pytest.raises(BadValue, match="AutoAttack is not defined in Half"):
        moves_of("autoattack", threat)
