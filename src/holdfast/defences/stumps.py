"""Boosted trees of one question each (Freund and Schapire: AdaBoost, 1997), fitted by scikit-learn, asked in torch."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holdfast.devices import need
from holdfast.types import PerImage

Features = Float[Tensor, "n f"]
OtherFeatures = Float[Tensor, "m f"]
WIDTH = 0.05
"""Of the smooth questions, in units of probabilities: a feature this far past its threshold is answered by 0.76."""


class Stumps(nn.Module):
    """A vote of questions, each whether one feature is above a threshold; in [-1, 1], 1 for attacked."""

    place: Tensor
    threshold: Tensor
    below: Tensor
    above: Tensor

    def __init__(self, place: Tensor, threshold: Tensor, below: Tensor, above: Tensor) -> None:
        super().__init__()
        for name, value in (("place", place), ("threshold", threshold), ("below", below), ("above", above)):
            self.register_buffer(name, value)

    def forward(self, features: Features) -> PerImage:
        """Return the vote."""
        yes = features[:, self.place].double() > self.threshold
        return torch.where(yes, self.above, self.below).sum(1).float()

    def smooth(self, features: Features) -> PerImage:
        """Return the vote of questions that are answered gradually, for gradients."""
        beyond = (features[:, self.place].double() - self.threshold) / WIDTH
        return ((self.above + self.below) / 2 + (self.above - self.below) / 2 * beyond.tanh()).sum(1).float()


def boosted(clean: Features, attacked: OtherFeatures, count: int, seed: int) -> Stumps:
    """Return the stumps that tell the features of attacked images from those of clean ones.

    Raises:
        MissingExtra: scikit-learn, of the extra `analysis`, is not installed.
    """
    need("analysis")
    from sklearn.ensemble import AdaBoostClassifier
    from sklearn.tree import DecisionTreeClassifier

    sides = [0] * len(clean) + [1] * len(attacked)
    trees = AdaBoostClassifier(DecisionTreeClassifier(max_depth=1), n_estimators=count, random_state=seed)
    trees.fit(torch.cat([clean, attacked]).cpu().numpy(), sides)
    asked = [each.tree_ for each in trees.estimators_]
    weights = torch.from_numpy(trees.estimator_weights_[: len(asked)])
    weights = weights / weights.sum()
    # A tree without a question is one leaf, the first and the last at once.
    votes = [[2.0 * float(tree.value[leaf][0].argmax()) - 1 for leaf in _leaves(tree)] for tree in asked]
    below, above = (torch.tensor(votes, dtype=torch.float64) * weights[:, None]).unbind(1)
    place = torch.tensor([max(0, int(tree.feature[0])) for tree in asked])
    threshold = torch.tensor([float(tree.threshold[0]) for tree in asked], dtype=torch.float64)
    return Stumps(place, threshold, below, above).to(clean.device)


def _leaves(tree: Any) -> tuple[int, int]:
    """Return which nodes answer no and yes."""
    return (1, 2) if tree.node_count == 3 else (0, 0)
