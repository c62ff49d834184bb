"""What is kept on disk is named by what a network or a user's code does, not by weights and names alone."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

import holdfast as hf
from holdfast.attacks import FGSM, PGD
from holdfast.storage.behaviour import network_fingerprint, own_code
from holdfast.storage.describe import describe
from holdfast.storage.fingerprint import fingerprint
from holdfast.types import Images

from .written import written


class Rounding(nn.Module):
    """A defence without weights."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, x: Images) -> Images:
        """Round."""
        return (x * self.levels).round() / self.levels


class Called(nn.Module):
    """A part that calls a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Images) -> Images:
        """Call it."""
        return self.function(x)


def scaled(factor: float) -> Callable[[Tensor], Tensor]:
    """Return a function that remembers a number."""

    def times(x: Tensor) -> Tensor:
        return x * factor

    return times


def weights() -> nn.Sequential:
    """Return the same weights at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 10))


def defended(levels: int) -> nn.Sequential:
    """Return them behind a rounding that gradients do not see."""
    return nn.Sequential(hf.straight_through(Rounding(levels)), *weights())


def test_the_same_network_has_the_same_name_whatever_its_mode_and_layout() -> None:
    name = network_fingerprint(weights())
    assert (
        network_fingerprint(weights().eval())
        == network_fingerprint(weights().to(memory_format=torch.channels_last))
        == name
    )
    assert network_fingerprint(defended(2)) == network_fingerprint(defended(2))


def test_a_weight_names_another_network() -> None:
    changed = weights()
    with torch.no_grad():
        changed[0].weight[0, 0, 0, 0] += 1e-3
    assert network_fingerprint(changed) != network_fingerprint(weights())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (defended(2), defended(16)),
        (nn.Sequential(nn.ReLU(), *weights()), nn.Sequential(nn.Tanh(), *weights())),
        (nn.MaxPool2d(2), nn.MaxPool2d(3)),
        (hf.expectation(weights(), draws=1), hf.expectation(weights(), draws=20)),
        (Called(scaled(2)), Called(scaled(3))),
        (Called(torch.relu), Called(torch.tanh)),
        (Called(lambda x: x + 1), Called(lambda x: x + 2)),
    ],
    ids=["settings", "parts", "torch's settings", "draws", "closures", "functions in C", "lambdas"],
)  # fmt: skip
def test_equal_weights_do_not_make_equal_networks(one: nn.Module, other: nn.Module) -> None:
    assert network_fingerprint(one) != network_fingerprint(other)


def asking(module: ModuleType, words: str = "ops.head(x)") -> nn.Module:
    """Return a network that asks a module for a function, as `import ops` and `ops.head(x)` do."""
    space: dict[str, object] = {"ops": module, "__name__": "somebodys"}
    exec(f"def call(x):\n    return {words}\n", space)
    return Called(space["call"])  # type: ignore[arg-type]


def test_what_is_asked_of_a_module_of_ones_own_counts() -> None:
    modules = []
    for code in ("def head(x): return x", "def head(x): return -x", "def head(x): return x"):
        module = ModuleType("ops")
        exec(code, vars(module))
        modules.append(module)
    one, other, again = (network_fingerprint(asking(module)) for module in modules)
    assert one == again != other
    packages = [ModuleType("package") for _ in modules]
    for package, module in zip(packages, modules, strict=True):
        package.ops = module  # type: ignore[attr-defined]
    one, other, again = (network_fingerprint(asking(package, "ops.ops.head(x)")) for package in packages)
    assert one == again != other


@pytest.mark.parametrize("kind", [argparse.Namespace, SimpleNamespace])
def test_settings_in_a_namespace_count(kind: type) -> None:
    one, other = weights(), weights()
    one.settings, other.settings = kind(sign=1), kind(sign=-1)
    assert network_fingerprint(one) != network_fingerprint(other)


def test_a_hook_counts_that_may_change_the_answer() -> None:
    hooked = weights()
    handle = hooked.register_forward_hook(lambda module, given, answer: -answer)
    assert network_fingerprint(hooked) != network_fingerprint(weights())
    handle.remove()
    assert network_fingerprint(hooked) == network_fingerprint(weights())


def test_a_network_that_holds_itself_has_a_name() -> None:
    network = weights()
    network.friends = [network]  # type: ignore[assignment]
    assert network_fingerprint(network) == network_fingerprint(network)


