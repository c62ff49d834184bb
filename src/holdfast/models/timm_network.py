"""Networks of timm: by name, or from a repository of the hub in timm's form.

timm is an optional extra and slow to import: it is imported where it is used.
"""

import json
from dataclasses import fields
from typing import Any

from holdfast.devices import need
from holdfast.errors import MissingData, UnknownName, UsageError, nearest, reason
from holdfast.models.adapt import Adapted, adapt
from holdfast.models.hub import hub_file
from holdfast.models.pretrained import FAULTS, timm_file

HUB = ("hf-hub:", "hf_hub:", "local-dir:")
"""What timm puts before the name of a repository, or of a folder that holds one."""
WEIGHTS = ("model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth")
"""The files of weights, the preferred first."""


def from_timm(name: str, classes: int | None = None, pretrained: bool = False, download: bool = False) -> Adapted:
    """Return one of timm's networks; its blocks are called block1, block2, …

    The name is an architecture, with a tag or without ("resnet50.a1_in1k"), or "hf-hub:ORG/NAME".
    """
    need("timm")
    import timm

    architecture, config = name, None
    options: dict[str, Any] = {}
    if name.startswith(HUB):
        architecture, config, options = of_hub(name, pretrained, download)
    _check_known(architecture)
    if classes is not None:
        options["num_classes"] = classes
    if pretrained and config is None and not download:
        options["pretrained_cfg_overlay"] = {"file": timm_file(name)}
    try:
        network: Any = timm.create_model(architecture, pretrained=pretrained, pretrained_cfg=config, **options)
    except FAULTS as fault:
        if not pretrained:
            raise UsageError(f"timm could not build '{name}': {reason(fault)}") from fault
        raise MissingData(
            f"timm could not get the weights of '{name}' ({reason(fault)}); use pretrained=False"
        ) from fault
    paths = {path for path, _ in network.named_modules() if path}
    blocks = [block["module"] for block in getattr(network, "feature_info", ()) if block.get("module") in paths]
    layers = {f"block{number}": path for number, path in enumerate(blocks, start=1)}
    return adapt(network, network.default_cfg["mean"], network.default_cfg["std"], layers)


def of_hub(name: str, pretrained: bool, download: bool) -> tuple[str, Any, dict[str, Any]]:
    """Return the architecture of a repository, its pretrained configuration, and the options that it is built with.

    Raises:
        MissingData: its files are not at hand.
        UsageError: it is no repository of timm.
    """
    from timm.models import PretrainedCfg

    repository = name.partition(":")[2]
    try:
        said = json.loads(hub_file(repository, "config.json", download=download).read_text(encoding="utf-8"))
        config = said.get("pretrained_cfg", said)  # older files hold one dict
        known = {field.name for field in fields(PretrainedCfg)} - {"hf_hub_id", "url", "source"}
        kept = {word: value for word, value in config.items() if word in known}
        kept["num_classes"] = said.get("num_classes", config.get("num_classes", 1000))
        architecture, options = str(said["architecture"]), dict(said.get("model_args") or {})
    except (KeyError, AttributeError, TypeError, ValueError) as fault:
        words = f"the config.json of '{repository}' is not timm's, which names an architecture; try hf:{repository}"
        raise UsageError(words) from fault
    if pretrained:
        kept["file"] = str(hub_file(repository, *WEIGHTS, download=download))
    return architecture, PretrainedCfg(**kept), options


def _check_known(name: str) -> None:
    """Refuse an architecture that timm has not, and a tag that the architecture has not."""
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise UnknownName("timm model", name, nearest(name, timm.list_models()))
    tags = timm.list_pretrained(f"{architecture}.*")
    if tag and name not in tags:
        raise UnknownName("timm model", name, tags)
