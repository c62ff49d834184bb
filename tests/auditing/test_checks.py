"""Doubts: each network that is broken on purpose raises its own, and honest networks raise none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast import L1, L2, Linf, audit
from holdfast.attacks import APGD, APGDT, FGSM, PGD, Square
from holdfast.auditing import checks
from holdfast.auditing.checks import look_at_attacks, look_at_model
from holdfast.auditing.checks_rations import SHARE, Ration
from holdfast.auditing.checks_registry import AFTER, BEFORE
from holdfast.auditing.checks_scene import Kind
from holdfast.auditing.engine import Move, Subject, run_moves
from holdfast.auditing.engine_state import Progress
from holdfast.auditing.findings import Check, Finding, State, suspicion
from holdfast.auditing.report import Report, Stage
from holdfast.data import ImageSet, load
from holdfast.errors import BadImages
from holdfast.objectives import margin
from holdfast.passes import counting
from holdfast.threats import Threat
from tests.auditing.broken import ATTACKS, MODELS, Around, behind, rounded, trained
from tests.conftest import Small

LEAST = {kind.name: kind.ration.cost(0) for kind in (*BEFORE, *AFTER)}
"""What each check may cost at most where it is shown the fewest images that it needs."""


@pytest.fixture(scope="module")
def data() -> ImageSet:
    return load("digits", "test")


@pytest.fixture(scope="module")
def honest() -> dict[str, nn.Module]:
    """Return a linear network, a small one with batch norm, and the same trained on attacked images, for a moment."""
    some = load("digits", "train")
    torch.manual_seed(0)
    return {
        "linear": trained(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), some, 100),
        "plain": trained(Small(), some, 100),
        "robust": trained(Small(), some, 100, PGD(Linf(0.15), steps=2, step_size=0.1)),
    }


def attacked(subject: Subject, threat: Threat, classes: int = 1) -> tuple[Progress, tuple[Stage, ...]]:
    """Return what a short ensemble finds, which tries so many wrong classes."""
    climb, targets = APGD(threat, steps=30, objective=margin), APGDT(threat, steps=30, classes=classes)
    moves = {"apgd": climb, "apgd-t": targets, "square": Square(threat, queries=50)}
    return run_moves(subject, {name: Move(attack) for name, attack in moves.items()})


def names(found: tuple[Check, ...], state: State = "raised") -> list[str]:
    return [check.name for check in found if check.state == state]


def quiet(found: tuple[Check, ...]) -> bool:
    """Say whether every check ran and none raised a doubt: one that could not run would look like one that passed."""
    return not names(found) and not names(found, "could not run")


def state(network: nn.Module) -> list[object]:
    """Return all that a forward pass could change, hooks included."""
    gradients = [None if weight.grad is None else weight.grad.tolist() for weight in network.parameters()]
    values = [value.tolist() for value in network.state_dict().values()]
    modes = [module.training for module in network.modules()]
    hooks = [len(module._forward_hooks) + len(module._backward_hooks) for module in network.modules()]
    return [gradients, values, modes, hooks, torch.get_rng_state().tolist()]


@pytest.mark.parametrize("name", MODELS)
def test_a_broken_network_raises_its_doubt(name: str, honest: dict[str, nn.Module], data: ImageSet) -> None:
    breaks, doubt = MODELS[name]
    network = breaks(honest["plain"])
    before = state(network)
    with counting() as spent:
        found = look_at_model(Subject(network, network, data.images, data.labels), Linf(0.1))
    assert doubt in names(found)
    assert all(one.words and one.figure >= 0 for one in found if one.state == "raised")
    assert [one.name for one in found] == [kind.name for kind in BEFORE]
    assert state(network) == before
    assert sum(one.passes for one in found) == spent.total
    assert all(one.passes <= LEAST[one.name] for one in found)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_masked_network_raises_its_doubts(name: str, honest: dict[str, nn.Module], data: ImageSet) -> None:
    breaks, eps, own = ATTACKS[name]
    network = breaks(honest["plain"])
    subject = Subject(network, network, data.images[:128], data.labels[:128])
    found, stages = attacked(subject, Linf(eps))
    before = state(network)
    with counting() as spent:
        raised = look_at_attacks(subject, Linf(eps), found, stages)
    assert own <= set(names(raised))
    assert state(network) == before
    assert sum(one.passes for one in raised) == spent.total
    assert all(one.passes <= LEAST[one.name] for one in raised)


HONEST = [
    ("linear", L2(0.5)),
    ("plain", Linf(0.1)),
    ("robust", Linf(0.15)),
    ("linear", L1(2.0)),
]


@pytest.mark.parametrize(("name", "threat"), HONEST, ids=lambda value: str(value))
def test_an_honest_network_raises_none(name: str, threat: Threat, honest: dict[str, nn.Module], data: ImageSet) -> None:
    network = honest[name]
    subject = Subject(network, network, data.images[:400], data.labels[:400])
    first = look_at_model(subject, threat)
    found, stages = attacked(subject, threat, classes=9)
    checks = look_at_attacks(subject, threat, found, stages, first)
    assert quiet(checks)
    moves, cost = sum(stage.total for stage in stages), sum(check.passes for check in checks)
    assert cost <= max(SHARE * (moves + cost), sum(LEAST.values()))


@pytest.mark.parametrize("seed", range(3))
def test_no_seed_makes_a_deep_network_suspicious(seed: int) -> None:
    """Kinks everywhere, ties in every pool, pixels on the walls of the box, and a cut of the input that is none."""
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()]
    for _ in range(8):
        layers += [nn.Conv2d(8, 8, 3, padding=1), nn.MaxPool2d(3, 1, 1), nn.ReLU()]
    deep = nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10)).eval()
    with torch.no_grad():
        for layer in deep:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
    network = Around(deep, lambda x: x.clamp(0, 1))
    images = (torch.rand(64, 1, 8, 8) * 17).floor().div(16) * (torch.rand(64, 1, 8, 8) < 0.4)
    labels = network(images).argmax(1)
    assert quiet(look_at_model(Subject(network, network, images, labels, seed), Linf(0.1)))
    assert quiet(look_at_model(Subject(network.__call__, network, images, labels, seed), Linf(0.1)))


@pytest.mark.parametrize(
    "harmless",
    [
        lambda z: z.log_softmax(1),
        lambda z: z + 1000,
        lambda z: 1e-3 * z,
        lambda z: 1000 * z,
        lambda z: z[:, :2] / 4,
        lambda z: z[:, :3] / 4,
        lambda z: z.bfloat16(),
        lambda z: z.bfloat16().float(),
        lambda z: z.half().float(),
        lambda z: z.double(),
        lambda z: F.pad(z, (0, 2), value=-torch.inf),
    ],
    ids=[
        "log-probabilities",
        "shifted",
        "small",
        "large",
        "two",
        "three",
        "bfloat16",
        "rounded",
        "half",
        "double",
        "ruled out",
    ],
)
def test_what_is_harmless_raises_nothing(
    harmless: Callable[[Tensor], Tensor], honest: dict[str, nn.Module], data: ImageSet
) -> None:
    network = Around(honest["plain"], back=harmless)
    labels = network(data.images).argmax(1)
    assert quiet(look_at_model(Subject(network, network, data.images, labels), Linf(0.1)))
    assert quiet(look_at_model(Subject(network.__call__, network, data.images, labels), L2(0.5)))


def test_a_network_that_is_constant_where_its_gradient_is_zero_hides_nothing(data: ImageSet) -> None:
    """A quarter of the images is black, and so dark that no feature is awake in their balls: they share one answer."""
    first, last = nn.Linear(64, 64), nn.Linear(64, 10)
    with torch.no_grad():
        first.weight.abs_()
        first.bias.copy_(-0.15 * first.weight.sum(1))
        last.bias[3] = 1
    network = nn.Sequential(nn.Flatten(), first, nn.ReLU(), last)
    images = torch.cat([torch.zeros(16, 1, 8, 8), data.images[:48]])
    subject = Subject(network, network, images, network(images).argmax(1))
    assert quiet(look_at_model(subject, Linf(0.1)))
    assert "zero gradients" in names(look_at_model(replace(subject, model=behind(rounded(4))(network)), Linf(0.1)))


@pytest.mark.parametrize("doubt", ["random output", "wrong gradients", "input rounded or clamped", "saturated logits"])
def test_functions_raise_doubts_too(doubt: str, honest: dict[str, nn.Module], data: ImageSet) -> None:
    broken = next(breaks for breaks, raised in MODELS.values() if raised == doubt)(honest["plain"])
    found = look_at_model(Subject(broken.__call__, broken, data.images, data.labels), L1(2.0))
    assert doubt in names(found)


@pytest.mark.parametrize(("classes", "threat"), [(2, Linf(0.1)), (3, L2(0.5)), (2, L1(2.0))], ids=str)
def test_few_classes_and_images_are_enough(classes: int, threat: Threat) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, classes))
    images = torch.rand(6, 3, 4, 4)
    subject = Subject(network, network, images, network(images).argmax(1))
    found, stages = run_moves(subject, {"apgd": Move(APGD(threat, steps=20, objective=margin))})
    assert quiet(look_at_model(subject, threat))
    assert names(look_at_attacks(subject, threat, found, stages)) == ["too few images"]


def test_weak_attacks_are_doubted(honest: dict[str, nn.Module], data: ImageSet) -> None:
    subject = Subject(honest["plain"], honest["plain"], data.images[:200], data.labels[:200])
    for moves in ({}, {"fgsm": Move(FGSM(Linf(0.15)))}):
        found, stages = run_moves(subject, moves)
        checks = look_at_attacks(subject, Linf(0.15), found, stages)
        raised = {check.name: check for check in checks if check.state == "raised"}
        assert "budget not converged" in raised
        assert raised["budget not converged"].figure > 0.02  # four times the criterion
        assert ("random search beats the attacks" in raised) or moves


def test_classes_that_were_not_tried_are_doubted(honest: dict[str, nn.Module], data: ImageSet) -> None:
    """The cross-entropy alone leaves images of a linear network that another class breaks, and not the most fragile."""
    subject = Subject(honest["linear"], honest["linear"], data.images, data.labels)
    found, stages = run_moves(subject, {"apgd-ce": Move(APGD(Linf(0.1), steps=50))})
    assert "budget not converged" in names(look_at_attacks(subject, Linf(0.1), found, stages))


def test_square_before_the_gradients_is_no_doubt(honest: dict[str, nn.Module], data: ImageSet) -> None:
    subject = Subject(honest["plain"], honest["plain"], data.images[:200], data.labels[:200])
    moves = {"a square": Move(Square(Linf(0.1), queries=50)), "apgd": Move(APGD(Linf(0.1), steps=20))}
    found, stages = run_moves(subject, moves)
    assert stages[1].broken > 0.05 * len(subject.images)
    assert "black-box beats white-box" not in names(look_at_attacks(subject, Linf(0.1), found, stages))


def test_breaks_of_a_copy_that_are_none_are_doubted(honest: dict[str, nn.Module], data: ImageSet) -> None:
    """A network trained otherwise is no copy; one that rounds its weights and answers to bfloat16 is."""
    plain = honest["plain"]
    weights = {name: value.bfloat16().to(value.dtype) for name, value in plain.state_dict().items()}
    rounded = Small().eval()
    rounded.load_state_dict(weights)
    subject = Subject(plain, honest["robust"], data.images[:100], data.labels[:100])
    found, stages = run_moves(subject, {})
    assert "surrogate differs" in names(look_at_attacks(subject, Linf(0.1), found, stages))
    subject = replace(subject, crafted_on=Around(rounded, back=lambda z: z.bfloat16().float()))
    assert "surrogate differs" not in names(look_at_attacks(subject, Linf(0.1), found, stages))


def test_few_images_leave_much_open(honest: dict[str, nn.Module], data: ImageSet) -> None:
    subject = Subject(honest["plain"], honest["plain"], data.images[:100], data.labels[:100])
    found, stages = run_moves(subject, {"fgsm": Move(FGSM(Linf(0.1)))})
    raised = {check.name: check.figure for check in look_at_attacks(subject, Linf(0.1), found, stages)}
    assert 0.08 < raised["too few images"] < 0.11


def test_the_same_audit_raises_the_same_doubts(honest: dict[str, nn.Module], data: ImageSet) -> None:
    breaks, eps, _ = ATTACKS["steps"]
    network = breaks(honest["plain"])
    subject = Subject(network, network, data.images[:24], data.labels[:24])
    found, stages = run_moves(subject, {})
    once, again = (
        (look_at_model(each, Linf(eps)), look_at_attacks(each, Linf(eps), found, stages))
        for each in (subject, replace(subject, batch=12))
    )
    assert once == again


def test_a_network_in_training_stays_so(honest: dict[str, nn.Module], data: ImageSet) -> None:
    network = trained(Small(), load("digits", "train"), 5).train()
    network.drop.eval()
    network(data.images[:5]).sum().backward()
    before = state(network)
    subject = Subject(network, network, data.images[:50], data.labels[:50])
    look_at_model(subject, Linf(0.1))
    found, stages = run_moves(subject, {})
    look_at_attacks(subject, Linf(0.1), found, stages)
    assert state(network) == before


def raises(images: Tensor) -> Tensor:
    raise RuntimeError("no")


def test_a_network_that_always_stops_does_not_stop_the_audit(data: ImageSet) -> None:
    network = Around(nn.Identity(), front=raises)
    found = look_at_model(Subject(network, network, data.images, data.labels), Linf(0.1))
    assert names(found, "could not run") == [kind.name for kind in BEFORE]
    assert {check.words for check in found} == {"RuntimeError: no"}
    report = Report(Linf(0.1), "fast", 0, data.images[:1], data.labels[:1] - 99, (), found)
    assert "nothing is suspicious" not in report.suspicion
    assert f"{len(BEFORE)} could not run" in report.suspicion
    assert "nothing is suspicious" not in replace(report, checks=()).suspicion
    nan = Around(nn.Flatten(), back=lambda z: z[:, :10] * torch.nan)
    look_at_model(Subject(nan, nan, data.images, data.labels), Linf(0.1))


def test_what_is_never_right_raises_nothing(data: ImageSet) -> None:
    network = Around(nn.Flatten(), back=lambda z: z[:, :10] - 100 * nn.functional.one_hot(data.labels[: len(z)], 10))
    subject = Subject(network, network, data.images[:60], data.labels[:60])
    random, *others = look_at_model(subject, Linf(0.1))
    assert random.state == "passed"
    assert {check.state for check in others} == {"not applicable"}
    found, stages = run_moves(subject, {})
    assert quiet(look_at_attacks(subject, Linf(0.1), found, stages))


def test_images_that_are_none_are_refused(honest: dict[str, nn.Module], data: ImageSet) -> None:
    subject = Subject(honest["plain"], honest["plain"], 255 * data.images, data.labels)
    with pytest.raises(BadImages, match=r"\[0, 1\]"):
        look_at_model(subject, Linf(0.1))


def test_a_random_network_is_told_from_the_rest(honest: dict[str, nn.Module], data: ImageSet) -> None:
    """What compares two answers does not apply to it, and is not said to have passed."""
    network = MODELS["noise on the logits"][0](honest["plain"])
    found = look_at_model(Subject(network, network, data.images, data.labels), Linf(0.1))
    assert set(names(found, "not applicable")) == {kind.name for kind in BEFORE if kind.compares}


CUT = {
    "detached": lambda z: z.detach(),
    "numpy": lambda z: torch.from_numpy(z.numpy().copy()),
    "no gradient asked for": torch.no_grad()(lambda z: z + 0.0),
}


@pytest.mark.parametrize("back", CUT.values(), ids=CUT)
@pytest.mark.parametrize("bare", [False, True], ids=["module", "function"])
def test_without_a_gradient_no_check_of_gradients_applies(
    bare: bool, back: Callable[[Tensor], Tensor], honest: dict[str, nn.Module], data: ImageSet
) -> None:
    """That no gradient reaches the images is one finding, not three: no check ends in an error."""
    network = Around(honest["linear"], back=back)
    asked = network.__call__ if bare else network
    found = look_at_model(Subject(asked, asked, data.images, data.labels), Linf(0.1))
    assert "no gradient reaches the images" in names(found)
    assert set(names(found, "not applicable")) == {kind.name for kind in BEFORE if kind.differentiates}
    assert not names(found, "could not run")


def test_a_random_network_that_is_never_right_is_told_too(data: ImageSet) -> None:
    def network(x: Tensor) -> Tensor:
        return torch.rand(len(x), 10) - 100 * F.one_hot(data.labels[: len(x)], 10)

    report = audit(network, data.images[:20], data.labels[:20], Linf(0.1), "fast")
    assert report.answers_at_random
    assert "at most" not in str(report)


def test_a_check_that_raises_an_error_has_not_passed(
    honest: dict[str, nn.Module], data: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(scene: object) -> Finding:
        raise ValueError("first line\nsecond line")

    kinds = [Kind("fails", "never", fails, Ration(1, 1, 0, "it always fails"))]
    monkeypatch.setattr(checks, "BEFORE", (*BEFORE[:1], *kinds))
    network = honest["linear"]
    *_, last = look_at_model(Subject(network, network, data.images, data.labels), Linf(0.1))
    assert (last.name, last.state, last.words) == ("fails", "could not run", "ValueError: first line")


def test_further_attacks_change_only_what_they_can(honest: dict[str, nn.Module], data: ImageSet) -> None:
    """After an escalation the checks of what was found are made again, in their places; the others stay."""
    subject = Subject(honest["plain"], honest["plain"], data.images[:200], data.labels[:200])
    found, stages = run_moves(subject, {"fgsm": Move(FGSM(Linf(0.15)))})
    first = look_at_attacks(subject, Linf(0.15), found, stages)
    assert "budget not converged" in names(first)
    moves = {"fgsm": Move(FGSM(Linf(0.15))), "apgd-t": Move(APGDT(Linf(0.15), steps=30))}
    found, stages = run_moves(subject, moves)
    second = look_at_attacks(subject, Linf(0.15), found, stages, first)
    assert [check.name for check in second] == [check.name for check in first]
    assert "budget not converged" not in names(second)
    kept = [kind.name for kind in AFTER if not kind.again]
    assert [check for check in second if check.name in kept] == [check for check in first if check.name in kept]


def test_names_and_criteria_are_said_once_and_in_the_docs() -> None:
    kinds = (*BEFORE, *AFTER)
    assert len({kind.name for kind in kinds}) == len(kinds)
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    for kind in kinds:
        name = f"*{kind.name}*" if kind.misled else kind.name
        assert f"| {name} | {kind.criterion} |" in page


def test_climbs_that_leave_what_a_shorter_way_breaks_are_doubted(honest: dict[str, nn.Module], data: ImageSet) -> None:
    """A walk along the boundary finds what one step from the image leaves, in every norm."""
    subject = Subject(honest["plain"], honest["plain"], data.images[:60], data.labels[:60])
    for threat in (Linf(0.15), L2(0.8), L1(3.0)):
        found, stages = run_moves(subject, {"fgsm": Move(FGSM(threat))})
        assert "shorter ways beat the attacks" in names(look_at_attacks(subject, threat, found, stages))


def test_what_did_not_run_is_not_said_to_be_fine() -> None:
    passed, other = Check("passed", 0.0, 1.0, name="a"), Check("not applicable", words="so", name="b")
    assert suspicion((passed,)) == "nothing is suspicious (1 passed)"
    assert suspicion((passed, other)) == "no check raised a doubt (1 passed, 1 not applicable)"
    assert suspicion(()) == "no check was made"


def test_random_search_that_breaks_what_has_no_gradient_is_a_doubt(
    honest: dict[str, nn.Module], data: ImageSet
) -> None:
    """Gradients miss every image there; the check must not stop in the very case that it is for."""
    network = MODELS["detached"][0](honest["plain"])
    subject = Subject(network, network, data.images[:60], data.labels[:60])
    found, stages = run_moves(subject, {"square": Move(Square(Linf(0.2), queries=50))})
    checks = {check.name: check for check in look_at_attacks(subject, Linf(0.2), found, stages)}
    assert stages[1].broken >= 3
    assert checks["black-box beats white-box"].state == "raised"
    assert checks["one step beats ten"].state == "not applicable"
    assert "could not run" not in {check.state for check in checks.values()}
