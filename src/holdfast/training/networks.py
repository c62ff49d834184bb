"""From what a person names on the command line to a network at rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from holdfast.errors import UsageError, require
from holdfast.models import adapt, answers_of, foreign, from_onnx, logarithms
from holdfast.models.answer import Part
from holdfast.models.architecture import check_answer
from holdfast.models.foreign_network import Reading
from holdfast.training.folder import RunFolder, read_run
from holdfast.training.run import seen_shape
from holdfast.training.weight_files import check_classifies, is_graph, of_file, weights_alone

Shape = tuple[int, int, int]
UNSAID = Reading()
WITH_WEIGHTS = ("hf", "timm", "torchvision")
"""The libraries that have public weights."""
ELSEWHERE = "FILE.onnx, timm:NAME, torchvision:NAME, hf:ORG/NAME, robustbench:NAME or FILE.py:FUNCTION"
"""The names of networks that others made."""


@dataclass(frozen=True)
class Answered:
    """What a person says of the answers of a network that was made elsewhere, where they are not plain logits."""

    part: Part | None = None
    """Which part of what it returns counts; None: all of it."""
    probabilities: bool = False
    """Whether that part are probabilities."""

    def by(self, model: nn.Module) -> nn.Module:
        """Return a network that answers with logits."""
        model = model if self.part is None else adapt(model, answers=self.part)
        return logarithms(model) if self.probabilities else model


def answered_by(names: Sequence[str], part: str | None, probabilities: bool) -> Answered:
    """Return what --answers and --probabilities say of the networks that others made.

    Raises:
        UsageError: there is none among the names.
    """
    if part is None and not probabilities:
        return Answered()
    words = f"--answers and --probabilities: none of {', '.join(names)} is {ELSEWHERE}"
    require(any(":" in name or is_graph(name) for name in names), words, UsageError)
    return Answered(int(part) if part is not None and part.isdecimal() else part, probabilities)


def network(
    name: str,
    architecture: str | None,
    shape: Shape,
    classes: int,
    pretrained: bool = False,
    download: bool = False,
    reading: Reading = UNSAID,
    answered: Answered = Answered(),
) -> nn.Module:
    """Return a network: a run's folder, a file of weights with its architecture, an ONNX file, or a name for `build`.

    A `pretrained` one of a library has its public weights, fetched if they are missing and `download` says so. The
    `reading` is of a file of weights (its normalisation of an ONNX file too), `answered` of a network made elsewhere.

    Raises:
        UsageError: nothing answers to the name, the weights are another network's, or it needs no architecture.
    """
    path = Path(name)
    require(
        architecture is None or weights_alone(name),
        f"--model {architecture} is only for files of weights; {name} already names its architecture",
        UsageError,
    )
    if path.is_dir():
        run = read_run(path)
        check_classifies(name, run.model)
        return RunFolder(run, path).network(shape, classes)
    if weights_alone(name):
        return of_file(path, architecture, shape, classes, reading).model
    if is_graph(name):
        model = answered.by(from_onnx(path, shape))
        model = model if reading.normalisation is None else reading.normalisation.before(model)
    else:
        model = answered.by(_by_name(name, classes, pretrained, download))
    check_answer(model.eval(), name, shape, classes)
    return model


def _by_name(name: str, classes: int, pretrained: bool, download: bool) -> nn.Module:
    """Return the network of a library or of a file of code: with its public weights, or for this number of classes."""
    require(":" in name, f"'{name}' is no run's folder, no file of weights, and not {ELSEWHERE}", UsageError)
    public = pretrained and name.partition(":")[0] in WITH_WEIGHTS
    return foreign(name, None, pretrained=True, download=download) if public else foreign(name, classes)


def purifier(folder: Path, shape: Shape, classes: int) -> nn.Module:
    """Return the purifier that a run's folder holds, at rest.

    Raises:
        BadRecord: the folder holds no finished run.
        UsageError: the run's network is a classifier, or sees images of another size.
    """
    run = read_run(folder)
    words = f"{folder} holds a classifier: '{run.model}' answers logits, and a purifier is needed here"
    require(answers_of(run.model) == "images", words, UsageError)
    seen = seen_shape(run, shape)
    words = f"{folder} was trained on images of shape {seen}, and these have shape {shape}"
    require(seen == shape, words, UsageError)
    return RunFolder(run, folder).network(shape, classes)
