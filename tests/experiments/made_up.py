"""A linear network, bare and behind noise, and images of which it gets every second one right."""

import torch
from torch import nn

from holdfast.data import ImageSet
from holdfast.defences import Noise, defend
from holdfast.experiments import Defended
from holdfast.experiments.trained import Trained
from holdfast.storage.behaviour import network_fingerprint
from holdfast.training.run import Run

NOISY = Defended(Run(), (Noise(0.3, largest=float("inf")),))
"""A row whose network answers at random."""

CLASSES = ("circle", "square", "a very long name of a class")


def made_up(side: int, channels: int, count: int = 60) -> tuple[nn.Module, ImageSet]:
    """Return a linear network, and images of which it gets every second one right."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, 3))
    images = torch.rand(count, channels, side, side)
    with torch.no_grad():
        logits = model(images)
        model[1].bias -= logits.mean(0)
        seen = model(images).argmax(1)
    return model, ImageSet(images, (seen + torch.arange(count) % 2) % 3, CLASSES)


def noisy(side: int, channels: int, count: int = 60) -> tuple[Trained, ImageSet]:
    """Return the linear network as that of the row `NOISY`, loaded already, and its images."""
    bare, data = made_up(side, channels, count)
    model = defend(bare, *(each for each in NOISY.defences if not isinstance(each, Run))).eval()
    return Trained(network_fingerprint(model), lambda: model), data
