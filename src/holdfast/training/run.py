"""One training run as a value, and the folder that it leaves behind."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from holdfast import models
from holdfast.attacks import Attack
from holdfast.data import CropFlip
from holdfast.errors import BadRecord, BadValue, TrainingDiverged, require
from holdfast.fields import check_fields, shown
from holdfast.methods import Method, Origin, Standard
from holdfast.rng import number
from holdfast.storage import record
from holdfast.training.optimization import SGD, Constant, Optimizer, Schedule


@dataclass(frozen=True)
class Start:
    """Where a run begins: at the end of another."""

    run: Origin
    """A run of the same network; it is trained first."""
    takes: Literal["weights", "optimizer", "position"] = "weights"
    """Its weights and statistics; with them what its optimizer keeps; with both its place in the schedule, so that
    its batches count as this run's first."""

    def __post_init__(self) -> None:
        """Refuse what is not offered."""
        check_fields(self)


@dataclass(frozen=True)
class Run(Origin):
    """One training run: everything that its result depends on."""

    method: Method = Standard()
    model: str = "digits-net"
    data: str = "digits"
    epochs: int | None = 10
    """Passes over the training images; None where `steps` counts."""
    batch: int = 128
    optimizer: Optimizer = SGD()
    schedule: Schedule = Constant()
    augment: CropFlip | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0
    pretrained: bool = False
    """Begin from the architecture's public weights, where it has any."""
    limit: int | None = None
    """Train on this many images only."""
    held_out: int = 0
    """Training images kept back, on which each epoch is measured."""
    select: Attack | None = None
    """Keep the epoch that holds best under this attack on the images held out; without it, the last epoch."""
    steps: int | None = record.later(None)
    """Batches, in place of epochs; the schedule then counts batches too."""
    start: Start | None = record.later(None)
    """Another run to begin from; fresh or public weights without it."""

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        made = isinstance(self.method, Method)
        require(made, f"method = {shown(self.method)}: give one that is made, such as holdfast.methods.AT()")
        named = f"model is a {type(self.model).__name__}: give a name; an architecture of your own is FILE.py:FUNCTION"
        require(isinstance(self.model, str), named)
        check_fields(self)
        length = {"epochs": self.epochs, "steps": self.steps}
        given = {name: value for name, value in length.items() if value is not None}
        require(
            len(given) == 1,
            f"epochs = {self.epochs} and steps = {self.steps}: one counts, set the other to None",
        )
        require(min(given.values()) >= 1, f"{', '.join(given)} = {min(given.values())}, not 1 or more")
        require(
            self.start is None or not self.pretrained, "a run begins from public weights or from another run, not both"
        )
        require(self.batch >= 1, f"batch = {self.batch}, not 1 or more")
        require(self.limit is None or self.limit >= 1, f"limit = {self.limit}, not 1 or more")
        require(self.held_out >= 0, f"held_out = {self.held_out}, not 0 or more")
        require(self.select is None or self.held_out > 0, "select chooses on images held out: give held_out as well")


def check_folder(run: Run, folder: Path) -> None:
    """Refuse a folder that holds another run, or files without one; a run that never made a step holds nothing."""
    path = folder / "run.json"
    found = [name for name in ("last.pt", "model.safetensors", "metrics.jsonl") if (folder / name).exists()]
    if not path.exists():
        require(not found, f"{folder} holds {', '.join(found)} but no run.json: choose another folder", BadRecord)
        return
    differs = difference(run, folder)
    require(not (differs and found), f"{folder} holds another run ({differs}): choose another folder", BadRecord)


def check_same(run: Run, folder: Path) -> None:
    """Refuse a folder in which another process carries out another run."""
    differs = difference(run, folder) if (folder / "run.json").exists() else ""
    busy = f"another process carries out another run in {folder} ({differs}): choose another folder"
    require(not differs, busy, BadRecord)


def difference(run: Run, folder: Path) -> str:
    """Say in what the run of a folder differs from this one, "" where it is the same."""
    there = record.read_any_json(folder / "run.json", "delete the folder to train again, or restore the file")
    return "; ".join(record.difference(there, record.describe(run))[:3])


def check_hope(run: Run, folder: Path) -> None:
    """Refuse to train again what diverged before: the same run ends the same."""
    path, remedy = folder / "diverged.json", "delete it to try again"
    if path.exists():
        said = record.read_json(path, remedy)
        require(said.get("run") == record.name_of_fields(run), f"{path} is of another run: {remedy}", BadRecord)
        raise TrainingDiverged(f"{said['words']} (so {path} says; {remedy})")


def build(run: Run, shape: tuple[int, int, int], classes: int, pretrained: bool = False) -> nn.Module:
    """Return the run's network as it begins, from public weights if `pretrained`."""
    options = {"pretrained": True} if pretrained else {}
    with isolated(torch.device("cpu")):
        reseed(torch.device("cpu"), number(run.seed, "weights"))
        return models.build(run.model, seen_shape(run, shape), classes, **options)


def seen_shape(run: Run, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape of the images of a data set as the run's network sees them, cropped."""
    size = run.augment.size if run.augment else None
    return shape[0], size or shape[1], size or shape[2]


def trained_model(run: Run, folder: Path, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the finished network of a run's folder, at rest."""
    path = folder / "model.safetensors"
    unfinished = f"the run in {folder} is not finished: train it again, it goes on where it stopped"
    require(os.path.lexists(path), unfinished, BadRecord)
    model = build(run, shape, classes)
    record.load_weights(model, weights_of(run, folder), str(path))
    return model.eval()


def weights_of(run: Run, folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights and statistics of a finished run; those that another run was written with are refused."""
    path, remedy = folder / "model.safetensors", "delete it and train again; the run goes on from last.pt"
    return record.read_tensors(path, remedy, run=record.name_of_fields(run))


def seconds_of(folder: Path | str) -> float:
    """Return how long the run of a folder trained, in seconds, over all its sittings."""
    path, remedy = Path(folder) / "timing.json", "delete the folder to train again; nothing else knows how long it took"
    said = record.read_any_json(path, remedy)
    run = record.name_of_fields(record.read_any_json(path.with_name("run.json"), "restore it"))
    # Older versions wrote the seconds alone, without a signature.
    ours = isinstance(said, dict) and said.get("run", run) == run and said.keys() - {"run"} == {"train_seconds"}
    require(ours, f"{path} does not say how long this run trained: {remedy}", BadRecord)
    return float(said["train_seconds"])


def device_of(name: str | torch.device) -> torch.device:
    """Return the device of that name, if this machine has it."""
    try:
        device = torch.device(name)
        torch.zeros(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        there = "cpu and cuda" if torch.cuda.is_available() else "cpu only"
        raise BadValue(f"device {shown(name)} cannot be used here; this machine has {there}") from error
    return device


def reseed(device: torch.device, seed: int) -> None:
    """Seed the generators that a network on this device draws from (dropout, fresh weights), and no other."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


@contextmanager
def isolated(device: torch.device) -> Iterator[None]:
    """Leave the caller's random state as it was; let convolutions round as float32 does, by the same kernels always."""
    devices = [device] if device.type == "cuda" else []
    kernels = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.random.fork_rng(devices), kernels:
        yield
