"""What `holdfast audit` is asked: its options, and the networks and images that they name."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from holdfast.auditing.launched import speaks, together
from holdfast.auditing.schedule import moves_of
from holdfast.auditing.surrogate import known_precision
from holdfast.cli.compose import known
from holdfast.cli.export import judge_of
from holdfast.data import ImageSet, load
from holdfast.errors import UsageError, require
from holdfast.models.weights import Normalisation, assumed
from holdfast.threats import NORMS, Threat
from holdfast.training.networks import centered, given_to, network, read_run, weights_alone
from holdfast.training.run import isolated, reseed


@dataclass(frozen=True)
class Ball:
    """What the attacker may change."""

    norm: str = "linf"
    """linf, l2, l1 or l0."""
    eps: float | None = None
    """In pixels of [0, 1], in l0 a number of values; the norm's usual one (8/255, 0.5, 12, 20) where none is given."""

    def __call__(self) -> Threat:
        """Return the threat."""
        kind = known(NORMS, "norm", self.norm)
        threat: Threat = kind() if self.eps is None else kind(self.eps)
        return threat


@dataclass(frozen=True)
class Audit:
    """Attack a network until what stands can be believed; of two, say which holds more."""

    threat: Ball = field(default_factory=Ball)
    effort: str = "standard"
    """fast, standard, thorough or autoattack."""
    data: str | None = None
    """A data set; the one that the network was trained on, or digits, where none is given."""
    limit: int | None = None
    """Audit on this many images only; a smaller set is part of a larger one."""
    require: float | None = None
    """End with status 3 when a robust accuracy is lower than this share."""
    folder: Path = Path("runs/audit")
    """Where report.html and report.json are written, and how far it has come is kept."""
    resume: bool = False
    """Go on where an audit in this folder was interrupted, instead of beginning anew."""
    json: bool = False
    """Print one JSON object and nothing else."""
    model: str | None = None
    """The architecture, where the network is a .safetensors file."""
    other_model: str | None = None
    """The other network's architecture; that of --model where none is given."""
    mean: tuple[float, ...] = ()
    """The normalisation of a .safetensors file that holds none: what is taken from the pixels, one number or one a
    channel (0 and a deviation of 1: none). That of its architecture is assumed where none is given."""
    std: tuple[float, ...] = ()
    """The deviations that go with --mean."""
    pretrained: bool = True
    """Audit timm:NAME and torchvision:NAME with their public weights, or with fresh ones."""
    seed: int = 0
    precision: str = "float32"
    """The number format of the first climbs, float32 or bfloat16; all else, and every verdict, is float32."""
    batch: int = 250
    """How many images are attacked at once; which of them break does not depend on it."""
    device: str = "cpu"
    data_root: Path | None = None
    """Where the data sets lie; $HOLDFAST_DATA, else ./data, where none is given."""
    download: bool = False
    """Fetch the data set, or the public weights, if they are missing."""

    @property
    def progress(self) -> Path:
        """Where it is kept how far the audit has come."""
        return self.folder / "progress"

    def checked(self) -> Threat:
        """Return the threat; refuse options out of range before anything is read."""
        require(self.batch >= 1, f"batch = {self.batch}, not 1 or more")
        require(self.require is None or 0 <= self.require <= 1, f"require = {self.require}: a share is from 0 to 1")
        threat = self.threat()
        moves_of(self.effort, threat)
        known_precision(self.precision)
        return threat


@dataclass(frozen=True, eq=False)
class Named:
    """A network by the name that it was given, and the images that it is audited on."""

    name: str
    model: nn.Module
    source: str
    data: ImageSet
    assumed: str | None = None
    """What was assumed of the network because nobody said it."""

    def to(self, device: torch.device) -> "Named":
        """Return them on a device."""
        return replace(self, model=self.model.to(device), data=self.data.to(device))


def named(options: Audit, names: Sequence[str]) -> list[Named]:
    """Return the networks and their images; the images of two networks are the first's."""
    run = read_run(Path(names[0])) if Path(names[0]).is_dir() else None
    source = options.data or (run.data if run else "digits")
    if not speaks():
        logging.getLogger("holdfast").setLevel(logging.ERROR)  # what is told beside the work, the first tells
        together()  # the first process downloads what is missing
    whole = load(source, "test", root=options.data_root, download=options.download, limit=options.limit)
    if speaks():
        together()
    data = whole if run is None or run.augment is None else centered(whole, run.augment)
    alone = len(names) == 1 and options.other_model is not None
    require(not alone, f"--other-model {options.other_model}: there is no other network", UsageError)
    given = given_to(names, options.mean, options.std)
    networks = [made(options, names[0], options.model, data, given)]
    for other in names[1:]:
        architecture = options.other_model or (options.model if weights_alone(other) else None)
        folder = Path(other).is_dir()
        networks += [judge_of(other, None, whole, data) if folder else made(options, other, architecture, data, given)]
    return [
        Named(name, model, source, data, assumed(name, model) if given is None and weights_alone(name) else None)
        for name, model in zip(names, networks, strict=True)
    ]


def made(options: Audit, name: str, architecture: str | None, data: ImageSet, given: Normalisation | None) -> nn.Module:
    """Return a network at rest; where its weights are drawn, they are the same in every process and at every call."""
    with isolated(torch.device("cpu")):
        reseed(torch.device("cpu"), 0)
        public = (options.pretrained, options.download)
        return network(name, architecture, data.shape, len(data.classes), *public, given)
