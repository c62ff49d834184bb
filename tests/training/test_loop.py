"""What can go wrong in a run's folder, and what a run chooses."""

import json
import math
import os
import shutil
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from holdfast import Linf, Run, Start, attacks, methods, train
from holdfast.data import CropFlip, load
from holdfast.devices import isolated
from holdfast.errors import BadRecord, BadValue, MissingData, NotWritten, TrainingDiverged, UnknownName
from holdfast.methods import LossMethod, Memory, Method, Update
from holdfast.objectives import cross_entropy
from holdfast.storage import record
from holdfast.storage.files import alone
from holdfast.training.folder import read_run, seconds_of
from holdfast.training.optimizers import SGD, Adam, AdamW
from holdfast.training.schedules import Constant, Cosine, Steps, Triangle
from holdfast.training.state import State
from holdfast.types import Batch, Terms
from tests.limited import file_size

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


def test_metrics_are_written_again_from_the_state(tmp_path: Path) -> None:
    train(BASE, tmp_path)
    told = {name: (tmp_path / name).read_bytes() for name in ("metrics.jsonl", "model.safetensors", "timing.json")}
    for damage in (None, told["metrics.jsonl"] + b'{"epoch": 3, "st', b'{"epoch": 1, "step": 9}\n', b"\xff\n\n\n"):
        for name in told:
            (tmp_path / name).unlink()
        if damage is not None:
            (tmp_path / "metrics.jsonl").write_bytes(damage)
        train(BASE, tmp_path)
        assert told == {name: (tmp_path / name).read_bytes() for name in told}


@pytest.mark.parametrize("name", ["run.json", "last.pt", "model.safetensors"])
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


def test_a_run_killed_before_its_first_state_was_whole_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path, state: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(record, "write_state", killed)
        with pytest.raises(KeyboardInterrupt):
            train(BASE, tmp_path / "run")
    train(BASE, tmp_path / "run")
    train(BASE, tmp_path / "whole")
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("name", ["last.pt", "metrics.jsonl"])
def test_a_pipe_in_the_folder_of_a_run_is_not_waited_for(name: str, tmp_path: Path) -> None:
    record.write_json(tmp_path / "run.json", BASE)
    os.mkfifo(tmp_path / name)
    ended: list[object] = []

    def trained() -> None:
        with suppress(BadRecord):
            train(BASE, tmp_path)
        ended.append(name)

    thread = threading.Thread(target=trained, daemon=True)  # so that one that waits for ever ends with the tests
    thread.start()
    thread.join(20)
    assert ended == [name]


