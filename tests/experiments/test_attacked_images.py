"""Which images are attacked to be looked at, and what is known of them."""

import pytest
import torch
from torch import nn

from holdfast import ImageSet, Linf, Report
from holdfast.attacks import FGSM, UniformNoise
from holdfast.auditing import Stage
from holdfast.auditing.engine_state import CLEAN, STANDS
from holdfast.errors import BadValue
from holdfast.experiments import picture
from holdfast.experiments.attacked_images import looked_at, pictures_of

from .made_up import CLASSES, made_up


def test_only_images_that_the_network_gets_right_are_shown() -> None:
    model, data = made_up(8, 1)
    shown = picture("FGSM", model, FGSM(Linf(0.1)), data, count=7)
    assert len(shown.images) == 7
    assert model(shown.images).argmax(1).equal(shown.labels)
    assert model(shown.attacked).argmax(1).equal(shown.after)
    assert shown.fooled == int((shown.after != shown.labels).sum()) > 0
    assert float((shown.attacked - shown.images).abs().max()) <= 0.1 + 1e-6


def test_one_of_each_class_comes_first() -> None:
    model, data = made_up(8, 1)
    assert picture("FGSM", model, FGSM(), data, count=3).labels.tolist() == [0, 1, 2]
    assert picture("FGSM", model, FGSM(), data, count=6).labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_the_seed_decides_which_images_and_which_noise() -> None:
    model, data = made_up(8, 1)
    first, again, other = (picture("noise", model, UniformNoise(), data, seed=seed) for seed in (1, 1, 2))
    assert first.attacked.equal(again.attacked)
    assert not first.images.equal(other.images)


def test_fewer_images_than_asked_for_are_fine_and_none_cannot_be_drawn() -> None:
    model, data = made_up(8, 1, count=10)
    assert len(picture("FGSM", model, FGSM(), data, count=100).images) == 5
    wrong = ImageSet(data.images, (model(data.images).argmax(1) + 1) % 3, CLASSES)
    nothing = picture("FGSM", model, FGSM(), wrong)
    assert len(nothing.images) == nothing.fooled == 0
    with pytest.raises(BadValue, match="count"):
        picture("FGSM", model, FGSM(), data, count=0)


def test_the_change_is_amplified_to_the_full_range() -> None:
    model, data = made_up(8, 1)
    shown = picture("FGSM", model, FGSM(Linf(8 / 255)), data)
    assert shown.gain == pytest.approx(255 / 16, rel=1e-3)


FATES = [STANDS] * 5 + [2, 1, 1, 2] + [CLEAN] * 3
MARGINS = [-3.0, -0.1, -2.0, -0.5, -9.0, 0.2, 0.3, 0.9, 0.4, 1.0, 1.0, 1.0]


def test_the_most_fragile_and_the_most_stubborn_are_shown() -> None:
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval(), torch.rand(12, 1, 8, 8)
    data, best = ImageSet(images, model(images).argmax(1), CLASSES), (images + 0.05).clamp_max(1)
    stages = (Stage("clean", 12, 3, 12, 0, 0.1), Stage("sweep", 9, 2, 1200, 240, 0.5), Stage("last", 7, 2, 0, 0, 1))
    report = Report(Linf(0.1), "fast", 4, images, torch.tensor(FATES), stages, margin=torch.tensor(MARGINS), best=best)
    shown = {kind: rows.tolist() for kind, rows in looked_at(report).items()}
    assert shown == {"first to fall": [7, 6, 8, 5], "barely standing": [1, 3, 2], "most stubborn": [4, 0]}
    seen = pictures_of(report, model, data)
    assert torch.equal(seen["first to fall"].images, images[[7, 6, 8, 5]])
    near = seen["barely standing"]
    assert torch.equal(near.attacked, best[[1, 3, 2]])
    assert torch.equal(near.after, model(near.attacked).argmax(1))
    assert torch.equal(near.labels, data.labels[[1, 3, 2]])
