"""What prover and verifier agree on before a proof: the AIR, the parameters, the commitment to its public
columns.

Nothing here is secret or trusted: anybody recomputes it from the AIR. `air_id` names all of it in the
transcript.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from eth_utils import keccak

from . import merkle, public_data
from .air import Air, constraints, degree_frame, quotient_chunks, quotient_degree
from .codec import Shape
from .field import F, to_bytes
from .kernels import FAST, Kernels
from .merkle import Tree
from .params import StarkParams
from .poly import intt, log2
from .program import Program, record
from .security import Security, proven

PROTOCOL = b"bfl_ref/stark/1"


@dataclass(frozen=True)
class Domain:
    """Where a proof is valid: a proof made for one domain is refused in every other.

    chain_id, round_id: 0 .. 2^256 - 1;  contract, prover: addresses, 0x and hexadecimal digits. ValueError otherwise.
    """

    chain_id: int = 0
    contract: str = "0x0"
    round_id: int = 0
    prover: str = "0x0"

    def __post_init__(self) -> None:
        for word, bits in zip(self.words(), (256, 160, 256, 160), strict=True):
            if not 0 <= word < 1 << bits:
                raise ValueError(
                    f"chain id and round id have 256 bits, addresses 160; got {word:#x} in {self}"
                )

    def words(self) -> tuple[int, int, int, int]:
        """The four 256-bit numbers that the contract is handed."""
        return self.chain_id, int(self.contract, 16), self.round_id, int(self.prover, 16)

    def to_bytes(self) -> bytes:
        return b"".join(word.to_bytes(32, "big") for word in self.words())


@dataclass(frozen=True)
class Columns:
    """Columns committed to. coefficients: (k, at most D);  codeword: (k, N) bit-reversed;  salts: (N, 16)
    uint8 or None.
    """

    coefficients: F
    codeword: F
    salts: np.ndarray | None
    tree: Tree


def commit_columns(
    coefficients: F, salts: np.ndarray | None, params: StarkParams, kernels: Kernels
) -> Columns:
    """Extend base columns to the evaluation coset and hash them position by position."""
    codeword = kernels.lde(coefficients, params.log_length)
    tree = merkle.build(kernels.hash_leaves(codeword, salts), kernels.hash_nodes)
    return Columns(coefficients, codeword, salts, tree)


@dataclass(frozen=True)
class Setup:
    """air with params: `chunks` of the quotient, its recorded program, its identity, its preprocessed columns
    if any.
    """

    air: Air
    params: StarkParams
    program: Program
    chunks: int
    air_id: bytes
    preprocessed: Columns | None

    @property
    def shape(self) -> Shape:
        k_pre, k_main, k_aux = self.air.widths
        return Shape(self.params, k_main, 5 * k_aux, 5 * (self.chunks + 1), k_pre)

    @property
    def log_quotient(self) -> int:
        """log2 of the coset on which the composition is evaluated: the least that holds all chunks."""
        return log2(self.air.length) + (self.chunks - 1).bit_length()

    def binding(self, public: F, domain: Domain, data: bytes = b"") -> bytes:
        """Phase 0: everything that a proof is about, before the prover says a word."""
        inputs = len(public).to_bytes(2, "big") + to_bytes(public)
        about = PROTOCOL + self.air_id + self.params.to_bytes() + domain.to_bytes() + inputs
        return about + public_data.binding(data) if self.air.data_width else about

    @property
    def security(self) -> Security:
        """Proven security of these proofs, term by term."""
        return proven(self.params.instance(_columns(self.air), degree(self.air), **_sizes(self.air)))


def setup(air: Air, params: StarkParams, kernels: Kernels = FAST) -> Setup:
    """Commit to the preprocessed columns and name the whole.

    ValueError if the parameters are for another length or their blow-up is too small for the constraints'
    degree.
    """
    if params.trace_length != air.length:
        raise ValueError(f"parameters are for {params.trace_length} rows, {air.name} has {air.length}")
    chunks = quotient_chunks(air, params.blinding)
    least = (chunks - 1).bit_length()
    if least > params.log_blowup:
        raise ValueError(
            f"log_blowup is too small: constraints of degree {degree(air)} give a quotient of degree"
            f" {quotient_degree(air, params.blinding)}; log_blowup={least} would do, got {params.log_blowup}"
        )
    preprocessed = None
    if air.preprocessed:
        coefficients = intt(air.preprocessed_trace())
        preprocessed = commit_columns(coefficients, None, params, kernels)
    program = record(air)
    root = preprocessed.tree.root if preprocessed else b""
    return Setup(air, params, program, chunks, _air_id(air, program, chunks, root), preprocessed)


def params_for(air: Air, *, log_blowup: int = 3, target_bits: float = 100, **choices: Any) -> StarkParams:
    """The fewest queries that prove `target_bits` for this AIR; choices: grinding_bits, folds (params.py)."""
    return StarkParams.for_trace(
        air.length,
        _columns(air),
        degree(air),
        log_blowup=log_blowup,
        target_bits=target_bits,
        **choices,
        **_sizes(air),
    )


def degree(air: Air) -> int:
    """Largest degree of a constraint in the columns, short columns counted as one."""
    frame = degree_frame(air, 1, [1] * len(air.short_values(F.Zeros(air.public_inputs))))
    return max(c.value.d for c in constraints(air, frame))


def _columns(air: Air) -> int:
    k_pre, k_main, k_aux = air.widths
    return k_pre + k_main + 5 * k_aux


def _sizes(air: Air) -> dict[str, Any]:
    frame = degree_frame(air, 1, [1] * len(air.short_values(F.Zeros(air.public_inputs))))
    fractions = [f.width for f in air.fractions(frame)]
    count = len(constraints(air, frame))
    sizes = {"constraints": count, "data_elements": (air.length - 1) * air.data_width}
    return sizes | ({"lookup_fractions": len(fractions), "lookup_width": max(fractions)} if fractions else {})


def _air_id(air: Air, program: Program, chunks: int, root: bytes) -> bytes:
    short = [v.tolist() for v in air.periodic.values()]
    public = [(span.start, span.stop) for span in air.public.values()]
    shape = [air.name, air.length, air.widths, chunks, air.public_inputs, short, public]
    shape += [air.data_width] if air.data_width else []
    return keccak(json.dumps(shape, separators=(",", ":")).encode() + program.canonical() + root)
