"""Weights that others trained: read where their libraries keep them, downloaded only when asked."""

import warnings
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from holdfast.errors import MissingData, reason, require

FAULTS = (OSError, RuntimeError, EOFError, UnpicklingError)
"""What a missing network, a full disk or a broken file raise."""
_WAY_OUT = "download them with download=True (--download), or use pretrained=False (--no-pretrained)"


def with_weights(constructor: Callable[..., nn.Module], weights: Any, *, download: bool) -> nn.Module:
    """Return the network that a constructor of torchvision makes with one of its weight sets.

    The constructor is asked, as it knows what the weights need: other names of the state, another size of images.
    """
    name = f"{type(weights).__name__}.{weights.name}"
    file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]
    require(
        download or file.is_file(),
        f"torchvision could not get the weights {name}: there is no {file}; {_WAY_OUT}",
        MissingData,
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about heads that are used in training alone
            return constructor(weights=weights, progress=False)
    except FAULTS as fault:
        message = f"torchvision could not get the weights {name} ({reason(fault)}); it looks for {file}"
        raise MissingData(f"{message}; use pretrained=False") from fault


def timm_file(name: str) -> str:
    """Return the file in Hugging Face's cache that holds timm's weights of this network."""
    import timm
    from huggingface_hub import constants, try_to_load_from_cache

    config = timm.models.get_pretrained_cfg(name)
    repository = str(config.hf_hub_id or "") if config else ""
    for file in ("model.safetensors", "pytorch_model.bin"):
        found = try_to_load_from_cache(repository, file) if repository else None
        if isinstance(found, str):
            return found
    raise MissingData(f"timm could not get the weights of '{name}': none in {constants.HF_HUB_CACHE}; {_WAY_OUT}")
