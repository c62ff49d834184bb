"""The filled table that tests of reports read, too."""

from tests.report.conftest import filled

__all__ = ["filled"]
