"""What purifying an image costs, beside what the classifier's own answer costs.

    python benchmarks/purifiers.py --rounds 7

The purifiers of paper 004 and the reference defences take turns with VGG-19 in one process, on the same made-up images
of 3x32x32. Weights are fresh: what they are does not change the cost. Each time is the processor seconds of this
process; each ratio is taken within one round.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import nn

from holdfast import defences, models
from holdfast.data import made_up_images
from holdfast.devices import reseed
from holdfast.types import Images

SHAPE, CLASSES = (3, 32, 32), 10
PURIFIERS = ("unet-a", "unet-b", "nrp", "nrp-resg", "magnet-autoencoder")
DEFENCES = (
    defences.BitDepth(), defences.Median(), defences.JPEG(), defences.Noise(), defences.RandomResizePad(),
    defences.TotalVariation(),
)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="how often each is timed (default: 7)")
    parser.add_argument("--images", type=int, default=50, help="images a call (default: 50)")
    parser.add_argument("--threads", type=int, default=1, help="threads of the CPU (default: 1)")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    images = made_up_images(SHAPE, "train").take(range(chosen.images))
    contenders = made()
    seconds = timed(contenders, images, chosen.rounds)
    print("| | weights | ms an image | times VGG-19's answer (lowest to highest) |\n|---|---|---|---|")
    for name, part in contenders.items():
        ratios = [mine / answer for mine, answer in zip(seconds[name], seconds["vgg-19"], strict=True)]
        milliseconds = 1000 * median(seconds[name]) / chosen.images
        spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| `{name}` | {weights_of(part):,} | {milliseconds:.2f} | {spread} |")
    print(f"\ntorch {torch.__version__}, {chosen.threads} thread(s), {chosen.rounds} rounds of {chosen.images} images")


def made() -> dict[str, Callable[[Images], Images]]:
    """Return the classifier and everything that can stand before it, by name."""
    reseed(torch.device("cpu"), 0)
    networks = {name: models.build(name, SHAPE, CLASSES).eval() for name in ("vgg-19", *PURIFIERS)}
    return {**networks, **{type(each).__name__: each for each in DEFENCES}}


@torch.no_grad()
def timed(contenders: dict[str, Callable[[Images], Images]], images: Images, rounds: int) -> dict[str, list[float]]:
    """Return the processor seconds of each contender in each round, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, work in contenders.items():
            began = time.process_time()
            work(images)
            if turn:
                seconds[name].append(time.process_time() - began)
    return seconds


def weights_of(part: Callable[[Images], Images]) -> int:
    """Return the number of a network's weights."""
    return sum(weight.numel() for weight in part.parameters()) if isinstance(part, nn.Module) else 0


if __name__ == "__main__":
    main()
