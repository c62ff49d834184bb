"""How fast the copy is that an audit crafts on: a forward pass, and one with the gradient towards the images.

The floor is the network as training leaves it: at rest, its weights asking for gradients and lying in one piece. It too
is asked for the gradient towards the images alone, as all our attacks do.

"""

from collections.abc import Callable

import torch
from side_by_side import FLOOR, Contender, Row, measure, options, report
from torch import Tensor, nn

from holdfast import models
from holdfast.auditing.surrogate import Surrogate, fast_copy

SHAPES = {"small-cnn": (1, 28, 28), "cifar-resnet-20": (3, 32, 32), "resnet-18": (3, 32, 32)}
BATCHES = {"cpu": {"small-cnn": 64, "cifar-resnet-20": 32, "resnet-18": 8}, "cuda": dict.fromkeys(SHAPES, 256)}


def main() -> None:
    """Measure the networks and print."""
    chosen = options(__doc__)
    rows: list[Row] = []
    said = []
    for name, shape in SHAPES.items():
        torch.manual_seed(0)
        size = chosen.batch or BATCHES[chosen.device][name]
        network = models.build(name, shape, 10).to(chosen.device).eval()
        nn.init.normal_(last_weight(network), std=0.1)  # the small CNN's starts at zero
        images = torch.rand(size, *shape, device=chosen.device)
        surrogate = fast_copy(network, images)
        said.append(f"{name}: {surrogate.words}; logits differ by {surrogate.mismatch:.1e} of their spread")
        for work in (forward, gradient):
            for row in measure(contenders(network, surrogate, images, work), size, chosen.rounds, chosen.device):
                rows.append(
                    {"network": name, "batch": size, **row, "contender": f"{work.__name__}, {row['contender']}"}
                )
    report(".\n".join(["The network (floor) and its fast copy", *said]), rows, chosen)


def contenders(
    network: nn.Module, surrogate: Surrogate, images: Tensor, work: Callable[[nn.Module, Tensor], None]
) -> list[Contender]:
    """Return the network and its copy."""
    copied = surrogate.network
    assert isinstance(copied, nn.Module)
    return [Contender(FLOOR, lambda: work(network, images)), Contender("copy", lambda: work(copied, images))]


def forward(network: nn.Module, images: Tensor) -> None:
    """Ask once, for no gradient."""
    with torch.no_grad():
        network(images)


def gradient(network: nn.Module, images: Tensor) -> None:
    """Ask once, and for the gradient of the sum of squares towards the images."""
    x = images.clone().requires_grad_()
    torch.autograd.grad(network(x).square().sum(), x)


def last_weight(network: nn.Module) -> Tensor:
    """Return the weight of the last linear layer."""
    return [part.weight for part in network.modules() if isinstance(part, nn.Linear)][-1]


if __name__ == "__main__":
    main()
