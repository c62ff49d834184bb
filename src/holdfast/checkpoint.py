"""What a run's folder holds between two steps, and going back to it."""

import json
import time
from pathlib import Path

import torch

from holdfast import record
from holdfast.errors import BadRecord, TrainingDiverged, require
from holdfast.run import Run
from holdfast.state import State


def resume(run: Run, state: State, folder: Path) -> None:
    """Go back to what `last.pt` and the metrics up to it say."""
    path, metrics = folder / "last.pt", folder / "metrics.jsonl"
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    if not path.exists():
        require(not lines, f"{path} is missing: delete {folder} to train again, or restore the file", BadRecord)
        return
    saved = record.read_state(path, f"delete {folder} to train again, or restore the file")
    edited = f"{path} belongs to another run than run.json, or code of yours that it names was edited"
    require(saved.get("run") == record.fingerprint(run), f"{edited}: choose another folder", BadRecord)
    other = f"{path} was made from other images than {run.data} holds now: choose another folder"
    require(saved.get("data") == state.data, other, BadRecord)
    same = saved.get("origins", {}) == state.origins
    complaint = (
        f"a run that {folder} needs has other weights now than when it was begun: delete {folder} to train again"
    )
    require(same, complaint, BadRecord)
    state.read(saved)
    try:
        # The last line may be torn by a power cut; it lies after what `last.pt` knows.
        kept = [line for line in lines[:-1] if json.loads(line)["step"] <= state.step]
        kept += [line for line in lines[-1:] if line.endswith("}") and json.loads(line)["step"] <= state.step]
    except (ValueError, KeyError) as error:
        raise BadRecord(f"{metrics} is damaged: delete {folder} to train again, or restore the file") from error
    lacks = f"{metrics} lacks lines that {path} knows of: delete {folder} to train again, or restore the file"
    require(len(kept) == state.epochs, lacks, BadRecord)
    record.write_text(metrics, "".join(line + "\n" for line in kept))


def save(run: Run, state: State, folder: Path, began: float) -> tuple[float, float]:
    """Write `last.pt` and return the time, twice: of the last saving, and from which seconds count on."""
    now = time.monotonic()
    state.seconds += now - began
    weights = [weight for network in state.networks.values() for weight in network.parameters()]
    if not bool(torch.stack([weight.detach().abs().amax() for weight in weights]).isfinite().all()):
        last = folder / "last.pt"
        where = f"{last} holds the last good state" if last.exists() else "no state had been saved before it"
        raise TrainingDiverged(f"a weight became NaN or infinite by step {state.step}; {where}")
    record.write_state(folder / "last.pt", state.to_dict(run))
    record.write_json(folder / "timing.json", {"train_seconds": state.seconds})
    now = time.monotonic()
    return now, now
