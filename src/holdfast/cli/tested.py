"""What the test accuracy of a run is of: its classifier, or the one that its purifier was trained for, behind it."""

from pathlib import Path

from torch import nn

from holdfast.defences import defend
from holdfast.methods.purifier import PurifierMethod
from holdfast.training.dependencies import found_beside
from holdfast.training.run import Run


def can_be_tested(run: Run) -> bool:
    """Say whether a run has a test accuracy: a purifier without a classifier has none."""
    return run.method.trains == "logits" or (isinstance(run.method, PurifierMethod) and run.method.source is not None)


def tested(run: Run, model: nn.Module, beside: Path, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the classifier that is tested on images of this shape; `beside` holds the folders of other runs."""
    if not isinstance(run.method, PurifierMethod) or run.method.source is None:
        return model
    classifier = found_beside(run.method.source, beside).network(shape, classes)  # type: ignore[arg-type]
    device = next(model.parameters()).device
    return defend(classifier.to(device), model)


def behind(run: Run) -> str:
    """Return what is to be said of the images beside their number."""
    return "" if run.method.trains == "logits" else ", purified for the classifier that was used"
