"""Paper 002: "Cascade adversarial machine learning regularized with a unified embedding" (Na, Ko, Mukhopadhyay, 2017).

Tables 1 to 10 and Figures 3 to 6; Figures 1 and 2 are drawings. Networks are called as in the paper: B baseline, K
Kurakin's, P pivot, _C cascade; 1 and 2 have 20 layers, 3 and 4 have 110; one number is one initialisation. P is what
the paper words, P* what its code trains; every table that hangs on them comes with either.

The networks stand in cascade_runs.py, the attacks in cascade_attacks.py, what smaller machines do in cascade_scales.py,
the printed numbers in cascade_printed.py; what the paper leaves open and what its code does otherwise in
docs/papers/cascade.md.
"""

from holdfast.experiments import Paper
from holdfast.papers.cascade_figures import FIGURES
from holdfast.papers.cascade_scales import SCALES
from holdfast.papers.cascade_tables import TABLES

PAPER = Paper(
    name="cascade",
    title="Cascade adversarial machine learning regularized with a unified embedding",
    scales=SCALES,
    left_out={
        "Figure 1": "a drawing",
        "Figure 2": "a drawing",
        "substitute networks, VAT, learning with a strong adversary": "spoken of, in no table",
    },
    tables=TABLES,
    figures=FIGURES,
)
