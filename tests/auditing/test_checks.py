"""Doubts: each network that is broken on purpose raises its own, and honest networks raise none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast import L1, L2, Linf
from holdfast.attacks import APGD, APGDT, Square
from holdfast.auditing.checks import checks_of_attacks, checks_of_network
from holdfast.auditing.checks_rations import SHARE
from holdfast.auditing.checks_registry import AFTER, BEFORE, OF_VIEWS
from holdfast.auditing.engine import Move, Subject, run_moves
from holdfast.auditing.engine_state import Progress
from holdfast.auditing.report import Stage
from holdfast.data import ImageSet, load
from holdfast.objectives import margin
from holdfast.passes import counting
from holdfast.threats import Threat
from tests.auditing.broken import ATTACKS, MODELS, Around, behind, rounded, trained
from tests.auditing.raised import names, quiet, state
from tests.conftest import Small

LEAST = {kind.name: kind.ration.cost(0) for kind in (*BEFORE, *AFTER)}
"""What each check may cost at most where it is shown the fewest images that it needs."""


def attacked(subject: Subject, threat: Threat, classes: int = 1) -> tuple[Progress, tuple[Stage, ...]]:
    """Return what a short ensemble finds, which tries so many wrong classes."""
    climb, targets = APGD(threat, steps=30, objective=margin), APGDT(threat, steps=30, classes=classes)
    moves = {"apgd": climb, "apgd-t": targets, "square": Square(threat, queries=50)}
    return run_moves(subject, {name: Move(attack) for name, attack in moves.items()})


@pytest.mark.parametrize("name", MODELS)
def test_a_broken_network_raises_its_doubt(name: str, honest: dict[str, nn.Module], data: ImageSet) -> None:
    breaks, doubt = MODELS[name]
    network = breaks(honest["plain"])
    before = state(network)
    with counting() as spent:
        found = checks_of_network(Subject(network, network, data.images, data.labels), Linf(0.1))
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
        raised = checks_of_attacks(subject, Linf(eps), found, stages)
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
    first = checks_of_network(subject, threat)
    found, stages = attacked(subject, threat, classes=9)
    checks = checks_of_attacks(subject, threat, found, stages, first)
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
    assert quiet(checks_of_network(Subject(network, network, images, labels, seed), Linf(0.1)))
    assert quiet(checks_of_network(Subject(network.__call__, network, images, labels, seed), Linf(0.1)))


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
    assert quiet(checks_of_network(Subject(network, network, data.images, labels), Linf(0.1)))
    assert quiet(checks_of_network(Subject(network.__call__, network, data.images, labels), L2(0.5)))


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
    assert quiet(checks_of_network(subject, Linf(0.1)))
    assert "zero gradients" in names(checks_of_network(replace(subject, model=behind(rounded(4))(network)), Linf(0.1)))


@pytest.mark.parametrize("doubt", ["random output", "wrong gradients", "input rounded or clamped", "saturated logits"])
def test_functions_raise_doubts_too(doubt: str, honest: dict[str, nn.Module], data: ImageSet) -> None:
    broken = next(breaks for breaks, raised in MODELS.values() if raised == doubt)(honest["plain"])
    found = checks_of_network(Subject(broken.__call__, broken, data.images, data.labels), L1(2.0))
    assert doubt in names(found)


@pytest.mark.parametrize(("classes", "threat"), [(2, Linf(0.1)), (3, L2(0.5)), (2, L1(2.0))], ids=str)
def test_few_classes_and_images_are_enough(classes: int, threat: Threat) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, classes))
    images = torch.rand(6, 3, 4, 4)
    subject = Subject(network, network, images, network(images).argmax(1))
    found, stages = run_moves(subject, {"apgd": Move(APGD(threat, steps=20, objective=margin))})
    assert quiet(checks_of_network(subject, threat))
    assert names(checks_of_attacks(subject, threat, found, stages)) == ["too few images"]


def test_the_same_audit_raises_the_same_doubts(honest: dict[str, nn.Module], data: ImageSet) -> None:
    breaks, eps, _ = ATTACKS["steps"]
    network = breaks(honest["plain"])
    subject = Subject(network, network, data.images[:24], data.labels[:24])
    found, stages = run_moves(subject, {})
    once, again = (
        (checks_of_network(each, Linf(eps)), checks_of_attacks(each, Linf(eps), found, stages))
        for each in (subject, replace(subject, batch=12))
    )
    assert once == again


def test_a_network_in_training_stays_so(honest: dict[str, nn.Module], data: ImageSet) -> None:
    network = trained(Small(), load("digits", "train"), 5).train()
    network.drop.eval()
    network(data.images[:5]).sum().backward()
    before = state(network)
    subject = Subject(network, network, data.images[:50], data.labels[:50])
    checks_of_network(subject, Linf(0.1))
    found, stages = run_moves(subject, {})
    checks_of_attacks(subject, Linf(0.1), found, stages)
    assert state(network) == before


def test_names_and_criteria_are_said_once_and_in_the_docs() -> None:
    kinds = (*BEFORE, *AFTER, *OF_VIEWS)
    assert len({kind.name for kind in kinds}) == len(kinds)
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    for kind in kinds:
        name = f"*{kind.name}*" if kind.misled else kind.name
        assert f"| {name} | {kind.criterion} |" in page
