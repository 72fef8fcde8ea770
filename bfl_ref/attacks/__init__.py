"""Dishonest members of verified rounds, each an honest one but for one thing. Docstrings: what for, and who stops it where.

A false step has no proof. Whose false step is drawn hands in the next best: a true proof of something else. The contract
writes the public inputs itself, and a proof's challenges come from them, so it refuses it: OodMismatch. Whatever is tried,
an audit is without a proof at the end of the phase: the stake is slashed, and the update is not averaged.

What is not drawn is not caught: audit_arithmetic.py says how probable that is.
"""

from .cheat import Cheat, turned
from .replays import Copycat, ForgedProof, LateProver, ReplayedHospital, ReplayedRound, ReplayedStep
from .rules import (
    DroppedRows,
    DuplicatedRows,
    MoreSteps,
    NoNoise,
    OtherHyper,
    Unclipped,
    WrongRows,
    label_flipper,
)
from .silence import FalseDealer, Silent, UnrevealedValidator
from .states import (
    BackdooredStart,
    BackdooredUpdate,
    FalseStates,
    FewerSteps,
    FreeRiderOld,
    FreeRiderRandom,
    FreeRiderStale,
    HiddenStart,
    ScaledUpdate,
    ShortChain,
)

__all__ = [
    "BackdooredStart",
    "BackdooredUpdate",
    "Cheat",
    "Copycat",
    "DroppedRows",
    "DuplicatedRows",
    "FalseDealer",
    "FalseStates",
    "FewerSteps",
    "ForgedProof",
    "FreeRiderOld",
    "FreeRiderRandom",
    "FreeRiderStale",
    "HiddenStart",
    "LateProver",
    "MoreSteps",
    "NoNoise",
    "OtherHyper",
    "ReplayedHospital",
    "ReplayedRound",
    "ReplayedStep",
    "ScaledUpdate",
    "ShortChain",
    "Silent",
    "Unclipped",
    "UnrevealedValidator",
    "WrongRows",
    "label_flipper",
    "turned",
]
