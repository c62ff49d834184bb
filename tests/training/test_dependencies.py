"""Runs measured in batches, runs that begin at the end of another, and methods that name other runs."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from holdfast import CropFlip, ImageSet, Run, Start, train
from holdfast.errors import BadRecord, BadValue
from holdfast.methods import AT, AWP, Finished, Guarded, LossMethod, Memory, Origin, Standard
from holdfast.objectives import cross_entropy, divergence
from holdfast.storage.describe import describe, restore
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.signed import read_state, read_tensors, write_json, write_tensors
from holdfast.training.averages import SWA
from holdfast.training.dependencies import origins, seeded, with_origins
from holdfast.training.optimizers import SGD, Adam
from holdfast.training.run import build
from holdfast.training.schedules import Levels, Schedule, Steps
from holdfast.training.setup import check_mean
from holdfast.training.supply import supplied
from holdfast.types import Batch, Terms

BASE = Run(epochs=2, batch=16, limit=40, optimizer=SGD(lr=0.05), data="made-up:1x8x8")
"""Three batches an epoch, the last of them smaller."""
COUNTED = replace(BASE, epochs=None, steps=4)


@dataclass(frozen=True)
class Taught(LossMethod):
    """Cross-entropy, and the divergence from the answers of another run's network."""

    teacher: Origin = BASE

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        return Memory(teacher=finished.network(self.teacher))

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        logits = model(batch.images)
        taught = divergence(logits, memory.teacher(batch.images))
        return {"clean": cross_entropy(logits, batch.labels).mean(), "taught": taught.mean()}


@dataclass(frozen=True)
class Looks(LossMethod):
    """A method that only asks for what others have left."""

    run: Origin = BASE

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        middle = finished.seen(self.run, train_set.take(torch.arange(2)))
        assert (finished.folder(self.run) / "model.safetensors").exists()
        assert not finished.network(self.run).training
        return Memory(middle=middle)

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        return {"clean": cross_entropy(model(batch.images), batch.labels).mean()}


@dataclass(frozen=True)
class Hiding(LossMethod):
    """A method that asks for a run that it does not name."""

    run: Origin = BASE

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        return Memory(other=finished.network(COUNTED))

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        return {"clean": cross_entropy(model(batch.images), batch.labels).mean()}


@dataclass(frozen=True)
class Remembers(LossMethod):
    """A method that keeps the weights that it begins with."""

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        return Memory(begun=next(model.parameters()).detach().clone())

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        return {"clean": cross_entropy(model(batch.images), batch.labels).mean()}


@dataclass(frozen=True)
class Told(Schedule):
    """A schedule that writes down when it was asked."""

    def factor(self, epoch: float, epochs: float) -> float:
        """Keep the moment."""
        MOMENTS.append((epoch, epochs))
        return 1.0


MOMENTS: list[tuple[float, float]] = []


def weights(folder: Path) -> dict[str, Tensor]:
    return read_tensors(folder / "model.safetensors", "")


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return all(torch.equal(first[name], second[name]) for name in first)


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_measured_in_batches_ends_at_its_batch(tmp_path: Path) -> None:
    MOMENTS.clear()
    train(replace(COUNTED, schedule=Told()), tmp_path)
    assert [(line["epoch"], line["step"]) for line in lines(tmp_path)] == [(1, 3), (2, 4)]
    assert [(step, 4) for step in range(4)] == MOMENTS


def test_batches_and_epochs_are_the_same_training(tmp_path: Path) -> None:
    train(replace(BASE, schedule=Steps((1,))), tmp_path / "epochs")
    train(replace(COUNTED, steps=6, schedule=Steps((3,))), tmp_path / "steps")
    assert same(tmp_path / "epochs", tmp_path / "steps")
    assert lines(tmp_path / "epochs") == lines(tmp_path / "steps")


def test_a_line_is_the_mean_over_the_steps_of_its_epoch(tmp_path: Path) -> None:
    train(replace(COUNTED, steps=6), tmp_path / "whole")
    train(replace(COUNTED, steps=4), tmp_path / "part")
    train(replace(COUNTED, steps=6, batch=40, optimizer=SGD(lr=0.0)), tmp_path / "still")
    assert lines(tmp_path / "whole")[0] == lines(tmp_path / "part")[0]
    assert lines(tmp_path / "part")[1]["clean"] != lines(tmp_path / "whole")[1]["clean"]
    assert len({line["clean"] for line in lines(tmp_path / "still")}) <= 2  # summed in other orders


@pytest.mark.parametrize("length", [{"epochs": 2, "steps": 2}, {"epochs": None}, {"epochs": None, "steps": 0}])
def test_exactly_one_length_counts(length: dict[str, int | None]) -> None:
    with pytest.raises(BadValue, match=r"epochs or steps|steps = 0, not 1 or more"):
        replace(BASE, **length)  # type: ignore[arg-type]


def test_names_from_before_these_fields_stay_valid() -> None:
    assert fingerprint(Run()) == "00e4947d041b"
    assert "steps" not in describe(Run())  # type: ignore[operator]
    assert describe(COUNTED)["steps"] == 4  # type: ignore[index, call-overload]


