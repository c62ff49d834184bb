"""The device that computes: by its name, with its random state apart, in exact float32, and in words.

And which optional packages are installed beside it: `holdfast-robust[report]`.
"""

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

import torch
from torch import nn

from holdfast.errors import BadValue, MissingExtra, shown
from holdfast.types import Network


def conditions(device: str | torch.device) -> dict[str, str]:
    """Return the device, the hardware behind it and the versions in use, in words."""
    from holdfast import __version__

    device = device_of(device)
    cuda = device.type == "cuda"
    hardware = torch.cuda.get_device_name(device) if cuda else f"{torch.get_num_threads()} CPU threads"
    return {
        "device": str(device),
        "hardware": f"{hardware} ({platform.machine()})",
        "versions": f"holdfast {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
    }


def on_which(measured: Mapping[str, str]) -> str:
    """Return the device and the hardware of `conditions` in a few words."""
    return f"on {measured['device']}: {measured['hardware']}"


def device_of(name: str | torch.device) -> torch.device:
    """Return the device of that name, if this machine has it; "auto" is cuda where there is one, else cpu."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        there = "cpu and cuda" if torch.cuda.is_available() else "cpu only"
        raise BadValue(f"device {shown(name)} cannot be used here; this machine has {there}") from error
    return device


def home_of(model: Network, otherwise: torch.device | str = "cpu") -> torch.device:
    """Return where a network is, to which images of the host come in batches; `otherwise` for what has no weights."""
    parts = (*model.parameters(), *model.buffers()) if isinstance(model, nn.Module) else ()
    return next((part.device for part in parts), torch.device(otherwise))


def reseed(device: torch.device, seed: int) -> None:
    """Seed the generators that a network on this device draws from (dropout, fresh weights), and no other."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


@contextmanager
def isolated(device: torch.device) -> Iterator[None]:
    """Leave the caller's random state as it was; let convolutions round as float32 does, by the same kernels always."""
    devices = [device] if device.type == "cuda" else []
    kernels = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.random.fork_rng(devices), kernels:
        yield


@contextmanager
def exact_products(device: torch.device) -> Iterator[None]:
    """Let a device multiply in float32, whatever its owner allows for speed.

    Unasked the convolutions of CUDA round to 10 bits, and asked for less precision a processor that multiplies bfloat16
    rounds to 8: that breaks near ties, and hides small margins from a search.
    """
    backend = torch.backends.cuda if device.type == "cuda" else torch.backends.mkldnn
    convolutions = torch.backends.cudnn if device.type == "cuda" else torch.backends.mkldnn
    kernels = (convolutions.conv, backend.matmul)
    before = [kernel.fp32_precision for kernel in kernels]
    try:
        for kernel in kernels:
            kernel.fp32_precision = "ieee"
        yield
    finally:
        for kernel, precision in zip(kernels, before, strict=True):
            kernel.fp32_precision = precision


EXTRAS: Mapping[str, tuple[str, ...]] = {
    "report": ("matplotlib", "jinja2"),
    "analysis": ("sklearn",),
    "timm": ("timm",),
    "hf": ("transformers",),
    "datasets": ("datasets",),
    "onnx": ("onnx", "onnx2torch"),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
}
"""The packages of each extra, by the names that they are imported by."""


def need(*extras: str) -> None:
    """Refuse to begin what needs these extras where one of them is not installed.

    Raises:
        MissingExtra: its line is the command that installs it.
    """
    for extra in extras:
        missing = [package for package in EXTRAS[extra] if find_spec(package) is None]
        if missing:
            raise MissingExtra(f"the extra '{extra}' ({', '.join(missing)}) is not installed: {remedy(extra)}")


def have(extra: str) -> bool:
    """Say whether an extra is installed."""
    return all(find_spec(package) is not None for package in EXTRAS[extra])


def remedy(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'holdfast-robust[{extra}]'"
