"""One file a method of training. To add one: write its file, add its line here; the shared tests find it."""

from holdfast.methods.at import AT
from holdfast.methods.cl import CL
from holdfast.methods.method import Finished, LossMethod, Memory, Method, Origin, Update
from holdfast.methods.standard import Standard
from holdfast.methods.trades import TRADES

__all__ = ["AT", "CL", "TRADES", "Finished", "LossMethod", "Memory", "Method", "Origin", "Standard", "Update"]
