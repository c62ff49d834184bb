"""A defended network is attacked as each of its views, and the audit goes on through the best of them."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

import holdfast as hf
from holdfast.attacks import ODI
from holdfast.auditing import defended, entry
from holdfast.auditing.checks_registry import BEFORE
from holdfast.auditing.engine import Move
from holdfast.auditing.looks import looked
from holdfast.auditing.report_json import Origin, as_json
from holdfast.data import ImageSet
from holdfast.defences import BitDepth, Defence, Noise
from holdfast.threats import Threat

SEEN = ["bare classifier", "plain gradients", "straight through", "feature level"]
EPS = hf.Linf(0.1)


@pytest.fixture
def network(honest: dict[str, nn.Module]) -> nn.Module:
    return honest["plain"]


@pytest.fixture
def few(data: ImageSet) -> tuple[Tensor, Tensor]:
    return data.take(torch.arange(40)), data.labels[:40]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave one short climb of the audit's own attacks, two of the checks, and few draws."""
    monkeypatch.setattr(entry, "moves_of", lambda _, threat: {"climb": Move(ODI(threat, steps=3), first="all")})
    monkeypatch.setattr("holdfast.auditing.checks.BEFORE", BEFORE[:1])
    monkeypatch.setattr("holdfast.auditing.checks.AFTER", ())
    monkeypatch.setattr(defended, "DRAWS", 3)


def left(report: hf.Report) -> dict[str, float]:
    return {view.name: view.accuracy for view in report.views}


def state_of(report: hf.Report, name: str) -> str:
    return next(check.state for check in report.checks if check.name == name)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("defence", [BitDepth(8), BitDepth(1), nn.AvgPool2d(3, 1, 1), Noise(0.1)], ids=str)
def test_no_view_is_below_the_worst_and_none_above_what_is_right_when_clean(
    defence: Defence | nn.Module, network: nn.Module, few: tuple[Tensor, Tensor]
) -> None:
    report = hf.audit(hf.defend(network, defence), *few, EPS, "fast")
    for name, accuracy in left(report).items():
        assert report.robust_accuracy <= accuracy <= report.clean_accuracy, name
    assert report.stages[0].attacked == 40
    right = round(40 * report.clean_accuracy)
    for stage in report.stages[1 : 1 + len(report.views)]:
        assert stage.attacked == right, stage.name


@pytest.mark.usefixtures("quick")
def test_where_a_defence_does_nothing_the_bare_classifier_s_view_is_the_whole_truth(
    network: nn.Module, few: tuple[Tensor, Tensor]
) -> None:
    images = torch.round(few[0] * 255) / 255
    report = hf.audit(hf.defend(network, BitDepth(8)), images, few[1], EPS, "fast")
    plain = hf.audit(network, images, few[1], EPS, "fast")
    assert list(left(report)) == SEEN
    assert report.robust_accuracy <= left(report)["bare classifier"]
    assert report.robust_accuracy <= plain.robust_accuracy
    assert report.grey_box == ""


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("bits", [1, 2])
def test_gradients_that_rounding_shatters_are_broken_straight_through_and_doubted(
    bits: int, network: nn.Module, few: tuple[Tensor, Tensor]
) -> None:
    report = hf.audit(hf.defend(network, BitDepth(bits)), *few, EPS, "fast")
    assert left(report)["straight through"] < left(report)["plain gradients"] - 0.05
    assert state_of(report, "views disagree") == "raised"
    assert report.crafted_on.startswith("'straight through': a copy")
    assert [check.name for check in report.checks] == ["random output", "views disagree"]


@pytest.mark.usefixtures("quick")
def test_the_shortest_effort_ends_with_long_climbs_on_all_that_stands_behind_defences(
    network: nn.Module, few: tuple[Tensor, Tensor]
) -> None:
    defended_one = hf.defend(network, BitDepth(2))
    fast, standard = (hf.audit(defended_one, *few, EPS, effort) for effort in ("fast", "standard"))
    stages = [stage.name for stage in fast.stages]
    first = stages.index("long climb")
    assert first > stages.index("climb")
    assert fast.stages[first].attacked == 40 - sum(stage.broken for stage in fast.stages[:first])
    bare = hf.audit(network, *few, EPS, "fast")
    assert not any(stage.name.startswith("long climb") for stage in (*standard.stages, *bare.stages))