def test_an_audit_in_one_folder_keeps_two_defences_with_equal_weights_apart(tmp_path: Path) -> None:
    images, threat = torch.rand(20, 1, 8, 8), hf.Linf(0.1)
    labels = defended(16)(images).argmax(1)
    for levels in (16, 1):
        alone = hf.audit(defended(levels), images, labels, threat, "fast")
        kept = hf.audit(defended(levels), images, labels, threat, "fast", folder=tmp_path)
        assert (kept.robust_accuracy, kept.clean_accuracy) == (alone.robust_accuracy, alone.clean_accuracy)


def test_holdfasts_own_values_are_named_by_what_they_say() -> None:
    assert own_code([PGD(), hf.methods.TRADES(), hf.Run()]) == []


def mine(strength: float) -> type:
    """Return an attack as a user writes and edits it: the name stays."""

    @dataclass(frozen=True)
    class Mine(FGSM):
        def doubled(self) -> float:
            return self.threat.eps * 2 if strength == 0 else self.threat.eps * 3

    def one(self: object) -> int:
        """Say something."""
        return 1

    def two(self: object) -> int:
        """Say something else."""
        return 2

    Mine.number = one if strength == 0 else two  # type: ignore[attr-defined]
    return Mine


def test_an_edited_attack_of_ones_own_has_another_name() -> None:
    first, again, edited = mine(0)(), mine(0)(), mine(1)()
    assert describe(first) == describe(edited)
    assert fingerprint(first) == fingerprint(again) != fingerprint(edited)


def test_an_edited_helper_of_an_objective_of_ones_own_has_another_name() -> None:
    space: dict[str, object] = {}
    names = []
    for sign in ("", "-"):
        code = f"def helper(x):\n    return {sign}x\ndef objective(logits, labels):\n    return helper(logits.sum(1))\n"
        exec(code, space)
        objective = space["objective"]
        objective.__module__ = "somebody"
        space["helper"].__module__ = "somebody"  # type: ignore[attr-defined]
        names.append(fingerprint(PGD(objective=objective)))  # type: ignore[arg-type]
    assert names[0] != names[1]


NESTED = {
    "a generator": "def mine(logits, labels): return sum(helper(x) for x in [logits])",
    "a list": "def mine(logits, labels): return [helper(x) for x in [logits]][0]",
    "a lambda": "def mine(logits, labels): return (lambda x: helper(x))(logits)",
    "a function": "def mine(logits, labels):\n    def one(x): return [helper(y) for y in x]\n    return one(logits)",
    "a constant": "def mine(logits, labels): return sum(scale * x for x in [logits])",
    "a module": "def mine(logits, labels): return sum(ops.scale * x for x in [logits])",
}


@pytest.mark.parametrize("code", NESTED.values(), ids=NESTED)
def test_what_is_used_inside_a_nested_function_counts(code: str) -> None:
    one, again, other = (written(f"scale = {scale}\ndef helper(x): return x * {scale}\n{code}") for scale in (2, 2, 3))
    assert fingerprint(PGD(objective=one)) == fingerprint(PGD(objective=again)) != fingerprint(PGD(objective=other))
    names = [network_fingerprint(Called(function)) for function in (one, again, other)]
    assert names[0] == names[1] != names[2]


REMEMBERED = {
    "a setting": "    def __init__(self): self.n = {n}\n    def loss(self, x, y): return x * self.n",
    "a method": "    def loss(self, x, y): return x * {n}",
    "a class's method": "    n = {n}\n    @classmethod\n    def loss(cls, x, y): return x * cls.n",
    "a memory": "    @staticmethod\n    @functools.lru_cache\n    def loss(x, y): return x * {n}",
}


@pytest.mark.parametrize("code", REMEMBERED.values(), ids=REMEMBERED)
def test_what_is_behind_the_name_of_an_objective_counts(code: str) -> None:
    one, again, other = (written(f"class Own:\n{code.format(n=n)}\nmine = Own().loss") for n in (2, 2, 3))
    assert fingerprint(PGD(objective=one)) == fingerprint(PGD(objective=again)) != fingerprint(PGD(objective=other))
    names = [network_fingerprint(Called(function)) for function in (one, again, other)]
    assert names[0] == names[1] != names[2]
