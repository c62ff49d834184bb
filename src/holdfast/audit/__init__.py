"""The strongest honest statement about one network: robust accuracy, its interval, its cost, its doubts."""

from holdfast.audit.autoattack import AutoAttack, published
from holdfast.audit.comparison import Comparison, compare
from holdfast.audit.entry import audit
from holdfast.audit.verdict import Cost, Doubt, Report, Stage

__all__ = ["AutoAttack", "Comparison", "Cost", "Doubt", "Report", "Stage", "audit", "compare", "published"]
