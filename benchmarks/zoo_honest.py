"""Honest networks: nothing in them hides their gradients, and the cascade leaves what AutoAttack leaves."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from zoo import Member, Recipe

import holdfast as hf
from holdfast.attacks import FGSM, PGD
from holdfast.models import Normalized
from holdfast.training.networks import network

Norm = Callable[[int], nn.Module]


def no_norm(width: int) -> nn.Module:
    """Return nothing to normalise with."""
    return nn.Identity()


def conv(
    act: Callable[[], nn.Module] = nn.ReLU, norm: Norm = nn.BatchNorm2d, width: int = 12, drop: float = 0.0,
    classes: int = 10, channels: int = 1,
) -> nn.Module:  # fmt: skip
    """Return two convolutions and two dense layers."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), norm(width), act(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), norm(2 * width), act(), nn.Flatten(), nn.Dropout(drop),
        nn.Linear(32 * width, 64), act(), nn.Linear(64, classes),
    )  # fmt: skip


def mlp(*widths: int, act: Callable[[], nn.Module] = nn.ReLU, inputs: int = 64, classes: int = 10) -> nn.Module:
    """Return dense layers."""
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in zip((inputs, *widths), widths, strict=False):
        layers += [nn.Linear(before, after), act()]
    return nn.Sequential(*layers, nn.Linear((inputs, *widths)[-1], classes))


class Residual(nn.Module):
    """Adds two convolutions of its input to it."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            norm(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1),
            norm(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        out: Tensor = x + self.inner(x)
        return out


def resnet(norm: Norm = nn.BatchNorm2d, width: int = 12, channels: int = 1) -> nn.Module:
    """Return a residual network of two blocks."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), Residual(width, norm), nn.MaxPool2d(2), Residual(width, norm),
        norm(width), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, 10),
    )  # fmt: skip


