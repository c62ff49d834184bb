"""What an audit costs as images, classes or pixels grow: `fast` and `standard` on made-up data, in passes and seconds.

    python benchmarks/audit_growth.py --write docs/figures/audit-growth.json --figure docs/figures/audit-growth.png

The network is one of random convolutions, whose features are compared with those of each class's prototype: it needs no
training, whatever the number of classes, and is right on the images, which are prototypes with noise.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from side_by_side import machine
from torch import Tensor, nn

import holdfast as hf
from holdfast.auditing.nearness import slope
from holdfast.objectives import margin
from holdfast.storage.signed import write_text

IMAGES, CLASSES, SIZES = (100, 300, 1000, 3000, 10_000), (2, 10, 100, 1000), (8, 16, 32, 64, 128, 224)
USUAL = {"images": 300, "classes": 10, "size": 16}
"""What stays as it is while another grows."""
CHANNELS, NOISE = 8, 0.15
NEAR = 0.02
"""The share of the images that a linear estimate puts within one eps: so eps is chosen, in each setting."""
EFFORTS = ("fast", "standard")


class Prototypes(nn.Module):
    """Random convolutions, averaged over 8 x 8 places, and the nearest of the prototypes in these features."""

    def __init__(self, prototypes: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        first, second = nn.Conv2d(1, CHANNELS, 3, padding=1), nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        for layer in (first, second):
            layer.weight.data = torch.randn(layer.weight.shape, generator=generator) / layer.weight[0].numel() ** 0.5
            layer.bias = nn.Parameter(torch.zeros(CHANNELS))
        self.features = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.AdaptiveAvgPool2d(8), nn.Flatten())
        with torch.no_grad():
            middle = self.features(prototypes)
        self.center: Tensor
        self.direction: Tensor
        self.register_buffer("center", middle.mean(0))
        self.register_buffer("direction", nn.functional.normalize(middle - middle.mean(0), dim=1))

    def forward(self, images: Tensor) -> Tensor:
        """Return how far the features go in the direction of each prototype."""
        return 10 * nn.functional.normalize(self.features(images) - self.center, dim=1) @ self.direction.T


def made_up(count: int, classes: int, size: int) -> tuple[nn.Module, Tensor, Tensor]:
    """Return a network, images and labels."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(classes, 1, 8, 8, generator=generator)
    prototypes = nn.functional.interpolate(coarse, size, mode="nearest")
    labels = torch.randint(classes, (max(IMAGES),), generator=generator)[:count]
    noise = NOISE * torch.randn(count, 1, size, size, generator=generator)
    return Prototypes(prototypes, generator).eval(), (prototypes[labels] + noise).clamp(0, 1), labels


def ball(model: nn.Module, images: Tensor, labels: Tensor) -> hf.Linf:
    """Return the threat whose eps reaches the wrong side of the nearest images, by a linear estimate."""
    some, right, unit = images[:100], labels[:100], hf.Linf(1.0)
    with torch.no_grad():
        distance = -margin(model(some), right) / slope(model, some, right, unit)
    return hf.Linf(float(distance.quantile(NEAR)))


def measured(axis: str, value: int, effort: str) -> dict[str, Any]:
    """Return what one audit says and costs, and what a forward pass of an image does."""
    setting = USUAL | {axis: value}
    model, images, labels = made_up(setting["images"], setting["classes"], setting["size"])
    with torch.no_grad():
        began = time.process_time()
        for some in images.split(250):
            model(some)
        forward = (time.process_time() - began) / len(images)
    threat = ball(model, images, labels)
    began = time.process_time()
    report = hf.audit(model, images, labels, threat, effort)
    seconds = time.process_time() - began
    return {
        "grows": axis, axis: value, "effort": effort, "clean": report.clean_accuracy, "stand": report.robust_accuracy,
        "settled": report.settled, "passes an image": round(sum(report.passes), 1), "processor, s": round(seconds, 2),
        "ms an image": round(1000 * seconds / len(images), 3), "ms a forward": round(1000 * forward, 4),
        "eps": threat.eps, "doubts": [doubt.name for doubt in report.doubts],
    }  # fmt: skip


def main() -> None:
    """Measure, print a table, draw a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=("images", "classes", "size"))
    parser.add_argument("--efforts", nargs="+", choices=EFFORTS, default=EFFORTS)
    parser.add_argument("--least", type=int, default=0, help="leave smaller values out")
    parser.add_argument("--most", type=int, default=10_000, help="leave larger values out")
    parser.add_argument("--write", type=Path, help="a file for what was measured")
    parser.add_argument("--figure", type=Path, help="a file for the figure")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for axis, values in (("images", IMAGES), ("classes", CLASSES), ("size", SIZES)):
        for value in values if axis in chosen.only else ():
            for effort in chosen.efforts if chosen.least <= value <= chosen.most else ():
                rows.append(measured(axis, value, effort))
                print(json.dumps(rows[-1]), flush=True)
    print(table(rows))
    if chosen.write:
        lines = ",\n".join(json.dumps(row) for row in rows)
        write_text(chosen.write, f'{{"conditions": {json.dumps(machine("cpu"))}, "rows": [\n{lines}\n]}}\n')
    if chosen.figure:
        draw(rows, chosen.figure)


def table(rows: list[dict[str, Any]]) -> str:
    """Return a line for each audit, as Markdown."""
    kept = ("effort", "clean", "stand", "passes an image", "processor, s", "ms an image", "ms a forward")
    lines = [f"| grows | to | {' | '.join(kept)} |", "|---" * (len(kept) + 2) + "|"]
    for row in rows:
        shown = [f"{row[name]:.1%}" if name in ("clean", "stand") else f"{row[name]}" for name in kept]
        lines.append(f"| {row['grows']} | {row[row['grows']]:,} | {' | '.join(shown)} |")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the time of a whole audit beside a line of linear growth, a panel for each of what grows."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    for axis, panel in zip(("images", "classes", "size"), figure.subplots(1, 3), strict=True):
        for effort in EFFORTS:
            own = [row for row in rows if (row["grows"], row["effort"]) == (axis, effort)]
            x = [row[axis] ** (2 if axis == "size" else 1) for row in own]
            y = [row["processor, s"] for row in own]
            panel.loglog(x, y, "o-", label=effort)
            if own:
                panel.loglog(
                    x, [y[0] * value / x[0] for value in x], ":", color="grey", label="linear" * (effort == "fast")
                )
        panel.set(xlabel="pixels" if axis == "size" else axis, ylabel="processor, s")
    figure.axes[0].legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
