"""What can go wrong in a run's folder, and what a run chooses."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from holdfast import Linf, Run, attacks, methods, record, train
from holdfast.data import CropFlip, load
from holdfast.errors import BadRecord, BadValue, TrainingDiverged, UnknownName
from holdfast.methods import LossMethod, Memory, Method, Update
from holdfast.objectives import cross_entropy
from holdfast.optimization import SGD, Adam, AdamW, Constant, Cosine, Steps, Triangle
from holdfast.run import isolated, seconds_of
from holdfast.types import Batch, Terms

BASE = Run(epochs=2, batch=16, limit=64, optimizer=SGD(lr=0.05), data="made-up:1x8x8")


@dataclass(frozen=True)
class BreaksAt(LossMethod):
    """A method whose loss is NaN from one step on."""

    step_of_nan: int = 3

    def remember(self, model: nn.Module, train_set: object, finished: object) -> Memory:
        return Memory(steps=torch.zeros(()))

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        memory.steps += 1
        nan = torch.where(memory.steps >= self.step_of_nan, torch.nan, 1.0)
        return {"loss": model(batch.images).square().mean() * nan}


def test_nan_stops_the_run_with_its_step_and_the_last_good_state(tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match=r"NaN or infinite at step 3; no state had been saved"):
        train(replace(BASE, method=BreaksAt(3)), tmp_path / "early")
    with pytest.raises(TrainingDiverged, match=r"at step 6; .*last\.pt holds the last good state"):
        train(replace(BASE, method=BreaksAt(6)), tmp_path / "late")
    saved = record.read_state(tmp_path / "late" / "last.pt", "")
    assert saved["step"] == 4
    assert all(bool(tensor.isfinite().all()) for tensor in saved["networks"]["model"].values())
    assert not (tmp_path / "late" / "model.safetensors").exists()


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    run = replace(BASE, epochs=1, batch=64, optimizer=SGD(lr=1e38, weight_decay=1e4))
    with pytest.raises(TrainingDiverged, match="a weight became NaN or infinite by step 1"):
        train(run, tmp_path)
    assert not (tmp_path / "last.pt").exists()
    assert not (tmp_path / "model.safetensors").exists()


@dataclass(frozen=True)
class Twice(Method):
    """A method that steps and then uses the new weights."""

    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        before = cross_entropy(model(batch.images), batch.labels).mean()
        update(before)
        return {"before": before, "after": cross_entropy(model(batch.images), batch.labels).mean()}


def test_bfloat16_sees_the_weights_that_a_step_has_just_moved(tmp_path: Path) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        run = replace(BASE, method=Twice(), epochs=1, batch=64, optimizer=SGD(lr=0.1), precision=precision)
        train(run, tmp_path / precision)
        told = json.loads((tmp_path / precision / "metrics.jsonl").read_text())
        losses[precision] = told["after"] - told["before"]
    assert abs(losses["float32"]) > 0.02
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.3)


def test_other_images_under_the_same_name_are_noticed(tmp_path: Path) -> None:
    import numpy as np

    def write(seed: int) -> None:
        generator = np.random.default_rng(seed)
        arrays = {
            f"{split}_images": generator.random((40, 1, 8, 8), dtype=np.float32) for split in ("train", "test")
        } | {f"{split}_labels": np.arange(40) % 10 for split in ("train", "test")}
        np.savez(tmp_path / "own.npz", **arrays)

    run = replace(BASE, data=f"npz:{tmp_path / 'own.npz'}", limit=None)
    write(0)
    train(run, tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    write(1)
    with pytest.raises(BadRecord, match="made from other images"):
        train(run, tmp_path / "run")


def test_a_torn_last_line_costs_nothing(tmp_path: Path) -> None:
    train(BASE, tmp_path)
    told = (tmp_path / "metrics.jsonl").read_text()
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "metrics.jsonl").write_text(told + '{"epoch": 3, "st')
    train(BASE, tmp_path)
    assert (tmp_path / "metrics.jsonl").read_text() == told


def test_convolutions_keep_their_library_and_round_as_float32_does() -> None:
    with isolated(torch.device("cpu")):
        assert torch.backends.cudnn.enabled
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.allow_tf32


def test_a_last_batch_of_one_image_is_refused_where_batch_norm_would_fail(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="leave a last batch of one"):
        train(replace(BASE, limit=33), tmp_path)


def test_a_finished_run_is_read_and_not_trained_again(tmp_path: Path) -> None:
    first = train(BASE, tmp_path)
    told: list[str] = []
    again = train(BASE, tmp_path, tell=lambda done, total, words: told.append(words))
    assert told == []
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_a_folder_of_another_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    train(BASE, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(BadRecord, match=r"holds another run .*seed: 0 there, 1 here.*choose another folder"):
        train(replace(BASE, seed=1), tmp_path)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize("name", ["run.json", "last.pt", "metrics.jsonl", "model.safetensors"])
def test_a_damaged_file_is_named_with_a_remedy_and_nothing_is_overwritten(name: str, tmp_path: Path) -> None:
    train(BASE, tmp_path)
    if name != "model.safetensors":
        (tmp_path / "model.safetensors").unlink()
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2] + b"{")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(BadRecord) as caught:
        train(BASE, tmp_path)
    assert str(tmp_path / name) in str(caught.value)
    assert "delete" in str(caught.value)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize("name", ["run.json", "last.pt"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    train(BASE, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / name).unlink()
    with pytest.raises(BadRecord, match=name.replace(".", r"\.")):
        train(BASE, tmp_path)


def test_selection_keeps_the_best_epoch_on_images_held_out(tmp_path: Path) -> None:
    run = replace(BASE, epochs=4, held_out=16, select=attacks.FGSM(Linf(0.1)), optimizer=SGD(lr=0.3))
    model = train(run, tmp_path)
    scores = [json.loads(line)["held_out_robust"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    held_out = load(run.data, "train", limit=64).split(16, run.seed)[1]
    attacked = attacks.FGSM(Linf(0.1))(model, held_out.take(torch.arange(16)), held_out.labels)
    assert float((model(attacked).argmax(1) == held_out.labels).float().mean()) == max(scores)


def test_images_held_out_are_never_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[bytes] = set()
    own = methods.Standard.loss

    def spy(self: methods.Standard, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        seen.update(image.numpy().tobytes() for image in batch.images)
        return own(self, model, batch, memory)

    monkeypatch.setattr(methods.Standard, "loss", spy)
    train(replace(BASE, held_out=16), tmp_path)
    kept, held_out = load(BASE.data, "train", limit=64).split(16, BASE.seed)
    assert seen == {image.numpy().tobytes() for image in kept.take(torch.arange(48))}
    assert not seen & {image.numpy().tobytes() for image in held_out.take(torch.arange(16))}


def test_augmentation_and_bfloat16_train(tmp_path: Path) -> None:
    run = replace(BASE, augment=CropFlip(pad=1), precision="bfloat16", method=methods.AT())
    assert all(weight.dtype == torch.float32 for weight in train(run, tmp_path).parameters())


def test_crops_smaller_than_the_image_size_the_network(tmp_path: Path) -> None:
    run = replace(BASE, data="made-up:3x32x32", model="cifar-resnet-20", augment=CropFlip(0, 24), limit=32, epochs=1)
    assert train(run, tmp_path)(torch.rand(1, 3, 24, 24)).shape == (1, 10)


def test_training_time_adds_up_over_sittings(tmp_path: Path) -> None:
    train(BASE, tmp_path)
    assert 0 < seconds_of(tmp_path) < 60


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"batch": 0}, "batch = 0"),
        ({"precision": "float16"}, "float16"),
        ({"held_out": -1}, "held_out = -1"),
        ({"select": attacks.FGSM()}, "give held_out"),
    ],
)
def test_fields_out_of_range_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises((BadValue, TypeError), match=words):
        Run(**fields)  # type: ignore[arg-type]


def test_wrong_names_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'digits-net'"):
        train(replace(BASE, model="digit-net"), tmp_path / "model")
    with pytest.raises(UnknownName, match="did you mean 'digits'"):
        train(replace(BASE, data="digit"), tmp_path / "data")
    assert not list(tmp_path.iterdir())


def test_schedules() -> None:
    assert [Steps((2, 4)).factor(epoch, 6) for epoch in (0, 1.9, 2, 4)] == pytest.approx([1, 1, 0.1, 0.01])
    assert [Triangle(0.5).factor(epoch, 4) for epoch in (0, 1, 2, 3, 4)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert [Cosine().factor(epoch, 4) for epoch in (0, 2, 4)] == pytest.approx([1, 0.5, 0])
    assert Constant().factor(3, 4) == 1


@pytest.mark.parametrize("optimizer", [SGD(lr=0.01), Adam(), AdamW()], ids=record.brief)
def test_every_optimizer_trains(optimizer: SGD, tmp_path: Path) -> None:
    train(replace(BASE, optimizer=optimizer, epochs=6), tmp_path)
    losses = [json.loads(line)["clean"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]
