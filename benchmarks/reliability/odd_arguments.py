"""Networks, images, labels and numbers as calls should not get them, and plain ones in another form."""

import functools
import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import holdfast as hf


class Net(nn.Module):
    """A small network in training mode, with batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.3)
        self.last = nn.Linear(256, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Return five logits an image."""
        return self.last(self.drop(torch.relu(self.norm(self.conv(images)))).flatten(1))


class Holder:
    """An object around a network."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, images: Tensor) -> Tensor:
        """Ask the network."""
        return self.network(images)


class Kind(torch.Tensor):
    """A subclass of tensors."""


def fails(images: Tensor) -> Tensor:
    """Be a network that raises."""
    raise ZeroDivisionError("a fault\nof two lines")


@dataclass(frozen=True)
class Given:
    """What a call is given; `same` says that the plain call must give the same result."""

    model: Any
    images: Any
    labels: Any
    same: bool = True
    more: tuple[tuple[str, Any], ...] = ()


torch.manual_seed(0)
NET = Net()
IMAGES = torch.rand(8, 1, 8, 8)
LABELS = NET.eval()(IMAGES).argmax(1)
NET.train()
PLAIN = Given(NET, IMAGES, LABELS)

OTHER_FORMS: dict[str, dict[str, Any]] = {
    "a wrapper": {"model": Holder(NET)}, "a method": {"model": NET.forward}, "a function": {"model": lambda x: NET(x)},
    "a partial": {"model": functools.partial(lambda net, x: net(x), NET)}, "a sequence": {"model": nn.Sequential(NET)},
    "subclasses": {"images": IMAGES.as_subclass(Kind), "labels": LABELS.as_subclass(Kind)},
    "images that ask for gradients": {"images": IMAGES.clone().requires_grad_()},
    "a parameter": {"images": nn.Parameter(IMAGES.clone())},
    "turned images": {"images": IMAGES.transpose(2, 3).contiguous().transpose(2, 3)},
    "channels last": {"images": IMAGES.to(memory_format=torch.channels_last)},
    "float64 answers": {"model": lambda x: NET(x).double()},
}  # fmt: skip
NO_NETWORK = (
    None,
    Net,
    3,
    "net",
    IMAGES,
    fails,
    lambda x: x.flatten(1)[:, :1],
    lambda x: x.flatten(1)[:, 0],
    lambda x: x,
    lambda x: (NET(x), x),
    lambda x: {"logits": NET(x)},
    lambda x: NET(x)[1:],
    lambda x: NET(x)[0],
    lambda x: NET(x).sum(),
    lambda x: NET(x) * 1j,
    lambda x: NET(x) * torch.nan,
    lambda x: NET(x).detach().numpy(),
    lambda x: NET(x).to("meta"),
    lambda: 0,
    nn.Module(),
    nn.Flatten(),
    lambda x: NET(x[:, :, :4]),
    lambda x: NET(x).detach(),
)
NO_IMAGES = (
    None,
    IMAGES.numpy(),
    IMAGES.tolist(),
    IMAGES.double(),
    IMAGES.half(),
    (IMAGES * 255).to(torch.uint8),
    IMAGES[0],
    IMAGES[:, :, :0],
    IMAGES[:, :0],
    IMAGES[:0],
    IMAGES.to_sparse(),
    IMAGES.to("meta"),
    IMAGES * 4 - 2,
    IMAGES * torch.nan,
    IMAGES / 0,
    IMAGES * 1.00002,
    IMAGES.to(torch.complex64),
    IMAGES.expand(2, 8, 1, 8, 8),
    torch.tensor(0.5),
    "images",
    torch.nested.nested_tensor([IMAGES[0], IMAGES[1]], layout=torch.jagged),
    IMAGES > 0.5,
    IMAGES[:7],
    [*IMAGES],
)
NO_LABELS = (
    None,
    LABELS.numpy(),
    LABELS.tolist(),
    LABELS[:, None],
    nn.functional.one_hot(LABELS, 5),
    LABELS.int(),
    LABELS.float(),
    nn.functional.one_hot(LABELS % 2, 2),
    LABELS.to("meta"),
    LABELS.to_sparse(),
    LABELS - 1,
    LABELS + 5,
    LABELS[:7],
    LABELS[0],
    LABELS.bool(),
    LABELS.to(torch.complex64),
    0,
    "labels",
    nn.functional.one_hot(LABELS, 5).float(),
    LABELS[None],
    LABELS * 0 + 2**62,
    LABELS.view(2, 4),
    torch.empty(8, 0),
    {"labels": LABELS},
)
NUMBERS = (
    None,
    "a",
    "3",
    1.5,
    -1,
    0,
    True,
    float("nan"),
    float("inf"),
    1j,
    [1],
    2**70,
    np.int64(2),
    torch.tensor(2),
    int,
)
ANYTHING = (*NUMBERS, "", b"x", {}, (), object(), print, NET, IMAGES, hf.Linf, hf.Linf(0.1), hf.attacks.PGD())


def odd(rng: random.Random) -> tuple[str, Given]:
    """Draw what a call is given: one of its arguments in another form, or as it should not be."""
    kind = rng.choice(("form", "form", "model", "images", "labels", "both"))
    if kind == "form":
        name = rng.choice(list(OTHER_FORMS))
        return name, replace(PLAIN, **OTHER_FORMS[name])
    drawn = {"model": rng.choice(NO_NETWORK), "images": rng.choice(NO_IMAGES), "labels": rng.choice(NO_LABELS)}
    taken = ("images", "labels") if kind == "both" else (kind,)
    return kind, replace(PLAIN, same=False, **{name: drawn[name] for name in taken})
