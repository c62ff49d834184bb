"""The state of a run before its first step: networks, memory, optimizers, and what it takes over from other runs."""

import copy

from torch import nn

from holdfast.data import CutMix
from holdfast.devices import reseed
from holdfast.errors import require
from holdfast.methods import AWP
from holdfast.models import answers_of
from holdfast.models.from_file import text_name
from holdfast.models.memory_format import use_channels_last
from holdfast.rng import fresh, number
from holdfast.storage.signed import check_tensors
from holdfast.training.averages import SWA
from holdfast.training.dependencies import Lineage
from holdfast.training.run import Run, build, check_batches, seen_shape
from holdfast.training.start import take_place, take_weights
from holdfast.training.state import State
from holdfast.training.supply import Supply


def begin(supply: Supply, lineage: Lineage) -> State:
    """Return the state before the first step."""
    run, train_set = supply.run, supply.images
    device, file = lineage.device, text_name(run.model)
    check_fits(run)
    check_batches(run, min(run.batch, supply.count))
    model = build(run, train_set.shape, len(train_set.classes), run.pretrained).to(device)
    check_tensors(model.state_dict())  # as all of it is written in the end
    take_weights(run, model, lineage)
    use_channels_last(model, seen_shape(run, train_set.shape))
    check_last_batch(run, model, supply.count)
    reseed(device, number(run.seed, "memory"))
    with fresh(run.seed, "memory"):
        memory = run.method.remember(model, train_set, lineage).to(device)
        networks = run.method.trained(model, memory)
    kept = any(part is model for part in memory.modules())
    require(not kept, "the memory holds the network that is trained: keep a copy.deepcopy of it")
    for network in networks.values():
        if network is not model:  # it lives in the memory, which froze it
            network.requires_grad_(True)
    for name, _ in run.optimizers:
        words = f"optimizers names '{name}', and {type(run.method).__name__} trains only {', '.join(networks)}"
        require(name in networks, words)
    optimizers = {name: run.optimizer_of(name).of(network.parameters()) for name, network in networks.items()}
    averaged = None if run.average is None else copy.deepcopy(model)
    state = State(model, memory, networks, optimizers, averaged, train_set.fingerprint, file, lineage.names())
    take_place(run, state, lineage)
    total = supply.steps
    words = f"the run continues at step {state.first} of another run and ends at step {total}"
    require(state.first == 0 or state.first < total, f"{words}: give more than {state.first} steps")
    check_mean(run, state.first // supply.per_epoch, supply)
    return state


def check_mean(run: Run, passed: int, supply: Supply) -> None:
    """Refuse a mean over epochs of which the first were passed by another run."""
    if isinstance(run.average, SWA):
        before = run.average.before(supply.steps, supply.per_epoch)
        words = f"the mean is over epochs after the first {before}, and {passed} were passed by another run"
        require(passed <= before, f"{words}: give SWA a later start, or begin earlier")


def check_fits(run: Run) -> None:
    """Refuse a network that answers something else than what the method trains, and labels that it does not take."""
    wanted, found = run.method.trains, answers_of(run.model)
    words = f"{type(run.method).__name__} trains networks that answer {wanted}, and '{run.model}' answers {found}"
    require(found == wanted, words)
    inner = run.method.method if isinstance(run.method, AWP) else run.method
    words = f"CutMix gives images two labels, and {type(inner).__name__} takes one: Standard and TRADES take both"
    require(not isinstance(run.augment, CutMix) or inner.takes_mixtures, words)


def check_last_batch(run: Run, model: nn.Module, count: int) -> None:
    """Refuse a last batch of one image for a network with batch norm, which needs two."""
    norms = any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.modules())
    single = count % run.batch == 1 and run.batch > 1
    words = f"batch = {run.batch} splits {count} images so that the last batch holds one image"
    require(not (single and norms), f"{words}; batch norm needs two or more: choose another batch")
