"""The network of a run: named from what is on disk, and loaded only where somebody asks it something.

What was measured is kept under the identity of its network, which says what the network does. Whoever knows it can read
what is kept without building a network.
"""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

from holdfast.data import ImageSet
from holdfast.data.stamp import stamp
from holdfast.errors import BadRecord, require
from holdfast.experiments.workplace import Workplace
from holdfast.models.memory_format import use_channels_last
from holdfast.storage.behaviour import network_fingerprint
from holdfast.storage.describe import short_repr
from holdfast.storage.files import once
from holdfast.storage.fingerprint import fingerprint, name_of_tensors
from holdfast.storage.signed import read_json, write_json
from holdfast.training.folder import RunFolder
from holdfast.training.loop import Tell, silent, train
from holdfast.training.run import Run
from holdfast.training.supply import supplied


@dataclass(frozen=True)
class Trained:
    """A network at rest, by its identity; `load` returns it, the same at every call."""

    identity: str
    load: Callable[[], nn.Module]


def trained(run: Run, data: ImageSet, place: Workplace, tell: Tell = silent) -> Trained:
    """Return the network of a run that is shown images like these; the run is carried out first if it is not finished.

    Raises:
        BadRecord: the run was made of other code or images than there are now.
        TrainingDiverged: it has none.
    """
    load = functools.cache(lambda: loaded_network(run, data, place, tell))
    folder = RunFolder(run, run_folder(run, place))
    folder.check()
    if not folder.finished:
        load()
    elif any(map(stamp, filter(None, (run.data, run.extra)))):  # files of one's own, which may have been edited since
        folder.check_made_of(supplied(run, place.data_root, place.download).name)
    name = _name(folder, data)
    path = place.folder / "identities" / f"{name}.json"
    if not path.exists():
        found = network_fingerprint(load())
        if not _said_by_weights(run, load()):
            return Trained(found, load)
        once(path, lambda: write_json(path, {"name": name, "identity": found}))
    remedy = "delete it; it will be made again"
    said = read_json(path, remedy)
    require(said.get("name") == name, f"{path} is of another network: {remedy}", BadRecord)
    return Trained(said["identity"], load)


def loaded_network(run: Run, data: ImageSet, place: Workplace, tell: Tell = silent) -> nn.Module:
    """Return the trained network of a run, laid out for images like these."""
    folder = RunFolder(run, run_folder(run, place))
    if not folder.finished:
        tell(0, 1, f"training, {short_repr(run.method)}")
    network = train(
        run,
        folder.path,
        device=place.device,
        data_root=place.data_root,
        download=place.download,
        tell=tell,
    )
    return use_channels_last(network, data.shape)


def run_folder(run: Run, place: Workplace) -> Path:
    """Return the folder that a run's fingerprint names."""
    return place.folder / "runs" / fingerprint(run)


def _name(folder: RunFolder, data: ImageSet) -> str:
    """Return a name made of all that the identity of one of our networks follows from; the weights are verified."""
    weights = name_of_tensors(folder.weights())
    return fingerprint([folder.run, weights, data.shape, len(data.classes), _code()])


@functools.cache
def _code() -> str:
    """Return a name made of the code of our networks, of what reads their identity, and of the versions below them."""
    digest = hashlib.sha256(f"torch {torch.__version__}, torchvision {version('torchvision')}".encode())
    models = sorted(resources.files("holdfast.models").iterdir(), key=lambda file: file.name)
    for file in (*models, resources.files("holdfast.storage") / "behaviour.py"):
        if file.name.endswith(".py"):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _said_by_weights(run: Run, network: nn.Module) -> bool:
    """Say whether the identity follows from what `_name` reads: the code of others may change beside it."""
    kinds = {type(part).__module__.partition(".")[0] for part in network.modules()}
    return ":" not in run.model and kinds <= {"holdfast", "torch", "torchvision"}