@pytest.mark.usefixtures("quick")
def test_a_harmless_purifier_raises_no_doubt(network: nn.Module, few: tuple[Tensor, Tensor]) -> None:
    smooth = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.constant_(smooth.weight, 0.02)
    smooth.weight.data[0, 0, 1, 1] = 0.84
    report = hf.audit(hf.defend(network, smooth), *few, EPS, "fast")
    assert report.doubts == ()
    assert report.crafted_on.startswith("'plain gradients': a copy")
    assert state_of(report, "views disagree") == "passed"


@pytest.mark.usefixtures("quick")
def test_an_undefended_network_has_no_views_and_no_check_of_them(
    network: nn.Module, few: tuple[Tensor, Tensor]
) -> None:
    report = hf.audit(network, few[0][:8], few[1][:8], EPS, "fast")
    assert report.views == ()
    assert [check.name for check in report.checks] == ["random output"]
    assert {"views", "grey_box", "judged_by"}.isdisjoint(as_json(report, ORIGIN))
    assert "view " not in str(report)


ORIGIN = Origin("network", "abc", "digits", "def", 250, "holdfast audit", {})


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("effort", ["fast", "standard", "thorough", "autoattack"])
def test_every_effort_attacks_the_views_and_tells_of_them(
    effort: str, network: nn.Module, few: tuple[Tensor, Tensor]
) -> None:
    report = hf.audit(hf.defend(network, BitDepth(2)), few[0][:20], few[1][:20], EPS, effort)
    assert [stage.name for stage in report.stages[1:5]] == SEEN
    told = as_json(report, ORIGIN)
    assert [view["name"] for view in told["views"]] == SEEN
    assert [view["accuracy"] for view in told["views"]] == list(left(report).values())
    assert told["grey_box"] == report.grey_box
    json.dumps(told, allow_nan=False)
    lines = str(report).splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("view "))
    for view, line in zip(report.views, lines[start + 1 :], strict=False):
        assert line.split("  ")[0].strip() == view.name
        assert f"{100 * view.accuracy:.2f}%" in line
    assert lines[start + 5].startswith("worst of all, image by image")
    assert f"{100 * report.robust_accuracy:.2f}%" in lines[start + 5]


@dataclass(frozen=True)
class Reflected(Defence):
    """Answers what no attacker who does not know of it expects: the picture's mirror image."""

    differentiable: ClassVar[bool] = True

    def __call__(self, images: Tensor) -> Tensor:
        return images.flip(-1)


@pytest.mark.usefixtures("quick")
def test_a_grey_box_far_above_the_worst_is_told(network: nn.Module, data: ImageSet) -> None:
    images, labels = data.take(torch.arange(40)).flip(-1), data.labels[:40]
    report = hf.audit(hf.defend(network, Reflected()), images, labels, EPS, "fast")
    gap = 100 * (left(report)["bare classifier"] - report.robust_accuracy)
    assert gap > 10
    assert f"{gap:.1f} points more than those that know it" in report.grey_box
    assert report.grey_box in str(report)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("threat", [hf.L2(0.8), hf.L1(2.0), hf.L0(2)], ids=str)
def test_views_are_attacked_in_every_norm(threat: Threat, network: nn.Module, few: tuple[Tensor, Tensor]) -> None:
    report = hf.audit(hf.defend(network, BitDepth(2)), *few, threat, "fast")
    assert left(report)["straight through"] < report.clean_accuracy
    assert report.best is not None
    assert float(threat.distance(report.best, few[0]).max()) <= threat.eps * (1 + 1e-5)


