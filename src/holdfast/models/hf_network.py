"""Image classifiers of transformers: a repository of the hub, or a folder that holds one.

transformers is an optional extra and slow to import: it is imported where it is used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from holdfast.devices import need
from holdfast.errors import MissingData, UsageError, reason
from holdfast.models.adapt import Adapted, adapt
from holdfast.models.hf_processor import FAULTS, preprocessing_of_hf
from holdfast.models.hub import hub_file, split_revision


def from_hf(name: str, classes: int | None = None, pretrained: bool = False, download: bool = False) -> Adapted:
    """Return the image classifier of a repository, "ORG/NAME" or a folder, normalised as its image processor does.

    With `classes`, a last layer for another number of classes is replaced.

    Raises:
        MissingData: its files are not at hand.
        UsageError: it holds no image classifier that transformers knows, or a part of the weights is missing.
    """
    need("hf")
    hub_file(name, "config.json", download=download)
    said = preprocessing_of_hf(name, download)
    network = _pretrained(name, classes, download) if pretrained else _fresh(name, classes, download)
    return adapt(network, said.mean, said.std, answers="logits")


def _fresh(name: str, classes: int | None, download: bool) -> Any:
    from transformers import AutoModelForImageClassification

    try:
        return AutoModelForImageClassification.from_config(_config(name, classes, download), trust_remote_code=False)
    except FAULTS as fault:
        raise UsageError(f"transformers could not build '{name}': {reason(fault)}") from fault


def _pretrained(name: str, classes: int | None, download: bool) -> Any:
    from transformers import AutoModelForImageClassification

    repository, revision = split_revision(name)
    options = {"revision": revision, "local_files_only": not download, "trust_remote_code": False}
    try:
        with _quiet():
            network, loaded = AutoModelForImageClassification.from_pretrained(
                repository,
                config=_config(name, classes, download),
                ignore_mismatched_sizes=classes is not None,
                output_loading_info=True,
                dtype=torch.float32,
                **options,
            )
    except FAULTS as fault:
        raise MissingData(f"transformers could not get the weights of '{name}' ({reason(fault)})") from fault
    replaced = {key[0] for key in loaded["mismatched_keys"]}
    if missing := sorted(set(loaded["missing_keys"]) - replaced):
        words = f"'{name}' holds no finished classifier: it lacks '{missing[0]}'"
        raise UsageError(f"{words}, which would be drawn at random; --no-pretrained draws all weights")
    return network


def _config(name: str, classes: int | None, download: bool) -> Any:
    from transformers import AutoConfig

    repository, revision = split_revision(name)
    try:
        # Where nothing is said of code in the repository, transformers would ask on the terminal.
        config = AutoConfig.from_pretrained(
            repository, revision=revision, local_files_only=not download, trust_remote_code=False
        )
    except FAULTS as fault:
        raise UsageError(f"transformers does not know the network of '{name}': {reason(fault)}") from fault
    if classes is not None and classes != config.num_labels:
        config.num_labels = classes
    return config


@contextmanager
def _quiet() -> Iterator[None]:
    """Let transformers show no bar of its own and list no weights: what is missing is said in one line."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
