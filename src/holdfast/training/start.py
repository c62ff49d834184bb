"""What a run takes over from the run that it begins at the end of."""

from torch import nn

from holdfast.errors import BadRecord, require
from holdfast.models.weights import load_weights
from holdfast.storage.signed import read_state
from holdfast.training.dependencies import Lineage
from holdfast.training.run import Run
from holdfast.training.state import State


def take_weights(run: Run, model: nn.Module, lineage: Lineage) -> None:
    """Put the weights and statistics of the run that this one begins at into its network."""
    if run.start is not None:
        begun = lineage.known(run.start.run)
        load_weights(model, begun.weights(), str(begun.path / "model.safetensors"))


def take_place(run: Run, state: State, lineage: Lineage) -> None:
    """Take over what else the run's start says: what the optimizer keeps, and the place in the schedule."""
    if run.start is None or run.start.takes == "weights":
        return
    begun = lineage.known(run.start.run)
    last, remedy = begun.path / "last.pt", f"delete {begun.path} to train it again, or restore the file"
    saved = read_state(last, remedy)
    require(saved.get("run") == begun.fingerprint, f"{last} is of another run: {remedy}", BadRecord)
    kinds = {type(each.optimizer).__name__ for each in (run, begun.run)}
    require(len(kinds) == 1, f"what {' and '.join(sorted(kinds))} keep cannot be exchanged: take the weights alone")
    # What is kept is numbered, and the numbers are those of the groups of weights that decay or do not.
    decayed = {repr(getattr(each.optimizer, "decayed", "all")) for each in (run, begun.run)}
    words = f"decayed: {' and '.join(sorted(decayed))}, by which what an optimizer keeps is numbered"
    require(len(decayed) == 1, f"{words}: take the weights alone")
    optimizer = state.optimizers["model"]
    try:
        # The rates and decays stay this run's own.
        optimizer.load_state_dict(optimizer.state_dict() | {"state": saved["optimizers"]["model"]["state"]})
        place = int(saved["step"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadRecord(f"{last} does not hold a run's state ({type(error).__name__}): {remedy}") from error
    if run.start.takes == "position":
        state.step = state.first = place
