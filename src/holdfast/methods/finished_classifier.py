"""The classifier that a finished run left, as a method uses it: to attack it, to learn from it, to purify before it."""

from torch import nn

from holdfast.data import ImageSet
from holdfast.methods.method import Finished, Origin
from holdfast.models.architecture import Shape, check_answer


def shown_shape(train_set: ImageSet, finished: Finished) -> Shape:
    """Return the shape of the training images as the run that begins shows them to its network."""
    channels, rows, columns = train_set.shape
    size = finished.augment.size if finished.augment else None
    return channels, size or rows, size or columns


def finished_classifier(run: Origin, train_set: ImageSet, finished: Finished) -> nn.Module:
    """Return the network of a finished run, at rest.

    Raises:
        BadValue: it does not answer the images of the run that begins with logits of their classes; a purifier's does
            not.
    """
    network = finished.network(run)
    check_answer(network, "the classifier that is used", shown_shape(train_set, finished), len(train_set.classes))
    return network
