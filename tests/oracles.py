"""Judges that need help to be imported: adv-lib (Rony, Ben Ayed), without the plotting server that it asks for."""

import sys
import warnings
from types import ModuleType

import pytest


def adv_lib() -> ModuleType:
    """Return the attacks of adv-lib, or skip the test where it is not installed.

    Its loggers import visdom, which nothing here uses: an empty module stands in where there is none.
    """
    if "visdom" not in sys.modules:
        visdom = ModuleType("visdom")
        visdom.Visdom = type("Visdom", (), {})  # type: ignore[attr-defined]
        sys.modules["visdom"] = visdom
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # distutils, which it compares versions with
        attacks: ModuleType = pytest.importorskip("adv_lib.attacks", exc_type=ImportError)
    return attacks
