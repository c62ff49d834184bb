"""Trainings of purifiers: each loss written out plainly, who moves when, what is measured, and what is refused."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast import Linf, Run, models, train
from holdfast.attacks import BIM, PGD, FeatureDistortion, StepLL
from holdfast.errors import BadValue, HoldfastError
from holdfast.methods import (
    AGKDBML,
    EAT,
    NRP,
    Borrowed,
    Denoiser,
    Kurakin,
    Memory,
    Method,
    Pix2Pix,
    SavedImages,
    StaticAT,
)
from holdfast.methods.denoiser import FORMS
from holdfast.methods.pix2pix import SETTINGS
from holdfast.methods.purifier import PurifierMethod, psnr
from holdfast.models import capture
from holdfast.objectives import distance, is_correct
from holdfast.rng import fresh
from holdfast.storage.signed import read_tensors
from holdfast.training.optimizers import SGD
from holdfast.training.state import Updates

from .batches import a_batch
from .resuming import lines

BASE = Run(data="made-up:1x8x8", limit=32, batch=16, epochs=1, optimizer=SGD(lr=0.05))
SOURCE = replace(BASE, model="digits-net")
ATTACK = FeatureDistortion(Linf(16 / 255), steps=2, step_size=0.01)
ALL = [
    Pix2Pix(attack=ATTACK, width=2),
    replace(SETTINGS["A"], attack=ATTACK, width=2, perceptual_weight=2.0, perceptual="norm"),
    NRP(layers=("block2",), attack=ATTACK, width=2),
    Denoiser(attack=ATTACK),
    replace(FORMS["HGD logits"], attack=BIM(Linf(16 / 255), 2, 0.03)),
]
EACH = pytest.mark.parametrize("method", ALL, ids=["Pix2Pix B3", "Pix2Pix L1", "NRP", "HGD pixels", "HGD logits"])


class Moved(Updates):
    """Updates that tell which networks each of them moved."""

    def __call__(self, loss: Tensor, network: str = "model") -> None:
        before = {name: copy.deepcopy(each.state_dict()) for name, each in self.networks.items()}
        super().__call__(loss, network)
        now = {name: dict(each.named_parameters()) for name, each in self.networks.items()}
        moved = [name for name in now if any(not torch.equal(before[name][key], now[name][key]) for key in now[name])]
        self.told.append((network, moved))

    @property
    def told(self) -> list[tuple[str, list[str]]]:
        return self.__dict__.setdefault("_told", [])


def scene(method: PurifierMethod) -> tuple[nn.Module, Memory, nn.Module]:
    """Return a purifier without dropout, the memory of a run, and the classifier in it."""
    torch.manual_seed(0)
    model = models.build("unet-b", (1, 8, 8), 10, width=2, dropout=0.0)
    classifier = models.build("digits-net", (1, 8, 8), 10)
    memory = Memory(source=Borrowed(classifier), **method.judges((1, 8, 8)))
    for network in method.trained(model, memory).values():
        network.requires_grad_(True).train()
        for part in network.modules():
            part.p = 0.0 if isinstance(part, nn.Dropout) else getattr(part, "p", None)  # type: ignore[assignment]
    return model, memory, classifier


def updates(method: PurifierMethod, model: nn.Module, memory: Memory) -> Moved:
    networks = method.trained(model, memory)
    return Moved(networks, {name: torch.optim.SGD(each.parameters(), 0.1) for name, each in networks.items()})


def seen_at(classifier: nn.Module, layer: str, images: Tensor) -> Tensor:
    with capture(classifier, layer) as seen:
        classifier(images)
    return seen[layer]


def far(kind: str, one: Tensor, other: Tensor) -> Tensor:
    """Return the distance of that name, written out."""
    gap = (one - other).flatten(1)
    return {"l1": gap.abs().mean(), "l2": (gap**2).mean(), "norm": (gap**2).sum(1).sqrt().mean()}[kind]


def by_hand(
    method: Any, model: nn.Module, judge: nn.Module | None, classifier: nn.Module, x: Tensor, hit: Tensor
) -> None:
    """Take one step of SGD with a rate of 0.1 on each network, in the order of the paper or of the release."""

    def move(loss: Tensor, network: nn.Module) -> None:
        weights = list(network.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.data -= 0.1 * gradient

    def near(z: Tensor) -> Tensor:
        features = seen_at(classifier, method.layers[0], z), seen_at(classifier, method.layers[0], x)
        return method.pixel_weight * far(method.pixel, z, x) + method.perceptual_weight * far(
            method.perceptual, *features
        )

    z = model(hit)
    if isinstance(method, Pix2Pix):
        assert judge is not None
        real, fake = judge(torch.cat([hit, x], 1)).sigmoid(), judge(torch.cat([hit, z.detach()], 1)).sigmoid()
        move(-(real.log().mean() + (1 - fake).log().mean()) / 2, judge)
        move(-judge(torch.cat([hit, z], 1)).sigmoid().log().mean() + near(z), model)
    elif isinstance(method, NRP):
        assert judge is not None
        real, fake = judge(x).detach(), judge(z)
        ones, zeros = torch.ones_like(real), torch.zeros_like(real)
        bce = F.binary_cross_entropy_with_logits
        fooled = (bce(real - fake.mean(), zeros) + bce(fake - real.mean(), ones)) / 2
        move(5e-3 * fooled + near(z), model)
        real, fake = judge(x), judge(z.detach())
        move((bce(real - fake.mean(), ones) + bce(fake - real.mean(), zeros)) / 2, judge)
    else:
        move(near(z), model)


@EACH
def test_a_step_is_the_one_that_is_written_out(method: PurifierMethod) -> None:
    model, memory, classifier = scene(method)
    batch = a_batch(6)
    judge = next((part for part in method.trained(model, memory).values() if part is not model), None)
    own, theirs = copy.deepcopy(model), copy.deepcopy(judge)
    with fresh(0, 1):
        terms = method.step(model, batch, memory, updates(method, model, memory))
    with fresh(0, 1):
        whole = replace(ATTACK, layers=method.layers) if method.attack == ATTACK else method.attack
        hit = whole(classifier, batch.images, batch.labels)
    by_hand(method, own, theirs, classifier, batch.images, hit)
    assert all(bool(term.isfinite()) for term in terms.values())
    for ours, other in zip(model.parameters(), own.parameters(), strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-6)
    if judge is not None and theirs is not None:
        for ours, other in zip(judge.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "order"), [(ALL[0], ["discriminator", "model"]), (ALL[2], ["model", "critic"]), (ALL[3], ["model"])]
)
def test_the_networks_move_in_turn_and_each_update_moves_one(method: PurifierMethod, order: list[str]) -> None:
    model, memory, classifier = scene(method)
    before = copy.deepcopy(classifier.state_dict())
    update = updates(method, model, memory)
    method.step(model, a_batch(6), memory, update)
    assert update.told == [(name, [name]) for name in order]
    assert all(torch.equal(before[name], kept) for name, kept in classifier.state_dict().items())


@EACH
def test_where_nothing_is_moved_nothing_is_nan(method: PurifierMethod) -> None:
    still = replace(method, attack=replace(method.attack, threat=Linf(0.0)))
    model, memory, _ = scene(still)
    still.step(model, a_batch(6), memory, updates(still, model, memory))
    assert all(bool(weight.isfinite().all()) for weight in model.parameters())


def test_a_share_of_the_batch_is_shown_as_it_is() -> None:
    _, memory, classifier = scene(ALL[0])
    batch = a_batch(8)
    shown = replace(ALL[0], clean_share=0.25).shown(batch, memory)
    assert torch.equal(shown[:2], batch.images[:2])
    assert torch.equal(shown[2:], replace(ATTACK, layers=("block2",))(classifier, batch.images[2:], batch.labels[2:]))


def test_features_are_attacked_by_other_attacks_too_and_labels_on_the_whole_network() -> None:
    _, memory, classifier = scene(ALL[0])
    batch = a_batch(6)
    features = models.Features(classifier, "block2")
    on_features = PGD(Linf(0.1), steps=2, objective=distance)
    found = ALL[0].attacked(on_features, batch.images, batch.labels, memory)
    assert torch.equal(found, on_features(features, batch.images, features(batch.images).detach()))
    on_labels = PGD(Linf(0.1), steps=2)
    found = ALL[0].attacked(on_labels, batch.images, batch.labels, memory)
    assert torch.equal(found, on_labels(classifier, batch.images, batch.labels))


def test_what_is_measured_is_the_classifier_behind_the_purifier() -> None:
    model, memory, classifier = scene(ALL[0])
    model.eval()
    batch, attack = a_batch(12), PGD(Linf(0.1), steps=2)
    found = ALL[0].using((SOURCE,)).measure(model, batch.images, batch.labels, memory, attack)
    hit = model(attack(classifier, batch.images, batch.labels))
    assert torch.equal(found["clean"], is_correct(classifier(model(batch.images)), batch.labels).float())
    assert torch.equal(found["robust"], is_correct(classifier(hit), batch.labels).float())
    torch.testing.assert_close(found["psnr"], -10 * (hit - batch.images).square().mean((1, 2, 3)).log10())
    assert torch.equal(psnr(hit, hit), torch.full((12,), 100.0))


def test_a_run_of_two_networks_and_its_measures_are_written_down(tmp_path: Path) -> None:
    method = ALL[0].using((SOURCE,))
    run = replace(BASE, method=method, model="unet-b", options=(("width", 2),), limit=48, held_out=16)
    purifier = train(run, tmp_path / "run")
    assert purifier(torch.rand(2, 1, 8, 8)).shape == (2, 1, 8, 8)
    for name in ("held_out_clean", "held_out_robust", "held_out_psnr", "discriminator", "adversarial", "perceptual"):
        assert name in lines(tmp_path / "run")[0]


def test_magnet_needs_no_classifier(tmp_path: Path) -> None:
    run = replace(BASE, method=FORMS["MagNet"], model="magnet-autoencoder", limit=48, held_out=16)
    train(run, tmp_path)
    assert "held_out_psnr" in lines(tmp_path)[0]
    assert "held_out_robust" not in lines(tmp_path)[0]


PURIFIER = {"model": "unet-b", "options": (("width", 2),)}
OF_IMAGES = replace(BASE, method=FORMS["MagNet"], **PURIFIER)
ANSWERS_IMAGES = r"'the classifier that is used' answers two images with shape \(2, 1, 8, 8\), not \(2, 10\)"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: replace(BASE, method=Pix2Pix(), **PURIFIER),
            "Pix2Pix needs the run of a classifier: source, or --others",
        ),
        (lambda: replace(BASE, method=StaticAT()), "StaticAT needs the run of a classifier"),
        (lambda: replace(BASE, method=EAT(itself=False)), "EAT attacks no network"),
        (lambda: replace(BASE, method=Pix2Pix(SOURCE)), "trains networks that answer images, and 'digits-net' answers"),
        (lambda: replace(BASE, method=NRP(SOURCE), **PURIFIER), "no layer is called 'block3'"),
        (lambda: replace(BASE, method=Pix2Pix(OF_IMAGES), **PURIFIER), ANSWERS_IMAGES),
        (lambda: replace(BASE, method=EAT((OF_IMAGES,))), ANSWERS_IMAGES),
        (lambda: replace(BASE, method=StaticAT(OF_IMAGES)), ANSWERS_IMAGES),
        (lambda: replace(BASE, method=AGKDBML(teacher=OF_IMAGES)), ANSWERS_IMAGES),
        (lambda: replace(BASE, method=Kurakin((StepLL(), SavedImages(OF_IMAGES)))), ANSWERS_IMAGES),
        (lambda: Pix2Pix().using((SOURCE, SOURCE)), "Pix2Pix uses one classifier, and 2 runs are given"),
        (lambda: StaticAT().using(()), "StaticAT attacks one network, and 0 runs are given"),
        (lambda: Pix2Pix(layers=()), "Pix2Pix: layers = "),
        (lambda: Denoiser(pixel_weight=0.0), "there is nothing to learn"),
        (lambda: NRP(pixel_weight=-1.0), "NRP: pixel_weight = -1.0, not 0 or more"),
    ],
)
def test_mistakes_are_one_line(make: Callable[[], Run | Method], words: str, tmp_path: Path) -> None:
    def made() -> None:
        run = make()
        assert isinstance(run, Run)
        train(run, tmp_path / "run")

    with pytest.raises(HoldfastError, match=words) as caught:
        made()
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("bank-*"))


def test_static_at_is_eat_without_the_network_in_training(tmp_path: Path) -> None:
    attack = BIM(Linf(0.1), 2, 0.05)
    ends = []
    for name, method in {
        "static": StaticAT(SOURCE, attack),
        "eat": EAT((SOURCE,), attack, labels="true", itself=False),
    }.items():
        train(replace(BASE, method=method, seed=3), tmp_path / name)
        ends.append(read_tensors(tmp_path / name / "model.safetensors", ""))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_clean_images_at_the_same_places_of_the_same_batches_are_refused() -> None:
    with pytest.raises(BadValue, match="Denoiser treats images by their places in a batch"):
        replace(BASE, method=Denoiser(attack=ATTACK, clean_share=0.5), order="stored")
    assert replace(BASE, method=Denoiser(attack=ATTACK), order="stored").order == "stored"


@pytest.mark.parametrize(("share", "clean"), [(0.02, 0), (0.98, 16)])
def test_a_batch_too_small_for_its_share_of_clean_images_is_refused(share: float, clean: int) -> None:
    with pytest.raises(BadValue, match=f"clean_share = {share} of the largest batch, of 16 images, is {clean}"):
        replace(BASE, method=Denoiser(attack=ATTACK, clean_share=share))
