"""Integer DP-SGD of logistic regression: the training rule that hospitals prove. Bit-exact, equal on every machine.

    number          symbol  bits kept                  range
    feature         v       5 fractional               +-127 (+-4); a row, bias included: sum v^2 <= 128^2 (norm 4)
    weight          w       16 fractional              -2^19 <= w < 2^19 (+-8), clamped
    logit           z       21 fractional              |z| <= 2^29: sum |v| <= 1023 for 64 features and the bias
    sigmoid         sigma   11 fractional, a table     1..2047
    residual        r, c    11 fractional              |r| <= 2047;  |c| M <= C 2^16, M = ceil(sqrt(sum v^2)), clip norm C
    gradient        G       16 fractional, exact sum   |G| <= rows C 2^16 <= 2^27
    noise           nu      16 fractional, as G        |nu| <= 16,012 max T < 2^26

    slots: 36 a half row, one half up to 35 features, else two; slot 35 is the bias (v = 32), slot 71 unused (v = 0).

Rounding. Features: to the nearest, half to even; long rows are scaled and truncated towards zero. Index of the sigmoid
table: floor. Clip bound: floor, with M rounded up, so no row's gradient exceeds C. Sum: exact, so one replaced row moves it
by at most 2 C, whatever the order. Step: (2 (G + nu)) / D to the nearest, half upwards, after the noise, where it is
post-processing. Learning rate 2 rows / D. Average of hospitals: to the nearest, half upwards.

Error of a step, in real units, against the float twin (twin.py) from the same weights, h its learning rate:

    |w_fixed - w_float|_2  <=  h ((|w| + 1) e + 3/1024 + cut) + 1.5 sqrt(slots) 2^-16

    e = largest |v/32 - x|_2 of a row: at most sqrt(d)/64; for scaled rows 3 sqrt(d)/64 (projecting on the ball does not
        enlarge the 1/64 of a feature, truncating adds 1/32). It moves a row's (sigmoid - y) x by (|w| 4/4 + 1) e.
    3/1024 = 4 times the table's 3/4096: half a bin, 1/512, at slope 1/4, and half of 2^-11.
    cut = C/32 + 2^-9 if C < 4, else 0: rounding M up costs C/M, M >= 32, the floor of the bound 2^-11 |x|.
    The last term: half a unit of rounding and one of the upper clamp, 8 - 2^-16, in each slot.

Clipping gradients and clamping weights enlarge no distance, and |w_fixed - w_float| from different weights grows by at most
max(1, 4 h - 1) a step: up to h = 1/2 the errors of a run only add up. For larger h there is no useful worst case, and what
counts is measured: python -m benchmarks.fixed_point compares scores (seeds 0, 1, 2: never more than one test row apart).
"""

from .digests import (
    absorb,
    absorb_plain,
    beacon_elements,
    digest_bytes,
    digest_elements,
    seed_commitment,
    state_blocks,
    state_digest,
)
from .noise import draw_inputs, draws, noise
from .rows import (
    Rows,
    commit_rows,
    leaf_inputs,
    pack_half,
    padding_leaf,
    quantise,
    segment_digest,
    segments_of,
)
from .rule import (
    CLIP_TABLE,
    FEATURE_BITS,
    HALF_FEATURES,
    HALF_SLOTS,
    MAX_FEATURES,
    NOISE_TABLE,
    NORM,
    RESIDUAL_BITS,
    SEGMENT_ROWS,
    SIGMOID,
    WEIGHT_BITS,
    Hyper,
    StepValues,
    aggregate,
    halves_of,
    norms,
    residuals,
    slots_of,
    step,
    step_values,
)
from .settings import VERIFIED, verified
from .training import (
    State,
    federated,
    initial_weights,
    probabilities,
    public_state,
    replay,
    scores,
    train_round,
    trajectory,
)

__all__ = [
    "CLIP_TABLE",
    "FEATURE_BITS",
    "HALF_FEATURES",
    "HALF_SLOTS",
    "MAX_FEATURES",
    "NOISE_TABLE",
    "NORM",
    "RESIDUAL_BITS",
    "SEGMENT_ROWS",
    "SIGMOID",
    "VERIFIED",
    "WEIGHT_BITS",
    "Hyper",
    "Rows",
    "State",
    "StepValues",
    "absorb",
    "absorb_plain",
    "aggregate",
    "beacon_elements",
    "commit_rows",
    "digest_bytes",
    "digest_elements",
    "draw_inputs",
    "draws",
    "federated",
    "halves_of",
    "initial_weights",
    "leaf_inputs",
    "noise",
    "norms",
    "pack_half",
    "padding_leaf",
    "probabilities",
    "public_state",
    "quantise",
    "replay",
    "residuals",
    "scores",
    "seed_commitment",
    "segment_digest",
    "segments_of",
    "slots_of",
    "state_blocks",
    "state_digest",
    "step",
    "step_values",
    "train_round",
    "trajectory",
    "verified",
]
