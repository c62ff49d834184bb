"""How a run's state follows its average: after each step, and the statistics of batch norm when it is looked at."""

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn, update_bn

from holdfast.data import ImageSet
from holdfast.devices import reseed
from holdfast.rng import fresh, number
from holdfast.training.run import Run
from holdfast.training.state import State
from holdfast.training.step import autocast


@torch.no_grad()
def follow(run: Run, state: State, count: int) -> None:
    """Move the average towards the weights that the step left; `count` images make an epoch."""
    if run.average is None or state.averaged is None:
        return
    share = run.average.share(state.step, run.steps_on(count), run.batches_of(count))
    if share == 0:
        return
    averaged, trained = state.averaged, state.model
    get_ema_multi_avg_fn(1 - share)(list(averaged.parameters()), list(trained.parameters()), 0)
    for kept, buffer in zip(averaged.buffers(), trained.buffers(), strict=True):
        kept.copy_(buffer)


def settle(run: Run, state: State, train_set: ImageSet, epoch: int) -> None:
    """Compute the statistics of batch norm for the averaged weights, on the batches that the epoch trained on."""
    if run.average is None or state.averaged is None or not run.average.recomputes:
        return
    device, order = train_set.device, train_set.order_of(run.seed, epoch)
    batches = train_set.batches(run.batch, order, run.augment, number(run.seed, "view", epoch))
    reseed(device, number(run.seed, "average", epoch))
    with fresh(run.seed, "average", epoch), autocast(run, device):
        update_bn((batch.images for batch in batches), state.averaged)
