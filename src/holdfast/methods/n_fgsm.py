"""N-FGSM (de Jorge et al.: "Make some noise: reliable and efficient single-step adversarial training", 2022)."""

from dataclasses import dataclass

from torch import nn

from holdfast.attacks import BIM
from holdfast.errors import require
from holdfast.methods.memory import Memory
from holdfast.methods.method import LossMethod, check_linf
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class NFGSM(LossMethod):
    """Cross-entropy after strong noise and one step of eps from there, which no ball holds back.

    The attacked image may lie as far as (noise + reach) eps from the image; tests are still made at eps. The network
    is attacked at rest.
    """

    threat: Linf = Linf()
    noise: float = 2.0
    """Half the width of the uniform noise, in units of eps: k in the paper."""
    reach: float = 1.0
    """The step, in units of eps."""

    def __post_init__(self) -> None:
        """Refuse fields out of range."""
        check_linf(self.threat, "NFGSM")
        super().__post_init__()
        require(self.noise >= 0, f"NFGSM: noise = {self.noise}, not 0 or more")
        require(self.reach >= 0, f"NFGSM: reach = {self.reach}, not 0 or more")

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Add noise, step once, and train on what comes out."""
        images, eps = batch.images, self.threat.eps
        uniform = 2 * Stream.of(images, 0, "N-FGSM").uniform(images.shape[1:]) - 1
        start = (images + self.noise * eps * uniform).clamp(0, 1)
        wide = Linf(min(1.0, (self.noise + self.reach) * eps))  # holds every such point: nothing is projected
        attacked = BIM(wide, steps=1, step_size=self.reach * eps)(model, images, batch.labels, start)
        return {"attacked": cross_entropy(model(attacked), batch.labels).mean()}
