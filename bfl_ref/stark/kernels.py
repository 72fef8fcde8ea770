"""The prover's hot loops, plain and compiled: two sets of functions with the same contracts and results.

PLAIN is what notebooks show and what defines the results; FAST is what runs. Which functions have a
compiled twin was decided by profiles; the others stand in both sets.
"""

from collections.abc import Callable
from dataclasses import dataclass

from . import composition, fri, merkle, poly, transcript
from .fast import combine as fast_combine
from .fast import keccak as fast_keccak
from .fast import ntt as fast_ntt
from .fast import program as fast_program
from .field import Ext, F
from .merkle import Nodes


@dataclass(frozen=True)
class Kernels:
    """lde, intt, interpolate, evaluate, combine: see poly. hash_leaves, hash_nodes: see merkle.
    composition: see composition. fold: see fri. grind: see transcript."""

    lde: Callable[..., F]
    intt: Callable[[F], F]
    interpolate: Callable[..., F]
    evaluate: Callable[[F, Ext], Ext]
    combine: Callable[[F, Ext], Ext]
    hash_leaves: Callable[..., Nodes]
    hash_nodes: Callable[[Nodes], Nodes]
    composition: Callable[..., Ext]
    fold: Callable[[Ext, F, Ext, int], Ext]
    grind: Callable[[bytes, int], int]


PLAIN = Kernels(
    lde=poly.lde,
    intt=poly.intt,
    interpolate=poly.interpolate,
    evaluate=poly.evaluate,
    combine=poly.combine,
    hash_leaves=merkle.hash_leaves,
    hash_nodes=merkle.hash_nodes,
    composition=composition.composition,
    fold=fri.fold,
    grind=transcript.grind,
)

FAST = Kernels(
    lde=fast_ntt.lde,
    intt=fast_ntt.intt,
    interpolate=fast_ntt.interpolate,
    evaluate=fast_combine.evaluate,
    combine=fast_combine.combine,
    hash_leaves=fast_keccak.hash_leaves,
    hash_nodes=fast_keccak.hash_nodes,
    composition=fast_program.composition,
    fold=fri.fold,
    grind=fast_keccak.grind,
)