@pytest.mark.parametrize("at", [1, 3, 5])
def test_a_run_in_batches_stopped_and_resumed_is_bit_identical(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = replace(COUNTED, steps=2, seed=5)
    run = replace(COUNTED, steps=7, start=Start(first, "position"))
    train(run, tmp_path / "straight")
    monkeypatch.setattr("holdfast.training.loop.SAVE_EVERY", 0.0)

    def cut(done: int, total: int, words: str) -> None:
        if total == 7 and done == at and not words:
            raise InterruptedError

    if at > 2:
        with pytest.raises(InterruptedError):
            train(run, tmp_path / "broken", tell=cut)
    train(run, tmp_path / "broken")
    assert same(tmp_path / "straight", tmp_path / "broken")
    assert lines(tmp_path / "straight") == lines(tmp_path / "broken")


def test_a_run_in_batches_stopped_at_its_end_writes_its_last_part_of_an_epoch_once(tmp_path: Path) -> None:
    train(COUNTED, tmp_path)
    told = lines(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    train(COUNTED, tmp_path)
    assert lines(tmp_path) == told
    assert [line["step"] for line in told] == [3, 4]


def test_what_is_missing_is_trained_first_and_once(tmp_path: Path) -> None:
    first = replace(BASE, seed=1)
    teacher = replace(BASE, seed=2, start=Start(first))
    run = replace(BASE, method=Taught(teacher), start=Start(first))
    told: list[str] = []
    train(run, tmp_path / "mine", tell=lambda done, total, words: told.append(words))
    assert told.count("started") == 3
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"mine", fingerprint(first), fingerprint(teacher)}
    told.clear()
    train(replace(run, seed=3), tmp_path / "other", tell=lambda done, total, words: told.append(words))
    assert told.count("started") == 1
    alone = train(teacher, tmp_path / "alone" / "teacher")
    ours = weights(tmp_path / fingerprint(teacher))
    assert all(torch.equal(tensor, ours[name]) for name, tensor in alone.state_dict().items())


def test_beginning_with_weights_means_those_weights_and_a_new_optimizer(tmp_path: Path) -> None:
    first = replace(BASE, seed=1)
    run = replace(COUNTED, steps=1, optimizer=SGD(lr=0.0, momentum=0.0), start=Start(first))
    model = train(run, tmp_path / "run")
    begun = weights(tmp_path / fingerprint(first))
    assert all(torch.equal(weight, begun[name]) for name, weight in model.named_parameters())


def test_what_a_method_remembers_is_where_the_run_begins(tmp_path: Path) -> None:
    model = train(COUNTED, tmp_path / "first")
    train(replace(BASE, method=Remembers(), start=Start(COUNTED)), tmp_path / "run")
    begun = read_state(tmp_path / "run" / "last.pt", "")["memory"]["begun"]
    assert torch.equal(begun, next(model.parameters()))


def test_going_on_from_a_position_is_as_if_never_stopped(tmp_path: Path) -> None:
    schedule = Levels((2, 5), (0.1, 1.0, 0.2))
    first = replace(COUNTED, steps=4, schedule=schedule)
    train(replace(first, steps=7), tmp_path / "straight")
    train(replace(first, steps=7, start=Start(first, "position")), tmp_path / "on")
    assert same(tmp_path / "straight", tmp_path / "on")
    assert [line["step"] for line in lines(tmp_path / "on")] == [6, 7]


def test_the_optimizer_goes_on_where_the_position_does_not(tmp_path: Path) -> None:
    first = replace(COUNTED, steps=3)
    still = {"steps": 1, "optimizer": SGD(lr=0.05, weight_decay=0.0), "batch": 40}
    moved = {}
    for takes in ("weights", "optimizer"):
        train(replace(COUNTED, start=Start(first, takes), **still), tmp_path / takes)  # type: ignore[arg-type]
        begun = weights(tmp_path / fingerprint(first))
        moved[takes] = {name: begun[name] - now for name, now in weights(tmp_path / takes).items()}
    last = read_state(tmp_path / fingerprint(first) / "last.pt", "")
    buffers = [state["momentum_buffer"] for state in last["optimizers"]["model"]["state"].values()]
    names = [name for name, _ in build(COUNTED, (1, 8, 8), 10).named_parameters()]
    for name, buffer in zip(names, buffers, strict=True):
        assert torch.allclose(moved["optimizer"][name] - moved["weights"][name], 0.05 * 0.9 * buffer, atol=1e-6)


def test_a_run_longer_than_what_it_takes_over_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="at step 4 of another run and ends at step 3"):
        train(replace(COUNTED, steps=3, start=Start(COUNTED, "position")), tmp_path / "run")


def test_a_run_that_would_take_no_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="at step 4 of another run and ends at step 4: give more than 4"):
        train(replace(COUNTED, start=Start(COUNTED, "position")), tmp_path / "run")


def test_another_kind_of_optimizer_cannot_be_taken_over(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="what Adam and SGD keep cannot be exchanged"):
        train(replace(COUNTED, optimizer=Adam(), start=Start(COUNTED, "optimizer")), tmp_path / "run")


