"""The loop that carries out a run.

A run's folder holds `run.json` (the run in words), `last.pt` (networks, optimizers, memory, position and the lines of
the epochs), `metrics.jsonl` (these lines) and, in the end, `model.safetensors`. Everything random is keyed by (seed,
epoch, step), so a run that was stopped anywhere and started again ends in the same weights and metrics, bit for bit on
one device.
"""

import json
import math
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from holdfast import data
from holdfast.attacks.attack import at_rest
from holdfast.data import ImageSet, load
from holdfast.data.stamp import stamp
from holdfast.devices import device_of, isolated, reseed
from holdfast.errors import ModelFault, TrainingDiverged, require
from holdfast.fields import check_type
from holdfast.methods.method import Origin, check_terms
from holdfast.objectives import is_correct
from holdfast.rng import fresh, number
from holdfast.storage.files import alone
from holdfast.storage.signed import write_json, write_tensors
from holdfast.training.checkpoint import last_good, resume, save
from holdfast.training.dependencies import Lineage, found_beside, origins
from holdfast.training.folder import RunFolder
from holdfast.training.run import Run
from holdfast.training.setup import begin
from holdfast.training.state import State, Updates
from holdfast.types import Batch, Terms

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
) -> nn.Module:
    """Carry out a run, from the start or from where it stopped, and return the trained network, at rest.

    Runs that it names and that are not finished are carried out first, in folders beside its own: those that hold them
    already, else those that their fingerprints name. Where another process carries out the same run, it is waited for.

    Raises:
        BadRecord: the folder holds another run, or a file in it is damaged.
        BadValue: this machine has no such device.
        TrainingDiverged: the loss became NaN or infinite, now or when it was tried before; `last.pt` holds the last
            state before it.
    """
    check_type("run", run, Run)
    check_type("folder", folder, Path | str)
    check_type("data_root", data_root, Path | str | None)
    place, device = RunFolder(run, Path(folder)), device_of(device)
    place.check()
    whole_set = loaded(run.data, "train", data.data_root(data_root), download, run.limit)
    if place.finished:
        return place.network(whole_set.shape, len(whole_set.classes)).to(device)
    earlier: dict[Origin, RunFolder] = {origin: found_beside(origin, place.path.parent) for origin in origins(run)}
    for there in earlier.values():
        train(there.run, there.path, device=device, data_root=data_root, download=download, tell=tell)
    with isolated(device):
        lineage = Lineage(earlier, whole_set.shape, len(whole_set.classes), device, run.augment)
        return finish(place, whole_set.to(device), lineage, tell)


def finish(place: RunFolder, whole_set: ImageSet, lineage: Lineage, tell: Tell) -> nn.Module:
    """Carry out a run to its weights, alone in its folder, unless another process has done so meanwhile."""
    train_set, held_out = divided(place.run, whole_set)
    state = begin(place.run, train_set, lineage)
    with alone(place.path, place.wait):
        place.check()
        if place.finished:
            return place.network(lineage.shape, lineage.classes).to(lineage.device)
        write_json(place.path / "run.json", place.run)
        resume(place, state)
        try:
            carry_out(place, state, train_set, held_out, tell)
        except TrainingDiverged as error:
            write_json(place.path / "diverged.json", {"run": place.name, "words": str(error)})
            raise
        model = state.trained()
        write_tensors(place.path / "model.safetensors", model.state_dict(), run=place.name)
    return model


def loaded(name: str, split: str, root: Path, download: bool, limit: int | None) -> ImageSet:
    """Return a data set, the same one again while a table goes through its rows and its files stay as they are."""
    return _loaded(name, split, root, download, limit, stamp(name))


@lru_cache(maxsize=2)
def _loaded(name: str, split: str, root: Path, download: bool, limit: int | None, files: int) -> ImageSet:
    return load(name, split, root, download, limit)


def divided(run: Run, whole_set: ImageSet) -> tuple[ImageSet, ImageSet | None]:
    """Return the images to train on, and those held out."""
    return whole_set.split(run.held_out, run.seed) if run.held_out else (whole_set, None)


