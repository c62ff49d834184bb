"""Metric learning on embeddings (Mao et al.: "Metric learning for adversarial robustness", 2019; paper 001, 3.3).

An anchor is pulled to a positive and pushed from a negative. Distances are angles: 0 for parallel embeddings, and also
for opposite ones, as the paper takes the absolute value.
"""

from typing import Literal

from torch import Tensor

from holdfast.types import Outputs, PerImage

NormForm = Literal["mean square", "l2"]
"""How the size of an embedding counts: the mean of its squares (released code), or its length (paper)."""


def angular(a: Outputs, b: Outputs) -> PerImage:
    """Return 1 - |a . b| / (|a| |b|) for each pair of rows, from 0 to 1."""
    a, b = a.float().flatten(1), b.float().flatten(1)
    cosine = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)).clamp_min(1e-12)
    found: Tensor = 1 - cosine.abs().clamp_max(1)
    return found


def triplet(anchor: Outputs, positive: Outputs, negative: Outputs, margin: float) -> PerImage:
    """Return max(0, d(anchor, positive) - d(anchor, negative) + margin), equation 6."""
    return (angular(anchor, positive) - angular(anchor, negative) + margin).clamp_min(0)


def sizes_of(*embeddings: Outputs, form: NormForm) -> Tensor:
    """Return the mean size of an image's embedding, summed over the embeddings that are given."""
    flat = [embedding.float().flatten(1) for embedding in embeddings]
    if form == "mean square":
        return sum((part.square().mean() for part in flat), start=flat[0].new_zeros(()))
    return sum((part.norm(dim=1).mean() for part in flat), start=flat[0].new_zeros(()))
