"""From what a person names on the command line to a network at rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from holdfast import models
from holdfast.errors import BadRecord, UsageError, require
from holdfast.models import adapt, answers_of, foreign, logarithms
from holdfast.models.answer import Part
from holdfast.models.architecture import check_answer
from holdfast.models.weights import Normalisation, put
from holdfast.storage.signed import read_any_tensors
from holdfast.training.folder import RunFolder, read_run
from holdfast.training.run import seen_shape

Shape = tuple[int, int, int]
WITH_WEIGHTS = ("hf", "timm", "torchvision")
"""The libraries that have public weights."""
ELSEWHERE = "timm:NAME, torchvision:NAME, hf:ORG/NAME or FILE.py:FUNCTION"
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


def weights_alone(name: str) -> bool:
    """Say whether a name is that of a file of weights, which does not say of which network they are."""
    return Path(name).suffix == ".safetensors"


def given_to(names: Sequence[str], mean: tuple[float, ...], std: tuple[float, ...]) -> Normalisation | None:
    """Return the normalisation that --mean and --std give to the files of weights among the names, if they do.

    Raises:
        UsageError: there is no such file.
    """
    if not (mean or std):
        return None
    words = f"--mean and --std: none of {', '.join(names)} is a .safetensors file"
    require(any(map(weights_alone, names)), words, UsageError)
    return Normalisation(mean, std)


def answered_by(names: Sequence[str], part: str | None, probabilities: bool) -> Answered:
    """Return what --answers and --probabilities say of the networks that others made.

    Raises:
        UsageError: there is none among the names.
    """
    if part is None and not probabilities:
        return Answered()
    words = f"--answers and --probabilities: none of {', '.join(names)} is {ELSEWHERE}"
    require(any(":" in name for name in names), words, UsageError)
    return Answered(int(part) if part is not None and part.isdecimal() else part, probabilities)


def network(
    name: str,
    architecture: str | None,
    shape: Shape,
    classes: int,
    pretrained: bool = False,
    download: bool = False,
    normalisation: Normalisation | None = None,
    answered: Answered = Answered(),
) -> nn.Module:
    """Return a network: a run's folder, a .safetensors file with its architecture, or a name that `models.build` takes.

    A `pretrained` one of a library has its public weights, fetched if they are missing and `download` says so. The
    `normalisation` is that of a .safetensors file that holds none, and `answered` is of a network by a name.

    Raises:
        UsageError: nothing answers to the name, the weights are another network's, or it needs no architecture.
    """
    path = Path(name)
    if path.suffix in (".pt", ".pth", ".pkl"):
        raise BadRecord(f"{path} is a pickle, which could run code when read: save the weights as .safetensors")
    require(
        architecture is None or weights_alone(name),
        f"--model {architecture} is only for .safetensors files; {name} already names its architecture",
        UsageError,
    )
    if path.is_dir():
        run = read_run(path)
        check_classifies(name, run.model)
        return RunFolder(run, path).network(shape, classes)
    if weights_alone(name):
        if architecture is None:
            raise UsageError(f"{path} holds only weights: say of which network with --model")
        check_classifies(name, architecture)
        model = models.build(architecture, shape, classes)
        weights = read_any_tensors(path, "give the path of a safetensors file")
        model = put(model, weights, str(path), normalisation).eval()
        check_answer(model, name, shape, classes)
        return model
    require(
        ":" in name,
        f"'{name}' is no run's folder, no .safetensors file, and not {ELSEWHERE}",
        UsageError,
    )
    public = pretrained and name.partition(":")[0] in WITH_WEIGHTS
    model = foreign(name, None, pretrained=True, download=download) if public else foreign(name, classes)
    model = answered.by(model).eval()
    check_answer(model, name, shape, classes)
    return model


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


def check_classifies(name: str, architecture: str) -> None:
    """Refuse a purifier where a classifier is needed."""
    words = f"{name} holds a purifier: '{architecture}' answers images, and a classifier is needed here"
    require(answers_of(architecture) == "logits", words, UsageError)
