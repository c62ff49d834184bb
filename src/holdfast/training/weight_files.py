"""Files of weights on a command line: which names are such files, and what is said of them beside their names."""

import ast
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.errors import UsageError, require
from holdfast.models import answers_of
from holdfast.models.architecture import Shape
from holdfast.models.converted import said_in
from holdfast.models.foreign_file import read_foreign
from holdfast.models.foreign_names import guessed
from holdfast.models.foreign_network import Loaded, Reading, loaded
from holdfast.models.foreign_state import chosen
from holdfast.models.weights import Normalisation

ENDINGS = (".safetensors", ".pt", ".pth", ".pkl", ".ckpt", ".bin", ".tar", ".t7", ".th")
"""What files of weights are called, among others; a file that is there is one whatever it is called."""
_OTHERS = (".py", ".onnx", ".json")


def weights_alone(name: str) -> bool:
    """Say whether a name is that of a file of weights, which does not say of which network they are."""
    path = Path(name)
    return path.suffix in ENDINGS or (path.suffix not in _OTHERS and path.is_file())


def is_graph(name: str) -> bool:
    """Say whether a name is that of an ONNX file, which holds a network whole, but seldom its normalisation."""
    return Path(name).suffix == ".onnx"


def reading(
    names: Sequence[str],
    key: str | None = None,
    option: Sequence[str] = (),
    mean: tuple[float, ...] = (),
    std: tuple[float, ...] = (),
    trust: bool = False,
) -> Reading:
    """Return what a person says of the files of weights among the names; `option` are words like shortcut=raw.

    Raises:
        UsageError: something is said, and there is no such file.
    """
    statistics = bool(mean or std) and not any(map(is_graph, names))
    said = {"--key": key, "--option": option, "--mean and --std": statistics, "--trust-pickle": trust}
    for words in (word for word, value in said.items() if value):
        words = f"{words}: none of {', '.join(names)} is a file of weights"
        require(any(map(weights_alone, names)), words, UsageError)
    options = dict(_option(word) for word in option)
    return Reading(key, Normalisation(mean, std) if mean or std else None, options, trust)


def of_file(path: Path, architecture: str | None, shape: Shape, classes: int, reading: Reading) -> Loaded:
    """Return the network whose weights a file holds, and how it was read.

    Raises:
        UsageError: the file does not say of which network its weights are, or how it computes.
        BadRecord: the file cannot be read, or holds another network.
    """
    architecture = architecture or name_in(path)
    if architecture is None:
        state = chosen(read_foreign(path, reading.trust), reading.key, str(path)).tensors
        like = guessed(state)
        hint = f"; its names are those of {like}" if like else ""
        raise UsageError(f"{path} holds only weights: say of which network with --model{hint}")
    check_classifies(str(path), architecture)
    return loaded(path, architecture, shape, classes, reading)


def name_in(path: Path) -> str | None:
    """Return the name of the network that a file says itself, as those of `holdfast convert` do; None of others."""
    said = said_in(path)
    return None if said is None else said[0]


def check_classifies(name: str, architecture: str) -> None:
    """Refuse a purifier where a classifier is needed."""
    words = f"{name} holds a purifier: '{architecture}' answers images, and a classifier is needed here"
    require(answers_of(architecture) == "logits", words, UsageError)


def _option(word: str) -> tuple[str, object]:
    name, equals, value = word.partition("=")
    require(bool(name and equals and value), f"--option {word}: write OPTION=VALUE, as shortcut=raw", UsageError)
    with suppress(ValueError, SyntaxError):
        return name, ast.literal_eval(value)
    return name, value
