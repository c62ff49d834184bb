"""Networks that cost next to nothing: what `holdfast audit tests/auditing/tiny.py:linear` audits."""

import torch
from torch import nn

from holdfast import load


def linear(noise: float = 0.0) -> nn.Module:
    """Return the linear classifier of digits with the least squared error, with noise on its weights."""
    data = load("digits", "train")
    pixels = data.take(torch.arange(len(data))).flatten(1).double()
    pixels = torch.cat([pixels, torch.ones(len(pixels), 1)], 1)
    wanted = nn.functional.one_hot(data.labels, 10).double()
    best = 10 * torch.linalg.solve(pixels.T @ pixels + torch.eye(65), pixels.T @ wanted).float()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        model[1].weight.copy_(best[:64].T + noise * torch.randn(10, 64))
        model[1].bias.copy_(best[64])
    return model


def rough() -> nn.Module:
    """Return a worse one, whose weights the audit has to draw alike at every call."""
    return linear(noise=1.0)
