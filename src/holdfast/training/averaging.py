"""How a run's state follows its average: after each step, and the statistics of batch norm when it is looked at."""

from collections.abc import Iterator

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, update_bn

from holdfast.devices import reseed
from holdfast.models import labelled
from holdfast.rng import fresh, number
from holdfast.training.state import State
from holdfast.training.step import autocast
from holdfast.training.supply import Supply
from holdfast.types import Images


@torch.no_grad()
def follow(supply: Supply, state: State) -> None:
    """Move the average towards the weights that the step left."""
    if supply.run.average is None or state.averaged is None:
        return
    share = supply.run.average.share(state.step, supply.steps, supply.per_epoch)
    if share == 0:
        return
    averaged, trained = state.averaged, state.model
    get_ema_multi_avg_fn(1 - share)(list(averaged.parameters()), list(trained.parameters()), 0)
    for kept, buffer in zip(averaged.buffers(), trained.buffers(), strict=True):
        kept.copy_(buffer)


def settle(supply: Supply, state: State, epoch: int) -> None:
    """Compute the statistics of batch norm for the averaged weights, on the batches that the epoch trained on."""
    run = supply.run
    if run.average is None or state.averaged is None or not run.average.recomputes:
        return
    device = supply.images.device
    reseed(device, number(run.seed, "average", epoch))
    with fresh(run.seed, "average", epoch), autocast(run, device):
        update_bn(shown(supply, state.averaged, epoch), state.averaged)


def shown(supply: Supply, averaged: nn.Module, epoch: int) -> Iterator[Images]:
    """Yield the images of an epoch's batches, each while the averaged network knows their labels."""
    for batch in supply.batches(epoch):
        with labelled(averaged, batch.labels):
            yield batch.images
