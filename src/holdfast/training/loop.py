"""The loop that carries out a run.

A run's folder holds `run.json` (the run in words), `last.pt` (networks, optimizers, memory, position and the lines of
the epochs), `metrics.jsonl` (these lines) and, in the end, `made_of.json` (names of the images, of one's own code and
of the file of one's own network) and `model.safetensors`. Everything random is keyed by (seed, epoch, step), so a run
that was stopped anywhere and started again ends in the same weights and metrics, bit for bit on one device.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from holdfast.devices import device_of, isolated
from holdfast.errors import ModelFault, TrainingDiverged, require, shown
from holdfast.fields import check_count, check_type
from holdfast.loggers import Logger, Write
from holdfast.methods.method import Origin
from holdfast.storage.files import alone
from holdfast.storage.signed import write_json, write_tensors
from holdfast.training.averaging import follow, settle
from holdfast.training.checkpoint import last_good, resume, save
from holdfast.training.dependencies import Lineage, found_beside, origins
from holdfast.training.divergence import stop_if_bad, stop_if_lost, stop_if_unusable
from holdfast.training.epoch import finish_epoch
from holdfast.training.folder import RunFolder
from holdfast.training.patience import Patience
from holdfast.training.run import Run, seen_at_rest
from holdfast.training.setup import begin
from holdfast.training.state import State, Updates
from holdfast.training.step import note, one_step, set_rate
from holdfast.training.supply import Supply, supplied

Tell = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, words); how a caller shows progress."""
SAVE_EVERY = 60.0
"""Seconds between two writings of `last.pt` inside an epoch; when it is written changes no result."""
CHECK_EVERY = 16
"""Steps between two looks at whether the loss is finite: each look waits for the device."""


def silent(done: int, total: int, words: str) -> None:
    """Tell nobody."""


def train(
    run: Run,
    folder: Path | str,
    *,
    device: str | torch.device = "cpu",
    data_root: Path | str | None = None,
    download: bool = False,
    tell: Tell = silent,
    log: Sequence[Logger] = (),
    workers: int = 0,
) -> nn.Module:
    """Carry out a run, from the start or from where it stopped, and return the trained network, at rest.

    Runs that it names and that are not finished are carried out first, in folders beside its own: those that hold them
    already, else those that their fingerprints name. Where another process carries out the same run, it is waited for.
    The numbers of each epoch of the run itself go to the loggers `log` as well as to `metrics.jsonl`. Batches of images
    that do not fit into memory are made by `workers` processes; their number changes no result.

    Raises:
        BadRecord: the folder holds another run or one that was made of other code or images, or a file is damaged.
        BadValue: this machine has no such device.
        TrainingDiverged: the loss, a weight, or what the trained network answers became NaN or infinite, now or when it
            was tried before; `last.pt` holds the last state with finite weights.
    """
    check_type("run", run, Run)
    check_type("folder", folder, Path | str)
    check_type("data_root", data_root, Path | str | None)
    require(all(isinstance(each, Logger) for each in log), f"log = {shown(log)}: give loggers, as [TensorBoard()]")
    check_count("workers", workers, 0)
    place, device = RunFolder(run, Path(folder)), device_of(device)
    place.check()
    supply = supplied(run, data_root, download, workers)
    if place.finished:
        return finished(place, supply).to(device)
    earlier: dict[Origin, RunFolder] = {origin: found_beside(origin, place.path.parent) for origin in origins(run)}
    for there in earlier.values():
        train(there.run, there.path, device=device, data_root=data_root, download=download, tell=tell, workers=workers)
    with isolated(device):
        shape, classes = supply.whole.shape, len(supply.whole.classes)
        lineage = Lineage(earlier, shape, classes, device, run.augment, supply.count)
        return finish(place, supply.to(device), lineage, tell, log)


def finish(place: RunFolder, supply: Supply, lineage: Lineage, tell: Tell, log: Sequence[Logger]) -> nn.Module:
    """Carry out a run to its weights, alone in its folder, unless another process has done so meanwhile."""
    state = begin(supply, lineage)
    with alone(place.path, place.wait):
        place.check()
        if place.finished:
            return finished(place, supply).to(lineage.device)
        write_json(place.path / "run.json", place.run)
        resume(place, state)
        try:
            with ExitStack() as opened:
                each = (place.name, place.described, place.path, state.step)
                writes = [opened.enter_context(logger.open(*each)) for logger in log]
                carry_out(place, state, supply, tell, writes)
            model = state.trained()
            first = next(iter(supply.own.batches(place.run.batch)))
            stop_if_unusable(model, seen_at_rest(place.run, first.images))
        except TrainingDiverged as error:
            words = f"{error}; {last_good(place)}"
            write_json(place.path / "diverged.json", {"run": place.name, "words": words})
            raise TrainingDiverged(words) from error
        # First, so that a run that was stopped between the two is not finished yet.
        place.write_made_of(supply.name, state.file)
        write_tensors(place.path / "model.safetensors", model.state_dict(), run=place.name)
    return model


def finished(place: RunFolder, supply: Supply) -> nn.Module:
    """Return the network of a finished run, as long as what it was made of is still the same."""
    place.check_made_of(supply.name)
    return place.network(supply.whole.shape, len(supply.whole.classes))


def carry_out(place: RunFolder, state: State, supply: Supply, tell: Tell, writes: Sequence[Write]) -> None:
    """Train to the end of the run, saving on the way."""
    run, per_epoch, total = place.run, supply.per_epoch, supply.steps
    tell(state.step, total, "resumed" if state.step > state.first else "started")
    update = Updates(state.networks, state.optimizers)
    state.since = time.monotonic()
    # A run that was stopped after its last step is in the middle of an epoch that has ended.
    ahead = range(state.step // per_epoch, math.ceil(total / per_epoch)) if state.step < total else ()
    for epoch in ahead:
        if isinstance(run.select, Patience) and run.select.ended(state.lines):
            tell(state.step, total, f"ended after {epoch} epochs: {run.select.epochs} in a row were no better")
            break
        first, last = epoch * per_epoch, min((epoch + 1) * per_epoch, total)
        for batch in islice(supply.batches(epoch, state.step - first), last - state.step):
            set_rate(run, state, state.step / (per_epoch if run.steps is None else 1))
            try:
                note(state, one_step(run, state, batch, update))
                follow(supply, state)
            except ModelFault as fault:
                stop_if_lost(state, state.model, batch.images, fault)
                raise
            if state.step % CHECK_EVERY == 0 or state.step == last:
                stop_if_bad(state)
            tell(state.step, total, "")
            if time.monotonic() - state.since > SAVE_EVERY and state.step < last:
                stop_if_bad(state)
                save(place, state)
        if supply.held_out is not None or last == total:
            settle(supply, state, epoch)
        words = finish_epoch(run, state, epoch, last - max(first, state.first), supply.held_out)
        save(place, state)
        for write in writes:
            write(state.step, json.loads(state.lines[-1]))
        tell(state.step, total, words)
