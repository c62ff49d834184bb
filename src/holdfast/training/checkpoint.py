"""What a run's folder holds between two steps, and going back to it.

`last.pt` holds all of it; `metrics.jsonl` and `timing.json` are written from it, after it, for people and programs.
"""

import time
from pathlib import Path

from holdfast.errors import BadRecord, TrainingDiverged, require
from holdfast.storage.fingerprint import fingerprint, name_of_fields
from holdfast.storage.signed import read_state, write_json, write_state, write_text
from holdfast.training.run import Run
from holdfast.training.state import State


def resume(run: Run, state: State, folder: Path) -> None:
    """Go back to what `last.pt` says, if there is one, and write the metrics up to there."""
    path, remedy = folder / "last.pt", f"delete {folder} to train again, or restore the file"
    if not path.exists():
        require(not trained_long(folder), f"{path} is missing: {remedy}", BadRecord)
        return
    saved = read_state(path, remedy)
    edited = f"{path} belongs to another run than run.json, or code of yours that it names was edited"
    require(saved.get("run") == fingerprint(run), f"{edited}: choose another folder", BadRecord)
    other = f"{path} was made from other images than {run.data} holds now: choose another folder"
    require(saved.get("data") == state.data, other, BadRecord)
    same = saved.get("origins", {}) == state.origins
    complaint = (
        f"a run that {folder} needs has other weights now than when it was begun: delete {folder} to train again"
    )
    require(same, complaint, BadRecord)
    try:
        state.read(saved)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise BadRecord(
            f"{path} does not hold this run's state ({type(error).__name__}: {reason}): {remedy}"
        ) from error
    require(state.finite(), f"{path} holds weights that are NaN or infinite: {remedy}", BadRecord)
    write_lines(run, state, folder)


def trained_long(folder: Path) -> bool:
    """Say whether the metrics tell of more than one epoch; one of which nothing was saved is trained again."""
    metrics = folder / "metrics.jsonl"
    return metrics.is_file() and len(metrics.read_bytes().splitlines()) > 1


def save(run: Run, state: State, folder: Path, began: float) -> tuple[float, float]:
    """Write where the run stands and return the time, twice: of the last saving, and from which seconds count on."""
    now = time.monotonic()
    state.seconds += now - began
    if not state.finite():
        last = folder / "last.pt"
        where = f"{last} holds the last good state" if last.exists() else "no state had been saved before it"
        raise TrainingDiverged(f"a weight became NaN or infinite by step {state.step}; {where}")
    write_state(folder / "last.pt", state.to_dict(run))
    write_lines(run, state, folder)
    now = time.monotonic()
    return now, now


def write_lines(run: Run, state: State, folder: Path) -> None:
    """Write the line of each epoch, and how long the run has trained."""
    if state.lines:
        write_text(folder / "metrics.jsonl", "".join(line + "\n" for line in state.lines))
    seconds = {"run": name_of_fields(run), "train_seconds": state.seconds}
    write_json(folder / "timing.json", seconds)
