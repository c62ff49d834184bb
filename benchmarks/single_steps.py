"""What an epoch of each single-step method costs beside one of FGSM-Adv, and how much memory each keeps of the data.

The floor is FGSM-Adv of the same library: one gradient towards the images, and a training pass of clean and of attacked
images. Contenders take turns on the same batches; their memory is that of the whole data set named below.
"""

from collections.abc import Callable

import torch
from side_by_side import FLOOR, Contender, Row, measure, options, report
from torch import nn

from holdfast import ImageSet, Linf, Run, models
from holdfast.attacks import FGSM, RFGSM
from holdfast.attacks.presets import bim, fast, madry
from holdfast.devices import isolated
from holdfast.methods import AT, ATDA, NFGSM, FreeAT, GradAlign, Guarded, Memory, MixedAT, SIMAdv, Standard
from holdfast.methods.method import Method
from holdfast.training.dependencies import Lineage
from holdfast.training.optimizers import SGD
from holdfast.training.state import State, Updates
from holdfast.training.step import one_step

SHAPES = {"resnet-18": ((3, 32, 32), 50_000), "lenet": ((1, 28, 28), 60_000)}
"""Shape and number of the images whose memory is counted: CIFAR-10's and MNIST's."""
BATCHES = {"cpu": {"resnet-18": 8, "lenet": 64}, "cuda": {"resnet-18": 128, "lenet": 128}}
STEPS = {"cpu": 4, "cuda": 40}
"""Steps that are timed at once: the epoch of a set of that many batches."""
LOOK = 2
"""Steps between two looks of the guard, so that each timed epoch has one or more; its default is 100."""
THREAT = Linf(0.1)
OPTIMIZER = SGD(lr=0.01)
CONTENDERS: dict[str, Method] = {
    FLOOR: MixedAT(FGSM(THREAT)),
    "SIM-Adv": SIMAdv(THREAT),
    "SIM-Adv, float16": SIMAdv(THREAT, kept_as="float16"),
    "R+FGSM-Adv": MixedAT(RFGSM(THREAT)),
    "ATDA": ATDA(FGSM(THREAT)),
    "Free-AT, 1 replay": FreeAT(THREAT, m=1),
    "Fast-AT": AT(fast(THREAT)),
    "Fast-AT, guarded": Guarded(AT(fast(THREAT)), probe=madry(THREAT, 4, 10), every=LOOK),
    "N-FGSM": NFGSM(THREAT),
    "GradAlign": GradAlign(FGSM(THREAT)),
    "Vanilla": Standard(),
    "Free-AT, 10 replays": FreeAT(THREAT, m=10),
    "BIM-Adv, 7 steps": MixedAT(bim(THREAT, 7 / 3, 7)),
    "Madry-Adv, 7 steps": MixedAT(madry(THREAT, 7 / 3, 7)),
    "Madry(10,30)-Adv": MixedAT(madry(THREAT, 10, 30)),
}
"""Seven steps stand for thirty at the recipe's scale `short`, and reach as far."""


def main() -> None:
    """Measure both networks and print."""
    chosen = options(__doc__)
    rows = []
    for name in chosen.networks:
        size = chosen.batch or BATCHES[chosen.device][name]
        shape, count = SHAPES[name]
        torch.manual_seed(0)
        images = torch.rand(size * STEPS[chosen.device], *shape, device=chosen.device)
        labels = torch.randint(10, (len(images),), device=chosen.device)
        data = ImageSet(images, labels, tuple("0123456789"))
        with isolated(torch.device(chosen.device)):  # as in training: the same kernels for all
            ways = [contender(kind, method, name, data, size, count) for kind, method in CONTENDERS.items()]
            measured = measure(ways, len(images), chosen.rounds, chosen.device)
        rows += [{"network": name, "batch": size, **row} for row in measured]
    report(f"An epoch of single-step training, beside FGSM-Adv (memory: {SHAPES})", rows, chosen)


def contender(kind: str, method: Method, name: str, data: ImageSet, size: int, count: int) -> Contender:
    """Return one method's epoch, on a network of its own that starts from the same weights."""
    torch.manual_seed(0)
    network = models.build(name, data.shape, 10).to(data.device)
    run = Run(method, model=name, batch=size, optimizer=OPTIMIZER)
    memory = method.remember(network, data, Lineage({}, data.shape, 10, data.device)).to(data.device)
    networks = method.trained(network, memory)
    state = State(network, memory, networks, {"model": OPTIMIZER.of(network.parameters())})
    return Contender(kind, epoch(run, state, data), lambda _: kept(memory, len(data), count))


def epoch(run: Run, state: State, data: ImageSet) -> Callable[[], None]:
    """Return one pass over the images by holdfast's training loop."""
    update = Updates(state.networks, state.optimizers)

    def work() -> None:
        for batch in data.batches(run.batch):
            one_step(run, state, batch, update)
            state.step += 1

    return work


def kept(memory: Memory, images: int, count: int) -> Row:
    """Return the megabytes that a method keeps, networks apart; what it keeps of each image, for `count` images."""
    networks = {id(tensor) for part in memory.children() if not isinstance(part, Memory) for tensor in tensors(part)}
    own = [tensor for tensor in tensors(memory) if id(tensor) not in networks]
    sizes = [tensor.nbytes * (count / images if tensor.ndim and len(tensor) == images else 1) for tensor in own]
    return {"memory, MB": sum(sizes) / 1e6}


def tensors(part: nn.Module) -> list[torch.Tensor]:
    """Return what a module holds."""
    return [*part.parameters(), *part.buffers()]


if __name__ == "__main__":
    main()
