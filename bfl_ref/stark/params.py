"""The parameters of a proof: what is allowed, and which reach a wanted security."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from .field import EXTENSION_DEGREE, TWO_ADICITY
from .poly import log2
from .security import Instance, proven

OOD_POINTS = 2  # z and g z
MAX_GRINDING_BITS = 40
MAX_QUERIES = 255


@dataclass(frozen=True)
class StarkParams:
    """What prover and verifier agree on beforehand.

    trace_length n, a power of two >= 2; log_blowup >= 1: the codeword has N = n 2^log_blowup points;
    queries 1..255 distinct positions; grinding_bits 0..40; blinding h: random coefficients a column, D = n
    + h; folds: FRI folding factors, powers of two, first layer first.

    ValueError, naming the parameter and what would do, for anything that would be unsound, leak or not fit.
    """

    trace_length: int
    log_blowup: int
    queries: int
    grinding_bits: int
    blinding: int
    folds: tuple[int, ...]

    def __post_init__(self) -> None:
        n, total = self.trace_length, prod(self.folds)
        if n < 2 or n & (n - 1):
            above = 1 << max(n - 1, 1).bit_length()
            raise ValueError(f"trace_length must be a power of two, at least 2: {above} would do, got {n}")
        if self.log_blowup < 1 or log2(n) + self.log_blowup > TWO_ADICITY:
            most = TWO_ADICITY - log2(n)
            raise ValueError(f"log_blowup must be 1 to {most} for {n} rows, got {self.log_blowup}")
        if not 1 <= self.queries <= min(MAX_QUERIES, self.length // 2):
            most = min(MAX_QUERIES, self.length // 2)
            raise ValueError(f"queries must be 1 to {most}, got {self.queries}")
        if not 0 <= self.grinding_bits <= MAX_GRINDING_BITS:
            raise ValueError(f"grinding_bits must be 0 to {MAX_GRINDING_BITS}, got {self.grinding_bits}")
        needed = least_blinding(self.queries)
        if not needed <= self.blinding < 1 << 16:
            raise ValueError(
                f"blinding must be 2 (queries + 5 * {OOD_POINTS}) = {needed} or more (below 2^16) "
                f"so that openings reveal nothing, got {self.blinding}"
            )
        if self.degree_bound >= self.length:
            raise ValueError(
                f"log_blowup is too small: {self.degree_bound} coefficients (trace and blinding) need more "
                f"than {self.length} points; log_blowup={(self.degree_bound // n).bit_length()} would do"
            )
        if not 1 <= len(self.folds) <= MAX_QUERIES or any(f not in (2, 4, 8, 16, 32) for f in self.folds):
            raise ValueError(f"folds must be one or more of 2, 4, 8, 16, 32, got {self.folds}")
        if self.degree_bound % total:
            fitting = -(-(n + needed) // total) * total - n
            raise ValueError(
                f"folds: their product {total} must divide trace_length + blinding = {self.degree_bound}; "
                f"blinding={fitting} would do"
            )

    @property
    def blowup(self) -> int:
        return 1 << self.log_blowup

    @property
    def length(self) -> int:
        """N: points of a codeword, leaves of a column tree."""
        return self.trace_length << self.log_blowup

    @property
    def log_length(self) -> int:
        return log2(self.length)

    @property
    def degree_bound(self) -> int:
        """D: coefficients of a committed column."""
        return self.trace_length + self.blinding

    @property
    def log_folds(self) -> tuple[int, ...]:
        return tuple(log2(fold) for fold in self.folds)

    @property
    def final_coefficients(self) -> int:
        return self.degree_bound // prod(self.folds)

    def to_bytes(self) -> bytes:
        """log2 n, log2 blow-up, queries, grinding; h in 2 bytes; number of folds, log2 of each."""
        first = bytes([log2(self.trace_length), self.log_blowup, self.queries, self.grinding_bits])
        return first + self.blinding.to_bytes(2, "big") + bytes([len(self.folds), *self.log_folds])

    def instance(
        self,
        columns: int,
        degree: int,
        *,
        constraints: int = 4096,
        lookup_fractions: int = 0,
        lookup_width: int = 1,
        data_elements: int = 0,
    ) -> Instance:
        """What the security calculator needs, for an AIR of this size (fields as in `Instance`)."""
        return Instance(
            trace_length=self.trace_length,
            degree_bound=self.degree_bound,
            codeword_length=self.length,
            queries=self.queries,
            grinding_bits=self.grinding_bits,
            folds=self.folds,
            columns=columns,
            quotient_columns=EXTENSION_DEGREE * quotient_chunks(self.trace_length, self.blinding, degree),
            degree=degree,
            constraints=constraints,
            lookup_fractions=lookup_fractions,
            lookup_width=lookup_width,
            data_elements=data_elements,
        )

    @classmethod
    def for_trace(
        cls,
        n: int,
        columns: int,
        degree: int,
        *,
        log_blowup: int = 3,
        target_bits: float = 100,
        grinding_bits: int = 20,
        folds: tuple[int, ...] | None = None,
        **sizes: int,
    ) -> StarkParams:
        """The parameters with the fewest queries that prove `target_bits`.

        n: rows. columns: base columns opened at z and g z (preprocessed, main, five for each lookup column).
        degree: of the constraints.

        folds: chosen if not given. sizes: constraints, lookup_fractions, lookup_width, data_elements as in
        `Instance`.
        ValueError if the blow-up is too small for the degree, or no number of queries reaches the target.
        """
        if n < 2 or n & (n - 1):
            above = 1 << max(n - 1, 1).bit_length()
            raise ValueError(f"trace_length must be a power of two, at least 2: {above} would do, got {n}")
        weakest = "more are needed"
        # Even without any loss a query is worth log_blowup/2 bits: start there.
        first = max(1, int((target_bits - grinding_bits) / (log_blowup / 2)))
        most = min(MAX_QUERIES, n << log_blowup >> 1)
        for queries in range(first, most + 1):
            factors = folds or default_folds(n, queries)
            step = prod(factors)
            blinding = -(-(n + least_blinding(queries)) // step) * step - n
            chunks = quotient_chunks(n, blinding, degree)
            if chunks > 1 << log_blowup:
                raise ValueError(
                    f"log_blowup is too small: constraints of degree {degree} over {n} rows give {chunks} "
                    f"quotient chunks; log_blowup={(chunks - 1).bit_length()} would do, got {log_blowup}"
                )
            params = cls(n, log_blowup, queries, grinding_bits, blinding, factors)
            security = proven(params.instance(columns, degree, **sizes))
            if security.bits >= target_bits:
                return params
            weakest = f"{security.bits:.1f} bits, limited by {security.weakest}"
        raise ValueError(
            f"target_bits={target_bits} is out of reach with up to {most} queries ({weakest}): "
            "a larger log_blowup, more grinding_bits or a shorter trace would do"
        )


def least_blinding(queries: int) -> int:
    """2 (queries + e n_ood): random coefficients that make a column's openings uniform (ePrint 2024/1037)."""
    return 2 * (queries + EXTENSION_DEGREE * OOD_POINTS)


def quotient_chunks(n: int, blinding: int, degree: int) -> int:
    """Chunks of n coefficients for the quotient of constraints of this degree in blinded columns."""
    return max(degree * (n + blinding - 1) + 1 - n, 0) // n + 1


def default_folds(n: int, queries: int) -> tuple[int, ...]:
    """Factors up to 16, larger ones first, that leave some 32 final coefficients of long traces.

    Their product divides n + h: it is kept near the blinding that is needed anyway, or near n/32 where
    rounding h up to it costs some 3% of the rate.
    """
    needed = least_blinding(queries).bit_length() - 1
    bits = min(max(log2(n) - 5, needed), 15) if n >= 128 else min(log2(n), 4)
    layers = -(-bits // 4)
    return tuple(1 << (bits // layers + (layer < bits % layers)) for layer in range(layers))
