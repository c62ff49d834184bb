"""The table of results that tests of reports read, too."""

from tests.report.conftest import result

__all__ = ["result"]
