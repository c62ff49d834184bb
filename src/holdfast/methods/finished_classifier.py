"""What a method asks of the finished runs that it names: here, the shape of the images that both see."""

from holdfast.data import ImageSet
from holdfast.methods.method import Finished
from holdfast.models.architecture import Shape


def shown_shape(train_set: ImageSet, finished: Finished) -> Shape:
    """Return the shape of the training images as the run that begins shows them to its network."""
    channels, rows, columns = train_set.shape
    size = finished.augment.size if finished.augment else None
    return channels, size or rows, size or columns
