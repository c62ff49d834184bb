"""Channel-wise activation suppressing (CAS; Bai et al.: "Improving adversarial robustness via channel-wise activation
suppressing", 2021): channels count as much as an auxiliary head gives them for one class.

In training that class is the true label, which the head is trained to know; at rest it is the head's own answer. The
head's weights are taken as they are, without softmax or ReLU: a channel may change its sign.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import BadLabels, UsageError, require
from holdfast.models.layers import capture, layer_names
from holdfast.types import Images, Labels, Outputs

_LABELS: ContextVar[Mapping[nn.Module, Labels]] = ContextVar("labels", default=MappingProxyType({}))
"""The labels of the batch that each part is shown; not on the part, as other threads may show it other batches."""


class Suppression(nn.Module):
    """Multiplies each channel by its weight for one class in an auxiliary linear head; `linear` makes its logits."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(channels, classes)

    def forward(self, activation: Tensor) -> Tensor:
        """Return the suppressed activation.

        Raises:
            UsageError: in training, `labelled` does not say what the batch shows.
        """
        logits: Tensor = self.linear(self.pool(activation))
        classes = _labels_of(self, len(activation)) if self.training else logits.argmax(1)
        return activation * F.embedding(classes, self.linear.weight)[:, :, None, None]


def _labels_of(part: nn.Module, count: int) -> Labels:
    """Return the labels of the batch that a part is shown."""
    labels = _LABELS.get().get(part)
    if labels is None:
        raise UsageError("suppression (CAS) trains on the labels of each batch: use `with labelled(model, labels):`")
    require(len(labels) == count, f"labelled: {len(labels)} labels for a batch of {count} images", BadLabels)
    return labels


@contextmanager
def labelled(model: nn.Module, labels: Labels) -> Iterator[None]:
    """Tell all parts of a network that suppress activations what the batch shows; other networks ignore it.

        with labelled(model, labels):
            logits = model(images)

    Afterwards the former labels hold again; other threads never see these.
    """
    parts = [part for part in model.modules() if isinstance(part, Suppression)]
    if parts and len(labels):
        least, most = labels.min().item(), labels.max().item()
        classes = min(part.linear.out_features for part in parts)
        within = least >= 0 and most < classes
        require(within, f"labelled: labels from {least} to {most}; the network knows 0 to {classes - 1}", BadLabels)
    token = _LABELS.set({**_LABELS.get(), **dict.fromkeys(parts, labels)})
    try:
        yield
    finally:
        _LABELS.reset(token)


class WithAuxiliary(nn.Module):
    """A network whose answer is its logits and those of its auxiliary heads, for attacks on all of them at once."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.heads = tuple(name for name in layer_names(model) if re.fullmatch(r"auxiliary\d+", name))
        require(self.heads != (), f"{type(model).__name__} has no auxiliary heads: no layer auxiliary1", UsageError)

    def forward(self, images: Images) -> Outputs:
        """Return the logits and after them those of each head, shape (n, heads + 1, k)."""
        with capture(self.model, *self.heads) as seen:
            logits = self.model(images)
        return torch.stack([logits, *(seen[name] for name in self.heads)], 1)
