"""The numbers that paper 003 prints, in percent and in seconds; it prints no deviations."""

from holdfast.papers.printed import NONE, Lines

TABLE_1 = {
    "mnist": ((96.37, 73.97, 54.75), (98.03, 19.91, 1.23)),
    "fashion-mnist": ((83.59, 49.41, 32.31), (84.03, 33.82, 11.37)),
}
"""ATDA at e^-3 and e^-4 under FGSM, BIM(30,30) and Madry(30,30)."""
TABLE_3: dict[str, Lines] = {
    "mnist": {
        "Vanilla": (98.84, 4.46, 0.94, 0.87),
        "Free-Adv (m=10)": (98.72, 95.94, 1.56, 0.70),
        "ATDA": (97.55, 96.37, 42.34, 33.14),
        "SIM(10,20)-Adv": (99.00, 96.57, 92.55, 92.89),
        "BIM(10,30)-Adv": (99.01, 96.56, 93.83, 94.15),
        "Madry(10,30)-Adv": (99.01, 97.03, 94.04, 94.29),
    },
    "fashion-mnist": {
        "Vanilla": (91.64, 6.07, 5.96, 4.55),
        "Free-Adv (m=10)": (89.45, 85.69, 7.39, 3.99),
        "ATDA": (84.64, 83.59, 25.81, 23.79),
        "SIM(10,20)-Adv": (88.96, 79.78, 65.93, 66.88),
        "BIM(10,30)-Adv": (86.19, 78.34, 69.71, 70.58),
        "Madry(10,30)-Adv": (87.14, 75.82, 64.59, 69.72),
    },
    "cifar10": {
        "Vanilla": (91.74, 17.89, 5.56, 4.82),
        "Free-Adv (m=10)": (73.96, 48.96, 38.68, 38.63),
        "ATDA": (89.11, 65.77, 8.02, 8.32),
        "SIM(10,20)-Adv": (77.21, 54.12, 43.69, 43.78),
        "BIM(10,30)-Adv": (80.83, 56.32, 46.77, 46.80),
        "Madry(10,30)-Adv": (81.08, 56.08, 46.73, 46.74),
    },
}
"""On every data set the table's header has the methods' (10,20) and (10,30)."""
TABLE_4 = {
    "mnist": ((93.87, 89.93, 90.11), (96.57, 92.55, 92.89)),
    "fashion-mnist": ((74.68, 61.07, 61.46), (79.78, 65.93, 66.88)),
}
"""SIM-Adv at e^-3 and e^-4 under FGSM, BIM(10,40) and Madry(10,40)."""
TABLE_5 = {
    "mnist": (234.75, 319.56, 293.22, 866.76),
    "fashion-mnist": (308.5, 422.4, 391.2, 1159.2),
    "cifar10": (25923.5, 33011.6, 26692.4, 111372.6),
}
"""Seconds of a whole training on one RTX 2070: Free-Adv, ATDA, SIM-Adv and BIM-Adv."""
AT_FOUR: Lines = {"FGSM-Adv": (NONE, NONE, NONE, 49.0)}
"""Section 6.2 gives it as "over 49 %", on Madry examples of 4/255."""
