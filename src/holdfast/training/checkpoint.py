"""What a run's folder holds between two steps, and going back to it.

`last.pt` holds all of it; `metrics.jsonl` and `timing.json` are written from it, after it, for people and programs.
"""

import time

from holdfast.errors import BadRecord, TrainingDiverged, require
from holdfast.storage.signed import read_state, write_json, write_state, write_text
from holdfast.training.folder import RunFolder
from holdfast.training.state import State


def resume(place: RunFolder, state: State) -> None:
    """Go back to what `last.pt` says, if there is one, and write the metrics up to there."""
    folder, path = place.path, place.path / "last.pt"
    remedy = f"delete {folder} to train again, or restore the file"
    if not path.exists():
        require(not trained_long(place), f"{path} is missing: {remedy}", BadRecord)
        return
    saved = read_state(path, remedy)
    edited = f"{path} belongs to another run than run.json, or code of yours that it names was edited"
    require(saved.get("run") == place.fingerprint, f"{edited}: choose another folder", BadRecord)
    other = f"{path} was made from other images than {place.run.data} holds now: choose another folder"
    require(saved.get("data") == state.data, other, BadRecord)
    rewritten = f"the file of '{place.run.model}' changed since {folder} started: restore it, or choose another folder"
    require(saved.get("file", state.file) == state.file, rewritten, BadRecord)
    retrained = f"a run that {folder} depends on was retrained since {folder} started; delete {folder} to start over"
    require(saved.get("origins", {}) == state.origins, retrained, BadRecord)
    try:
        state.read(saved)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise BadRecord(
            f"{path} does not hold this run's state ({type(error).__name__}: {reason}): {remedy}"
        ) from error
    require(state.finite(), f"{path} holds weights that are NaN or infinite: {remedy}", BadRecord)
    write_lines(place, state)


def trained_long(place: RunFolder) -> bool:
    """Say whether the metrics tell of more than one epoch; one of which nothing was saved is trained again."""
    metrics = place.path / "metrics.jsonl"
    return metrics.is_file() and len(metrics.read_bytes().splitlines()) > 1


def save(place: RunFolder, state: State) -> None:
    """Write where the run stands; the time that writing takes is not counted as training."""
    state.seconds += time.monotonic() - state.since
    require(state.finite(), f"a weight became NaN or infinite by step {state.step}", TrainingDiverged)
    write_state(place.path / "last.pt", {"run": place.fingerprint} | state.to_dict())
    write_lines(place, state)
    state.since = time.monotonic()


def last_good(place: RunFolder) -> str:
    """Say where the state before a divergence is, or that of weights that are finite and answer NaN."""
    last = place.path / "last.pt"
    return f"{last} holds the last state with finite weights" if last.exists() else "no state had been saved before it"


def write_lines(place: RunFolder, state: State) -> None:
    """Write the line of each epoch, and how long the run has trained."""
    if state.lines:
        write_text(place.path / "metrics.jsonl", "".join(line + "\n" for line in state.lines))
    write_json(place.path / "timing.json", {"run": place.name, "train_seconds": state.seconds})
