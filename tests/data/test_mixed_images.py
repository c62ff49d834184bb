"""CutMix and RandAugment: what they do to an image depends on the image, the epoch and the seed alone."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision.transforms import v2

from holdfast import Run, models, train
from holdfast.cli.compose import chosen_run
from holdfast.data import Augmentation, CropFlip, CutMix, RandAugment, made_up_images
from holdfast.data.cut_mix import window
from holdfast.errors import BadValue
from holdfast.methods import AT, AWP, SML, TRADES, Guarded, Memory, Method, SIMAdv, Standard
from holdfast.training.folder import read_run
from tests.methods.resuming import stop_and_resume
from tests.training.moment import BASE

DATA = made_up_images((3, 8, 8), "train")
ONE_STEP = replace(TRADES().attack, steps=1)
STILL = CropFlip(pad=0, flip=False)
RUN = replace(BASE, data="made-up:3x8x8", options=(("width", 4),))
BOTH: list[Augmentation] = [CutMix(CropFlip(1)), RandAugment(CropFlip(1))]


@pytest.mark.parametrize("augment", BOTH, ids=["CutMix", "RandAugment"])
def test_neither_the_batch_nor_torchs_own_generator_matters(augment: Augmentation) -> None:
    index = torch.tensor([5, 200, 7, 31])
    torch.manual_seed(3)
    state = torch.get_rng_state()
    whole = augment.batch(DATA, index, 11)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    parts = [augment.batch(DATA, index[place : place + 1], 11) for place in range(4)]
    assert torch.equal(whole.images, torch.cat([part.images for part in parts]))
    assert torch.equal(whole.labels, DATA.labels[index])
    assert not torch.equal(whole.images, augment.batch(DATA, index, 12).images)
    assert not torch.equal(whole.images, DATA.take(index))
    assert augment.center(whole.images).equal(whole.images)


def test_each_image_of_cut_mix_is_its_own_outside_and_anothers_inside() -> None:
    index = torch.arange(256)
    batch = CutMix(STILL).batch(DATA, index, 0)
    assert batch.mixture is not None
    assert batch.view is None
    same = (batch.images == DATA.take(index)).all(1)
    # Pixels of two images differ nearly everywhere, so what is not one's own is what the share says.
    assert torch.allclose(1 - same.float().mean((1, 2)), batch.mixture.share, atol=0.05)
    assert 0.2 < float(batch.mixture.share.mean()) < 0.45
    other = CutMix(STILL).batch(replace(DATA, labels=DATA.labels.flip(0)), index, 0)
    assert torch.equal(other.images, batch.images)
    assert not torch.equal(other.mixture.labels, batch.mixture.labels)


def test_windows_are_torchvisions(monkeypatch: pytest.MonkeyPatch) -> None:
    mix = v2.CutMix(num_classes=3)
    images = torch.zeros(2, 3, 9, 12)
    for lam, x, y in ((0.05, 0.5, 0.5), (0.3, 0.0, 0.99), (0.7, 0.9, 0.2), (0.99, 0.4, 0.4)):
        drawn = iter([torch.tensor([math.floor(x * 12)]), torch.tensor([math.floor(y * 9)])])
        monkeypatch.setattr(torch, "randint", lambda *args, drawn=drawn, **words: next(drawn))
        monkeypatch.setattr(mix, "_dist", torch.distributions.Uniform(lam, lam + 1e-6))
        left, top, right, bottom = mix.make_params([images])["box"]
        ours = window(torch.tensor([[lam, x, y]]), (9, 12))[0]
        wanted = torch.zeros(9, 12, dtype=torch.bool)
        wanted[top:bottom, left:right] = True
        assert torch.equal(ours, wanted)


def test_rand_augment_is_torchvisions_and_none_of_it_is_rounding() -> None:
    index = torch.arange(64)
    batch = RandAugment(STILL, 1, 9).batch(DATA, index, 0)
    bytes_ = (batch.images * 255).round() / 255
    assert torch.allclose(batch.images, bytes_, atol=1e-6)
    rounded = (DATA.take(index) * 255).round() / 255
    kept = (batch.images - rounded).abs().flatten(1).amax(1) < 1e-6
    assert 0 < int(kept.sum()) < 32  # the identity is one of fourteen operations, and some others change little
    assert torch.equal(RandAugment(STILL, 1, 0).batch(DATA, index, 0).labels, DATA.labels[index])


def test_rand_augment_leaves_the_generators_of_other_devices_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    RandAugment(STILL, 1, 9).batch(DATA, torch.arange(2), 0)
    assert seeded == []


@pytest.mark.parametrize("method", [Standard(), TRADES(ONE_STEP, smoothing=0.1)], ids=["Standard", "TRADES"])
def test_the_loss_of_two_labels_is_that_of_their_mean(method: Method) -> None:
    torch.manual_seed(0)
    model = models.build("digits-net", (3, 8, 8), 10)
    batch = CutMix(STILL).batch(DATA, torch.arange(16), 0)
    assert batch.mixture is not None
    share = batch.mixture.share[:, None]
    one, two = (torch.nn.functional.one_hot(labels, 10).float() for labels in (batch.labels, batch.mixture.labels))
    smoothing = getattr(method, "smoothing", 0.0)
    soft = (1 - share) * one + share * two
    wanted = torch.nn.functional.cross_entropy(model(batch.images), soft, label_smoothing=smoothing)
    found = method.loss(model, batch, Memory())["clean"]
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize("augment", BOTH, ids=["CutMix", "RandAugment"])
def test_stopped_and_resumed_is_bit_identical(
    augment: Augmentation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = replace(RUN, augment=augment)
    stop_and_resume(run, 5, tmp_path, monkeypatch)
    assert read_run(tmp_path / "broken") == run


@pytest.mark.parametrize(
    ("method", "augment", "words"),
    [
        (AT(), CutMix(), "CutMix gives images two labels, and AT takes one"),
        (AWP(AT()), CutMix(), "and AT takes one"),
        (Guarded(), CutMix(), "and Guarded takes one"),
        (SIMAdv(), RandAugment(), "SIMAdv follows each picture through crops and flips alone, not RandAugment"),
        (SML(), RandAugment(), "draws more images than its batch follows each picture through crops and flips alone"),
    ],
    ids=["AT", "AWP", "Guarded", "SIMAdv", "SML"],
)
def test_methods_that_cannot_take_it_refuse(method: Method, augment: Augmentation, words: str, tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=words):
        train(replace(RUN, method=method, augment=augment), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_awp_around_trades_takes_two_labels(tmp_path: Path) -> None:
    method = AWP(TRADES(ONE_STEP))
    train(replace(RUN, method=method, augment=CutMix(), epochs=None, steps=1), tmp_path)


def test_the_command_line_names_them() -> None:
    assert chosen_run("TRADES", ["--augment", "cut-mix"]).augment == CutMix()
    assert chosen_run("AT", ["--augment", "RandAugment"]).augment == RandAugment()
    assert Run(augment=RandAugment(CropFlip(0, 6))).augment.size == 6


def test_fields_out_of_range_are_refused() -> None:
    with pytest.raises(BadValue, match=r"RandAugment: magnitude = 31, not in \[0, 30\]"):
        RandAugment(magnitude=31)
    with pytest.raises(BadValue, match=r"TRADES: smoothing = 1.0, not in \[0, 1\)"):
        TRADES(smoothing=1.0)
