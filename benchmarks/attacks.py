"""How fast PGD-20 (L-inf, eps 8/255) runs: ours, torchattacks' and foolbox's beside the least that it can cost.

The floor is 20 forward passes and gradients towards the images of the same network at rest, in a bare loop: no sign, no
step, no projection. The last column is the largest change of a pixel in units of eps.
"""

import copy
from collections.abc import Callable

import foolbox
import torch
import torch.nn.functional as F
import torchattacks
from side_by_side import FLOOR, Contender, measure, options, report
from torch import Tensor, nn

from holdfast import Linf, models
from holdfast.attacks import PGD

EPS, STEP, STEPS = 8 / 255, 2 / 255, 20
BATCHES = {"cpu": {"resnet-18": 8, "lenet": 128}, "cuda": {"resnet-18": 128, "lenet": 128}}
SHAPES = {"resnet-18": (3, 32, 32), "lenet": (1, 28, 28)}


def main() -> None:
    """Measure both networks and print."""
    chosen = options(__doc__)
    rows = []
    for name in chosen.networks:
        torch.manual_seed(0)
        size = chosen.batch or BATCHES[chosen.device][name]
        network = models.build(name, SHAPES[name], 10).to(chosen.device).eval()
        images = torch.rand(size, *SHAPES[name], device=chosen.device)
        labels = torch.randint(10, (size,), device=chosen.device)
        measured = measure(contenders(network, images, labels), size, chosen.rounds, chosen.device)
        rows += [{"network": name, "batch": size, **row} for row in measured]
    report("PGD-20, L-inf 8/255", rows, chosen)


def contenders(network: nn.Module, images: Tensor, labels: Tensor) -> list[Contender]:
    """Return the five ways to do it."""
    device = images.device
    pgd = PGD(Linf(EPS), STEPS, STEP)
    theirs = torchattacks.PGD(copy.deepcopy(network), EPS, STEP, STEPS)
    box = foolbox.PyTorchModel(copy.deepcopy(network), bounds=(0, 1), device=device)
    foolbox_pgd = foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=STEPS)

    def in_bfloat16() -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return pgd(network, images, labels)

    def change(attacked: Tensor) -> dict[str, float]:
        return {"change / eps": float((attacked.double() - images.double()).abs().max()) / EPS}

    return [
        Contender(FLOOR, bare(network, images, labels)),
        Contender("holdfast", lambda: pgd(network, images, labels), change),
        Contender("torchattacks", lambda: theirs(images, labels), change),
        Contender("foolbox", lambda: foolbox_pgd(box, images, labels, epsilons=EPS)[1], change),
        Contender("holdfast bfloat16", in_bfloat16, change),
    ]


def bare(network: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], None]:
    """Return the floor: the passes of the attack and nothing else."""
    x = images.clone().requires_grad_()

    def work() -> None:
        for _ in range(STEPS):
            torch.autograd.grad(F.cross_entropy(network(x), labels, reduction="sum"), x)

    return work


if __name__ == "__main__":
    main()