def carry_out(place: RunFolder, state: State, train_set: ImageSet, held_out: ImageSet | None, tell: Tell) -> None:
    """Train to the end of the run, saving on the way."""
    run = place.run
    per_epoch, total = run.batches_of(len(train_set)), run.steps_on(len(train_set))
    tell(state.step, total, "resumed" if state.step > state.first else "started")
    update = Updates(state.networks, state.optimizers)
    state.since = time.monotonic()
    for epoch in range(state.step // per_epoch, math.ceil(total / per_epoch)):
        first, last = epoch * per_epoch, min((epoch + 1) * per_epoch, total)
        order = train_set.order_of(run.seed, epoch)[(state.step - first) * run.batch : (last - first) * run.batch]
        view_seed = number(run.seed, "view", epoch)
        for batch in train_set.batches(run.batch, order, run.augment, view_seed):
            set_rate(run, state, state.step / (per_epoch if run.steps is None else 1))
            try:
                note(state, one_step(run, state, batch, update))
            except ModelFault as fault:
                stop_if_lost(state, batch, place, fault)
                raise
            if state.step % CHECK_EVERY == 0 or state.step == last:
                stop_if_bad(state, place)
            tell(state.step, total, "")
            if time.monotonic() - state.since > SAVE_EVERY and state.step < last:
                stop_if_bad(state, place)
                save(place, state)
        words = finish_epoch(run, state, epoch, last - max(first, state.first), held_out)
        save(place, state)
        tell(state.step, total, words)


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


def set_rate(run: Run, state: State, moment: float) -> None:
    """Set the learning rate for this moment, in epochs or in batches, as the run is measured."""
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = run.optimizer.lr * run.schedule.factor(moment, run.steps or run.epochs or 0)


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


def stop_if_bad(state: State, place: RunFolder) -> None:
    """Raise if any loss since the last look was not finite."""
    step = int(state.first_bad) if state.first_bad is not None else 0
    if step:
        raise TrainingDiverged(f"the loss became NaN or infinite at step {step}; {last_good(place)}")


def stop_if_lost(state: State, batch: Batch, place: RunFolder, fault: ModelFault) -> None:
    """Raise if an attack of the method refused the network because its answers are not finite any more."""
    stop_if_bad(state, place)
    with at_rest(state.model), torch.no_grad():
        finite = bool(state.model(batch.images).isfinite().all())
    if not finite:
        words = f"the network's answers became NaN or infinite by step {state.step + 1}; {last_good(place)}"
        raise TrainingDiverged(words) from fault


def finish_epoch(run: Run, state: State, epoch: int, steps: int, held_out: ImageSet | None) -> str:
    """Add the line of an epoch of so many steps, choose the best so far, and say how it went."""
    line: dict[str, float] = {"epoch": epoch + 1, "step": state.step}
    line |= {name: float(total) / steps for name, total in state.sums.items()}
    state.sums = {}
    if held_out is not None:
        line |= measure(run, state, held_out)
        score = line.get("held_out_robust", -1.0)
        if run.select is not None and score > state.best:
            state.best = score
            state.best_model = {
                name: tensor.detach().cpu().clone() for name, tensor in state.model.state_dict().items()
            }
    state.lines.append(json.dumps(line))
    of = f"/{run.epochs}" if run.epochs else ""
    return f"epoch {epoch + 1}{of}  " + "  ".join(
        f"{name} {value:.4f}" for name, value in line.items() if name not in ("epoch", "step")
    )


def measure(run: Run, state: State, held_out: ImageSet) -> dict[str, float]:
    """Return the accuracy on the images held out, clean and under the attack that selects."""
    clean = robust = 0
    with at_rest(state.model):
        for batch in held_out.batches(run.batch):
            images = run.augment.center(batch.images) if run.augment else batch.images
            with torch.no_grad():
                clean += int(is_correct(state.model(images), batch.labels).sum())
            if run.select is not None:
                attacked = run.select(state.model, images, batch.labels)
                with torch.no_grad():
                    robust += int(is_correct(state.model(attacked), batch.labels).sum())
    accuracy = {"held_out_clean": clean / len(held_out)}
    return accuracy | ({"held_out_robust": robust / len(held_out)} if run.select is not None else {})
