"""holdfast purify DEFENCE IMAGES: clean images with a purifier, or a defence, and write them elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from holdfast.cli.config import with_config
from holdfast.cli.defended import defence
from holdfast.cli.parse import Config, leading, parse
from holdfast.cli.progress import Teller
from holdfast.data.image_files import ImageFiles, read_images, write_images
from holdfast.data.request import expanded
from holdfast.defences import Defence
from holdfast.devices import conditions, device_of, isolated, on_which, reseed
from holdfast.errors import ModelFault, UsageError, require
from holdfast.types import Images

USAGE = (
    "usage: holdfast purify DEFENCE IMAGES [options]; DEFENCE is the folder of a purifier's run or a name of holdfast "
    "list defences (not SAP, which works inside a network), IMAGES a folder of PNG and JPEG pictures or an .npz file "
    "with an array of images"
)


@dataclass(frozen=True)
class Purify:
    """Clean images with a purifier, or with a defence that changes images, and write them elsewhere."""

    config: Config = None
    out: Path | None = None
    """The folder or .npz file to write, of the same kind as IMAGES (default: IMAGES with -purified after its name)."""
    seed: int = 0
    """Of what a defence draws at random."""
    batch: int = 250
    device: str = "auto"
    """auto (cuda where there is one, else cpu), cpu, cuda or cuda:N."""

    def __call__(self, name: str, source: Path) -> int:
        """Purify, write, and say how far the images were moved."""
        require(self.batch >= 1, f"batch = {self.batch}, not 1 or more")
        out = self.out or beside(source)
        device, files = device_of(self.device), read_images(source, out)
        with isolated(device), Teller() as tell:
            reseed(device, self.seed)
            purified = self.purified(name, files, device, tell)
        write_images(out, files, purified)
        moved = (purified - files.images).abs()
        print(
            f"{len(purified)} images: a value moved by {255 * float(moved.mean()):.2f} of 255 on average, "
            f"{255 * float(moved.max()):.0f} at most; written to {out}; {on_which(conditions(device))}"
        )
        return 0

    @torch.no_grad()
    def purified(self, name: str, files: ImageFiles, device: torch.device, tell: Teller) -> Images:
        """Return the images as the defence changes them, on the CPU."""
        shape = tuple(files.images.shape[1:])
        change = of_images(name, defence(name, (shape[0], shape[1], shape[2]), 2))
        if isinstance(change, torch.nn.Module):
            change = change.to(device)
        done: list[Images] = []
        for part in files.images.split(self.batch):
            changed = change(part.to(device))
            same = changed.shape == part.shape
            require(same, f"{name} turns images of shape {shape} into {tuple(changed.shape[1:])}", ModelFault)
            done.append(changed.clamp(0, 1).cpu())
            tell(sum(map(len, done)), len(files.images), "")
        return torch.cat(done)


def of_images(name: str, change: Defence | torch.nn.Module) -> Defence | torch.nn.Module:
    """Return a defence that changes images; one that finds its own places in a network changes activations there.

    Raises:
        UsageError: it works inside a network.
    """
    inside = isinstance(change, Defence) and type(change).around is not Defence.around
    require(not inside, f"{name} works inside a network: attack or audit one behind it, --defence {name}", UsageError)
    return change


def beside(source: Path) -> Path:
    """Return where what becomes of images is written by default; a folder's name has no ending there."""
    whole = source.resolve() if source.name in ("", "..") else source
    require(whole.name != "", f"{source} has no folder around it: say with --out where to write", UsageError)
    if source.is_dir():
        return whole.with_name(f"{whole.name[:1]}{whole.name[1:].replace('.', '-')}-purified")
    return whole.with_name(f"{whole.stem}-purified{whole.suffix}")


def run_purify(args: Sequence[str]) -> int:
    """holdfast purify DEFENCE IMAGES [options]."""
    names = leading(args)
    words = with_config(args)
    options = parse(Purify, "purify DEFENCE IMAGES", words[len(names) :], Purify())
    require(len(names) == 2, USAGE, UsageError)
    return options(names[0], expanded(names[1]))
