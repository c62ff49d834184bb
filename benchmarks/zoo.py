"""Networks that the audit's checks are calibrated on: what one is, how it is trained, and which half it belongs to.

The rule of the halves was written down before any result was seen: the networks at even places of their list, counted
from 0, may be used to choose criteria; those at odd places are kept out, and say whether the criteria hold.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import holdfast as hf
from holdfast.attacks import Attack
from holdfast.data import ImageSet
from holdfast.models.weights import load_weights
from holdfast.storage.signed import read_tensors, write_tensors

JUDGED = 200
"""Images that each network is judged on."""
BATCH, RATE, WARMUP = 64, 3e-3, 20


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    build: Callable[[], nn.Module]
    steps: int = 400
    attack: Attack | None = None
    """The images are replaced by what it makes of them."""
    smoothing: float = 0.0
    beta: float = 0.0
    """The weight of TRADES' divergence between clean and attacked images; 0 trains on the attacked ones."""
    extra: Callable[[Any, Tensor, Tensor], Tensor] | None = None
    """What is added to the loss."""


@dataclass(frozen=True)
class Member:
    """One network of the zoo, and where it is judged."""

    name: str
    recipe: Recipe
    threat: hf.Threat
    data: str = "digits"
    around: Callable[[nn.Module], nn.Module] = lambda network: network
    """What is put around the trained network."""
    kept_as: str = ""
    """The name that its weights are kept under: another network's, where they are the same."""


def half(place: int) -> str:
    """Return the half of the network at this place of its list."""
    return "fit" if place % 2 == 0 else "held out"


def images(data: str, split: str) -> ImageSet:
    """Return a data set: the digits, their two halves as two classes, in colour, or a hundred made-up classes."""
    if data == "hundred classes":
        return made_up(split, classes=100, shape=(1, 8, 8))
    if data == "colour":
        return made_up(split, classes=10, shape=(3, 8, 8))
    if data == "mnist":
        return hf.load("mnist", split, root=Path(os.environ["HOLDFAST_DATA"]))
    if data == "cifar":
        return hf.load(f"folder:{os.environ['HOLDFAST_DATA']}/cifar10-jpeg.zip", split)
    digits = hf.load("digits", split)
    if data == "two classes":
        return ImageSet(digits.images, digits.labels // 5, ("low", "high"))
    return digits


def made_up(split: str, classes: int, shape: tuple[int, ...]) -> ImageSet:
    """Return noisy copies of one random picture a class."""
    generator = torch.Generator().manual_seed(0)
    pictures = 0.3 + 0.4 * torch.rand(classes, *shape, generator=generator)
    generator.manual_seed(1 if split == "train" else 2)
    labels = torch.randint(classes, (3000 if split == "train" else 500,), generator=generator)
    noise = torch.randn(len(labels), *shape, generator=generator)
    return ImageSet((pictures[labels] + 0.1 * noise).clamp(0, 1), labels, tuple(map(str, range(classes))))


def file_name(name: str) -> str:
    """Return a network's name as a file may have it."""
    return name.replace(" ", "-").replace(",", "").replace("/", "-").replace("'", "")


def network(member: Member, folder: Path) -> nn.Module:
    """Return the member's network at rest, trained now or read from the folder."""
    torch.manual_seed(0)
    inner = member.recipe.build()
    path = folder / "networks" / f"{file_name(member.kept_as or member.name)}.safetensors"
    if member.recipe.steps == 0:
        return member.around(inner).eval()
    if path.exists():
        load_weights(inner, read_tensors(path, "delete it"), str(path))
    else:
        train(inner, member.recipe, images(member.data, "train"))
        write_tensors(path, inner.state_dict())
    return member.around(inner.eval()).eval()


def train(inner: nn.Module, recipe: Recipe, data: ImageSet) -> None:
    """Train a network with Adam, a short warm-up and a linear descent to nothing."""
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(inner.train().parameters(), RATE)
    shape = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / WARMUP, (recipe.steps - step) / recipe.steps)
    )
    for _ in range(recipe.steps):
        rows = torch.randint(len(data), (BATCH,))
        clean, labels = data.images[rows], data.labels[rows]
        attacked = clean if recipe.attack is None else recipe.attack(inner, clean, labels)
        optimizer.zero_grad()
        loss(inner, clean, attacked, labels, recipe).backward()
        optimizer.step()
        shape.step()


def loss(inner: nn.Module, clean: Tensor, attacked: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    """Return what training makes small."""
    answers = inner(clean if recipe.beta else attacked)
    total = F.cross_entropy(answers, labels, label_smoothing=recipe.smoothing)
    if recipe.beta:
        other = inner(attacked).log_softmax(1)
        total = total + recipe.beta * F.kl_div(other, answers.log_softmax(1), log_target=True, reduction="batchmean")
    return total if recipe.extra is None else total + recipe.extra(inner, clean, labels)
