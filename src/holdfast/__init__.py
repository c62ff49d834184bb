"""holdfast: image classifiers that hold under attack, and honest numbers on how well they hold."""

from holdfast import attacks, data, defences, loggers, methods, metrics, models, objectives
from holdfast.auditing import AutoAttack, Comparison, CorruptionReport, Doubt, Report, audit, audit_corruptions, compare
from holdfast.data import CropFlip, CutMix, ImageSet, RandAugment, load
from holdfast.defences import defend
from holdfast.errors import HoldfastError
from holdfast.evaluation import Cell, Outcomes, outcomes
from holdfast.models import Normalized, capture, expectation, straight_through
from holdfast.threats import L0, L1, L2, Linf, NormalisedLinf, Threat
from holdfast.training.averages import EMA, SWA
from holdfast.training.loop import train
from holdfast.training.optimizers import SGD, Adam, AdamW
from holdfast.training.run import Run, Start
from holdfast.training.schedules import Constant, Cosine, Levels, Steps, Triangle

__version__ = "0.1.0"

__all__ = [
    "EMA",
    "L0",
    "L1",
    "L2",
    "SGD",
    "SWA",
    "Adam",
    "AdamW",
    "AutoAttack",
    "Cell",
    "Comparison",
    "Constant",
    "CorruptionReport",
    "Cosine",
    "CropFlip",
    "CutMix",
    "Doubt",
    "HoldfastError",
    "ImageSet",
    "Levels",
    "Linf",
    "NormalisedLinf",
    "Normalized",
    "Outcomes",
    "RandAugment",
    "Report",
    "Run",
    "Start",
    "Steps",
    "Threat",
    "Triangle",
    "attacks",
    "audit",
    "audit_corruptions",
    "capture",
    "compare",
    "data",
    "defences",
    "defend",
    "expectation",
    "load",
    "loggers",
    "methods",
    "metrics",
    "models",
    "objectives",
    "outcomes",
    "straight_through",
    "train",
]
