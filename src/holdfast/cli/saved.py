"""How files of weights are read: the options that `audit`, `attack` and `convert` share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from holdfast.cli.undecided import tried_out
from holdfast.data import ImageSet
from holdfast.models import Reading, Undecided
from holdfast.models.foreign_network import Loaded
from holdfast.training.weight_files import of_file, reading


@dataclass(frozen=True)
class Saved:
    """What a person says of a file of weights, because the file does not."""

    model: str | None = None
    """The architecture, if the network is a file of weights."""
    key: str | None = None
    """Which weights in the file, if it holds several: model_state_dict, or state_dict.0 (default: averaged ones, then
    the usual keys)."""
    option: tuple[str, ...] = ()
    """What the file does not say of its network: normalize=none (cifar10, cifar10-kuangliu, symmetric, imagenet, …),
    shortcut=raw, activation=relu; the error lists what must be said."""
    trust_pickle: bool = False
    """Read a file of weights that cannot be read without running it: it is code, and it is trusted."""
    mean: tuple[float, ...] = ()
    """The mean that the network subtracts from the pixels, one number or one a channel, if its file (of weights, or
    .onnx) holds no normalisation (--mean 0 --std 1 for none)."""
    std: tuple[float, ...] = ()
    """The standard deviations that go with --mean."""

    def of(self, names: Sequence[str]) -> Reading:
        """Return what is said of the files of weights among the names."""
        return reading(names, self.key, self.option, self.mean, self.std, self.trust_pickle)


def from_weights(path: Path, architecture: str | None, data: ImageSet, said: Reading) -> Loaded:
    """Return the network of a file of weights; what it leaves open is tried out on the images, and asked for."""

    def read(choice: Mapping[str, str]) -> Loaded:
        options = {**said.options, **choice}
        return of_file(path, architecture, data.shape, len(data.classes), replace(said, options=options))

    try:
        return read({})
    except Undecided as left:
        raise tried_out(left, lambda choice: read(choice).model, data) from left
