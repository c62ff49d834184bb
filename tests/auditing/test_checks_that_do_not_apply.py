"""Checks that cannot run, or do not apply: none of them is said to have passed."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast import Linf, audit
from holdfast.auditing import checks
from holdfast.auditing.checks import checks_of_attacks, checks_of_network
from holdfast.auditing.checks_rations import Ration
from holdfast.auditing.checks_registry import BEFORE
from holdfast.auditing.checks_scene import Kind
from holdfast.auditing.engine import Subject, run_moves
from holdfast.auditing.findings import Check, Finding, suspicion
from holdfast.auditing.report import Report
from holdfast.data import ImageSet
from holdfast.errors import BadImages
from tests.auditing.broken import MODELS, Around
from tests.auditing.raised import names


def raises(images: Tensor) -> Tensor:
    raise RuntimeError("no")


def test_a_network_that_always_stops_does_not_stop_the_audit(data: ImageSet) -> None:
    network = Around(nn.Identity(), front=raises)
    found = checks_of_network(Subject(network, network, data.images, data.labels), Linf(0.1))
    assert names(found, "could not run") == [kind.name for kind in BEFORE]
    assert {check.words for check in found} == {"RuntimeError: no"}
    report = Report(Linf(0.1), "fast", 0, data.images[:1], data.labels[:1] - 99, (), found)
    assert "nothing is suspicious" not in report.suspicion
    assert f"{len(BEFORE)} could not run" in report.suspicion
    assert "nothing is suspicious" not in replace(report, checks=()).suspicion
    nan = Around(nn.Flatten(), back=lambda z: z[:, :10] * torch.nan)
    checks_of_network(Subject(nan, nan, data.images, data.labels), Linf(0.1))


def test_what_is_never_right_raises_only_that(data: ImageSet) -> None:
    network = Around(nn.Flatten(), back=lambda z: z[:, :10] - 100 * nn.functional.one_hot(data.labels[: len(z)], 10))
    subject = Subject(network, network, data.images[:60], data.labels[:60])
    random, *others = checks_of_network(subject, Linf(0.1))
    assert random.state == "passed"
    assert {check.state for check in others} == {"not applicable"}
    found, stages = run_moves(subject, {})
    checks = checks_of_attacks(subject, Linf(0.1), found, stages)
    assert names(checks) == ["clean accuracy at chance"]
    assert not names(checks, "could not run")


def test_images_that_are_none_are_refused(honest: dict[str, nn.Module], data: ImageSet) -> None:
    subject = Subject(honest["plain"], honest["plain"], 255 * data.images, data.labels)
    with pytest.raises(BadImages, match=r"\[0, 1\]"):
        checks_of_network(subject, Linf(0.1))


def test_a_random_network_is_told_from_the_rest(honest: dict[str, nn.Module], data: ImageSet) -> None:
    """What compares two answers does not apply to it, and is not said to have passed."""
    network = MODELS["noise on the logits"][0](honest["plain"])
    found = checks_of_network(Subject(network, network, data.images, data.labels), Linf(0.1))
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
    found = checks_of_network(Subject(asked, asked, data.images, data.labels), Linf(0.1))
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
    *_, last = checks_of_network(Subject(network, network, data.images, data.labels), Linf(0.1))
    assert (last.name, last.state, last.words) == ("fails", "could not run", "ValueError: first line")


def test_what_did_not_run_is_not_said_to_be_fine() -> None:
    passed, other = Check("passed", 0.0, 1.0, name="a"), Check("not applicable", words="so", name="b")
    assert suspicion((passed,)) == "nothing is suspicious (1 passed)"
    assert suspicion((passed, other)) == "no check raised a doubt (1 passed, 1 not applicable)"
    assert suspicion(()) == "no check was made"
