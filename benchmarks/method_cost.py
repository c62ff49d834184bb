"""What a step of each method of paper 001 costs beside AT-7, and beside what its passes through the network cost.

    python benchmarks/method_cost.py --threads 1 --rounds 5

All methods take turns in one process, on one batch of made-up images and a network of their own that starts from the
same weights. Passes are counted while a method trains: forward passes alone, those with a gradient towards the images,
and those with a gradient towards the weights. What each kind costs is timed in the same turns.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import torch
from side_by_side import machine
from torch import Tensor, nn

from holdfast import models
from holdfast.data import ImageSet, made_up_images
from holdfast.devices import isolated
from holdfast.methods.memory import Borrowed, Memory
from holdfast.methods.method import Method
from holdfast.models import labelled
from holdfast.models.memory_format import use_channels_last
from holdfast.objectives import cross_entropy
from holdfast.papers.agkd_bml_printed import TABLE_7
from holdfast.papers.agkd_bml_runs import CIFAR, methods, suppressed
from holdfast.training.dependencies import Lineage
from holdfast.training.optimizers import SGD
from holdfast.training.run import Run
from holdfast.training.state import State, Updates
from holdfast.training.step import one_step
from holdfast.types import Batch

KINDS = ("forward", "to images", "to weights")
NAMES = ("UM", "Bilateral", "Bilateral-4", "FS", "FS-2", "AT-7", "ALP", "SML-7", "TRADES", "MART", "CAT-CE", "CAT-MIX",
         "BML", "AGKD", "AGKD-BML")  # fmt: skip
SHAPE = (3, 32, 32)


@dataclass
class Count:
    """Passes of whole batches through a network, by kind."""

    forward: float = 0.0
    to_images: float = 0.0
    to_weights: float = 0.0

    def __iter__(self) -> Iterator[float]:
        return iter((self.forward, self.to_images, self.to_weights))


def main() -> None:
    """Measure and print."""
    chosen = arguments()
    torch.set_num_threads(chosen.threads)
    data = made_up_images(SHAPE, "train")
    with isolated(torch.device("cpu")):
        steps, counts, networks = {}, {}, dict[str, str]()
        kinds: dict[str, Callable[[], object]] = {}
        for name, (network, method) in contenders(chosen.network).items():
            steps[name], counts[name] = step_of(network, method, data, chosen.batch)
            networks[name] = network
            if f"forward {network}" not in kinds:
                kinds |= passes_alone(network, data, chosen.batch)
        seconds = timed({**kinds, **steps}, chosen.rounds)
    rows = [row(name, networks[name], seconds, counts[name]) for name in steps]
    print(json.dumps(rows) if chosen.json else table(rows))
    print("; ".join(machine("cpu").values()))


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each method takes its turn (default: 5)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--network", default="wrn-16-2", help="of which NETWORK-cas is built as well")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def contenders(network: str) -> dict[str, tuple[str, Method]]:
    """Return the network and the method of each row; without a teacher's run, a teacher is the network as it begins."""
    known = methods(CIFAR)
    plain = {name: replace(known[name], **({"teacher": None} if name.startswith("AGKD") else {})) for name in NAMES}
    heads = {name: (f"{network}-cas", run.method) for name, run in suppressed(CIFAR).items()}
    return {name: (network, method) for name, method in plain.items()} | heads


def step_of(network: str, method: Method, data: ImageSet, size: int) -> tuple[Callable[[], None], Count]:
    """Return a step of holdfast's training loop, and the passes that one takes."""
    model, place = begun(network), torch.arange(size)
    batch = Batch(data.take(place), data.labels[place], place)
    run = Run(method, model=network, batch=size, optimizer=SGD(lr=0.01))
    memory = method.remember(model, data, Lineage({}, data.shape, 10, torch.device("cpu")))
    networks = method.trained(model, memory)
    state = State(model, memory, networks, {"model": run.optimizer.of(model.parameters())})
    update = Updates(state.networks, state.optimizers)

    def work() -> None:
        one_step(run, state, batch, update)
        state.step += 1

    work()
    with counted(model, memory, size) as count:
        work()
    return work, count


def begun(network: str) -> nn.Module:
    """Return a network with the weights that all of its kind begin with, laid out as in a run."""
    torch.manual_seed(0)
    model = models.build(network, SHAPE, 10)
    use_channels_last(model, SHAPE)
    return model


@contextmanager
def counted(model: nn.Module, memory: Memory, size: int) -> Iterator[Count]:
    """Count the passes through the network in training, and through those that the memory keeps."""
    count = Count()

    def passed(module: nn.Module, given: tuple[Tensor, ...], answer: Tensor) -> None:
        batches = len(given[0]) / size
        if not answer.requires_grad:
            count.forward += batches
        elif module.training:
            count.to_weights += batches
        else:
            count.to_images += batches

    kept = [part for part in memory.children() if type(part) is type(model) or isinstance(part, Borrowed)]
    hooks = [network.register_forward_hook(passed) for network in (model, *kept)]
    try:
        yield count
    finally:
        for hook in hooks:
            hook.remove()


def passes_alone(network: str, data: ImageSet, size: int) -> dict[str, Callable[[], object]]:
    """Return one pass of a batch of each kind and nothing else."""
    model, place = begun(network), torch.arange(size)
    images, labels = data.take(place), data.labels[place]
    weights = list(model.parameters())

    def forward() -> object:
        with torch.no_grad():
            return model.eval()(images)

    def to_images() -> object:
        x = images.clone().requires_grad_()
        return torch.autograd.grad(cross_entropy(model.eval()(x), labels).sum(), x)

    def to_weights() -> object:
        with labelled(model.train(), labels):
            return torch.autograd.grad(cross_entropy(model(images), labels).mean(), weights, allow_unused=True)

    works = (forward, to_images, to_weights)
    return {f"{kind} {network}": work for kind, work in zip(KINDS, works, strict=True)}


def timed(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the processor's seconds of each piece of work, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            began = time.process_time()
            work()
            seconds[name].append(time.process_time() - began)
    return seconds


def row(name: str, network: str, seconds: dict[str, list[float]], count: Count) -> dict[str, object]:
    """Return a method's line: passes, time beside AT-7 and beside its passes, and the paper's ratio."""
    rounds = range(len(seconds[name]))
    kinds = [f"{kind} {network}" for kind in KINDS]
    price = [sum(n * seconds[kind][i] for n, kind in zip(count, kinds, strict=True)) for i in rounds]
    own, at = seconds[name], seconds["AT-7"]
    beside = [own[i] / price[i] for i in rounds]
    printed = TABLE_7.get(name)
    return {
        "method": name,
        **dict(zip(KINDS, count, strict=True)),
        "x AT-7": median(own[i] / at[i] for i in rounds),
        "the paper's": None if printed is None else printed[0] / TABLE_7["AT-7"][0],
        "x passes": median(beside),
        "lowest": min(beside),
        "highest": max(beside),
    }


def table(rows: list[dict[str, object]]) -> str:
    """Return the lines as Markdown."""
    heads = list(rows[0])
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [f"| {' | '.join(map(said, line.values()))} |" for line in rows]
    return "\n".join(lines)


def said(cell: object) -> str:
    """Return a cell of the table."""
    return "" if cell is None else f"{cell:.2f}" if isinstance(cell, float) else str(cell)


if __name__ == "__main__":
    main()