class Attends(nn.Module):
    """One transformer block, normalised first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.first, self.second = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens after attention and a dense part."""
        q, k, v = self.mix(self.first(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        out: Tensor = x + self.dense(self.second(x))
        return out


class ViT(nn.Module):
    """A transformer on patches of 2x2 pixels."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, stride=2)
        self.places = nn.Parameter(0.1 * torch.randn(1, 16, width))
        self.blocks = nn.Sequential(Attends(width, 2), Attends(width, 2), nn.LayerNorm(width))
        self.last = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the mean token."""
        tokens = self.patches(x).flatten(2).mT + self.places
        out: Tensor = self.last(self.blocks(tokens).mean(1))
        return out


class Sparse(nn.Module):
    """Features over a threshold, so high that the images of one class have none and share one answer."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, width, bias=False), nn.Linear(width, 10)

    def above(self, x: Tensor) -> Tensor:
        """Return how far the features are above the threshold."""
        out: Tensor = self.first(8 * x.flatten(1)) - 1
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of what exceeds the threshold."""
        out: Tensor = self.last(F.relu(self.above(x)))
        return out


def silent(network: Sparse, clean: Tensor, labels: Tensor) -> Tensor:
    """Return what makes the images of the class 1 have no features, with room to spare."""
    ones = clean[labels == 1]
    return 0.1 * F.relu(network.above(ones) + 2).sum() / max(1, len(ones))


class Scaled(nn.Module):
    """A network whose logits are multiplied."""

    def __init__(self, inner: nn.Module, factor: float) -> None:
        super().__init__()
        self.inner, self.factor = inner, factor

    def forward(self, x: Tensor) -> Tensor:
        """Return the product."""
        out: Tensor = self.factor * self.inner(x)
        return out


class Doubled(nn.Module):
    """A network that computes in float64 and answers in it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.double()

    def forward(self, x: Tensor) -> Tensor:
        """Return the answer in float64."""
        out: Tensor = self.inner(x.double())
        return out


def scaled(factor: float) -> Callable[[nn.Module], nn.Module]:
    """Return how to multiply a network's logits."""
    return lambda network: Scaled(network, factor)


GROUPS = partial(nn.GroupNorm, 4)
NEAR, FAR, ROUND, WIDE = hf.Linf(0.05), hf.Linf(0.15), hf.L2(0.3), hf.L2(0.7)
AT, AT_L2 = PGD(hf.Linf(0.15), steps=4), PGD(hf.L2(0.7), steps=4)


def honest() -> tuple[Member, ...]:
    """Return the honest networks, in their order."""
    bare, beneath = "ReLU without norm, adversarial", Recipe(partial(conv, norm=no_norm), attack=AT)
    hundred = (hf.Linf(0.03), "hundred classes")
    members = (
        Member("linear", Recipe(mlp), NEAR),
        Member("linear, adversarial", Recipe(mlp, attack=AT), hf.Linf(0.1)),
        Member("dense ReLU", Recipe(partial(mlp, 64, 64)), NEAR),
        Member("dense tanh, 8 wide", Recipe(partial(mlp, 8, act=nn.Tanh)), NEAR),
        Member("ReLU batch norm", Recipe(conv), NEAR),
        Member("ReLU without norm", Recipe(partial(conv, norm=no_norm)), NEAR),
        Member("ReLU batch norm, adversarial", Recipe(conv, attack=AT), FAR),
        Member(bare, Recipe(partial(conv, norm=no_norm), attack=AT), FAR),
        Member("SiLU batch norm, adversarial", Recipe(partial(conv, nn.SiLU), attack=AT), FAR),
        Member("SiLU dropout, adversarial", Recipe(partial(conv, nn.SiLU, no_norm, drop=0.3), attack=AT), FAR),
        Member("GELU group norm, adversarial", Recipe(partial(conv, nn.GELU, GROUPS), attack=AT), FAR),
        Member("tanh, adversarial", Recipe(partial(conv, nn.Tanh, no_norm), attack=AT), FAR),
        Member("leaky batch norm, adversarial in L2", Recipe(partial(conv, nn.LeakyReLU), attack=AT_L2), WIDE),
        Member("ReLU group norm, adversarial in L2", Recipe(partial(conv, norm=GROUPS), attack=AT_L2), WIDE),
        Member("dropout batch norm, adversarial", Recipe(partial(conv, drop=0.5), attack=AT), FAR),
        Member("dropout, standard, L2", Recipe(partial(conv, norm=no_norm, drop=0.5)), ROUND),
        Member("residual batch norm, adversarial", Recipe(resnet, attack=AT), FAR),
        Member("residual group norm", Recipe(partial(resnet, GROUPS)), NEAR),
        Member("transformer", Recipe(ViT), NEAR),
        Member("transformer, adversarial", Recipe(ViT, steps=800, attack=AT), hf.Linf(0.1)),
        Member("TRADES batch norm", Recipe(conv, attack=AT, beta=3), FAR),
        Member("TRADES dense SiLU", Recipe(partial(mlp, 128, 64, act=nn.SiLU), attack=AT, beta=3), FAR),
        Member("smoothed by a half", Recipe(conv, smoothing=0.5), NEAR),
        Member("smoothed by a tenth, dense", Recipe(partial(mlp, 64, 64), smoothing=0.1), NEAR),
        Member("trained long, very sure", Recipe(conv, steps=3000), NEAR),
        Member("trained long, dense, 512 wide", Recipe(partial(mlp, 512, 512), steps=2000), NEAR),
        Member("adversarial, logits / 100", beneath, FAR, "digits", scaled(0.01), bare),
        Member("standard, logits / 100", Recipe(partial(conv, nn.SiLU)), NEAR, around=scaled(0.01)),
        Member("standard, logits x 100", Recipe(conv), NEAR, "digits", scaled(100), "ReLU batch norm"),
        Member("adversarial, logits x 100", beneath, FAR, "digits", scaled(100), bare),
        Member("two classes", Recipe(partial(conv, classes=2), attack=AT), hf.Linf(0.1), "two classes"),
        Member("two classes, dense tanh", Recipe(partial(mlp, 64, act=nn.Tanh, classes=2)), NEAR, "two classes"),
        Member("a hundred classes", Recipe(partial(conv, classes=100, width=16), 600), *hundred),
        Member("a hundred classes, dense", Recipe(partial(mlp, 128, classes=100), 600), *hundred),
        Member("float64 inside", Recipe(conv, attack=AT), FAR, "digits", Doubled, "ReLU batch norm, adversarial"),
        Member("float64 inside, dense GELU", Recipe(partial(mlp, 64, 64, act=nn.GELU)), NEAR, around=Doubled),
        Member("silent features", Recipe(Sparse, 600, extra=silent), hf.Linf(0.03)),
        Member("silent features, adversarial", Recipe(Sparse, 600, attack=PGD(NEAR, steps=4), extra=silent), NEAR),
        Member("in colour, batch norm", Recipe(partial(conv, channels=3), attack=PGD(NEAR, steps=4)), NEAR, "colour"),
        Member("in colour, residual", Recipe(partial(resnet, channels=3)), NEAR, "colour"),
        Member("judged in L1", Recipe(conv, attack=AT), hf.L1(1.0), kept_as="ReLU batch norm, adversarial"),
        Member("dense softplus, judged in L1", Recipe(partial(mlp, 64, 64, act=nn.Softplus)), hf.L1(1.0)),
        Member("adversarial by one step", Recipe(conv, attack=FGSM(hf.Linf(0.15))), FAR),
        Member("adversarial, dense, 12 wide", Recipe(partial(mlp, 12), 600, PGD(NEAR, steps=4)), NEAR),
    )  # fmt: skip
    return members + tuple(public())


def public() -> list[Member]:
    """Return the public networks that $HOLDFAST_DATA holds."""
    if not os.environ.get("HOLDFAST_DATA"):
        return []
    folder = Path(os.environ["HOLDFAST_DATA"]) / "models"
    none = Recipe(nn.Identity, 0)
    mnist = partial(wong, folder / "wong-kolter-mnist.pth", (1, 28, 28))
    cifar = partial(wong, folder / "wong-cifar-small-8px.pth", (3, 32, 32))
    trades = partial(network, str(folder / "trades-mnist-smallcnn.safetensors"), "small-cnn", (1, 28, 28), 10)
    return [
        Member("public: Wong and Kolter, MNIST", none, hf.Linf(0.1), "mnist", lambda _: mnist()),
        Member("public: Wong and Kolter, CIFAR-10", none, hf.Linf(8 / 255), "cifar", lambda _: cifar()),
        Member("public: TRADES, MNIST", none, hf.Linf(0.3), "mnist", lambda _: trades()),
    ]


def wong(path: Path, shape: tuple[int, int, int]) -> nn.Module:
    """Return one of the authors' networks: the first, where the file holds a cascade of them."""
    weights = torch.load(path, weights_only=True, map_location="cpu")
    weights = weights["state_dict"][0] if "state_dict" in weights else weights
    inner = nn.Sequential(
        nn.Conv2d(shape[0], 16, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(32 * (shape[1] // 4) ** 2, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip
    inner.load_state_dict(weights)
    return nn.Sequential(Normalized((0.485, 0.456, 0.406), 0.225), inner) if shape[0] == 3 else inner
