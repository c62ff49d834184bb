"""What the network of a name was trained on, told before it is built, as pictures are read before that.

The libraries are slow to import: they are imported where they are used.
"""

from typing import Any

from holdfast.devices import need
from holdfast.models.hf_processor import preprocessing_of_hf
from holdfast.models.preprocessing import Preprocessing, preprocessing_of_timm, preprocessing_of_torchvision
from holdfast.models.robustbench import preprocessing_of_robustbench
from holdfast.models.timm_network import HUB, of_hub


def preprocessing_of(name: str, download: bool = False) -> Preprocessing | None:
    """Return what the network of a name was trained on, without building it; None where nothing says it.

    timm:NAME, hf:ORG/NAME, torchvision:NAME and robustbench:DATA/THREAT/NAME say it. Of a repository of the hub, files
    are read from the cache, and fetched if they are missing and `download` says so.

    Raises:
        MissingData: they are missing.
        UsageError: they say something that no `Preprocessing` holds.
    """
    library, _, inside = name.partition(":")
    known = {"timm": _of_timm, "hf": _of_hf, "torchvision": _of_torchvision, "robustbench": _of_robustbench}
    return known[library](inside, download) if library in known else None


def _of_timm(name: str, download: bool) -> Preprocessing | None:
    need("timm")
    import timm

    config: Any = timm.models.get_pretrained_cfg(name) if not name.startswith(HUB) else of_hub(name, False, download)[1]
    return None if config is None else preprocessing_of_timm(config.to_dict())


def _of_hf(name: str, download: bool) -> Preprocessing:
    need("hf")
    return preprocessing_of_hf(name, download)


def _of_robustbench(name: str, download: bool) -> Preprocessing | None:
    return preprocessing_of_robustbench(name)


def _of_torchvision(name: str, download: bool) -> Preprocessing | None:
    from torchvision import models

    if name not in models.list_models(module=models):
        return None
    return preprocessing_of_torchvision(name, models.get_model_weights(name).DEFAULT.transforms())
