"""CL (Zhang: "Can contrastive learning in embedding space improve adversarial robustness?", paper 000, section 4)."""

from dataclasses import dataclass, replace

from torch import nn

from holdfast.attacks import FGSM, Attack, FeatureDistortion
from holdfast.fields import NonNegative
from holdfast.methods.memory import Memory
from holdfast.methods.method import LossMethod
from holdfast.models import capture
from holdfast.objectives import cross_entropy, euclidean
from holdfast.storage.describe import later
from holdfast.types import Batch, Images, Objective, Terms


@dataclass(frozen=True)
class CL(LossMethod):
    """Adversarial training, and beta times the distance between the embeddings of clean and attacked images.

    One attacked image, which maximises the cross-entropy, serves both terms, as in the paper's empirical loss. The
    released code measures by `objectives.distance` (the mean squared difference) where the paper says Euclidean, and
    passes the attacked images twice; here they pass once. The expected loss of sections 1 and 4.1 has a maximum for
    each term: that is `second`.
    """

    attack: Attack = FGSM()
    embedding: str = "penultimate"
    """A named layer of the network, or "output"; the paper's fifth embedding is the penultimate layer."""
    beta: NonNegative = 6.0
    metric: Objective = euclidean
    second: FeatureDistortion | None = later(None)
    """Makes images of their own for the second term, which maximise `metric` in `embedding`, whatever layers and
    objective it has itself."""

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Return the two terms; the gradient flows through both embeddings."""
        attacked = self.attack(model, batch.images, batch.labels)
        with capture(model, self.embedding) as seen:
            logits = model(attacked)
            embedded = seen[self.embedding]
            if self.second is not None:
                model(self.furthest(model, batch))
                embedded = seen[self.embedding]
            model(batch.images)
            reference = seen[self.embedding]
        return {
            "attacked": cross_entropy(logits, batch.labels).mean(),
            "embedding": self.beta * self.metric(embedded, reference).mean(),
        }

    def furthest(self, model: nn.Module, batch: Batch) -> Images:
        """Return the images that maximise the distance of the embeddings."""
        assert self.second is not None, "asked for where there is one"
        return replace(self.second, layers=(self.embedding,), objective=self.metric)(model, batch.images, batch.labels)
