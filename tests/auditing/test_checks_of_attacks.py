"""Doubts about attacks: what was too weak, what was not tried, and what is no reason to doubt them."""

from dataclasses import replace

from torch import nn

from holdfast import L1, L2, Linf
from holdfast.attacks import APGD, APGDT, FGSM, Square
from holdfast.auditing.checks import checks_of_attacks
from holdfast.auditing.checks_registry import AFTER
from holdfast.auditing.engine import Move, Subject, run_moves
from holdfast.data import ImageSet
from tests.auditing.broken import MODELS, Around
from tests.auditing.raised import names
from tests.conftest import Small


def test_weak_attacks_are_doubted(honest: dict[str, nn.Module], data: ImageSet) -> None:
    subject = Subject(honest["plain"], honest["plain"], data.images[:200], data.labels[:200])
    for moves in ({}, {"fgsm": Move(FGSM(Linf(0.15)))}):
        found, stages = run_moves(subject, moves)
        checks = checks_of_attacks(subject, Linf(0.15), found, stages)
        raised = {check.name: check for check in checks if check.state == "raised"}
        assert "budget not converged" in raised
        assert raised["budget not converged"].figure > 0.02  # four times the criterion
        assert ("random search beats the attacks" in raised) or moves


def test_classes_that_were_not_tried_are_doubted(honest: dict[str, nn.Module], data: ImageSet) -> None:
    """The cross-entropy alone leaves images of a linear network that another class breaks, and not the most fragile."""
    subject = Subject(honest["linear"], honest["linear"], data.images, data.labels)
    found, stages = run_moves(subject, {"apgd-ce": Move(APGD(Linf(0.1), steps=50))})
    assert "budget not converged" in names(checks_of_attacks(subject, Linf(0.1), found, stages))


def test_square_before_the_gradients_is_no_doubt(honest: dict[str, nn.Module], data: ImageSet) -> None:
    subject = Subject(honest["plain"], honest["plain"], data.images[:200], data.labels[:200])
    moves = {"a square": Move(Square(Linf(0.1), queries=50)), "apgd": Move(APGD(Linf(0.1), steps=20))}
    found, stages = run_moves(subject, moves)
    assert stages[1].broken > 0.05 * len(subject.images)
    assert "black-box beats white-box" not in names(checks_of_attacks(subject, Linf(0.1), found, stages))


def test_breaks_of_a_copy_that_are_none_are_doubted(honest: dict[str, nn.Module], data: ImageSet) -> None:
    """A network trained otherwise is no copy; one that rounds its weights and answers to bfloat16 is."""
    plain = honest["plain"]
    weights = {name: value.bfloat16().to(value.dtype) for name, value in plain.state_dict().items()}
    rounded = Small().eval()
    rounded.load_state_dict(weights)
    subject = Subject(plain, honest["robust"], data.images[:100], data.labels[:100])
    found, stages = run_moves(subject, {})
    assert "surrogate differs" in names(checks_of_attacks(subject, Linf(0.1), found, stages))
    subject = replace(subject, crafted_on=Around(rounded, back=lambda z: z.bfloat16().float()))
    assert "surrogate differs" not in names(checks_of_attacks(subject, Linf(0.1), found, stages))


def test_few_images_leave_much_open(honest: dict[str, nn.Module], data: ImageSet) -> None:
    subject = Subject(honest["plain"], honest["plain"], data.images[:100], data.labels[:100])
    found, stages = run_moves(subject, {"fgsm": Move(FGSM(Linf(0.1)))})
    raised = {check.name: check.figure for check in checks_of_attacks(subject, Linf(0.1), found, stages)}
    assert 0.08 < raised["too few images"] < 0.11


def test_further_attacks_change_only_what_they_can(honest: dict[str, nn.Module], data: ImageSet) -> None:
    """After an escalation the checks of what was found are made again, in their places; the others stay."""
    subject = Subject(honest["plain"], honest["plain"], data.images[:200], data.labels[:200])
    found, stages = run_moves(subject, {"fgsm": Move(FGSM(Linf(0.15)))})
    first = checks_of_attacks(subject, Linf(0.15), found, stages)
    assert "budget not converged" in names(first)
    moves = {"fgsm": Move(FGSM(Linf(0.15))), "apgd-t": Move(APGDT(Linf(0.15), steps=30))}
    found, stages = run_moves(subject, moves)
    second = checks_of_attacks(subject, Linf(0.15), found, stages, first)
    assert [check.name for check in second] == [check.name for check in first]
    assert "budget not converged" not in names(second)
    kept = [kind.name for kind in AFTER if not kind.again]
    assert [check for check in second if check.name in kept] == [check for check in first if check.name in kept]


def test_climbs_that_leave_what_a_shorter_way_breaks_are_doubted(honest: dict[str, nn.Module], data: ImageSet) -> None:
    """A walk along the boundary finds what one step from the image leaves, in every norm."""
    subject = Subject(honest["plain"], honest["plain"], data.images[:60], data.labels[:60])
    for threat in (Linf(0.15), L2(0.8), L1(3.0)):
        found, stages = run_moves(subject, {"fgsm": Move(FGSM(threat))})
        assert "shorter ways beat the attacks" in names(checks_of_attacks(subject, threat, found, stages))


def test_random_search_that_breaks_what_has_no_gradient_is_a_doubt(
    honest: dict[str, nn.Module], data: ImageSet
) -> None:
    """Gradients miss every image there; the check must not stop in the very case that it is for."""
    network = MODELS["detached"][0](honest["plain"])
    subject = Subject(network, network, data.images[:60], data.labels[:60])
    found, stages = run_moves(subject, {"square": Move(Square(Linf(0.2), queries=50))})
    checks = {check.name: check for check in checks_of_attacks(subject, Linf(0.2), found, stages)}
    assert stages[1].broken >= 3
    assert checks["black-box beats white-box"].state == "raised"
    assert checks["one step beats ten"].state == "not applicable"
    assert "could not run" not in {check.state for check in checks.values()}
