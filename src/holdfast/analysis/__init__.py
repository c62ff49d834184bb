"""Measurements of one trained network that are no accuracy: one file each, a frozen value that is called."""

from holdfast.analysis.analysis import Analysis, AnalysisResult, Series, Tile
from holdfast.analysis.attention_maps import AttentionMaps
from holdfast.analysis.embedding import Embedding
from holdfast.analysis.one_step import GradientCorrelation, SoftmaxArguments
from holdfast.analysis.saturation import BallSaturation, PathSaturation

__all__ = [
    "Analysis",
    "AnalysisResult",
    "AttentionMaps",
    "BallSaturation",
    "Embedding",
    "GradientCorrelation",
    "PathSaturation",
    "Series",
    "SoftmaxArguments",
    "Tile",
]
