"""How fast one step of adversarial training with PGD-10 (L-inf, eps 8/255) is, with the attack of each library inside.

The floor is what every such step must do: 10 forward passes and gradients towards the images of the network at rest, a
forward and full backward pass in training mode, and one step of the optimizer. No attack, no checks. Its weights lie as
torch lays them; ours lie, on a processor, with the channels last, as in every run.
"""

from collections.abc import Callable
from typing import Literal

import foolbox
import torch
import torch.nn.functional as F
import torchattacks
from side_by_side import FLOOR, Contender, measure, options, report
from torch import Tensor, nn

from holdfast import Linf, Run, models
from holdfast.attacks import PGD
from holdfast.devices import isolated
from holdfast.methods import AT
from holdfast.models.memory_format import use_channels_last
from holdfast.training.optimizers import SGD
from holdfast.training.state import State, Updates
from holdfast.training.step import one_step
from holdfast.types import Batch

EPS, STEP, STEPS = 8 / 255, 2 / 255, 10
BATCHES = {"cpu": {"resnet-18": 8, "lenet": 128}, "cuda": {"resnet-18": 128, "lenet": 128}}
SHAPES = {"resnet-18": (3, 32, 32), "lenet": (1, 28, 28)}
OPTIMIZER = SGD(lr=0.01)


def main() -> None:
    """Measure both networks and print."""
    chosen = options(__doc__)
    rows = []
    for name in chosen.networks:
        size = chosen.batch or BATCHES[chosen.device][name]
        torch.manual_seed(0)
        images = torch.rand(size, *SHAPES[name], device=chosen.device)
        labels = torch.randint(10, (size,), device=chosen.device)
        batch = Batch(images, labels, torch.arange(size, device=chosen.device))
        with isolated(torch.device(chosen.device)):  # as in training: the same kernels for all
            measured = measure(contenders(name, batch), size, chosen.rounds, chosen.device)
        rows += [{"network": name, "batch": size, **row} for row in measured]
    report("One step of adversarial training, PGD-10, L-inf 8/255", rows, chosen)


def contenders(name: str, batch: Batch) -> list[Contender]:
    """Return the five ways to train, each with a network of its own that starts from the same weights."""
    device = batch.images.device

    def network() -> nn.Module:
        torch.manual_seed(0)
        return models.build(name, SHAPES[name], 10).to(device)

    bare, theirs, boxed = network(), network(), network()
    attack = torchattacks.PGD(theirs, EPS, STEP, STEPS)
    box = foolbox.PyTorchModel(boxed.eval(), bounds=(0, 1), device=device)
    pgd = foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=STEPS)

    def by_foolbox(images: Tensor, labels: Tensor) -> Tensor:
        boxed.eval()  # foolbox attacks the network as it finds it
        return pgd(box, images, labels, epsilons=EPS)[1]

    def passes_alone(images: Tensor, labels: Tensor) -> Tensor:
        bare.eval()
        x = images.clone().requires_grad_()
        for _ in range(STEPS):
            torch.autograd.grad(F.cross_entropy(bare(x), labels, reduction="sum"), x)
        return images

    return [
        Contender(FLOOR, plain_step(bare, passes_alone, batch)),
        Contender("holdfast", our_step(network(), name, batch, "float32")),
        Contender("torchattacks", plain_step(theirs, attack, batch)),
        Contender("foolbox", plain_step(boxed, by_foolbox, batch)),
        Contender("holdfast bfloat16", our_step(network(), name, batch, "bfloat16")),
    ]


def our_step(
    network: nn.Module, name: str, batch: Batch, precision: Literal["float32", "bfloat16"]
) -> Callable[[], None]:
    """Return a step of holdfast's training loop, with the network laid out as a run begins."""
    use_channels_last(network, SHAPES[name])
    method = AT(PGD(Linf(EPS), STEPS, STEP))
    run = Run(method, model=name, batch=len(batch.images), optimizer=OPTIMIZER, precision=precision)
    memory = method.remember(network, None, None)  # type: ignore[arg-type]  # AT keeps nothing of the training set
    networks = method.trained(network, memory)
    state = State(network, memory, networks, {"model": OPTIMIZER.of(network.parameters())})
    update = Updates(state.networks, state.optimizers)

    def work() -> None:
        one_step(run, state, batch, update)
        state.step += 1

    return work


def plain_step(network: nn.Module, attack: Callable[[Tensor, Tensor], Tensor], batch: Batch) -> Callable[[], None]:
    """Return a step of a plain loop around another library's attack."""
    optimizer = OPTIMIZER.of(network.parameters())

    def work() -> None:
        attacked = attack(batch.images, batch.labels)
        network.train()
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(attacked), batch.labels).backward()
        optimizer.step()

    return work


if __name__ == "__main__":
    main()
