"""The state of a run before its first step: networks, memory, optimizers, and what it takes over from other runs."""

from torch import nn

from holdfast.data import ImageSet
from holdfast.devices import reseed
from holdfast.errors import require
from holdfast.models.memory_format import use_channels_last
from holdfast.rng import fresh, number
from holdfast.storage.fingerprint import name_of_tensors
from holdfast.training.dependencies import Lineage, take_place, take_weights
from holdfast.training.run import Run, build, seen_shape
from holdfast.training.state import State


def begin(run: Run, train_set: ImageSet, lineage: Lineage) -> State:
    """Return the state before the first step."""
    device = lineage.device
    single = len(train_set) % run.batch == 1 and run.batch > 1
    model = build(run, train_set.shape, len(train_set.classes), run.pretrained).to(device)
    take_weights(run, model, lineage)
    use_channels_last(model, seen_shape(run, train_set.shape))
    norms = any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.modules())
    words = f"{len(train_set)} images in batches of {run.batch} leave a last batch of one"
    require(not (single and norms), f"{words}, with which batch norm cannot train: choose another batch")
    reseed(device, number(run.seed, "memory"))
    with fresh(run.seed, "memory"):
        memory = run.method.remember(model, train_set, lineage).to(device)
        networks = run.method.trained(model, memory)
    kept = any(part is model for part in memory.modules())
    require(not kept, "the memory holds the network that is trained: keep a copy.deepcopy of it")
    for network in networks.values():
        if network is not model:  # it lives in the memory, which froze it
            network.requires_grad_(True)
    optimizers = {name: run.optimizer.of(network.parameters()) for name, network in networks.items()}
    name = name_of_tensors({"images": train_set.images, "labels": train_set.labels})
    state = State(model, memory, networks, optimizers, name, lineage.names())
    take_place(run, state, lineage)
    return state
