"""The house stands as drawn: imports go downwards, names are published and sorted, files stay short."""

import ast
import importlib
from pathlib import Path

import pytest

import holdfast

ROOT = Path(holdfast.__file__).parent
LEVELS = (
    ("types", "errors"),
    ("box", "fields", "rng", "passes", "devices"),
    ("threats", "objectives", "storage", "framing"),
    ("models", "data"),
    ("attacks",),
    ("evaluation",),
    ("metrics",),
    ("methods", "defences", "loggers"),
    ("training",),
    ("auditing", "analysis"),
    ("experiments",),
    ("report",),
    ("papers",),
    ("cli",),
)
HEIGHT = {name: height for height, level in enumerate(LEVELS) for name in level}
FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.name[0] != "_")


def part(path: Path) -> str:
    """Return the part of the house that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Return the parts of holdfast that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "holdfast":
            words = (node.module or "").split(".")
            names = [words[1]] if len(words) > 1 else [alias.name for alias in node.names]
            found.update(names)
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[1] for alias in node.names if alias.name.startswith("holdfast."))
    return found - {"__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downwards(path: Path) -> None:
    own = part(path)
    for name in imported(path) - {own}:
        assert HEIGHT[name] < HEIGHT[own] or {own, name} <= {"types", "errors"}, f"{own} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_two_deep_short_and_explained(path: Path) -> None:
    text = path.read_text()
    assert len(path.relative_to(ROOT).parts) <= 2
    assert len(text.splitlines()) <= 250
    assert ast.get_docstring(ast.parse(text))
    assert part(path) not in ("utils", "common", "base", "helpers")


@pytest.mark.parametrize(
    "name",
    ["", ".attacks", ".defences", ".methods", ".models", ".data", ".report", ".loggers"],
    ids=lambda name: name or "holdfast",
)
def test_published_names_exist_and_are_sorted(name: str) -> None:
    module = importlib.import_module(f"holdfast{name}")
    kinds = {True: 0, False: 1}
    assert list(module.__all__) == sorted(
        module.__all__, key=lambda word: (2 if word[0].islower() else kinds[word.isupper()], word)
    )
    assert all(hasattr(module, word) for word in module.__all__)


def test_the_fixed_names_are_there() -> None:
    import holdfast as hf

    for name in ("FGSM", "RFGSM", "StepLL", "BIM", "IterLL", "PGD", "MIM", "CW", "DeepFool"):
        assert hasattr(hf.attacks, name)
    assert hf.Linf(8 / 255).eps == 8 / 255
    sources = {name.partition(":")[0] for name in hf.data.SOURCES}
    assert {"digits", "mnist", "fashion-mnist", "cifar10", "svhn", "tiny-imagenet", "folder", "npz"} <= sources


def test_importing_holdfast_loads_nothing_heavy_beside_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, holdfast\n"
        "heavy = {'torchvision', 'sklearn', 'matplotlib', 'torchmetrics', 'timm', 'tyro', 'jinja2'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    # torch itself loads jinja2 in some versions
    assert told.strip() in ("[]", "['jinja2']")
