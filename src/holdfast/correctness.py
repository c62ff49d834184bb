"""What it means that a network is right: the one definition, for metrics, audits, attacks and training alike."""

from holdfast.types import Flags, Labels, Logits


def is_correct(logits: Logits, labels: Labels, top: int = 1) -> Flags:
    """Say for each image whether its label is among the `top` highest logits.

    A class as likely as the label counts as before it, and so does NaN: a robust accuracy is an upper bound, and
    neither a tie nor NaN holds.
    """
    true = logits.gather(1, labels[:, None])
    return (logits < true).sum(1) >= logits.shape[1] - top
