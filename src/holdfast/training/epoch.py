"""The end of an epoch: how it went, on the images held out as well, and whether it is the best so far."""

import json

import torch

from holdfast.attacks.attack import at_rest
from holdfast.data import ImageSet
from holdfast.objectives import is_correct
from holdfast.training.run import Run
from holdfast.training.state import State


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
