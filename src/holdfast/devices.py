"""On what a number was measured: it stands beside every number that is written down."""

import platform

import torch


def conditions(device: str | torch.device) -> dict[str, str]:
    """Return the hardware behind a device and the versions in use, in words."""
    from holdfast import __version__

    kind = torch.device(device).type
    hardware = torch.cuda.get_device_name(device) if kind == "cuda" else f"{torch.get_num_threads()} CPU threads"
    return {
        "hardware": f"{hardware} ({platform.machine()})",
        "versions": f"holdfast {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
    }
