"""What every detector keeps, whoever adds it: one finite score an image, its own, and the false alarms asked for."""

import sys

import pytest
import torch
from torch import nn

from holdfast import Linf
from holdfast.attacks import APGD, FGSM, PGD
from holdfast.defences import (
    DETECTORS,
    Alarm,
    BitDepth,
    Detector,
    FeatureSqueezing,
    MagNetDetector,
    Noise,
    Score,
    WithAlarm,
    alarm_at,
    detection_report,
    scores,
    usual_alarm,
)
from holdfast.devices import EXTRAS
from holdfast.errors import BadValue, MissingExtra
from holdfast.objectives import undetected
from tests.nearest_means import network

SHORT = {"MagNetDetector": {"epochs": 2}, "EraseAndRestore": {"masks": 3, "trees": 20}}
"""Fields that keep a test short."""
every_detector = pytest.mark.parametrize("name", DETECTORS)
REFUSED = [
    ("EraseAndRestore(masks=0)", "EraseAndRestore: masks = 0, not 1 or more"),
    ("FeatureSqueezing(())", "FeatureSqueezing: squeezers = (): give at least one"),
    ("MagNetDetector(drop=0)", "MagNetDetector: drop = 0, not in (0, 1)"),
    ("MagNetDetector(drop=1.0)", "MagNetDetector: drop = 1.0, not in (0, 1)"),
    ("MagNetDetector((10.0, 0.0))", "MagNetDetector: temperatures = (10.0, 0.0), not above 0"),
]


