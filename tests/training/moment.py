"""Two runs that take a moment."""

from dataclasses import replace

from holdfast import Run
from holdfast.training.optimizers import SGD

BASE = Run(epochs=2, batch=16, limit=64, optimizer=SGD(lr=0.05), data="made-up:1x8x8")
OTHER = replace(BASE, seed=7)
