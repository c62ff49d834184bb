"""The audit beside pyautoattack and our own AutoAttack: robust accuracy, time and passes, on networks of many kinds.

    python benchmarks/audit.py                                 # what needs no data set: networks trained on digits
    python benchmarks/audit.py --data-root DATA --public MODELS --cifar CIFAR10.zip            # all of them

Networks are trained once and kept, as is every measured row, under --folder; a row that is there is not measured again.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from judge import judged
from side_by_side import machine
from torch import nn

import holdfast as hf
from holdfast import record
from holdfast.attacks import FGSM, PGD
from holdfast.methods import AT, TRADES, Standard
from holdfast.models import Normalized
from holdfast.networks import network
from holdfast.objectives import SmoothedCrossEntropy, divergence
from holdfast.optimization import SGD, Triangle


@dataclass(frozen=True)
class Case:
    """A network, and the images and the threat that it is judged under."""

    name: str
    model: Callable[[], nn.Module]
    data: str
    threat: hf.Threat
    count: int
    efforts: tuple[str, ...] = ("fast", "standard", "thorough", "autoattack")


def main() -> None:
    """Measure every row that is missing, and print the table."""
    chosen = arguments()
    torch.set_num_threads(chosen.threads)
    rows = []
    for case in cases(chosen):
        if chosen.only and case.name not in chosen.only:
            continue
        for who in ("judge", *case.efforts):
            if chosen.who and who not in chosen.who:
                continue
            path = chosen.folder / f"{case.name}-{who}.json".replace(" ", "-")
            if not path.exists() and not chosen.known:
                record.write_text(path, json.dumps(measured(case, who, chosen)) + "\n")
            if path.exists():
                rows.append((case, who, json.loads(path.read_text())))
    print(table(rows))
    print("; ".join(machine(chosen.device).values()))


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument(
        "--public",
        type=Path,
        help="a folder with trades-mnist-smallcnn.safetensors, wong-kolter-mnist.pth and wong-cifar-small-8px.pth",
    )
    parser.add_argument("--who", nargs="+", help="the judge, or efforts")
    parser.add_argument("--cifar", help="CIFAR-10 as JPEG, a folder or a zip")
    parser.add_argument("--known", action="store_true", help="measure nothing; print what is known")
    parser.add_argument("--only", nargs="+", help="names of networks")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench/audit"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def cases(chosen: argparse.Namespace) -> Iterator[Case]:
    """Yield the networks; those whose data are not given are left out."""
    ball, inner = hf.Linf(0.15), PGD(hf.Linf(0.15), steps=5)
    digits = hf.Run(Standard(), epochs=16, batch=64, optimizer=SGD(lr=0.05), schedule=Triangle())
    trades = TRADES(replace(inner, random_start=False, objective=divergence), beta=3.0)
    methods = {
        "digits AT": AT(inner),
        "digits TRADES": trades,
        "digits one-step": AT(FGSM(ball)),
        "digits smoothed": Standard(SmoothedCrossEntropy(0.5)),
        "digits Standard": Standard(),
    }
    if chosen.public and chosen.data_root:
        yield from published(chosen)
    for name, method in methods.items():
        threat = ball if name != "digits smoothed" and name != "digits Standard" else hf.Linf(0.05)
        yield Case(name, trained(name, replace(digits, method=method), chosen), "digits", threat, 300)
    hardened = trained("digits AT", replace(digits, method=methods["digits AT"]), chosen)
    yield Case("digits AT in L2", hardened, "digits", hf.L2(0.6), 300)
    yield Case("digits AT in L1", hardened, "digits", hf.L1(1.0), 300)
    if chosen.cifar:
        source = f"folder:{chosen.cifar}"
        run = hf.Run(AT(PGD(hf.Linf(8 / 255), steps=3)), model="small-cnn", data=source, epochs=6, batch=128,
                     optimizer=SGD(lr=0.05), schedule=Triangle(), limit=20_000)  # fmt: skip
        yield Case("CIFAR-10 (JPEG) AT", trained("CIFAR AT", run, chosen), source, hf.Linf(8 / 255), 300)


def published(chosen: argparse.Namespace) -> Iterator[Case]:
    """Yield public networks that nothing here was tuned to, but for the TRADES network in L-inf."""
    three = ("fast", "standard", "autoattack")
    wong = partial(wong_kolter, chosen.public / "wong-kolter-mnist.pth", (1, 28), (16, 32), 1568)
    yield Case("MNIST Wong-Kolter", wong, "mnist", hf.Linf(0.1), 1000, three)
    yield Case("MNIST Wong-Kolter in L2", wong, "mnist", hf.L2(1.5), 200, three)
    yield Case("MNIST Wong-Kolter in L1", wong, "mnist", hf.L1(8.0), 200, three)
    weights = str(chosen.public / "trades-mnist-smallcnn.safetensors")
    trades = partial(network, weights, "small-cnn", (1, 28, 28), 10)
    yield Case("MNIST TRADES", trades, "mnist", hf.Linf(0.3), 500, three)
    yield Case("MNIST TRADES in L2", trades, "mnist", hf.L2(1.5), 60, three)
    if chosen.cifar:
        small = partial(wong_kolter, chosen.public / "wong-cifar-small-8px.pth", (3, 32), (16, 32), 2048)
        scaled = lambda: nn.Sequential(Normalized((0.485, 0.456, 0.406), (0.225,) * 3), small())  # noqa: E731
        yield Case("CIFAR-10 (JPEG) Wong-Kolter", scaled, f"folder:{chosen.cifar}", hf.Linf(8 / 255), 500, three)


def wong_kolter(path: Path, images: tuple[int, int], widths: tuple[int, int], features: int) -> nn.Module:
    """Return a network of Wong and Kolter, or the first one of a cascade of theirs, with the weights of the file."""
    saved = torch.load(path, weights_only=True, map_location="cpu")
    weights = saved.get("state_dict", saved)
    model = nn.Sequential(
        nn.Conv2d(images[0], widths[0], 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(*widths, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(features, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
    model.load_state_dict(weights[0] if isinstance(weights, list) else weights)
    return model.eval()


def trained(name: str, run: hf.Run, chosen: argparse.Namespace) -> Callable[[], nn.Module]:
    """Return what trains the run, or reads it where it is done."""
    folder = chosen.folder / "networks" / name.replace(" ", "-")
    return lambda: hf.train(run, folder, device=chosen.device, data_root=chosen.data_root)


def measured(case: Case, who: str, chosen: argparse.Namespace) -> dict:
    """Return what one judge says of one network."""
    test = hf.load(case.data, "test", root=chosen.data_root)
    place = torch.arange(min(case.count, len(test)))
    images, labels = test.take(place).to(chosen.device), test.labels[place].to(chosen.device)
    model = case.model().to(chosen.device).eval()
    print(f"{case.name}: {who}", flush=True)
    began = time.process_time()
    if who == "judge":
        found = judged(model, images, labels, type(case.threat).__name__, case.threat.eps)
        forwards, backwards = (sum(cost[kind] for cost in found["spent"].values()) for kind in (0, 1))
        cost = {"seconds": found["seconds"], "of the processor": time.process_time() - began}
        return {"broken": found["broken"], **cost, "forwards": forwards, "backwards": backwards}
    report = hf.audit(model, images, labels, case.threat, effort=who)
    print(report, flush=True)
    return {
        "broken": report.broken.nonzero()[:, 0].tolist(),
        "seconds": report.seconds,
        "of the processor": time.process_time() - began,
        "forwards": sum(stage.forwards for stage in report.stages),
        "backwards": sum(stage.backwards for stage in report.stages),
        "doubts": [doubt.name for doubt in report.doubts],
    }


def table(rows: list[tuple[Case, str, dict]]) -> str:
    """Return a line for each network and judge, as Markdown; the processor's own seconds leave other work out."""
    heads = ("network", "images", "judge", "stand", "seconds", "x less", "processor, s", "x less", "forwards",
             "backwards", "broken by both", "ours only", "theirs only", "doubts")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    judge = {case.name: found for case, who, found in rows if who == "judge"}
    for case, who, found in rows:
        theirs, ours = set(judge[case.name]["broken"]), set(found["broken"])
        count = case.count
        cells = [
            case.name,
            f"{count}",
            "pyautoattack" if who == "judge" else who,
            f"{100 * (1 - len(ours) / count):.1f} %",
        ]
        for kind in ("seconds", "of the processor"):
            known = kind in found and kind in judge[case.name]
            cells += [f"{found[kind]:.0f}", f"{judge[case.name][kind] / found[kind]:.1f}"] if known else ["", ""]
        cells += [f"{found[kind] / count:.0f}" for kind in ("forwards", "backwards")]
        cells += [str(len(part)) for part in (ours & theirs, ours - theirs, theirs - ours)]
        lines.append(f"| {' | '.join([*cells, ', '.join(found.get('doubts', []))])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
