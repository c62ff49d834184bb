"""Where the numbers of a training run go besides its own `metrics.jsonl`."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from holdfast.errors import UnknownName, UsageError, require
from holdfast.loggers.logger import Logger, Write
from holdfast.loggers.mlflow import MLflow
from holdfast.loggers.tensorboard import TensorBoard
from holdfast.loggers.wandb import WandB

__all__ = ["LOGGERS", "Logger", "MLflow", "TensorBoard", "WandB", "Write", "logger"]

LOGGERS: Mapping[str, Any] = {"mlflow": MLflow, "tensorboard": TensorBoard, "wandb": WandB}


def logger(words: str) -> Logger:
    """Return the logger that a command line names: tensorboard, wandb:PROJECT or mlflow:URI.

    Raises:
        UsageError: it takes nothing after a colon.
        MissingExtra: its package is not installed.
    """
    name, _, argument = words.partition(":")
    if name not in LOGGERS:
        raise UnknownName("logger", name, LOGGERS)
    kind = LOGGERS[name]
    require(not argument or bool(fields(kind)), f"--log {words}: {name} takes nothing after a colon", UsageError)
    made: Logger = kind(argument) if argument else kind()
    return made
