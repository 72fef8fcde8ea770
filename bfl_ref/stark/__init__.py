"""The proof system: a zero-knowledge STARK over BabyBear. docs/proof-format.md fixes protocol and bytes."""

import os

# Idle threads sleep between parallel loops. Spinning, OpenMP's default, makes each of a proof's hundred small loops wait
# for a time slice (10 ms) as soon as anything else runs on the cores: measured, FRI 0.6 s instead of 0.12 s. OpenMP reads
# this when it is loaded, which the first galois operation of field.py does.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
