"""Where a network looks: maps over the positions of its last features, shape (n, rows, columns) (paper 001, 3.2.1, C).

Features are (n, channels, rows, columns). The gradient flows through every map, as a student's maps are trained.
"""

import torch
from torch import Tensor

from holdfast.errors import BadValue, require
from holdfast.types import Labels, Logits, Outputs


def channel_sum(features: Outputs) -> Tensor:
    """Return the sum over the channels: the attention of no class in particular, as the released code takes it."""
    check_map(features)
    return features.float().sum(1)


def channel_mean(features: Outputs) -> Tensor:
    """Return the mean over the channels, as the paper takes it."""
    check_map(features)
    return features.float().mean(1)


def grad_cam(features: Outputs, logits: Logits, classes: Labels) -> Tensor:
    """Return Grad-CAM of one class an image (Selvaraju et al., 2017): relu(sum_k alpha_k F_k).

    alpha is the mean over the positions of the gradient of the class's logit towards the features, taken through
    whatever lies between them. With a global pool and a linear layer w it is w / (rows * columns).
    """
    return _weighted(features, logits.gather(1, classes[:, None])[:, 0]).relu()


def cam_average(features: Outputs, logits: Logits) -> Tensor:
    """Return the mean over all classes of the class activation maps sum_k w_k F_k (Zhou et al., 2016)."""
    positions = features.shape[2] * features.shape[3]
    return positions * _weighted(features, logits.float().mean(1))


def _weighted(features: Outputs, scores: Tensor) -> Tensor:
    """Return the features, each channel weighted by its mean gradient of the scores."""
    check_map(features)
    (gradient,) = torch.autograd.grad(scores.sum(), features, create_graph=True)
    return (gradient.float().mean((2, 3), keepdim=True) * features.float()).sum(1)


def min_max(maps: Tensor) -> Tensor:
    """Return maps from 0 to 1, each stretched by its own lowest and highest value; a flat map is 0 throughout."""
    maps = maps - maps.amin((1, 2), keepdim=True)
    return maps / maps.amax((1, 2), keepdim=True).clamp_min(1e-12)


def check_map(features: Outputs) -> None:
    """Refuse features that have no positions to look at."""
    shape = tuple(features.shape)
    wanted = "attention needs features (n, channels, rows, columns) of more than one position"
    require(len(shape) == 4 and shape[2] * shape[3] > 1, f"the layer's output has shape {shape}: {wanted}", BadValue)
