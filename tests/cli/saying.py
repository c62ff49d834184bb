"""A command, as a test gives it."""

import pytest

from holdfast.cli import main


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run a command and return its status, what it printed, and what it complained of."""
    status = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return status, out, err
