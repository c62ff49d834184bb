"""How a run ends whose loss, or whose network's answers, are no numbers any more."""

import torch

from holdfast.attacks.attack import at_rest
from holdfast.errors import ModelFault, TrainingDiverged
from holdfast.training.state import State
from holdfast.types import Batch


def stop_if_bad(state: State) -> None:
    """Raise if any loss since the last look was not finite."""
    step = int(state.first_bad) if state.first_bad is not None else 0
    if step:
        raise TrainingDiverged(f"the loss became NaN or infinite at step {step}")


def stop_if_lost(state: State, batch: Batch, fault: ModelFault) -> None:
    """Raise if an attack of the method refused the network because its answers are not finite any more."""
    stop_if_bad(state)
    with at_rest(state.model), torch.no_grad():
        finite = bool(state.model(batch.images).isfinite().all())
    if not finite:
        words = f"the network's answers became NaN or infinite by step {state.step + 1}"
        raise TrainingDiverged(words) from fault
