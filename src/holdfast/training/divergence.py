"""How a run ends whose loss, or whose network's answers, are no numbers any more."""

import torch
from torch import nn

from holdfast.attacks.attack import at_rest
from holdfast.errors import ModelFault, TrainingDiverged
from holdfast.training.state import State
from holdfast.types import Images


def stop_if_bad(state: State) -> None:
    """Raise if any loss since the last look was not finite."""
    step = int(state.first_bad) if state.first_bad is not None else 0
    if step:
        raise TrainingDiverged(f"the loss became NaN or infinite at step {step}")


def stop_if_lost(state: State, network: nn.Module, images: Images, fault: ModelFault) -> None:
    """Raise if an attack refused a network of the run because its weights or answers are not finite any more."""
    stop_if_bad(state)
    with at_rest(network), torch.no_grad():
        finite = state.finite() and bool(network(images).isfinite().all())
    if not finite:
        raise TrainingDiverged(f"the network's answers became NaN or infinite after step {state.step}") from fault


def stop_if_unusable(model: nn.Module, images: Images) -> None:
    """Raise if a trained network answers what no evaluation takes: NaN or infinity, though its weights are finite."""
    with at_rest(model), torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        answer = model(images)
    if bool((answer.isnan() | (answer == torch.inf)).any()):  # minus infinity is a logit of a class that never comes
        raise TrainingDiverged("the trained network answers NaN or infinity at rest")
