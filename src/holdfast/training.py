"""The loop that carries out a run.

A run's folder holds `run.json` (the run in words), `metrics.jsonl` (a line an epoch), `last.pt` (networks, optimizers,
memory and position) and, in the end, `model.safetensors`. Everything random is keyed by (seed, epoch, step), so a run
that was stopped anywhere and started again ends in the same weights and metrics, bit for bit on one device.
"""

import json
import math
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from holdfast import data, record
from holdfast.attacks.attack import at_rest
from holdfast.data import ImageSet, load
from holdfast.errors import BadRecord, TrainingDiverged, require
from holdfast.methods.method import check_terms
from holdfast.run import Run, build, check_folder, device_of, isolated, reseed, trained_model
from holdfast.state import State, Updates
from holdfast.streams import fresh, number
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

    Raises:
        BadRecord: the folder holds another run, or a file in it is damaged.
        BadValue: this machine has no such device.
        TrainingDiverged: the loss became NaN or infinite; `last.pt` holds the last state before it.
    """
    folder, device = Path(folder), device_of(device)
    check_folder(run, folder)
    whole_set = loaded(run.data, "train", data.data_root(data_root), download, run.limit)
    if (folder / "model.safetensors").exists():
        return trained_model(run, folder, whole_set.shape, len(whole_set.classes)).to(device)
    train_set, held_out = divided(run, whole_set.to(device))
    with isolated(device):
        state = begin(run, train_set, device)
        with record.alone(folder):
            record.write_json(folder / "run.json", run)
            resume(run, state, folder)
            tell(state.step, total_steps(run, train_set), "resumed" if state.step else "started")
            carry_out(run, state, train_set, held_out, folder, tell)
            record.write_tensors(folder / "model.safetensors", state.best_model or state.model.state_dict())
    return trained_model(run, folder, whole_set.shape, len(whole_set.classes)).to(device)


def loaded(name: str, split: str, root: Path, download: bool, limit: int | None) -> ImageSet:
    """Return a data set, the same one again while a table goes through its rows and its file stays as it is."""
    path = Path(name.partition(":")[2]).expanduser()
    stamp = path.stat().st_mtime_ns if ":" in name and path.exists() else 0
    return _loaded(name, split, root, download, limit, stamp)


@lru_cache(maxsize=2)
def _loaded(name: str, split: str, root: Path, download: bool, limit: int | None, stamp: int) -> ImageSet:
    return load(name, split, root, download, limit)


def divided(run: Run, whole_set: ImageSet) -> tuple[ImageSet, ImageSet | None]:
    """Return the images to train on, and those held out."""
    return whole_set.split(run.held_out, run.seed) if run.held_out else (whole_set, None)


def begin(run: Run, train_set: ImageSet, device: torch.device) -> State:
    """Return the state before the first step."""
    single = len(train_set) % run.batch == 1 and run.batch > 1
    model = build(run, train_set.shape, len(train_set.classes), run.pretrained).to(device)
    norms = any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.modules())
    words = f"{len(train_set)} images in batches of {run.batch} leave a last batch of one"
    require(not (single and norms), f"{words}, with which batch norm cannot train: choose another batch")
    reseed(device, number(run.seed, "memory"))
    with fresh(run.seed, "memory"):
        memory = run.method.remember(model, train_set).to(device)
        networks = run.method.trained(model, memory)
    kept = any(part is model for part in memory.modules())
    require(not kept, "the memory holds the network that is trained: keep a copy.deepcopy of it")
    for network in networks.values():
        if network is not model:  # it lives in the memory, which froze it
            network.requires_grad_(True)
    optimizers = {name: run.optimizer.of(network.parameters()) for name, network in networks.items()}
    name = record.fingerprint_of_tensors({"images": train_set.images, "labels": train_set.labels})
    return State(model, memory, networks, optimizers, name)


def resume(run: Run, state: State, folder: Path) -> None:
    """Go back to what `last.pt` and the metrics up to it say."""
    path, metrics = folder / "last.pt", folder / "metrics.jsonl"
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    if not path.exists():
        require(not lines, f"{path} is missing: delete {folder} to train again, or restore the file", BadRecord)
        return
    saved = record.read_state(path, f"delete {folder} to train again, or restore the file")
    require(saved.get("run") == record.fingerprint(run), f"{path} belongs to another run than run.json", BadRecord)
    other = f"{path} was made from other images than {run.data} holds now: choose another folder"
    require(saved.get("data") == state.data, other, BadRecord)
    state.read(saved)
    try:
        # The last line may be torn by a power cut; it lies after what `last.pt` knows.
        kept = [line for line in lines[:-1] if json.loads(line)["step"] <= state.step]
        kept += [line for line in lines[-1:] if line.endswith("}") and json.loads(line)["step"] <= state.step]
    except (ValueError, KeyError) as error:
        raise BadRecord(f"{metrics} is damaged: delete {folder} to train again, or restore the file") from error
    complaint = f"{metrics} lacks lines that {path} knows of: delete {folder} to train again, or restore the file"
    require(len(kept) == state.epochs, complaint, BadRecord)
    record.write_text(metrics, "".join(line + "\n" for line in kept))


def total_steps(run: Run, train_set: ImageSet) -> int:
    """Return how many batches the run takes."""
    return run.epochs * math.ceil(len(train_set) / run.batch)


def carry_out(run: Run, state: State, train_set: ImageSet, held_out: ImageSet | None, folder: Path, tell: Tell) -> None:
    """Train to the end of the last epoch, saving on the way."""
    steps_per_epoch = total_steps(run, train_set) // run.epochs
    update = Updates(state.networks, state.optimizers)
    saved = began = time.monotonic()
    for epoch in range(state.step // steps_per_epoch, run.epochs):
        order = train_set.order_of(run.seed, epoch)[(state.step - epoch * steps_per_epoch) * run.batch :]
        view_seed = number(run.seed, "view", epoch)
        for batch in train_set.batches(run.batch, order, run.augment, view_seed):
            set_rate(run, state, state.step / steps_per_epoch)
            note(state, one_step(run, state, batch, update))
            if state.step % CHECK_EVERY == 0 or state.step % steps_per_epoch == 0:
                stop_if_bad(state, folder)
            tell(state.step, run.epochs * steps_per_epoch, "")
            if time.monotonic() - saved > SAVE_EVERY and state.step % steps_per_epoch:
                stop_if_bad(state, folder)
                saved, began = save(run, state, folder, began)
        words = finish_epoch(run, state, epoch, steps_per_epoch, held_out, folder)
        saved, began = save(run, state, folder, began)
        tell(state.step, run.epochs * steps_per_epoch, words)


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


def set_rate(run: Run, state: State, epoch: float) -> None:
    """Set the learning rate for this moment."""
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = run.optimizer.lr * run.schedule.factor(epoch, run.epochs)


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


def stop_if_bad(state: State, folder: Path) -> None:
    """Raise if any loss since the last look was not finite."""
    step = int(state.first_bad) if state.first_bad is not None else 0
    if step:
        last = folder / "last.pt"
        where = f"{last} holds the last good state" if last.exists() else "no state had been saved before it"
        raise TrainingDiverged(f"the loss became NaN or infinite at step {step}; {where}")


def finish_epoch(
    run: Run, state: State, epoch: int, steps_per_epoch: int, held_out: ImageSet | None, folder: Path
) -> str:
    """Write the epoch's line, choose the best so far, and say how it went."""
    line: dict[str, float] = {"epoch": epoch + 1, "step": state.step}
    line |= {name: float(total) / steps_per_epoch for name, total in state.sums.items()}
    state.sums, state.epochs = {}, epoch + 1
    if held_out is not None:
        line |= measure(run, state, held_out)
        score = line.get("held_out_robust", -1.0)
        if run.select is not None and score > state.best:
            state.best = score
            state.best_model = {
                name: tensor.detach().cpu().clone() for name, tensor in state.model.state_dict().items()
            }
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return f"epoch {epoch + 1}/{run.epochs}  " + "  ".join(
        f"{name} {value:.4f}" for name, value in line.items() if name not in ("epoch", "step")
    )


