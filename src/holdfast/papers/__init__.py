"""One file a paper: its tables and figures as values, with its numbers; `_runs` beside it if they are many."""

from holdfast.papers import agkd_bml, cascade, cl, demo, pix2pix, sim

PAPERS = {
    paper.name: paper for paper in (agkd_bml.PAPER, cascade.PAPER, cl.PAPER, demo.PAPER, pix2pix.PAPER, sim.PAPER)
}
