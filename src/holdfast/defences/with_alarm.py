"""A classifier together with an alarm, so that an attack can see both at once."""

import torch
from torch import Tensor, nn

from holdfast.defences.detector import Alarm
from holdfast.types import Images, Logits


class WithAlarm(nn.Module):
    """Answers (n, k + 1): the classifier's logits, and how far the score is above the alarm's threshold.

    The last column has the score's smooth gradient. Attack it with the objective `undetected`, which is above 0 where
    an image is misclassified and sets off no alarm.

        APGD(threat, objective=undetected)(WithAlarm(classifier, alarm), images, labels)
    """

    def __init__(self, classifier: nn.Module, alarm: Alarm) -> None:
        super().__init__()
        self.classifier = classifier
        self.alarm = alarm

    def forward(self, images: Images) -> Logits:
        """Return logits and excess."""
        logits: Tensor = self.classifier(images).float()
        excess = self.alarm.score.smooth(images) - self.alarm.threshold
        return torch.cat([logits, excess[:, None]], 1)
