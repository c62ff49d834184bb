"""From the names on a command line to networks in evaluation mode and their images, for every verb that takes them."""

import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import torch
from torch import nn

from holdfast.auditing.launched import barrier, is_main
from holdfast.cli.defended import behind, described
from holdfast.cli.framed import framing_for
from holdfast.cli.parse import Flat
from holdfast.cli.saved import Saved, from_weights
from holdfast.data import ImageSet, load
from holdfast.data.image_set import centered
from holdfast.data.request import data_root
from holdfast.devices import isolated, reseed
from holdfast.errors import UsageError, printable, require
from holdfast.models import Reading
from holdfast.models.architecture import check_answer
from holdfast.models.foreign_network import Loaded
from holdfast.models.robustbench import PREFIX, entry_of, from_robustbench, published_of
from holdfast.training.folder import read_run
from holdfast.training.networks import Answered, answered_by, network
from holdfast.training.weight_files import name_in, weights_alone


@dataclass(frozen=True)
class Sources:
    """Where networks and images come from."""

    data: str | None = None
    """The data set (default: the one that the network was trained on, else digits)."""
    limit: int | None = None
    """Use this many test images only; a smaller number gives a part of a larger one."""
    resize: tuple[int, ...] = ()
    """Resize the images: the shorter side, or ROWS COLUMNS (default: pictures as the public network of timm:NAME,
    torchvision:NAME or hf:ORG/NAME wants them, where they do not all have its size yet; else not)."""
    crop: tuple[int, ...] = ()
    """Keep the middle of the images: the side of a square, or ROWS COLUMNS (default: as --resize)."""
    saved: Annotated[Saved, Flat] = field(default_factory=Saved)
    answers: str | None = None
    """Which part of what FILE.py:FUNCTION, FILE.onnx or a library's network returns are the logits, if it returns more:
    the name of an entry or of a field (logits), or the place in a tuple (0)."""
    probabilities: bool = False
    """The network of such a name answers with probabilities: attack and judge their logarithms."""
    pretrained: bool = True
    """Load the public weights of timm:NAME, torchvision:NAME and hf:ORG/NAME; --no-pretrained: fresh ones."""
    defence: tuple[str, ...] = ()
    """Defences before the network, the first of which sees the images first: NAME or NAME:FIELD=VALUE of `holdfast list
    defences`, or the folder of a purifier's run. The network is attacked through them as they declare; where a network
    judges (--judge) they stand before that one alone."""
    purifier: Path | None = None
    """The folder of a purifier's run: one more defence, the last before the network."""
    data_root: Path | None = None
    """The folder of the data sets, and of robustbench:DATA/THREAT/NAME under models/ (default: $HOLDFAST_DATA, else
    ./data)."""
    download: bool = False
    """Download the data set or the public weights if they are missing."""

    @property
    def defences(self) -> tuple[str, ...]:
        """The words of all defences, in the order in which they see the images."""
        return (*self.defence, *([] if self.purifier is None else [str(self.purifier)]))


@dataclass(frozen=True, eq=False)
class Named:
    """A network by the name that it was given, and the images that it sees."""

    name: str
    model: nn.Module
    source: str
    data: ImageSet
    assumed: str | None = None
    """How the file of weights was read, and what was assumed of it because nobody said it."""
    published: str = ""
    """Which accuracies others published of it, in words."""

    def behind(self, words: Sequence[str]) -> "Named":
        """Return it behind the defences of these words."""
        defended = behind(self.model, words, self.data.shape, len(self.data.classes))
        return replace(self, name=f"{self.name}{described(words)}", model=defended)

    def to(self, device: torch.device) -> "Named":
        """Return them on a device."""
        return replace(self, model=self.model.to(device), data=self.data.to(device))


def resolved(given: Sources, names: Sequence[str], other_model: str | None = None) -> list[Named]:
    """Return the networks of these names, all with the first one's images.

    `other_model` is the architecture of all but the first; that of the first where none is given.

    Raises:
        UsageError: nothing answers to a name, or a run sees another part of the pictures than the first network.
    """
    source, whole = images_for(names[0], given)
    data = seen_by(names[0], whole)
    said = given.saved.of(names)
    answered = answered_by(names, given.answers, given.probabilities)
    found = []
    for place, name in enumerate(names):
        architecture = given.saved.model
        if place > 0:
            check_sees(name, whole, data)
            architecture = other_model or (given.saved.model if weights_alone(name) else None)
        each = built(given, name, architecture, data, said, answered)
        notes = f"{name}: {'; '.join(each.notes)}" if each.notes else None
        published = published_of(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else ""
        found.append(Named(name, each.model, source, data, notes, published))
    return found


def images_for(name: str, given: Sources) -> tuple[str, ImageSet]:
    """Return the test images that are asked for, or that the network was trained beside, and their name."""
    source = given.data or _usual_data(name)
    if not is_main():
        logging.getLogger("holdfast").setLevel(logging.ERROR)  # what is told beside the work, the first tells
        barrier()  # the first process downloads what is missing
    whole = load(
        source,
        "test",
        root=given.data_root,
        download=given.download,
        limit=given.limit,
        framing=framing_for(known_as(name, given), source, given.resize, given.crop, given.pretrained, given.download),
    )
    if is_main():
        barrier()
    return source, whole


def known_as(name: str, given: Sources) -> str:
    """Return the name that says how a network's pictures are framed: of a file of weights, that of its network."""
    said = (given.saved.model or name_in(Path(name))) if weights_alone(name) else None
    return said or name


def _usual_data(name: str) -> str:
    """Return the data set that a network was trained on, as far as its name tells; else digits."""
    if name.startswith(PREFIX):
        entry_of(name.removeprefix(PREFIX))  # a name that is unknown is told before its data are looked for
        usual = name.removeprefix(PREFIX).partition("/")[0]
        words = (
            f"{name} sees ImageNet's pictures, which lie nowhere as a rule: --data imagefolder:PATH names their folder"
        )
        require(usual != "imagenet", words, UsageError)
        return usual
    return read_run(Path(name)).data if Path(name).is_dir() else "digits"


def seen_by(name: str, whole: ImageSet) -> ImageSet:
    """Return the images as the network sees them: a run that was trained on crops, their centers."""
    augment = read_run(Path(name)).augment if Path(name).is_dir() else None
    return whole if augment is None else centered(whole, augment)


def check_sees(name: str, whole: ImageSet, data: ImageSet) -> None:
    """Refuse a run that sees another part of the pictures than the images show."""
    shape = seen_by(name, whole).shape
    words = f"{name} was trained on images of shape {shape}, and the attacked ones have shape {data.shape}"
    require(shape == data.shape, words, UsageError)


def built(
    given: Sources, name: str, architecture: str | None, data: ImageSet, said: Reading, answered: Answered
) -> Loaded:
    """Return a network in evaluation mode; weights that are drawn are the same in every process and at every call."""
    with isolated(torch.device("cpu")):
        reseed(torch.device("cpu"), 0)
        size = (data.shape, len(data.classes))
        if name.startswith(PREFIX):
            found = from_robustbench(name.removeprefix(PREFIX), data_root(given.data_root) / "models")
            check_answer(found.model, name, *size)
            return found
        if weights_alone(name):
            return from_weights(Path(name), architecture, data, said)
        return Loaded(network(name, architecture, *size, given.pretrained, given.download, said, answered))


def tell_assumed(networks: Iterable[Named]) -> None:
    """Say how files of weights were read, and what was assumed of them."""
    for words in filter(None, (each.assumed for each in networks)) if is_main() else ():
        print(f"holdfast: {printable(words)}", file=sys.stderr)
