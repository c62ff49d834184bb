"""A network in one file that runs without holdfast: a program of torch.export, weights and defences inside."""

import warnings
from pathlib import Path

import torch
from torch import nn

from holdfast.errors import UsageError, reason
from holdfast.models.architecture import Shape
from holdfast.storage.files import atomic_write


def save_program(model: nn.Module, shape: Shape, path: Path | str) -> None:
    """Write a network at rest, for any number of images of shape (channels, rows, columns) in [0, 1].

    `torch.export.load(path).module()` is a function from images to what the network answers; it needs torch alone.

        save_program(defend(classifier, JPEG(75), purifier), (3, 32, 32), "defended.pt2")

    Raises:
        UsageError: torch cannot follow the network, as where it draws numbers by the shape of its images.
        NotWritten: the file cannot be written.
    """
    modes = [(part, part.training) for part in model.modules()]
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    images = torch.rand(2, *shape, device=device)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # what torch says of its own inside
            any_number = ({0: torch.export.Dim("images", min=1)},)
            program = torch.export.export(model.eval(), (images,), dynamic_shapes=any_number)
    except Exception as fault:  # torch raises what it likes
        words = f"torch cannot write {type(model).__name__} as a program: {reason(fault)[:200]}"
        raise UsageError(words) from fault
    finally:
        for part, mode in modes:
            part.training = mode
    with atomic_write(Path(path)) as temporary, temporary.open("wb") as file:
        torch.export.save(program, file)
