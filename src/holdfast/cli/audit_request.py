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
from holdfast.threats import NORMS, NormalisedLinf, Threat


@dataclass(frozen=True)
class Ball:
    """What the attacker may change."""

    norm: Annotated[str, tyro.conf.arg(aliases=("--norm",), metavar="{" + ",".join(NORMS) + "}")] = "Linf"
    eps: float | None = None
    """The radius, in pixels of [0, 1]; in L0 a number of values, in NormalisedLinf normalised pixels (default: 8/255,
    0.5, 12, 20 or 0.031, by the norm)."""
    std: tuple[float, ...] = ()
    """The deviation of each channel by which NormalisedLinf measures (default: CIFAR-10's)."""

    def __call__(self) -> Threat:
        """Return the threat."""
        kind = known(NORMS, "norm", self.norm)
        require(not self.std or kind is NormalisedLinf, f"--threat.std is of NormalisedLinf, not {self.norm}")
        given = {"eps": self.eps} if self.eps is not None else {}
        threat: Threat = kind(**given, **({"std": self.std} if self.std else {}))
        return threat


@dataclass(frozen=True)
class Audit:
    """Measure the adversarial robustness of a network, or compare two networks.

    --threat corruptions --data cifar10-c measures the accuracy under common corruptions instead (--help says more).
    """

    threat: Ball = field(default_factory=Ball)
    effort: str = "standard"
    """fast, standard, thorough or autoattack."""
    given: Annotated[Sources, Flat] = field(default_factory=Sources)
    config: Config = None
    require: float | None = None
    """End with status 3 when a robust accuracy is lower than this share."""
    folder: Path = Path("runs/audit")
    """The folder for report.html, report.json and the checkpoint of the audit. Images of more than 512 MiB as float32
    stay on the host, and their attacked points in a file here, as large as the images in float32 (docs/scale.md)."""
    resume: bool = False
    """Continue the interrupted audit in this folder instead of starting again."""
    json: bool = False
    """Print one JSON object and nothing else."""
    other_model: str | None = None
    """The architecture of the other network (default: that of --model)."""
    seed: int = 0
    seeds: tuple[int, ...] = ()
    """Audit once with each of these seeds, into FOLDER-seed-N, and print the mean and the standard deviation of the
    robust accuracies. NETWORK-seed-N is audited where train --seeds made it, else NETWORK."""
    precision: str = "float32"
    """The number format of the first short attacks, float32 or bfloat16; everything else is float32."""
    batch: int = 250
    """Images attacked at once. The result depends on it only behind a defence that draws at random. The checks show the
    network at most this many at once, or 64, whichever is more."""
    device: str = "auto"
    """auto (cuda where there is one, else cpu), cpu, cuda or cuda:N."""

    @property
    def progress(self) -> Path:
        """The folder of the checkpoints."""
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
