"""A small finished run that tests of several verbs share."""

from pathlib import Path

import pytest

from holdfast.cli import main


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small finished run."""
    path = tmp_path_factory.mktemp("run") / "standard"
    options = ["--epochs", "4", "--limit", "256", "--batch", "32", "--optimizer.lr", "0.05", "--folder", str(path)]
    assert main(["train", "standard", *options]) == 0
    return path
