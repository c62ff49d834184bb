"""What a run leaves in its folder: which run it is, whether it diverged, its weights, how long it took."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from holdfast.errors import BadRecord, HoldfastError, TrainingDiverged, require
from holdfast.models.weights import load_weights
from holdfast.storage.describe import describe, differences, restore
from holdfast.storage.fingerprint import name_of_fields
from holdfast.storage.signed import read_any_json, read_json, read_tensors
from holdfast.training.registry import KINDS
from holdfast.training.run import Run, build

RESTORE = "restore it, or train again into another folder"


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
    there = read_any_json(folder / "run.json", "delete the folder to train again, or restore the file")
    return "; ".join(differences(there, describe(run))[:3])


def check_hope(run: Run, folder: Path) -> None:
    """Refuse to train again what diverged before: the same run ends the same."""
    path, remedy = folder / "diverged.json", "delete it to try again"
    if path.exists():
        said = read_json(path, remedy)
        require(said.get("run") == name_of_fields(run), f"{path} is of another run: {remedy}", BadRecord)
        raise TrainingDiverged(f"{said['words']} (so {path} says; {remedy})")


def trained_model(run: Run, folder: Path, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the finished network of a run's folder, at rest."""
    path = folder / "model.safetensors"
    unfinished = f"the run in {folder} is not finished: train it again, it goes on where it stopped"
    require(os.path.lexists(path), unfinished, BadRecord)
    model = build(run, shape, classes)
    load_weights(model, weights_of(run, folder), str(path))
    return model.eval()


def weights_of(run: Run, folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights and statistics of a finished run; those that another run was written with are refused."""
    path, remedy = folder / "model.safetensors", "delete it and train again; the run goes on from last.pt"
    return read_tensors(path, remedy, run=name_of_fields(run))


def seconds_of(folder: Path | str) -> float:
    """Return how long the run of a folder trained, in seconds, over all its sittings."""
    path, remedy = Path(folder) / "timing.json", "delete the folder to train again; nothing else knows how long it took"
    said = read_any_json(path, remedy)
    run = name_of_fields(read_any_json(path.with_name("run.json"), "restore it"))
    # Older versions wrote the seconds alone, without a signature.
    ours = isinstance(said, dict) and said.get("run", run) == run and said.keys() - {"run"} == {"train_seconds"}
    require(ours, f"{path} does not say how long this run trained: {remedy}", BadRecord)
    return float(said["train_seconds"])
