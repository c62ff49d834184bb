"""The end of an epoch: how it went, on the images held out as well, and whether it is the best so far."""

import json

from holdfast.attacks.attack import at_rest
from holdfast.data import ImageSet
from holdfast.errors import ModelFault, require
from holdfast.methods.method import predict
from holdfast.objectives import cross_entropy
from holdfast.training.divergence import stop_if_lost
from holdfast.training.patience import LOSS, Patience
from holdfast.training.run import Run, seen_at_rest
from holdfast.training.state import State


def finish_epoch(run: Run, state: State, epoch: int, steps: int, held_out: ImageSet | None) -> str:
    """Add the line of an epoch of so many steps, choose the best so far, and say how it went."""
    line: dict[str, float] = {"epoch": epoch + 1, "step": state.step}
    line |= {name: float(total) / steps for name, total in state.sums.items()}
    state.sums = {}
    if held_out is not None:
        line |= measure(run, state, held_out)
        score = -line[LOSS] if isinstance(run.select, Patience) else line.get("held_out_robust", -1.0)
        if run.select is not None and score > state.best:
            state.best = score
            state.best_model = {
                name: tensor.detach().cpu().clone() for name, tensor in state.judged.state_dict().items()
            }
    state.lines.append(json.dumps(line))
    of = f"/{run.epochs}" if run.epochs else ""
    return f"epoch {epoch + 1}{of}  " + "  ".join(
        f"{name} {value:.4f}" for name, value in line.items() if name not in ("epoch", "step")
    )


def measure(run: Run, state: State, held_out: ImageSet) -> dict[str, float]:
    """Return the means of what the method measures on the images held out."""
    sums: dict[str, float] = {}
    patient = isinstance(run.select, Patience)
    attack = None if isinstance(run.select, Patience) else run.select
    with at_rest(state.judged):
        for batch in held_out.batches(run.batch):
            images = seen_at_rest(run, batch.images)
            shown = (state.judged, images, batch.labels)
            try:
                values = run.method.measure(*shown, state.memory, attack)
            except ModelFault as fault:
                stop_if_lost(state, state.judged, images, fault)
                raise
            values |= {"loss": cross_entropy(predict(state.judged, images), batch.labels)} if patient else {}
            for name, each in values.items():
                sums[name] = sums.get(name, 0.0) + float(each.detach().double().sum())
    measured = {f"held_out_{name}": total / len(held_out) for name, total in sums.items()}
    kind = type(run.method).__name__
    words = f"{kind} measures no 'robust', by which select chooses: leave select out"
    require(run.select is None or patient or "held_out_robust" in measured, words)
    return measured
