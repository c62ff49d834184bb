"""What checks cost: a quarter of an audit's passes, or what they need, whatever the network and however many images."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from holdfast import Linf, Threat, audit
from holdfast.attacks import APGD, Square
from holdfast.auditing import checks, engine, entry, schedule_norms
from holdfast.auditing.checks import checks_of_attacks, checks_of_network, record_checks, steps_after
from holdfast.auditing.checks_rations import SHARE, STEPS, Ration, step_for
from holdfast.auditing.checks_registry import AFTER, BEFORE
from holdfast.auditing.checks_scene import Kind
from holdfast.auditing.engine import Move, Subject, run_moves
from holdfast.auditing.engine_state import Progress
from holdfast.auditing.report import Stage
from holdfast.data import ImageSet, load
from holdfast.passes import Spent
from tests.auditing.broken import ATTACKS, trained
from tests.conftest import Small

ALL = (*BEFORE, *AFTER)
LEAST = sum(kind.ration.cost(0) for kind in ALL)
LEAST_AGAIN = sum(kind.ration.cost(0) for kind in AFTER if kind.again)
STAGES = (Stage("clean", 160, 0, 160, 0, 0.0), Stage("apgd", 160, 0, 9, 9, 0.0), Stage("square", 9, 9, 9, 0, 0.0, True))
"""Of these the checks read only which one was a random search."""


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    return trained(Small(), load("digits", "train"), 100)


def found_on(network: nn.Module, data: ImageSet, threat: Threat) -> tuple[Subject, Progress]:
    """Return a subject, and what a short climb and a short random search leave of it."""
    subject = Subject(network, network, data.images[:160], data.labels[:160])
    moves = {"apgd": Move(APGD(threat, steps=20)), "square": Move(Square(threat, queries=50))}
    return subject, run_moves(subject, moves)[0]


def after(found: Progress, spent: int) -> Progress:
    """Return the progress of attacks that found the same and spent so many passes."""
    return replace(found, spent=[[spent, 0, 0.0], *([0.0] * 3 for _ in found.spent[1:])], first=0.0, checked={})


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_a_ration_says_why_it_needs_its_least(kind: Kind) -> None:
    assert 0 <= kind.ration.least <= kind.ration.most
    assert kind.ration.why


def test_rations_grow_with_what_was_spent_and_stay_within_the_quarter() -> None:
    rations = [Ration(2, 10, 50.0, "so"), Ration(4, 4, 10.0, "so")]
    steps = [step_for(spent, rations) for spent in range(0, 3000, 10)]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (0, STEPS)
    for spent, step in zip(range(0, 3000, 10), steps, strict=True):
        cost = sum(ration.cost(step) for ration in rations)
        assert step == 0 or cost <= SHARE * (spent + cost)
    assert [rations[0].images(step) for step in range(STEPS + 1)] == list(range(2, 11))


@pytest.mark.parametrize("count", [20, 60, 300])
def test_the_checks_of_an_audit_cost_a_quarter_or_what_they_need(count: int, plain: nn.Module, data: ImageSet) -> None:
    report = audit(plain, data.images[:count], data.labels[:count], Linf(0.1), "fast")
    cost = report.stages[-1].total
    assert report.stages[-1].name == "checks"
    assert cost == sum(check.passes for check in report.checks)
    assert cost <= max(SHARE * sum(stage.total for stage in report.stages), LEAST)


MASKED = [ATTACKS["steps"][0], ATTACKS["another's backward"][0], lambda network: network]


@pytest.mark.parametrize("mask", MASKED, ids=["steps", "another's backward", "honest"])
def test_checks_that_are_made_again_stay_within_the_quarter_too(
    mask: Callable[[nn.Module], nn.Module], plain: nn.Module, data: ImageSet
) -> None:
    network, threat = mask(plain), Linf(0.2)
    subject, found = found_on(network, data, threat)
    before, shown = checks_of_network(subject, threat), 0
    for spent in (2_000, 200_000, 500_000):
        early, late = after(found, spent), after(found, spent + spent // 4)
        once = checks_of_attacks(subject, threat, early, STAGES, before, twice=True)
        record_checks(early, once)
        late.first, late.checked = early.first, early.checked
        again = checks_of_attacks(subject, threat, late, STAGES, once, twice=True)
        costs = [sum(check.passes for check in checks) for checks in (once, again)]
        assert costs[0] <= max(spent * SHARE / (1 - SHARE), LEAST)
        assert costs[1] <= max(1.25 * spent * SHARE / (1 - SHARE), LEAST + LEAST_AGAIN)
        assert shown < costs[0]  # more where more was spent
        shown = costs[0]


def test_what_later_attacks_spent_changes_no_check_that_is_made_once(plain: nn.Module, data: ImageSet) -> None:
    """An audit that is stopped after its second step, and goes on, makes them then."""
    _, found = found_on(plain, data, Linf(0.1))
    early = after(found, 120_000)
    before = steps_after(early, twice=True)
    record_checks(early, ())
    then = steps_after(replace(after(found, 520_000), first=early.first), twice=True)
    assert before[False] == then[False]
    assert before[True] < then[True]


def test_a_shared_climb_says_the_same_whoever_asks(
    plain: nn.Module, data: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, found = found_on(plain, data, Linf(0.1))
    found = after(found, 400_000)
    both = {check.name: check for check in checks_of_attacks(subject, Linf(0.1), found, STAGES)}
    alone = {}
    for kind in (kind for kind in AFTER if kind.draws_as):
        monkeypatch.setattr(checks, "AFTER", (kind,))
        (alone[kind.name],) = checks_of_attacks(subject, Linf(0.1), replace(found, checked={}), STAGES)
        assert replace(alone[kind.name], spent=Spent()) == replace(both[kind.name], spent=Spent())
    assert len(alone) == 2
    assert sum(both[name].passes for name in alone) < 0.9 * sum(check.passes for check in alone.values())


class Stopped(Exception):
    """What stops an audit in the test below."""


def test_an_audit_that_was_stopped_says_what_its_checks_cost_before(
    plain: nn.Module, data: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped after its checks sent it on; what these had cost, and how many images they saw, stays."""
    monkeypatch.setattr(schedule_norms, "published", lambda threat: {"trusted": APGD(threat, steps=5)})
    monkeypatch.setattr(schedule_norms, "COSTS", {"trusted": 10.0})
    monkeypatch.setattr(entry, "misled", lambda checks: True)
    monkeypatch.setattr(engine, "SAVE_EVERY", 0.0)

    def stop(done: int, total: int, words: str) -> None:
        if words.startswith("trusted"):
            raise Stopped

    subject = (plain, data.images[:30], data.labels[:30], Linf(0.1), "standard")
    whole = audit(*subject)
    with pytest.raises(Stopped):
        audit(*subject, folder=tmp_path, tell=stop)
    again = audit(*subject, folder=tmp_path)
    assert whole.checks == again.checks
    assert whole.passes == again.passes
    assert torch.equal(whole.broken_by, again.broken_by)
