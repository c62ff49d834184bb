"""Which kernels a test process computes with: one thread and oneDNN, unless the environment says otherwise.

Tiny networks run faster without splitting. HOLDFAST_TEST_THREADS=2 and HOLDFAST_TEST_ONEDNN=0, with torch's own
ATEN_CPU_CAPABILITY=default|avx2|avx512, are for trying whether the suite passes where sums are rounded otherwise.
"""

import os

import torch


def choose_kernels() -> None:
    """Take the kernels that the environment names."""
    torch.set_num_threads(int(os.environ.get("HOLDFAST_TEST_THREADS", "1")))
    torch.backends.mkldnn.enabled = os.environ.get("HOLDFAST_TEST_ONEDNN", "1") == "1"
