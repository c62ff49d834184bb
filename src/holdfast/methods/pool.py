"""The training images themselves, for methods that look at more of them than the batch: one of a class, or any.

An image that is drawn is seen through a crop and flip of its own, as the run augments, however often it is drawn.
"""

import torch
from torch import nn

from holdfast.data import Augmentation, ImageSet
from holdfast.methods.method import crops_of
from holdfast.rng import Stream
from holdfast.types import Batch, Index, Labels


class Pool(nn.Module):
    """The training images, kept in a memory between batches on the run's device, and left out of all that is saved.

    A method keeps it in `remember`, and draws from it for each batch:

        memory = Memory(pool=Pool(train_set, finished.augment))
        partners = memory.pool.draw(wanted_classes, Stream.of(batch.images, 0, "partners"))
    """

    def __init__(self, train_set: ImageSet, augment: Augmentation | None = None) -> None:
        super().__init__()
        self.train_set, self.augment = train_set, crops_of(augment, "a method that draws more images than its batch")

    def check_classes(self) -> None:
        """Refuse a set in which a class has no image to be drawn.

        Raises:
            BadLabels: a class has none.
        """
        self.train_set.one_of_each(torch.arange(len(self.train_set.classes), device=self.train_set.device), 0)

    def draw(self, labels: Labels, stream: Stream) -> Batch:
        """Return, for each label, an image of that class, drawn evenly and with replacement.

        Raises:
            BadLabels: a class has no image.
        """
        return self._seen(self.train_set.one_of_each(labels, stream), stream)

    def any(self, stream: Stream) -> Batch:
        """Return as many images as the stream has keys, drawn evenly and with replacement from all classes."""
        place = stream.split("any").uniform((1,))[:, 0] * len(self.train_set)
        return self._seen(place.long().clamp_max(len(self.train_set) - 1), stream)

    def _seen(self, index: Index, stream: Stream) -> Batch:
        images, labels = self.train_set.take(index), self.train_set.labels[index]
        if self.augment is None:
            return Batch(images, labels, index)
        view = self.augment.views(stream.split("view"), self.train_set.shape)
        return Batch(self.augment.apply(images, view), labels, index, view)
