"""The detectors of MagNet (Meng and Chen: "MagNet: a two-pronged defense against adversarial examples", 2017).

An auto-encoder that has seen clean images alone gives them back nearly unchanged; an attacked image should lie further
from what it gives back, in pixels or in what the classifier says. Carlini and Wagner (2017) broke it.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.attacks.attack import at_rest
from holdfast.defences.detector import BATCH, Detector, Score
from holdfast.errors import require
from holdfast.fields import Count, Interval, NonNegative, Positive
from holdfast.metrics import threshold_at
from holdfast.models import build
from holdfast.types import Images, Logits, PerImage


@dataclass(frozen=True)
class MagNetDetector(Detector):
    """Scores an image by its reconstruction: L1 and L2 in pixels, Jensen-Shannon divergence of the class probabilities.

    MagNetDetector().fitted(classifier, clean)      # trains the auto-encoder on the clean images
    """

    temperatures: tuple[Positive, ...] = (10.0, 40.0)
    """What logits are divided by before the divergence, one measure each."""
    drop: Annotated[float, Interval(0, 1, "()")] = 0.005
    """The share of clean images above each measure's own threshold: the authors' for CIFAR-10; for MNIST 0.001."""
    noise: NonNegative = 0.1
    """The deviation of the noise that the auto-encoder is trained with; the authors take 0.1 on MNIST."""
    epochs: Count = 100
    rate: Positive = 0.001
    seed: int = 0

    def fitted(self, classifier: nn.Module, clean: Images, attacked: Tensor | None = None) -> "ReconstructionScore":
        """Train the auto-encoder on the clean images, and return its score."""
        require(len(clean) > 0, "MagNetDetector is fitted to clean images, and there are none")
        with torch.random.fork_rng(devices=[clean.device] if clean.is_cuda else []):
            torch.manual_seed(self.seed)
            channels, rows, columns = clean.shape[1:]
            autoencoder = build("magnet-autoencoder", (channels, rows, columns), 2).to(clean.device)
            self._train(autoencoder, clean)
        return self.around(classifier, autoencoder, clean)

    def around(self, classifier: nn.Module, autoencoder: nn.Module, clean: Images) -> "ReconstructionScore":
        """Return the score of an auto-encoder that is trained already; the clean images set its thresholds."""
        score = ReconstructionScore(classifier, autoencoder.eval().requires_grad_(False), self.temperatures)
        with torch.no_grad(), at_rest(score):
            measured = torch.cat([score.measures(part) for part in clean.split(BATCH)])
        limits = [max(threshold_at(each, self.drop), 1e-12) for each in measured.unbind(1)]
        score.limits.copy_(torch.tensor(limits))
        return score

    def _train(self, autoencoder: nn.Module, clean: Images) -> None:
        adam = torch.optim.Adam(autoencoder.parameters(), lr=self.rate)
        for _ in range(self.epochs):
            for part in clean[torch.randperm(len(clean), device=clean.device)].split(BATCH):
                noisy = (part + self.noise * torch.randn_like(part)).clamp(0, 1)
                adam.zero_grad()
                F.mse_loss(autoencoder(noisy), part).backward()
                adam.step()


class ReconstructionScore(Score):
    """The largest of the measures, each as a multiple of its own threshold."""

    usual_threshold = 1.0
    limits: Tensor

    def __init__(self, classifier: nn.Module, autoencoder: nn.Module, temperatures: tuple[float, ...]) -> None:
        super().__init__()
        self.classifier = classifier
        self.autoencoder = autoencoder
        self.temperatures = temperatures
        device = next((weight.device for weight in autoencoder.parameters()), None)
        self.register_buffer("limits", torch.ones(2 + len(temperatures), device=device))

    def forward(self, images: Images) -> PerImage:
        """Return the score of each image."""
        return (self.measures(images) / self.limits).amax(1)

    def measures(self, images: Images) -> Tensor:
        """Return mean absolute and mean squared difference, and a divergence a temperature, shape (n, 2 + those)."""
        rebuilt = self.autoencoder(images)
        change = (rebuilt - images).flatten(1)
        seen = self.classifier(torch.cat([images, rebuilt])).float()
        plain, after = seen[: len(images)], seen[len(images) :]
        apart = [jensen_shannon(plain / each, after / each) for each in self.temperatures]
        return torch.stack([change.abs().mean(1), change.square().mean(1), *apart], 1)


def jensen_shannon(left: Logits, right: Logits) -> PerImage:
    """Return the Jensen-Shannon divergence of two softmaxes, between 0 and log 2."""
    p, q = left.log_softmax(1), right.log_softmax(1)
    middle = torch.logaddexp(p, q) - torch.log(torch.full_like(p, 2.0))
    return ((p.exp() * (p - middle)).sum(1) + (q.exp() * (q - middle)).sum(1)) / 2