class WithEmpty(nn.Module):
    """A network with a weight of no numbers, as switched-off parts of some networks have."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.off = nn.Linear(2, 2), nn.Parameter(torch.zeros(0))


def test_a_weight_of_no_numbers_is_finite() -> None:
    network = WithEmpty()
    state = State(network, Memory(), {"model": network}, {})
    assert state.finite()
    with torch.no_grad():
        network.linear.weight[0, 0] = math.inf
    assert not state.finite()


def test_a_full_disk_is_one_line_and_with_room_the_run_goes_on(tmp_path: Path) -> None:
    train(BASE, tmp_path / "whole")
    for size in (100, 10_000):
        with file_size(size), pytest.raises(NotWritten, match=f"{tmp_path}/run/.* cannot be written .*large") as caught:
            train(BASE, tmp_path / "run")
        assert "\n" not in str(caught.value)
    train(BASE, tmp_path / "run")
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


OTHER = replace(BASE, seed=7)


def test_what_another_process_finished_meanwhile_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    begun: list[str] = []

    def tell(done: int, total: int, words: str) -> None:
        if not begun:  # the first run is trained, and the folder of the second is not yet entered
            begun.append(words)
            train(OTHER, tmp_path / "run")

    with pytest.raises(BadRecord, match="holds another run"):
        train(replace(BASE, start=Start(BASE)), tmp_path / "run", tell=tell)
    train(OTHER, tmp_path / "run", tell=lambda *told: pytest.fail("it is finished"))


def test_weights_of_another_run_are_refused(tmp_path: Path) -> None:
    train(BASE, tmp_path / "a")
    train(OTHER, tmp_path / "b")
    shutil.copy(tmp_path / "a" / "model.safetensors", tmp_path / "b" / "model.safetensors")
    with pytest.raises(BadRecord, match=r"b/model\.safetensors was written for another run"):
        train(OTHER, tmp_path / "b")


def test_weights_written_before_they_were_bound_to_a_run_are_read(tmp_path: Path) -> None:
    model = train(BASE, tmp_path)
    record.write_tensors(tmp_path / "model.safetensors", model.state_dict())
    (tmp_path / "run.json").write_text(json.dumps(record.describe(BASE)))
    (tmp_path / "timing.json").write_text('{"train_seconds": 2.5}')
    again = train(BASE, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert seconds_of(tmp_path) == 2.5


def test_the_same_run_in_another_process_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(BASE, tmp_path / "done")
    (tmp_path / "run").mkdir()
    record.write_json(tmp_path / "run" / "run.json", BASE)
    with ExitStack() as other:
        other.enter_context(alone(tmp_path / "run"))
        with pytest.raises(BadRecord, match="another process carries out another run in"):
            train(OTHER, tmp_path / "run")

        def until_it_is_done(folder: Path) -> None:
            shutil.copy(tmp_path / "done" / "model.safetensors", folder)
            other.close()

        monkeypatch.setattr("holdfast.training.loop.wait", until_it_is_done)
        told: list[str] = []
        train(BASE, tmp_path / "run", tell=lambda done, total, words: told.append(words))
    assert told == []


@pytest.mark.parametrize("where", ["networks", "memory", "optimizers", "lines"])
def test_a_state_that_lacks_a_part_is_refused(where: str, tmp_path: Path) -> None:
    train(BASE, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    saved = record.read_state(tmp_path / "last.pt", "")
    del saved[where]
    record.write_state(tmp_path / "last.pt", saved)
    with pytest.raises(BadRecord, match=rf"last\.pt does not hold this run's state .*{where}"):
        train(BASE, tmp_path)


def test_weights_that_are_nan_are_not_trained_on(tmp_path: Path) -> None:
    train(BASE, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    saved = record.read_state(tmp_path / "last.pt", "")
    next(iter(saved["networks"]["model"].values())).view(-1)[0] = torch.nan
    record.write_state(tmp_path / "last.pt", saved)
    with pytest.raises(BadRecord, match=r"last\.pt holds weights that are NaN"):
        train(BASE, tmp_path)


def test_a_time_that_is_not_said_is_refused(tmp_path: Path) -> None:
    record.write_json(tmp_path / "run.json", BASE)
    for text in ('{"train_secondz": 1}', "[]", '{"train_seconds": 1, "rignature": "0"}', "{"):
        (tmp_path / "timing.json").write_text(text)
        with pytest.raises(BadRecord, match=r"timing\.json"):
            seconds_of(tmp_path)
    record.write_json(tmp_path / "timing.json", {"run": record.name_of_fields(OTHER), "train_seconds": 1.0})
    with pytest.raises(BadRecord, match=r"timing\.json does not say how long this run trained"):
        seconds_of(tmp_path)


def test_a_divergence_of_another_run_or_without_words_is_refused(tmp_path: Path) -> None:
    for number, said in enumerate(({"run": "another", "words": "it diverged"}, {})):
        record.write_json(tmp_path / str(number) / "diverged.json", said)
        with pytest.raises(BadRecord, match=r"diverged\.json"):
            train(BASE, tmp_path / str(number))


def test_a_link_that_leads_nowhere_is_no_unfinished_run(tmp_path: Path) -> None:
    train(BASE, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors").symlink_to("nowhere")
    with pytest.raises(BadRecord, match=r"model\.safetensors is damaged \(No such file"):
        train(BASE, tmp_path)


def test_a_run_that_cannot_be_is_named_by_its_file(tmp_path: Path) -> None:
    described = json.dumps(record.describe(BASE)).replace('"epochs": 2', '"epochs": 0')
    (tmp_path / "run.json").write_text(described)  # without a signature, as older versions wrote it
    with pytest.raises(BadRecord, match=r"run\.json cannot be read \(epochs = 0"):
        read_run(tmp_path)


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
    for name in ("npz:~nobody-here/x.npz", "folder:~nobody-here"):
        with pytest.raises(MissingData, match="~nobody-here"):
            train(replace(BASE, data=name), tmp_path / "home")
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
