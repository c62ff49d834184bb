"""holdfast's attacks beside other libraries' on networks of another kind: larger images, no batch norm, uneven weights.

Three small networks learn the embedded digits for a moment, at 28x28 grey or 3x32x32 coloured pixels; nothing is
downloaded. Prints what docs/parity.md holds between its second marker lines; what was measured is kept in --folder.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from parity import between
from parity_bounded import Row, contests
from parity_minimum import Race, cells, lengths
from parity_oracles import ALMA_SETTINGS, ORDERS, adv_lib, by_adv_lib, fab_t_to_the_end
from parity_setting import Kept, Setting, markdown, sources
from side_by_side import processor
from torch import Tensor, nn

import holdfast as hf
from holdfast import L1, L2, Linf
from holdfast.attacks import ALMA, DDN, FABT, FMN
from holdfast.storage.signed import write_text

BEGIN, END = "<!-- measured: benchmarks/parity_others.py -->", "<!-- end of others -->"
ORDERS_OF_MAGNITUDE = 6
"""Over how many the gains of the pixels spread in the uneven network."""


class Uneven(nn.Module):
    """A gain for each pixel, spread over orders of magnitude: so are the gradients that attacks project with."""

    def __init__(self, side: int) -> None:
        super().__init__()
        drawn = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0))
        self.gain: Tensor
        self.register_buffer("gain", 10 ** (-ORDERS_OF_MAGNITUDE * drawn))

    def forward(self, images: Tensor) -> Tensor:
        """Return the weighted pixels."""
        return images * self.gain


def convolutions(channels: int, side: int) -> nn.Module:
    """Return two strided convolutions and two linear layers, as Wong and Kolter's small networks; no batch norm."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip


def uneven(channels: int, side: int) -> nn.Module:
    """Return a perceptron of uneven pixels."""
    return nn.Sequential(Uneven(side), nn.Flatten(), nn.Linear(channels * side**2, 64), nn.ReLU(), nn.Linear(64, 10))


NETWORKS: dict[str, tuple[Callable[[int, int], nn.Module], int, int]] = {
    "convolutions, 28x28": (convolutions, 1, 28),
    f"uneven pixels (1 to 1e-{ORDERS_OF_MAGNITUDE}), 28x28": (uneven, 1, 28),
    "convolutions, 3x32x32": (convolutions, 3, 32),
}


def resized(images: Tensor, channels: int, side: int) -> Tensor:
    """Return digits of another size; in colour each channel has a strength of its own."""
    large = F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)
    return (large * torch.tensor([1.0, 0.8, 0.6][:channels])[:, None, None]).clamp(0, 1)


def taught(make: Callable[[int, int], nn.Module], channels: int, side: int) -> nn.Module:
    """Return a network that saw the digits three times, with normal noise of 0.2 on them."""
    torch.manual_seed(0)
    network, train = make(channels, side), hf.load("digits", "train")
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for batch in train.batches(64, train.order_of(0, 0).repeat(3)):
        images = resized(batch.images, channels, side)
        optimizer.zero_grad()
        noisy = (images + 0.2 * torch.randn_like(images)).clamp(0, 1)
        F.cross_entropy(network(noisy), batch.labels).backward()
        optimizer.step()
    return network.eval().requires_grad_(False)


def setting_of(name: str, size: int, seeds: int) -> Setting:
    """Train a network and choose the images that it gets right."""
    make, channels, side = NETWORKS[name]
    network, test = taught(make, channels, side), hf.load("digits", "test", limit=size)
    images = resized(next(iter(test.batches(size))).images, channels, side)
    with torch.no_grad():
        right = network(images).argmax(1) == test.labels
    return Setting(network, images[right], test.labels[right], size, seeds, f"holdfast-{sources()}")


def races() -> Iterator[Race]:
    """Return the minimum-norm attacks, in every norm."""
    for kind, order in ORDERS.items():
        theirs = by_adv_lib(adv_lib.fmn, norm=order, steps=100)
        yield Race("100 steps", FMN(kind(math.inf), steps=100), "adv-lib", "FMN", theirs)
    yield Race("100 steps", DDN(), "adv-lib", "DDN", by_adv_lib(adv_lib.ddn, steps=100, levels=None))
    for kind in (Linf, L2, L1):
        theirs = fab_t_to_the_end(kind(math.inf), 10, classes=5)
        yield Race("5 x 10 steps", FABT(kind(math.inf), steps=10, classes=5), "pyautoattack", "FAB-T", theirs)
    for norm, setting in ALMA_SETTINGS.items():
        theirs = by_adv_lib(adv_lib.alma, num_steps=100, **setting)
        yield Race("100 steps", ALMA(norm(math.inf), steps=100), "adv-lib", "ALMA", theirs)


def measured(name: str, size: int, seeds: int, folder: Path) -> str:
    """Return the tables of one network."""
    setting = setting_of(name, size, seeds)
    kept = Kept(folder / f"results-{setting.fingerprint()}.json", fresh=False)
    rows, radii = [], {}
    for race in races():
        ours, theirs = lengths(setting, kept, race)
        rows.append(cells(race, ours, theirs))
        if isinstance(race.ours, FMN):
            radii[type(race.ours.threat)] = float(f"{float(ours.median()):.2g}")
    inside = []
    for kind in (Linf, L2, L1):
        apgd = contests(kind(radii[kind]))[0]
        inside.append(Row.of(setting, kept, apgd, "pyautoattack").cells())
    right = f"{len(setting.images)} of the first {size} test images are right."
    return f"### {name}\n\n{right}\n\n{markdown(rows)}\n\n{markdown(inside)}"


def main() -> None:
    """Measure what is not known yet, print the page's part and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=32, help="the first so many test images (default: 32)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("runs/bench/parity-others"))
    parser.add_argument("--write", type=Path, help="rewrite the measured part of this file")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    parts = [measured(name, chosen.images, chosen.seeds, chosen.folder) for name in NETWORKS]
    where = f"torch {torch.__version__}; {processor()}, 1 thread; seeds 0 to {chosen.seeds - 1} where a start is drawn."
    text = "\n\n".join([where, *parts])
    if chosen.write:
        write_text(chosen.write, between(chosen.write.read_text(), text, BEGIN, END))
    print(text)


if __name__ == "__main__":
    main()
