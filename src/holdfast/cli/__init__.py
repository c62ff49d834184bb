"""The command line: `holdfast VERB ...`, one file a verb."""

from holdfast.cli.verbs import main

__all__ = ["main"]
