"""Measurements of one trained network that are no accuracy: one file each, a frozen value that is called."""

from holdfast.analysis.analysis import Analysis, AnalysisResult, AnyAnalysis, Series, Tile, TrainingAnalysis
from holdfast.analysis.attention_maps import AttentionMaps
from holdfast.analysis.embedding import Embedding
from holdfast.analysis.history import History
from holdfast.analysis.nearest_images import NearestImages
from holdfast.analysis.one_step import GradientCorrelation, SoftmaxArguments
from holdfast.analysis.purified_images import PurifiedImages
from holdfast.analysis.saturation import BallSaturation, PathSaturation

__all__ = [
    "Analysis",
    "AnalysisResult",
    "AnyAnalysis",
    "AttentionMaps",
    "BallSaturation",
    "Embedding",
    "GradientCorrelation",
    "History",
    "NearestImages",
    "PathSaturation",
    "PurifiedImages",
    "Series",
    "SoftmaxArguments",
    "Tile",
    "TrainingAnalysis",
]
