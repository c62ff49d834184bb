"""The report of an audit through every door: one small network, and the same images, as people have them.

    python benchmarks/doors.py

A network is trained on digits for eight epochs and written in each form that is read; the images likewise. Each line is
one command, as it is typed, and what its report says. The last networks have weights at random: they show that the
libraries' doors open, and their reports say what they are worth.
"""

import io
import json
import os
import shlex
import tempfile
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import holdfast as hf
from holdfast.cli import main as command
from holdfast.data import ImageSet

NETWORKS = (
    "run",
    "run/model.safetensors --model digits-net",
    "net.pt --model digits-net",
    "net.safetensors",
    "net.py:network",
    "net.py:in_a_dict --answers logits",
    "net.py:shares --probabilities",
    "net.onnx",
)
DATA = (
    "folder:pictures",
    "imagefolder:pictures",
    "images.py:images",
    "images.py:loader",
    "hf:set",
)
LIBRARIES = (
    "hf:resnet --no-pretrained --data made-up:3x32x32",
    "timm:resnet18 --no-pretrained --data made-up:3x32x32",
    "torchvision:squeezenet1_1 --no-pretrained --data made-up:3x64x64",
)
SEARCH = "--effort fast --threat.eps 0.1"
COUNT = 100
OWN = """
import torch
import holdfast as hf


class Answers(torch.nn.Module):
    def __init__(self, change):
        super().__init__()
        self.inner, self.change = hf.models.load("net.pt", "digits-net", (1, 8, 8), 10), change

    def forward(self, images):
        return self.change(self.inner(images))


def network():
    return Answers(lambda logits: logits)


def in_a_dict():
    return Answers(lambda logits: {"logits": logits, "other": 0})


def shares():
    return Answers(lambda logits: logits.softmax(1))
"""
IMAGES = """
import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


def images():
    held = np.load("images.npz")
    return TensorDataset(torch.from_numpy(held["test_images"]), torch.from_numpy(held["test_labels"]))


def loader():
    return DataLoader(images(), batch_size=50)
"""


def main() -> None:
    """Write every form, and print a line for each."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_network()
        write_images(hf.load("digits", "test", limit=COUNT))
        write_of_transformers()
        networks = [f"{network} --data npz:images.npz" for network in NETWORKS]
        doors = [*networks, *(f"run --data {name}" for name in DATA), *LIBRARIES]
        print("| `holdfast audit` | clean | robust, at most | doubts |\n|---|---|---|---|")
        for door in doors:
            print(f"| `{door}` | {' | '.join(reported(door))} |", flush=True)
        os.chdir("/")


def reported(door: str) -> tuple[str, str, str]:
    """Return what the report of one command says."""
    words = shlex.split(f"audit {door} {SEARCH} --json --folder audited")
    out, told = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(told):
        status = command(words)
    if status != 0:
        return f"status {status}", told.getvalue().strip(), ""
    said = json.loads(out.getvalue())
    doubts = ", ".join(doubt["name"] for doubt in said["doubts"])
    return f"{said['clean_accuracy']:.1%}", f"{said['robust_accuracy']:.1%}", doubts or "none"


def write_network() -> None:
    """Train a network, and write it as a run, a pickle, safetensors, an ONNX file and code."""
    run = hf.Run(hf.methods.AT(hf.attacks.PGD(hf.Linf(0.1), steps=3)), "digits-net", "digits", epochs=8)
    model = hf.train(run, "run")
    torch.save({"state_dict": {f"module.{name}": each for name, each in model.state_dict().items()}}, "net.pt")
    options = "--model digits-net --shape 1 8 8 --classes 10"
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        command(shlex.split(f"convert net.pt {options} --out net.safetensors"))
        batch = {"x": {0: "n"}}
        torch.onnx.export(
            model.eval(), (torch.rand(2, 1, 8, 8),), "net.onnx", dynamo=False, input_names=["x"], dynamic_axes=batch
        )
    Path("net.py").write_text(OWN)


def write_images(data: ImageSet) -> None:
    """Write the images as arrays, as pictures, as code and as a data set of Hugging Face."""
    import datasets

    images, labels = data.take(torch.arange(len(data))), data.labels
    np.savez("images.npz", test_images=images.numpy(), test_labels=labels.numpy())
    pictures = [Image.fromarray(each) for each in (images[:, 0] * 255).round().byte().numpy()]
    for number, (picture, label) in enumerate(zip(pictures, labels.tolist(), strict=True)):
        place = Path("pictures/test") / str(label)
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{number}.png")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(num_classes=10)})
    rows = datasets.Dataset.from_dict({"image": pictures, "label": labels.tolist()}, features=features)
    datasets.disable_progress_bars()
    datasets.DatasetDict({"test": rows}).save_to_disk("set")
    Path("images.py").write_text(IMAGES)


def write_of_transformers() -> None:
    """Write what a repository of a residual network of transformers holds, without its weights."""
    import transformers

    transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1]).save_pretrained("resnet")
    said = {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 32}, "crop_pct": 0.875}
    Path("resnet/preprocessor_config.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main()