def test_an_optimizer_that_decays_other_weights_cannot_be_taken_over(tmp_path: Path) -> None:
    kernels = replace(COUNTED, optimizer=SGD(lr=0.05, decayed="kernels"), start=Start(COUNTED, "optimizer"))
    with pytest.raises(BadValue, match=r"decayed: 'all' and 'kernels'.*: take the weights alone"):
        train(kernels, tmp_path / "run")


def test_a_mean_over_epochs_that_were_passed_before_is_refused(tmp_path: Path) -> None:
    begun = replace(BASE, epochs=4, limit=16, start=Start(replace(BASE, epochs=3, limit=16), "position"))
    words = r"after the first 2, and 3 were passed by another run: give SWA a later start, or begin earlier"
    with pytest.raises(BadValue, match=words):
        train(replace(begun, average=SWA(0.5)), tmp_path / "late")
    later = replace(begun, average=SWA(0.75))
    check_mean(later, 3, supplied(later, None, False))


@pytest.mark.parametrize("method", [AWP(warm_up=1), Guarded(AWP(warm_up=1), AT().attack)], ids=["AWP", "Guarded"])
def test_a_warm_up_does_not_begin_anew_at_a_position(method: AWP | Guarded) -> None:
    with pytest.raises(BadValue, match="the warm-up of AWP would begin anew"):
        replace(BASE, method=method, start=Start(COUNTED, "position"))
    assert replace(BASE, method=method, start=Start(COUNTED, "optimizer")).method == method
    assert replace(BASE, method=AWP(), start=Start(COUNTED, "position")).method == AWP()


def test_a_damaged_or_changed_origin_is_refused(tmp_path: Path) -> None:
    run = replace(BASE, method=Taught(COUNTED))
    origin = tmp_path / fingerprint(COUNTED)
    train(run, tmp_path / "whole")
    before = (origin / "model.safetensors").read_bytes()
    (origin / "model.safetensors").write_bytes(
        before[:-1000] + b"\x00\x00\x80\x3f" + before[-996:]
    )  # one weight becomes 1
    with pytest.raises(BadRecord, match="was changed since it was written: delete"):
        train(run, tmp_path / "damaged")
    (origin / "model.safetensors").write_bytes(before)
    write_json(origin / "run.json", replace(COUNTED, steps=5))
    with pytest.raises(BadRecord, match=r"holds another run \(steps: 5 there, 4 here\)"):
        train(run, tmp_path / "foreign")


def test_an_origin_trained_anew_to_other_weights_is_noticed(tmp_path: Path) -> None:
    run = replace(BASE, method=Taught(COUNTED))
    origin = tmp_path / fingerprint(COUNTED)
    train(run, tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    other = {name: tensor + 1 for name, tensor in weights(origin).items()}
    write_tensors(origin / "model.safetensors", other)
    with pytest.raises(BadRecord, match=r"was retrained since .*run started; delete"):
        train(run, tmp_path / "run")


def test_what_a_method_may_ask_of_finished_runs(tmp_path: Path) -> None:
    cut = replace(BASE, augment=CropFlip(pad=0, size=6))
    run = replace(cut, method=Looks(cut))
    train(run, tmp_path / "run")
    saved = read_state(tmp_path / "run" / "last.pt", "")["memory"]
    whole = made(run).take(torch.arange(2))
    assert torch.equal(saved["middle"], whole[:, :, 1:7, 1:7])
    with pytest.raises(BadValue, match="only runs that are among its fields"):
        train(replace(cut, method=Hiding(cut)), tmp_path / "hidden")


def made(run: Run) -> ImageSet:
    from holdfast import load

    return load(run.data, "train", limit=run.limit)


def test_origins_are_found_changed_and_seeded_wherever_they_are() -> None:
    first, teacher = replace(BASE, seed=1), replace(BASE, seed=2)
    run = replace(BASE, method=Taught(replace(teacher, start=Start(first))), start=Start(first))
    assert set(origins(run)) == {replace(teacher, start=Start(first)), first}
    assert origins(BASE) == ()
    shifted = seeded(run, 10)
    assert {each.seed for each in origins(shifted)} == {11, 12}
    assert {each.seed for origin in origins(shifted) for each in origins(origin)} == {11}
    assert shifted.seed == 10
    assert with_origins(BASE, lambda origin: first) is BASE


def test_it_comes_back_from_its_description() -> None:
    from holdfast.training.registry import KINDS

    run = replace(BASE, start=Start(replace(BASE, start=Start(COUNTED, "position"))), method=Standard())
    assert restore(describe(run), KINDS) == run


def test_weight_decay_of_kernels_leaves_biases_and_norms_alone() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    optimizer = SGD(lr=0.1, weight_decay=0.5, decayed="kernels").of(network.parameters())
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    for name, weight in network.named_parameters():
        shrunk = name in ("0.weight", "3.weight")
        assert torch.allclose(weight, before[name] * (0.95 if shrunk else 1.0))
    with pytest.raises(BadValue, match="2 milestones and 2 factors"):
        Levels((1, 2), (1.0, 0.1))
