"""Ways to look at one trained network that are no accuracy: one file a way, each a frozen value that is called."""

from holdfast.analysis.analysis import Analysis, Seen, Series
from holdfast.analysis.embedding import Embedding
from holdfast.analysis.one_step import GradientCorrelation, SoftmaxArguments
from holdfast.analysis.saturation import BallSaturation, PathSaturation

__all__ = [
    "Analysis",
    "BallSaturation",
    "Embedding",
    "GradientCorrelation",
    "PathSaturation",
    "Seen",
    "Series",
    "SoftmaxArguments",
]
