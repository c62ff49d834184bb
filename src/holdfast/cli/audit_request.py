"""What `holdfast audit` is asked: its options, and the threat that they name."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from holdfast.auditing.schedule import moves_of
from holdfast.auditing.surrogate import known_precision
from holdfast.cli.parse import Config, Flat
from holdfast.cli.parts import known
from holdfast.cli.resolve import Sources
from holdfast.cli.seeds import beside
from holdfast.errors import require
from holdfast.threats import NORMS, Threat


@dataclass(frozen=True)
class Ball:
    """What the attacker may change."""

    norm: Annotated[str, tyro.conf.arg(aliases=("--norm",), metavar="{" + ",".join(NORMS) + "}")] = "Linf"
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
    given: Annotated[Sources, Flat] = field(default_factory=Sources)
    config: Config = None
    require: float | None = None
    """End with status 3 when a robust accuracy is lower than this share."""
    folder: Path = Path("runs/audit")
    """Where report.html and report.json are written, and how far it has come is kept."""
    resume: bool = False
    """Go on where an audit in this folder was interrupted, instead of beginning anew."""
    json: bool = False
    """Print one JSON object and nothing else."""
    other_model: str | None = None
    """The other network's architecture; that of --model where none is given."""
    seed: int = 0
    seeds: tuple[int, ...] = ()
    """Audit once with each of these seeds, into FOLDER-seed-N: the run in NETWORK-seed-N, where train --seeds made one,
    else the network itself. The mean and standard deviation of the robust accuracies are printed."""
    precision: str = "float32"
    """The number format of the first climbs, float32 or bfloat16; all else, and every verdict, is float32."""
    batch: int = 250
    """How many images are attacked at once; which of them break does not depend on it."""
    device: str = "auto"
    """auto (cuda where there is one, else cpu), cpu, cuda or cuda:N."""

    @property
    def progress(self) -> Path:
        """Where it is kept how far the audit has come."""
        return self.folder / "progress"

    def each_seed(self) -> list["Audit"]:
        """Return what is asked with each of the seeds; this where there is only one."""
        each = [replace(self, seed=seed, folder=beside(self.folder, seed)) for seed in self.seeds]
        return each or [self]

    def checked(self) -> Threat:
        """Return the threat; refuse options out of range before anything is read."""
        require(self.batch >= 1, f"batch = {self.batch}, not 1 or more")
        require(self.require is None or 0 <= self.require <= 1, f"require = {self.require}: a share is from 0 to 1")
        threat = self.threat()
        moves_of(self.effort, threat)
        known_precision(self.precision)
        return threat
