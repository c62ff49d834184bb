"""One step of a run: its learning rate, what is drawn in it, its precision, and what is noted of it."""

import torch

from holdfast.devices import reseed
from holdfast.errors import require
from holdfast.methods.method import check_terms
from holdfast.rng import fresh, number
from holdfast.training.run import Run
from holdfast.training.state import State, Updates
from holdfast.types import Batch, Terms


def set_rate(run: Run, state: State, moment: float) -> None:
    """Set the learning rate for this moment, in epochs or in batches, as the run is measured."""
    factor = run.schedule.factor(moment, run.steps or run.epochs or 0)
    for name, optimizer in state.optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = run.optimizer_of(name).lr * factor


def one_step(run: Run, state: State, batch: Batch, update: Updates) -> Terms:
    """Let the method train on one batch."""
    device = batch.images.device
    reseed(device, number(run.seed, "step", state.step))
    for network in state.networks.values():
        network.train()
    with fresh(run.seed, state.step), autocast(run, device):
        return check_terms(run.method, run.method.step(state.model, batch, state.memory, update))


def autocast(run: Run, device: torch.device) -> torch.autocast:
    """Return the run's precision; casts are not kept, since a method may update weights and then use them again."""
    return torch.autocast(device.type, torch.bfloat16, enabled=run.precision == "bfloat16", cache_enabled=False)


def note(state: State, terms: Terms) -> None:
    """Count a step and add up its terms, on the device."""
    state.step += 1
    same = not state.sums or state.sums.keys() == terms.keys()
    require(same, f"the terms of a step were {', '.join(terms)}, those before it {', '.join(state.sums)}")
    for name, term in terms.items():
        state.sums[name] = state.sums.get(name, torch.zeros_like(term, dtype=torch.float64)) + term.detach()
    finite = torch.stack([term.detach().isfinite() for term in terms.values()]).all()
    bad = state.first_bad if state.first_bad is not None else torch.zeros((), dtype=torch.int64, device=finite.device)
    state.first_bad = torch.where((bad == 0) & ~finite, state.step, bad)
