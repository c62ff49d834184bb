"""The numbers that paper 001 prints, in percent (times in seconds and hours); it prints no deviations."""

import math
from collections.abc import Iterable

from holdfast.experiments.table import Published

NONE = math.nan
"""A cell that the paper leaves empty."""
Lines = dict[str, tuple[float, ...]]
"""row -> the numbers of that row, in the order of the table's columns."""

TABLE_1: Lines = {
    "UM": (95.99, 31.39, 0.38, 0, 0, 0, 0, 0),
    "Bilateral": (91.2, 70.7, NONE, 57.5, 55.2, 56.2, 53.8, 29.35),
    "FS": (90.0, 78.4, NONE, 70.5, 68.6, 62.4, 60.6, 36.64),
    "AGKD-BML": (91.99, 76.69, 73.81, 71.02, 70.72, 63.67, 62.55, 37.07),
    "AT-7": (86.19, 62.42, 54.99, 45.57, 45.22, 46.26, 46.05, 44.04),
    "SML-7": (86.21, 58.88, 52.60, 51.59, 46.62, 48.05, 47.39, 47.41),
    "TRADES+CAS-10": (85.83, 65.21, NONE, 55.99, NONE, 67.17, NONE, 48.40),
    "MART+CAS-10": (86.95, 63.64, NONE, 54.37, NONE, 63.16, NONE, 48.45),
    "AGKD-BML-7": (86.25, 70.06, 64.97, 57.30, 56.88, 53.36, 52.95, 50.59),
}
TABLE_1_SVHN: Lines = {
    "UM": (96.36, 46.33, 1.54, 0.33, 0.22, 0.37, 0.24, 5.39),
    "Bilateral": (94.1, 69.8, NONE, 53.9, 50.3, NONE, 48.9, NONE),
    "FS": (96.2, 83.5, NONE, 62.9, 52.0, 61.3, 50.8, NONE),
    "AT-7": (91.55, 67.13, 54.03, 45.64, 44.02, 47.14, 45.66, 52.13),
    "SML-7": (83.95, 70.28, 57.58, 51.91, 49.81, 51.25, 49.31, 43.80),
    "TRADES+CAS-10": (91.69, 70.79, NONE, 55.26, NONE, 60.10, NONE, NONE),
    "MART+CAS-10": (93.05, 70.30, NONE, 51.57, NONE, 53.38, NONE, NONE),
    "AGKD-BML": (95.04, 89.32, 75.06, 74.94, 69.23, 69.85, 62.22, 76.86),
}
TABLE_2: Lines = {
    "UM": (31.39, 0, 0),
    "AT-7": (62.42, 45.57, 46.26),
    "SML-7": (58.88, 51.59, 48.05),
    "BML": (71.08, 60.51, 56.53),
    "AGKD": (75.57, 65.93, 60.71),
    "AGKD-BML": (76.69, 71.02, 63.67),
}
TABLE_3: Lines = {"AT-7": (85.4,), "FS": (88.9,), "Bilateral": (89.9,), "SML-7": (86.4,), "AGKD-BML": (90.75,)}
TABLE_4: Lines = {
    "UM": (64.62, 3.93, 0.17, 0.10, 0.07, 0, 0, 0.57),
    "Bilateral": (58.70, 30.81, 20.98, 19.73, 18.98, 15.19, 14.61, 22.47),
    "FS": (53.81, 30.06, 20.59, 19.46, 18.52, 15.53, 14.68, 22.40),
    "AT-7": (42.29, 26.08, 20.41, 19.99, 19.59, 17.17, 16.92, 21.15),
    "ALP": (41.53, 21.53, 20.03, 20.18, 19.96, 16.80, NONE, 19.85),
    "SML-7": (40.89, 22.12, 20.77, 20.89, 20.71, 17.48, NONE, 20.69),
    "AGKD-BML": (53.21, 31.39, 23.55, 22.68, 21.78, 18.8, 18.03, 24.71),
}
TABLE_5: Lines = {
    "WRN-28-10, decay 100": (50.80,),
    "WRN-28-10, decay 150": (50.73,),
    "WRN-34-10, decay 100": (51.05,),
    "WRN-34-10, decay 150": (51.63,),
}
TABLE_6: Lines = {"GC-orig": (59.06,), "GC-false": (58.86,), "CAM-avg": (66.55,), "AGKD": (65.93,)}
TABLE_7: Lines = {
    "Bilateral": (211, 57.5, 11.7 * 3600),
    "FS": (342, 70.5, 19.0 * 3600),
    "AT-7": (502, 45.57, 27.9 * 3600),
    "SML-7": (2234, 51.59, 34.1 * 3600),
    "AGKD-BML": (528, 71.02, 29.3 * 3600),
    "FS-2": (470, 70.51),
    "Bilateral-4": (453, 59.99),
}
"""Seconds an epoch on one V100, PGD-20, and the hours of 200 epochs (SML: 55) in seconds; the last two rows are from
the text of appendix D."""
TABLE_8: Lines = {
    "CAT-CE": (93.48, 73.38, 61.88, 86.58, 88.66),
    "CAT-MIX": (89.61, 73.16, 71.67, NONE, NONE),
    "AGKD-BML, eps 4": (95.04, 77.45, 69.06, 89.12, 91.98),
}
TABLE_9: dict[str, Lines] = {
    "cifar": {
        "AT-7": (87.1, 86.2, 47.5, 45.6),
        "ALP": (89.6, 89.8, 48.9, 48.5),
        "SML-7": (86.3, 86.2, 51.7, 51.6),
        "AGKD-BML": (91.9, 92.0, 71.1, 71.0),
    },
    "svhn": {
        "AT-7": (91.5, 91.6, 45.8, 45.6),
        "ALP": (91.4, 91.3, 52.0, 52.2),
        "SML-7": (84.3, 84.0, 52.0, 51.9),
        "AGKD-BML": (95.1, 95.0, 75.1, 74.9),
    },
    "tiny": {
        "AT-7": (36.6, 42.3, 20.2, 19.6),
        "ALP": (35.2, 41.5, 20.3, 20.0),
        "SML-7": (34.0, 40.6, 20.7, 20.7),
        "AGKD-BML": (51.8, 53.2, 21.0, 22.7),
    },
}
"""k-NN and softmax on clean images, k-NN and softmax under PGD-20."""
DISCUSSION: Lines = {"AGKD-BML": (76.69, 71.02, 88.67, 90.75)}
"""Section 4.5: one step, twenty steps, a gradient-free attack, a black box."""


def printed(lines: Lines, columns: Iterable[str]) -> Published:
    """Return the numbers by row and column; the last columns of a table may be ours alone."""
    names = tuple(columns)
    return {
        row: {name: (value, math.nan) for name, value in zip(names, values, strict=False) if not math.isnan(value)}
        for row, values in lines.items()
    }
