"""The architectures that answer logits, for tests of what only classifiers do."""

from holdfast.models import ARCHITECTURES

CLASSIFIERS = [name for name, architecture in ARCHITECTURES.items() if architecture.answers == "logits"]
