"""One file a paper: its tables and figures as values, with the numbers it printed."""

from recipes import cascade, cl, demo, sim

PAPERS = {paper.name: paper for paper in (cascade.PAPER, cl.PAPER, demo.PAPER, sim.PAPER)}