def digits(count: int, first: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    import holdfast as hf

    test = hf.load("digits", "test")
    return test.images[first : first + count], test.labels[first : first + count]


def detector(name: str) -> Detector:
    return DETECTORS[name](**SHORT.get(name, {}))


def sharp() -> nn.Module:
    """Return a network that is right on most digits, whose probabilities depend on the image."""
    return network().eval()


def fitted(name: str, classifier: nn.Module) -> Score:
    images, labels = digits(100)
    return detector(name).fitted(classifier, images, FGSM(Linf(0.2))(classifier, images, labels))


@every_detector
def test_one_finite_score_an_image_which_does_not_depend_on_its_batch(name: str) -> None:
    score, (images, _) = fitted(name, sharp()), digits(30, 100)
    found = scores(score, images)
    assert found.shape == (30,)
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    alone = torch.cat([scores(score, images[place : place + 1]) for place in range(5)])
    torch.testing.assert_close(alone, found[:5], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(scores(score, images, batch=7), found, rtol=1e-4, atol=1e-5)
    assert scores(score, images[:0]).shape == (0,)


@every_detector
def test_it_is_the_same_twice_and_leaves_the_classifier_and_the_generator(name: str) -> None:
    classifier, (images, _) = sharp(), digits(30, 100)
    before, state = [each.clone() for each in classifier.parameters()], torch.get_rng_state()
    first, second = (scores(fitted(name, classifier), images) for _ in range(2))
    assert torch.equal(first, second)
    assert all(map(torch.equal, before, classifier.parameters()))
    assert torch.equal(state, torch.get_rng_state())


@every_detector
def test_false_alarms_are_what_was_asked_for(name: str) -> None:
    score, (images, _) = fitted(name, sharp()), digits(100, 100)
    distinct = len(scores(score, images).unique()) == 100
    for share in (0.01, 0.05, 0.2):
        flagged = int(alarm_at(score, images, share)(images).sum())
        assert flagged <= round(100 * share)
        assert flagged == round(100 * share) or not distinct


@every_detector
def test_the_smooth_score_is_the_score_and_has_a_gradient(name: str) -> None:
    score, (images, _) = fitted(name, sharp()), digits(30, 100)
    x = images.clone().requires_grad_()
    smooth = score.smooth(x)
    torch.testing.assert_close(smooth.detach(), scores(score, images), rtol=1e-4, atol=1e-5)
    (gradient,) = torch.autograd.grad(smooth.sum(), x)
    assert gradient.isfinite().all()
    assert gradient.any()


@every_detector
def test_an_alarm_is_above_the_usual_threshold(name: str) -> None:
    score, (images, _) = fitted(name, sharp()), digits(30, 100)
    alarm = usual_alarm(score)
    assert torch.equal(alarm(images), score(images) > alarm.threshold)


@every_detector
def test_the_joint_attack_gets_through_at_least_as_often(name: str) -> None:
    classifier, (images, labels) = sharp(), digits(40, 200)
    alarm = alarm_at(fitted(name, classifier), digits(100, 100)[0], 0.05)
    report = detection_report(classifier, alarm, images, labels, PGD(Linf(0.2), steps=5))
    assert report.adaptive.robust_accuracy <= report.naive.robust_accuracy
    assert report.clean_accuracy > 0.8
    assert report.clean_accuracy - report.false_alarms - 1e-9 <= report.accepted_accuracy <= report.clean_accuracy
    again = detection_report(classifier, alarm, images, labels, PGD(Linf(0.2), steps=5))
    assert report == again


@pytest.mark.parametrize(("written", "message"), REFUSED, ids=[written for written, _ in REFUSED])
def test_a_field_out_of_its_range_is_refused_in_one_line(written: str, message: str) -> None:
    with pytest.raises(BadValue) as refused:
        eval(written, dict(DETECTORS))
    assert str(refused.value) == message


def test_every_detector_refuses_something() -> None:
    assert {written.partition("(")[0] for written, _ in REFUSED} == set(DETECTORS)


def test_what_cannot_squeeze_alike_each_time_is_refused() -> None:
    with pytest.raises(BadValue, match="does not change images, or does so at random"):
        FeatureSqueezing((BitDepth(5), Noise()))


def test_what_is_missing_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    images, _ = digits(4)
    with pytest.raises(BadValue, match="give some of both"):
        detector("EraseAndRestore").fitted(sharp(), images)
    with pytest.raises(BadValue, match="there are none"):
        MagNetDetector().fitted(sharp(), images[:0])
    with pytest.raises(BadValue, match="has no threshold in print"):
        usual_alarm(Brightness())
    for package in EXTRAS["analysis"]:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match="analysis"):
        detector("EraseAndRestore").fitted(sharp(), images, images)


class Brightness(Score):
    """Scores an image by its mean."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).mean(1)


def test_with_an_alarm_the_answer_is_logits_and_excess() -> None:
    classifier, (images, labels) = sharp(), digits(8)
    outputs = WithAlarm(classifier, Alarm(Brightness(), 0.3))(images)
    assert torch.equal(outputs[:, :-1], classifier(images))
    torch.testing.assert_close(outputs[:, -1], images.flatten(1).mean(1) - 0.3)
    assert (undetected(outputs, labels) <= -outputs[:, -1]).all()


class Sum(nn.Module):
    """Says of images of two pixels that they are of the second class where these sum to more than 1."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        lead = images.flatten(1).sum(1) - 1
        return torch.stack([-lead / 2, lead / 2], 1)


class First(Score):
    """Scores an image by its first pixel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, 0]


@pytest.mark.parametrize("kind", [PGD, APGD], ids=["PGD", "APGD"])
def test_a_gradient_that_ignores_the_detector_is_caught_and_the_joint_climb_is_not(kind: type[PGD | APGD]) -> None:
    # Raising both pixels crosses the boundary soonest, but only the second may rise far.
    images, labels = torch.tensor([0.5, 0.3]).repeat(6, 1).reshape(6, 1, 1, 2), torch.zeros(6, dtype=torch.int64)
    classifier, alarm = Sum(), Alarm(First(), 0.6)
    ignoring = kind(Linf(0.25), steps=20)
    blind = ignoring(classifier, images, labels)
    assert (classifier(blind).argmax(1) == 1).all()
    assert alarm(blind).all()
    joint = kind(Linf(0.25), steps=20, objective=undetected)(WithAlarm(classifier, alarm), images, labels)
    assert (classifier(joint).argmax(1) == 1).all()
    assert not alarm(joint).any()
    report = detection_report(classifier, alarm, images, labels, ignoring)
    assert (report.naive.robust_accuracy, report.adaptive.robust_accuracy) == (1, 0)


def test_an_attack_may_not_pass_an_alarm_that_always_rings() -> None:
    classifier, (images, labels) = sharp(), digits(40)
    ringing = Alarm(Brightness(), -1.0)
    report = detection_report(classifier, ringing, images, labels, PGD(Linf(0.2), steps=5))
    assert report.adaptive.robust_accuracy == report.naive.robust_accuracy == report.false_alarms == 1
    assert report.accepted_accuracy == 0


def test_an_alarm_that_never_rings_changes_nothing() -> None:
    classifier, (images, labels) = sharp(), digits(40)
    silent = Alarm(Brightness(), 2.0)
    report = detection_report(classifier, silent, images, labels, PGD(Linf(0.2), steps=5))
    held = classifier(PGD(Linf(0.2), steps=5)(classifier, images, labels)).argmax(1) == labels
    assert report.naive.robust_accuracy == int(held.sum()) / 40
    assert report.naive.alarms in (0.0, 1.0) or report.naive.misclassified == 0
    assert report.accepted_accuracy == report.clean_accuracy