def measure(run: Run, state: State, held_out: ImageSet) -> dict[str, float]:
    """Return the accuracy on the images held out, clean and under the attack that selects."""
    clean = robust = 0
    with at_rest(state.model):
        for batch in held_out.batches(run.batch):
            images = run.augment.center(batch.images) if run.augment else batch.images
            with torch.no_grad():
                clean += int((state.model(images).argmax(1) == batch.labels).sum())
            if run.select is not None:
                attacked = run.select(state.model, images, batch.labels)
                with torch.no_grad():
                    robust += int((state.model(attacked).argmax(1) == batch.labels).sum())
    accuracy = {"held_out_clean": clean / len(held_out)}
    return accuracy | ({"held_out_robust": robust / len(held_out)} if run.select is not None else {})


def save(run: Run, state: State, folder: Path, began: float) -> tuple[float, float]:
    """Write `last.pt` and return the time, twice: of the last saving, and from which seconds count on."""
    now = time.monotonic()
    state.seconds += now - began
    weights = [weight for network in state.networks.values() for weight in network.parameters()]
    if not bool(torch.stack([weight.detach().abs().amax() for weight in weights]).isfinite().all()):
        last = folder / "last.pt"
        where = f"{last} holds the last good state" if last.exists() else "no state had been saved before it"
        raise TrainingDiverged(f"a weight became NaN or infinite by step {state.step}; {where}")
    record.write_state(folder / "last.pt", state.to_dict(run))
    record.write_json(folder / "timing.json", {"train_seconds": state.seconds})
    now = time.monotonic()
    return now, now
