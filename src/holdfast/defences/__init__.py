"""Defences at test time, each with the adaptive attack that it has to stand.

To add one: its file, and its lines here. The contract in tests/defences enrols what `DEFENCES` lists.
"""

from holdfast.defences.bit_depth import BitDepth
from holdfast.defences.defence import Defence, Purifier, Step, defend, purified
from holdfast.defences.detection_report import DetectionReport, Evasion, detection_report
from holdfast.defences.detector import Alarm, Detector, Score, alarm_at, scores, usual_alarm
from holdfast.defences.erase_and_restore import EraseAndRestore
from holdfast.defences.feature_squeezing import FeatureSqueezing
from holdfast.defences.jpeg import JPEG
from holdfast.defences.magnet_detector import MagNetDetector
from holdfast.defences.median import Median
from holdfast.defences.noise import Noise
from holdfast.defences.random_resize_pad import RandomResizePad
from holdfast.defences.sap import SAP
from holdfast.defences.total_variation import TotalVariation
from holdfast.defences.views import is_random, steps_of, views
from holdfast.defences.with_alarm import WithAlarm

__all__ = [
    "DEFENCES",
    "DETECTORS",
    "JPEG",
    "SAP",
    "Alarm",
    "BitDepth",
    "Defence",
    "DetectionReport",
    "Detector",
    "EraseAndRestore",
    "Evasion",
    "FeatureSqueezing",
    "MagNetDetector",
    "Median",
    "Noise",
    "Purifier",
    "RandomResizePad",
    "Score",
    "Step",
    "TotalVariation",
    "WithAlarm",
    "alarm_at",
    "defend",
    "detection_report",
    "is_random",
    "purified",
    "scores",
    "steps_of",
    "usual_alarm",
    "views",
]

DEFENCES: dict[str, type[Defence]] = {
    kind.__name__: kind for kind in (BitDepth, JPEG, Median, Noise, RandomResizePad, SAP, TotalVariation)
}
"""What `holdfast list` shows and `--defence` takes."""

DETECTORS: dict[str, type[Detector]] = {
    kind.__name__: kind for kind in (EraseAndRestore, FeatureSqueezing, MagNetDetector)
}
"""What tells attacked images from clean ones; the contract in tests/defences enrols them."""
