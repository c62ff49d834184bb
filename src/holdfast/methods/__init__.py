"""One file a method of training. To add one: write its file, add its line here; the shared tests find it."""

from holdfast.methods.at import AT
from holdfast.methods.bank import Saved
from holdfast.methods.cl import CL
from holdfast.methods.kurakin import Kurakin
from holdfast.methods.method import Finished, LossMethod, Memory, Method, Origin, Update
from holdfast.methods.sizes import clipped_normal, full, truncated_normal, uniform
from holdfast.methods.standard import Standard
from holdfast.methods.trades import TRADES
from holdfast.methods.unified_embedding import UnifiedEmbedding

__all__ = [
    "AT",
    "CL",
    "TRADES",
    "Finished",
    "Kurakin",
    "LossMethod",
    "Memory",
    "Method",
    "Origin",
    "Saved",
    "Standard",
    "UnifiedEmbedding",
    "Update",
    "clipped_normal",
    "full",
    "truncated_normal",
    "uniform",
]
