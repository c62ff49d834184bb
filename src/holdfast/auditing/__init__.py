"""The strongest honest statement about one network: robust accuracy, its interval, its cost, its doubts."""

from holdfast.auditing.autoattack import AutoAttack, published
from holdfast.auditing.comparison import Comparison, compare
from holdfast.auditing.corruption_report import CorruptionReport
from holdfast.auditing.corruptions import audit_corruptions
from holdfast.auditing.entry import audit
from holdfast.auditing.findings import Doubt
from holdfast.auditing.report import Cost, Report, Stage

__all__ = [
    "AutoAttack",
    "Comparison",
    "CorruptionReport",
    "Cost",
    "Doubt",
    "Report",
    "Stage",
    "audit",
    "audit_corruptions",
    "compare",
    "published",
]
