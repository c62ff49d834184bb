"""Attacked images as files that other programs read: how many stay attacked after rounding to bytes, also on another
network, and what the attack spent.
"""

import io
import tempfile
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.attacks import Attack
from holdfast.correctness import is_correct
from holdfast.data import ImageSet
from holdfast.disk import whole
from holdfast.errors import UsageError, require
from holdfast.evaluation import judge
from holdfast.metrics import share_of
from holdfast.networks import centered, network, read_run
from holdfast.passes import counting
from holdfast.training import Tell
from holdfast.weights import Normalisation


def export(
    model: nn.Module, judged: nn.Module, attack: Attack, data: ImageSet, out: Path, batch: int, tell: Tell
) -> str:
    """Attack `model`, write the images to an .npz file or a folder of PNGs, and say in one line what `judged` answers.

    The two are one network, or another for transfer. The passes that are told are those through `model`.
    """
    if out.suffix not in ("", ".npz"):
        raise UsageError(f"--out {out}: give an .npz file or a folder for PNG pictures")
    if out.suffix == "" and data.shape[0] not in (1, 3):
        raise UsageError(f"--out {out}: images of {data.shape[0]} channels are no PNG pictures; give an .npz file")
    if out.is_dir() and any(out.glob("*.png")):
        raise UsageError(f"--out {out} holds pictures already: choose another folder, so that they do not mix")
    if out.is_file():
        raise UsageError(f"--out {out} is there already: choose another name, or delete it")
    writable(out.parent if out.suffix else out)
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
    images = torch.cat(attacked)
    if out.suffix == ".npz":
        _write_npz(out, images, data)
    else:
        _write_pictures(out, images, data)
    shares = [share_of(torch.cat(flags)) for flags in (before, after, rounded)]
    forwards, backwards = (sum(counts) / len(data) for counts in zip(*map(astuple, passes), strict=True))
    return (
        f"{len(data)} images: {shares[0]:.1%} right before, {shares[1]:.1%} after, "
        f"{shares[2]:.1%} after rounding to 8 bits; {forwards:.1f} forward and {backwards:.1f} backward passes "
        f"an image; written to {out}"
    )


def writable(folder: Path) -> None:
    """Make a folder, and refuse one that nothing can be written into, before the work rather than after it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def judge_of(
    name: str,
    architecture: str | None,
    whole: ImageSet,
    images: ImageSet,
    pretrained: bool = False,
    download: bool = False,
    normalisation: Normalisation | None = None,
) -> nn.Module:
    """Return the network that judges images made on another one; the last three are those of `networks.network`.

    Raises:
        UsageError: it sees another part of the `whole` pictures than the attacked network, or there is no such network.
    """
    if Path(name).is_dir():
        augment = read_run(Path(name)).augment
        seen = whole if augment is None else centered(whole, augment)
        require(
            seen.shape == images.shape,
            f"{name} was trained to see images of shape {seen.shape}, the attacked ones have {images.shape}",
            UsageError,
        )
    return network(name, architecture, images.shape, len(images.classes), pretrained, download, normalisation)


def to_bytes(images: Tensor) -> Tensor:
    """Return the images rounded (not cut) to 0..255."""
    return (images * 255).round().to(torch.uint8)


def _right(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return is_correct(judge(model, images), labels).cpu()


def _write_npz(out: Path, images: Tensor, data: ImageSet) -> None:
    buffer = io.BytesIO()
    original = data.take(torch.arange(len(data)))
    arrays: dict[str, Any] = {
        "images": images.numpy(),
        "original": original.cpu().numpy(),
        "labels": data.labels.cpu().numpy(),
        "classes": np.array(data.classes),
    }
    np.savez_compressed(buffer, **arrays)
    with whole(out) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _write_pictures(out: Path, images: Tensor, data: ImageSet) -> None:
    from PIL import Image

    out.mkdir(parents=True, exist_ok=True)
    pixels = to_bytes(images).permute(0, 2, 3, 1).squeeze(3).numpy()
    for position, label in enumerate(data.labels.tolist()):
        word = data.classes[label].replace("/", "-")
        name = out / f"{position:05d}-{word}.png"
        with whole(name) as temporary:
            Image.fromarray(pixels[position]).save(temporary, format="PNG")
