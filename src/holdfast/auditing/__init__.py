"""The strongest honest statement about one network: robust accuracy, its interval, its cost, its doubts."""

from holdfast.auditing.autoattack import AutoAttack, published
from holdfast.auditing.comparison import Comparison, compare
from holdfast.auditing.entry import audit
from holdfast.auditing.findings import Doubt
from holdfast.auditing.report import Cost, Report, Stage

__all__ = ["AutoAttack", "Comparison", "Cost", "Doubt", "Report", "Stage", "audit", "compare", "published"]
