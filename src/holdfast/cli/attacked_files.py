"""Attacked images as files for other programs, with the accuracy on them (also of another network) and the passes."""

from dataclasses import astuple
from pathlib import Path

import torch
from torch import Tensor, nn

from holdfast.attacks import Attack
from holdfast.data import ImageSet
from holdfast.data.written_images import check_place, to_bytes, write
from holdfast.errors import NotWritten
from holdfast.evaluation import judge
from holdfast.metrics import share_of
from holdfast.objectives import is_correct
from holdfast.passes import counting
from holdfast.training.loop import Tell


def write_attacked(
    model: nn.Module, judged: nn.Module, attack: Attack, data: ImageSet, out: Path, batch: int, tell: Tell
) -> str:
    """Attack `model`, write the images to an .npz file or a folder of PNGs, and say in one line what `judged` answers.

    The two are one network, or another for transfer. The passes that are told are those through `model`.
    """
    check_place(out, data)
    attacked, before, after, rounded, passes = [], [], [], [], []
    for part in data.batches(batch):
        with counting() as spent:
            images = attack(model, part.images, part.labels)
        passes.append(spent)
        attacked.append(images.cpu())
        before.append(_right(judged, part.images, part.labels))
        after.append(_right(judged, images, part.labels))
        rounded.append(_right(judged, to_bytes(images).float() / 255, part.labels))
        tell(sum(map(len, attacked)), len(data), "")
    shares = [share_of(torch.cat(flags)) for flags in (before, after, rounded)]
    forwards, backwards = (sum(counts) / len(data) for counts in zip(*map(astuple, passes), strict=True))
    said = (
        f"{len(data)} images: accuracy {shares[0]:.1%} clean, {shares[1]:.1%} attacked, "
        f"{shares[2]:.1%} attacked and rounded to 8 bits; "
        f"{forwards:.1f} forward and {backwards:.1f} backward passes an image"
    )
    try:
        write(out, torch.cat(attacked), data)
    except NotWritten as fault:  # what was found out is not lost with the images
        raise NotWritten(f"{fault}; {said}") from fault
    return f"{said}; written to {out}"


def _right(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return is_correct(judge(model, images), labels).cpu()
