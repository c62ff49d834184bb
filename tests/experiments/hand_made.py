"""Folders of runs that nobody carried out."""

from pathlib import Path

from holdfast import Run
from holdfast.experiments import Workplace
from holdfast.experiments.trained import run_folder
from holdfast.storage.signed import write_json, write_tensors
from holdfast.training.folder import RunFolder
from holdfast.training.run import build
from holdfast.training.supply import supplied


def finished(run: Run, place: Workplace) -> Path:
    """Return the folder of a run, with fresh weights in the place of trained ones."""
    folder = _begun(run, place)
    supply = supplied(run, place.data_root, place.download)
    write_json(folder.path / "timing.json", {"run": folder.name, "train_seconds": 1.0})
    folder.write_made_of(supply.name, "")
    network = build(run, supply.whole.shape, len(supply.whole.classes))
    write_tensors(folder.path / "model.safetensors", network.state_dict(), run=folder.name)
    return folder.path


def diverged(run: Run, place: Workplace, words: str) -> Path:
    """Return the folder of a run, which says that its training diverged."""
    folder = _begun(run, place)
    write_json(folder.path / "diverged.json", {"run": folder.name, "words": words})
    return folder.path


def _begun(run: Run, place: Workplace) -> RunFolder:
    folder = RunFolder(run, run_folder(run, place))
    folder.path.mkdir(parents=True)
    write_json(folder.path / "run.json", run)
    return folder
