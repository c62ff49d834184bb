"""The networks that audits are compared on: trained on digits, MNIST and CIFAR-10 here, and public ones."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

import holdfast as hf
from holdfast.attacks import FGSM, PGD
from holdfast.methods import AT, TRADES, Standard
from holdfast.models import Normalized
from holdfast.objectives import SmoothedCrossEntropy, divergence
from holdfast.training.networks import network
from holdfast.training.optimizers import SGD
from holdfast.training.schedules import Triangle


@dataclass(frozen=True)
class Case:
    """A network, and the images and the threat that it is judged under."""

    name: str
    model: Callable[[], nn.Module]
    data: str
    threat: hf.Threat
    count: int
    efforts: tuple[str, ...] = ("fast", "standard", "thorough", "autoattack")


def cases(chosen: argparse.Namespace) -> Iterator[Case]:
    """Yield the networks; those whose data are not given are left out."""
    ball, inner = hf.Linf(0.15), PGD(hf.Linf(0.15), steps=5)
    digits = hf.Run(Standard(), epochs=16, batch=64, optimizer=SGD(lr=0.05), schedule=Triangle())
    trades = TRADES(replace(inner, random_start=False, objective=divergence), beta=3.0)
    methods = {
        "digits AT": AT(inner),
        "digits TRADES": trades,
        "digits one-step": AT(FGSM(ball)),
        "digits smoothed": Standard(SmoothedCrossEntropy(0.5)),
        "digits Standard": Standard(),
        "digits AT-L2": AT(PGD(hf.L2(0.6), steps=5)),
    }
    if chosen.public and chosen.data_root:
        yield from published(chosen)
    networks = {name: trained(name, replace(digits, method=method), chosen) for name, method in methods.items()}
    for name, model in networks.items():
        weak = name in ("digits smoothed", "digits Standard", "digits AT-L2")
        yield Case(name, model, "digits", hf.Linf(0.05 if weak else 0.15), 300)
    for name, norm, threat in CROSSED:
        yield Case(f"{name} in {norm}", networks[name], "digits", threat, 200, ("fast", "standard"))
    if chosen.data_root:
        run = hf.Run(AT(PGD(hf.Linf(0.2), steps=5)), model="small-cnn", data="mnist", epochs=2, batch=128,
                     optimizer=SGD(lr=0.05), schedule=Triangle(), limit=10_000)  # fmt: skip
        yield Case("MNIST AT", trained("MNIST AT", run, chosen), "mnist", hf.Linf(0.2), 500, ("fast", "standard"))
    if chosen.cifar:
        source = f"folder:{chosen.cifar}"
        run = hf.Run(AT(PGD(hf.Linf(8 / 255), steps=3)), model="small-cnn", data=source, epochs=6, batch=128,
                     optimizer=SGD(lr=0.05), schedule=Triangle(), limit=20_000)  # fmt: skip
        yield Case("CIFAR-10 (JPEG) AT", trained("CIFAR AT", run, chosen), source, hf.Linf(8 / 255), 300)


CROSSED = (
    ("digits AT", "L2", hf.L2(0.6)),
    ("digits Standard", "L2", hf.L2(0.3)),
    ("digits TRADES", "L2", hf.L2(0.6)),
    ("digits AT-L2", "L2", hf.L2(0.6)),
    ("digits AT", "L1", hf.L1(1.0)),
    ("digits Standard", "L1", hf.L1(0.6)),
    ("digits one-step", "L1", hf.L1(1.0)),
    ("digits AT-L2", "L1", hf.L1(1.0)),
    ("digits AT", "L0", hf.L0(3)),
    ("digits Standard", "L0", hf.L0(2)),
)
"""Networks on digits in norms that they were not trained in, or not at all, and one that was trained in L2."""


def published(chosen: argparse.Namespace) -> Iterator[Case]:
    """Yield public networks."""
    both, three = ("fast", "standard"), ("fast", "standard", "autoattack")
    wong = partial(wong_kolter, chosen.public / "wong-kolter-mnist.pth", (1, 28), (16, 32), 1568)
    yield Case("MNIST Wong-Kolter", wong, "mnist", hf.Linf(0.1), 1000, three)
    yield Case("MNIST Wong-Kolter in L2", wong, "mnist", hf.L2(1.5), 200, both)
    yield Case("MNIST Wong-Kolter in L1", wong, "mnist", hf.L1(8.0), 200, both)
    yield Case("MNIST Wong-Kolter in L0", wong, "mnist", hf.L0(10), 200, both)
    weights = str(chosen.public / "trades-mnist-smallcnn.safetensors")
    trades = partial(network, weights, "small-cnn", (1, 28, 28), 10)
    yield Case("MNIST TRADES", trades, "mnist", hf.Linf(0.3), 500, three)
    yield Case("MNIST TRADES in L2", trades, "mnist", hf.L2(1.5), 60, both)
    yield Case("MNIST TRADES in L1", trades, "mnist", hf.L1(8.0), 60, both)
    yield Case("MNIST TRADES in L0", trades, "mnist", hf.L0(10), 60, both)
    if chosen.cifar:
        small = partial(wong_kolter, chosen.public / "wong-cifar-small-8px.pth", (3, 32), (16, 32), 2048)
        scaled = lambda: nn.Sequential(Normalized((0.485, 0.456, 0.406), (0.225,) * 3), small())  # noqa: E731
        yield Case("CIFAR-10 (JPEG) Wong-Kolter", scaled, f"folder:{chosen.cifar}", hf.Linf(8 / 255), 500, three)


def wong_kolter(path: Path, images: tuple[int, int], widths: tuple[int, int], features: int) -> nn.Module:
    """Return a network of Wong and Kolter, or the first one of a cascade of theirs, with the weights of the file."""
    saved = torch.load(path, weights_only=True, map_location="cpu")
    weights = saved.get("state_dict", saved)
    model = nn.Sequential(
        nn.Conv2d(images[0], widths[0], 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(*widths, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(features, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
    model.load_state_dict(weights[0] if isinstance(weights, list) else weights)
    return model.eval()


def trained(name: str, run: hf.Run, chosen: argparse.Namespace) -> Callable[[], nn.Module]:
    """Return what trains the run, or reads it where it is done."""
    folder = chosen.folder / "networks" / name.replace(" ", "-")
    return lambda: hf.train(run, folder, device=chosen.device, data_root=chosen.data_root)
