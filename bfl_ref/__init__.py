"""Blockchain-powered, verifiable, private federated learning for medical AI: the reference implementation."""

import os

# torch's linear algebra (MKL) otherwise takes another path on another processor: other last bits of every model, and after a
# few hundred steps of training other third decimals of its scores. It is read at the first product, not at torch's import.
os.environ.setdefault("MKL_CBWR", "COMPATIBLE")
