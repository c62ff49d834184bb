"""A run and its folder: whether the folder may hold the run, and what the run leaves there."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from holdfast.errors import BadRecord, HoldfastError, TrainingDiverged, require
from holdfast.models.from_file import text_name
from holdfast.models.weights import load_weights
from holdfast.storage import locks
from holdfast.storage.describe import Described, describe, differences, restore
from holdfast.storage.fingerprint import fingerprint, name_of_described
from holdfast.storage.signed import read_any_json, read_json, read_tensors, write_json
from holdfast.training.registry import KINDS
from holdfast.training.run import Run, build

RESTORE, OTHER = "restore it, or train again into another folder", "choose another folder"


@dataclass(frozen=True)
class RunFolder:
    """A run, and the folder that holds it or will."""

    run: Run
    path: Path

    @cached_property
    def described(self) -> Described:
        """What `run.json` says of the run."""
        return describe(self.run)

    @cached_property
    def name(self) -> str:
        """A short name of the run's fields: what files that outlive an edit of one's own code are bound to."""
        return name_of_described(self.described)

    @cached_property
    def fingerprint(self) -> str:
        """A short name of the run and of what one's own code in it does."""
        return fingerprint(self.run)

    @property
    def finished(self) -> bool:
        """Whether the run has left its weights."""
        return os.path.lexists(self.path / "model.safetensors")

    def check(self) -> None:
        """Refuse a folder that holds something else, and a run that diverged in it: the same run ends the same.

        A folder whose run never made a step holds nothing.

        Raises:
            BadRecord: the folder holds another run, or files without one.
            TrainingDiverged: the run was tried before.
        """
        found = [name for name in ("last.pt", "model.safetensors", "metrics.jsonl") if (self.path / name).exists()]
        said = (self.path / "run.json").exists()
        require(said or not found, f"{self.path} holds {', '.join(found)} but no run.json: {OTHER}", BadRecord)
        differs = self.difference()
        require(not (differs and found), f"{self.path} holds another run ({differs}): {OTHER}", BadRecord)
        path, remedy = self.path / "diverged.json", "delete it to try again"
        if path.exists():
            before = read_json(path, remedy)
            require(before.get("run") == self.name, f"{path} is of another run: {remedy}", BadRecord)
            raise TrainingDiverged(f"{before['words']} (so {path} says; {remedy})")

    def wait(self, path: Path) -> None:
        """Wait for another process that carries out the same run in the folder; refuse one that carries out another."""
        differs = self.difference()
        require(not differs, f"another process carries out another run in {path} ({differs}): {OTHER}", BadRecord)
        locks.wait(path)

    def difference(self) -> str:
        """Say in what the run that the folder holds differs from this one, "" where it is the same or there is none."""
        path = self.path / "run.json"
        if not path.exists():
            return ""
        there = read_any_json(path, "delete the folder to train again, or restore the file")
        return "; ".join(differences(there, self.described)[:3])

    def write_made_of(self, data: str, file: str) -> None:
        """Write down what the run was made of: its own code, and images and a network's file by their names."""
        said = {"run": self.name, "code": self.fingerprint, "data": data, "model": file}
        write_json(self.path / "made_of.json", said)

    def check_made_of(self, data: str | None = None) -> None:
        """Refuse a finished run whose network's file has changed since; with the name of its images, they and its code.

        What an older version finished says nothing of it, and is taken as it is.
        """
        path, remedy = self.path / "made_of.json", "delete it to take the weights as they are, or train again elsewhere"
        if not os.path.lexists(path):
            return
        said, file = read_json(path, remedy), text_name(self.run.model)
        require(said.get("run") == self.name, f"{path} is of another run: {remedy}", BadRecord)
        since = f"since the run in {self.path} was trained"
        other = f"the file of '{self.run.model}' changed {since}, or is another of that name: restore it, or {OTHER}"
        require(file in ("", said.get("model")), other, BadRecord)
        if data is not None:
            code = f"the code of your own that the run names changed {since}: {OTHER}"
            require(said.get("code") == self.fingerprint, code, BadRecord)
            beside = f", or those of extra '{self.run.extra}'," if self.run.extra is not None else ""
            images = f"the images of data '{self.run.data}'{beside} changed {since}: {OTHER}"
            require(said.get("data") == data, images, BadRecord)

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the weights and statistics of the finished run; those written for another run are refused."""
        remedy = "delete it and train again; the run goes on from last.pt"
        return read_tensors(self.path / "model.safetensors", remedy, run=self.name)

    def network(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return the network of the finished run, at rest."""
        unfinished = f"the run in {self.path} is not finished: train it again, it goes on where it stopped"
        require(self.finished, unfinished, BadRecord)
        self.check_made_of()
        model = build(self.run, shape, classes)
        load_weights(model, self.weights(), str(self.path / "model.safetensors"))
        return model.eval()


def read_run(folder: Path) -> Run:
    """Return the run that a folder says it holds."""
    return run_described(read_any_json(folder / "run.json", RESTORE), folder / "run.json")


def run_described(described: Any, path: Path) -> Run:
    """Return the run that the JSON of a file describes."""
    try:
        run = restore(described, KINDS)
    except (HoldfastError, TypeError, ValueError, AttributeError) as error:
        raise BadRecord(f"{path} cannot be read ({error}): {RESTORE}") from error
    require(isinstance(run, Run), f"{path} does not describe a run: {RESTORE}", BadRecord)
    assert isinstance(run, Run)
    return run


def seconds_of(folder: Path | str) -> float:
    """Return how long the run of a folder trained, in seconds, over all its sittings."""
    path, remedy = Path(folder) / "timing.json", "delete the folder to train again; nothing else knows how long it took"
    said = read_any_json(path, remedy)
    run = name_of_described(read_any_json(path.with_name("run.json"), "restore it"))
    # Older versions wrote the seconds alone, without a signature.
    ours = isinstance(said, dict) and said.get("run", run) == run and said.keys() - {"run"} == {"train_seconds"}
    require(ours, f"{path} does not say how long this run trained: {remedy}", BadRecord)
    return float(said["train_seconds"])
