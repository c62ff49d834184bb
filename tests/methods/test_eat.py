"""Ensemble adversarial training: whom it attacks, away from what, and that the others stay as they are."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from holdfast import Linf, Run, models, train
from holdfast.attacks import FGSM
from holdfast.data import made_up_images
from holdfast.methods import EAT, Memory, MixedAT
from holdfast.rng import fresh
from holdfast.storage.fingerprint import fingerprint, name_of_tensors
from holdfast.storage.signed import read_state, read_tensors
from holdfast.training.optimizers import SGD
from holdfast.types import Batch

from .single_steps import Recorder

THREAT = Linf(0.1)
BASE = Run(data="made-up:1x8x8", limit=32, batch=16, epochs=2, optimizer=SGD(lr=0.05))


def weights(folder: Path) -> dict[str, Tensor]:
    return read_tensors(folder / "model.safetensors", "")


def networks(count: int) -> list[nn.Module]:
    return [models.build("digits-net", (1, 8, 8), 10).eval() for _ in range(count)]


def batch_of(count: int) -> Batch:
    data = made_up_images((1, 8, 8), "train").subset(torch.arange(count))
    return Batch(data.take(torch.arange(count)), (data.labels + 1) % 10, torch.arange(count))


def test_each_network_is_drawn_as_often_and_the_step_decides_which() -> None:
    model, *static = (Recorder(each) for each in networks(3))
    memory = Memory(static=nn.ModuleList(static))
    batch = batch_of(2)
    drawn = []
    for step in range(90):
        for each in (model, *static):
            each.shown.clear()
        with fresh(0, step):
            EAT(attack=FGSM(THREAT)).loss(model, batch, memory)
        # The model passes attacked and clean images in any case, and twice more where it is attacked itself.
        drawn.append(next((place for place, each in enumerate(static, 1) if each.shown), 0))
        assert len(model.shown) == (4 if drawn[-1] == 0 else 2)
    assert all(15 < drawn.count(place) < 45 for place in range(3))
    with fresh(0, 7):
        EAT(attack=FGSM(THREAT)).loss(model, batch, memory)


def test_the_attack_leaves_the_answer_of_the_network_that_is_attacked() -> None:
    model, static = Recorder(networks(1)[0]), networks(1)[0]
    memory, batch = Memory(static=nn.ModuleList([static])), batch_of(6)
    for step in range(20):
        model.shown.clear()
        with fresh(0, step):
            EAT(attack=FGSM(THREAT)).loss(model, batch, memory)
        if len(model.shown) == 2:
            break
    answered = static(batch.images).argmax(1)
    assert torch.equal(model.shown[0], FGSM(THREAT)(static, batch.images, answered))
    assert not torch.equal(model.shown[0], FGSM(THREAT)(static, batch.images, batch.labels))


def test_without_sources_it_is_fgsm_adv(tmp_path: Path) -> None:
    train(replace(BASE, method=EAT(attack=FGSM(THREAT), labels="true")), tmp_path / "eat")
    train(replace(BASE, method=MixedAT(FGSM(THREAT))), tmp_path / "mixed")
    first, second = weights(tmp_path / "eat"), weights(tmp_path / "mixed")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_runs_it_names_are_trained_first_and_stay_as_they_are(tmp_path: Path) -> None:
    source = replace(BASE, seed=5)
    run = replace(BASE, method=EAT((source,), FGSM(THREAT)))
    train(run, tmp_path / "runs" / fingerprint(run))
    there = weights(tmp_path / "runs" / fingerprint(source))
    saved = read_state(tmp_path / "runs" / fingerprint(run) / "last.pt", "")
    assert saved["memory"] == {}  # they are named, not written down again
    assert saved["origins"] == {fingerprint(source): name_of_tensors(there)}