def essence(report: hf.Report) -> tuple[object, ...]:
    """Return what two reports of one audit must have in common."""
    assert report.margin is not None
    views = [(view.name, view.accuracy, view.total) for view in report.views]
    stages = [(stage.name, stage.attacked, stage.broken, stage.total) for stage in report.stages]
    checks = [(check.name, check.state, check.figure) for check in report.checks]
    return views, stages, checks, report.broken_by.tolist(), report.margin.tolist(), report.adversarial.tolist()


@pytest.mark.usefixtures("quick")
def test_a_random_network_gives_the_same_numbers_for_the_same_seed_and_leaves_the_caller_s_alone(
    network: nn.Module, few: tuple[Tensor, Tensor]
) -> None:
    model, images, labels = hf.defend(network, Noise(0.2)), few[0][:16], few[1][:16]
    reports = []
    for _ in range(2):
        before = torch.get_rng_state()
        reports.append(hf.audit(model, images, labels, EPS, "fast"))
        assert torch.equal(torch.get_rng_state(), before)
        torch.rand(1)  # what the caller draws meanwhile changes nothing
    assert essence(reports[0]) == essence(reports[1])
    report = reports[0]
    assert list(left(report)) == [*SEEN[:3], "averaged", SEEN[3]]
    assert "looks in a row" in report.judged_by
    assert report.judged_by in str(report)
    assert state_of(report, "random output") == "not applicable"
    assert report.meaning == "an upper bound"


@pytest.mark.usefixtures("quick")
def test_behind_a_rounding_a_purifier_is_followed_by_its_own_gradient(network: nn.Module, data: ImageSet) -> None:
    images, labels = data.take(torch.arange(40)).flip(-1), data.labels[:40]
    report = hf.audit(hf.defend(network, BitDepth(6), Mirror()), images, labels, EPS, "fast")
    others = [accuracy for name, accuracy in left(report).items() if name != "partly straight through"]
    assert left(report)["partly straight through"] < min(others) - 0.1
    assert report.crafted_on.startswith("'partly straight through': a copy")


class Mirror(nn.Module):
    """A purifier that returns nothing like what it is given."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flip(-1)


class Interrupted(Exception):
    """What stands for a person who stops an audit."""


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("defence", [BitDepth(2), Noise(0.2)], ids=str)
def test_an_audit_that_was_stopped_here_and_there_goes_on_to_the_same_end(
    defence: Defence, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, network: nn.Module, few: tuple[Tensor, Tensor]
) -> None:
    monkeypatch.setattr("holdfast.auditing.engine.SAVE_EVERY", 0.0)
    model, images, labels = hf.defend(network, defence), few[0][:10], few[1][:10]
    made = partial(hf.audit, model, images, labels, EPS, "fast", batch=6)
    words = [0]

    def tell(*_: object) -> None:
        words[0] -= 1
        if words[0] == 0:
            raise Interrupted

    whole, resumed, stops = made(), None, 0
    while resumed is None:
        words[0] = 10
        try:
            resumed = made(folder=tmp_path, tell=tell)
        except Interrupted:
            stops += 1
    assert stops > 1
    assert essence(resumed) == essence(whole)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


@pytest.mark.usefixtures("quick")
def test_reports_of_a_network_and_of_its_defended_self_are_compared(
    network: nn.Module, few: tuple[Tensor, Tensor]
) -> None:
    bare, behind = (hf.audit(model, *few, EPS, "fast") for model in (network, hf.defend(network, BitDepth(1))))
    assert hf.compare(bare, behind).count == 40


def test_an_image_is_wrong_only_if_each_look_in_a_row_says_so() -> None:
    class Turns(nn.Module):
        """Answers wrong at its first call, and then right for the first image alone."""

        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            answer = torch.tensor([[0.0, 1.0]]).repeat(len(x), 1)
            answer[0] = torch.tensor([[0.0, 1.0], [2.0, 0.0]][self.calls - 1])
            return answer

    images, labels = torch.rand(3, 1, 2, 2), torch.tensor([0, 0, 1])
    assert looked(Turns(), images, labels)[1].tolist() == [True, True, False]
    margins, wrong = looked(Turns(), images, labels, looks=2)
    assert wrong.tolist() == [False, True, False]
    assert margins.tolist() == [-2.0, 1.0, -1.0]
