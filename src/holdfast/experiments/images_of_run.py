"""The images of a run's data set as its network sees them when it is judged: centered, never augmented."""

from holdfast.data import ImageSet, data_root
from holdfast.data.image_set import centered
from holdfast.data.stamp import loaded
from holdfast.devices import device_of
from holdfast.experiments.workplace import Workplace
from holdfast.training.run import Run
from holdfast.training.supply import Supply


def images_of(run: Run, test_limit: int | None, place: Workplace) -> ImageSet:
    """Return the test images as the run's network sees them."""
    data = loaded(run.data, "test", data_root(place.data_root), place.download, test_limit)
    if run.augment is not None:
        data = centered(data, run.augment)
    return data.to(device_of(place.device))


def training_images_of(run: Run, place: Workplace) -> ImageSet:
    """Return the images that a run trains on as its network sees them at rest: without those that it holds out."""
    whole = loaded(run.data, "train", data_root(place.data_root), place.download, run.limit)
    data = Supply(run, whole).own
    if run.augment is not None:
        data = data.changed(run.augment.center)  # bytes stay bytes
    return data.to(device_of(place.device))
