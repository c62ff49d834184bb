"""The tests; the checker of shapes and types is loaded before anything of holdfast is."""

from tests import typechecker

__all__ = ["typechecker"]
