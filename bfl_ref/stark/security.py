"""How many bits of security a proof has: every round's error, in three regimes named for what they rest on.

Round-by-round: a cheating prover must be lucky in one of the verifier's draws, and each failed try costs a
hash, so the bits are those of the weakest draw. n trace length, D = n + h coefficients of a committed
column, N codeword length, rate rho = D / N (not n / N: blinding costs rate), q = p^5 / (1 + 2^-20)^5 (the
bias of a draw), e(M) the probability that a random point of a curve of degree M falls closer to the code
than the curve's own coefficients, L the most codewords within theta:

    lookups        L (fractions n) width / q             beta, lam:  a sum of fractions vanishes by chance
    data           L (data elements) / q                 lam:        other data give the same sum by chance
    composition    L (constraints - 1) / q               alpha:      ePrint 2022/1216, Theorem 8 (ALI)
    out of domain  L deg / (q - n - N)                   z:          ePrint 2022/1216, Theorem 8 (DEEP)
    batching       e(M), M = columns + columns opened twice          powers of gamma
    fold j         e(f_j - 1) on the folded domain                   powers of beta_j
    queries        (1 - theta)^queries 2^-grinding
    digests        half the digest's bits (collisions): a cap, whatever else is chosen

unique decoding (proven): theta = (1 - rho)/2, L = 1, e(M) = M N / q: ePrint 2020/654, Theorem 1.5.

Johnson (proven), for an integer m >= 3: theta = 1 - sqrt(rho) (1 + 1/m); L = 1 / (2 eta sqrt(rho)) with
eta = sqrt(rho)/m, Johnson's list bound, which holds for several columns at once too; and by ePrint 2025/2055,
Theorem 4.2 (curves; the smaller m of its Theorem 1.5 serves for two functions only),

    e(M) = (M / q) ((2 (m + 1/2)^5 + 3 (m + 1/2) theta rho) N / (3 rho^(3/2)) + (m + 1/2) / sqrt(rho)).

m weighs queries against the rest: the best one is searched.

conjectured: theta = 1 - rho, L = 1, e(M) = M N / q, resting on a conjecture up to capacity that was
**disproved** (ePrint 2025/2046, 2025/2010). Shown because others quote it; never use it as security.
"""

import math
from dataclasses import dataclass

from .field import EXTENSION_DEGREE, P

UNIQUE_DECODING, JOHNSON = "unique decoding (proven)", "Johnson (proven)"
CONJECTURED = "capacity (conjectured, disproved)"
FIELD_ORDER = P**EXTENSION_DEGREE / (1 + 2**-20) ** EXTENSION_DEGREE


@dataclass(frozen=True)
class Instance:
    """All that the soundness depends on. Lengths and degrees are counts of coefficients or points."""

    trace_length: int
    degree_bound: int
    codeword_length: int
    queries: int
    grinding_bits: int
    folds: tuple[int, ...]
    columns: int  # base columns opened at z and g z: preprocessed, main, 5 for each lookup column
    quotient_columns: int  # base columns opened at z only
    degree: int  # of the constraints in the columns
    constraints: int = 4096  # an upper bound serves: this term is far from the weakest
    lookup_fractions: int = 0  # a row, tables included
    lookup_width: int = 1  # columns combined into one looked-up value
    data_elements: int = 0  # the most that a trace can carry: the degree in lam of the public data's sum
    digest_bits: int = 208
    field_order: float = FIELD_ORDER

    @property
    def rate(self) -> float:
        return self.degree_bound / self.codeword_length


@dataclass(frozen=True)
class Security:
    """Bits of every term in one regime. m: the Johnson parameter, where there is one."""

    regime: str
    terms: dict[str, float]
    m: int | None = None

    @property
    def bits(self) -> float:
        return min(self.terms.values())

    @property
    def weakest(self) -> str:
        return min(self.terms, key=lambda term: self.terms[term])


def unique_decoding(instance: Instance) -> Security:
    """Every term at half the minimum distance."""
    error = instance.codeword_length / instance.field_order
    return Security(UNIQUE_DECODING, _terms(instance, (1 - instance.rate) / 2, 1, error, 0))


def conjectured(instance: Instance) -> Security:
    """Every term at the capacity of the code: a disproved conjecture, for comparison only."""
    error = instance.codeword_length / instance.field_order
    return Security(CONJECTURED, _terms(instance, 1 - instance.rate, 1, error, 0))


def johnson(instance: Instance, m: int | None = None) -> Security:
    """Every term at the Johnson bound, for the given m >= 3 or for the best one.

    ValueError if theta would not lie above the unique decoding radius: there the bound says nothing.
    """
    if m is None:
        # The query term grows with m, all others fall: the best m is where they cross, or beside it.
        low, high = 3, 1 << 20
        while low < high:
            middle = (low + high) // 2
            terms = johnson(instance, middle).terms
            rest = min(bits for term, bits in terms.items() if term != "queries")
            low, high = (middle + 1, high) if terms["queries"] < rest else (low, middle)
        return max((johnson(instance, k) for k in (low, max(low - 1, 3))), key=lambda s: s.bits)
    if m < 3:
        raise ValueError(f"expected a Johnson parameter m >= 3, got {m}")
    root = math.sqrt(instance.rate)
    theta = 1 - root * (1 + 1 / m)
    s = m + 0.5
    slope = (2 * s**5 + 3 * s * max(theta, 0) * instance.rate) / (3 * instance.rate * root)
    error = slope * instance.codeword_length / instance.field_order
    rate_plus = (instance.degree_bound + 1) / instance.codeword_length  # a DEEP quotient bounds D, not D - 1
    list_size = m / (2 * rate_plus)
    return Security(JOHNSON, _terms(instance, theta, list_size, error, s / root / instance.field_order), m)


def proven(instance: Instance) -> Security:
    """The better of the two proven regimes."""
    return max(unique_decoding(instance), johnson(instance), key=lambda security: security.bits)


def security_table(instance: Instance) -> list[dict[str, str | float]]:
    """One row a term and one for the weakest, one column a regime, in bits rounded down to a tenth."""
    regimes = [unique_decoding(instance), johnson(instance), conjectured(instance)]
    rows: list[dict[str, str | float]] = [
        {"term": term} | {s.regime: math.floor(10 * s.terms[term]) / 10 for s in regimes}
        for term in regimes[0].terms
    ]
    return [*rows, {"term": "weakest"} | {s.regime: math.floor(10 * s.bits) / 10 for s in regimes}]


def _terms(i: Instance, theta: float, list_size: float, slope: float, offset: float) -> dict[str, float]:
    """Bits of every term, where e(M) = M (slope + offset) on N points; slope is proportional to N."""
    order = i.field_order
    identity = max(
        i.degree * i.degree_bound + i.trace_length,
        (i.quotient_columns // EXTENSION_DEGREE) * i.trace_length + i.degree_bound,
    )
    errors = {}
    if i.lookup_fractions:
        errors["lookups"] = list_size * i.lookup_fractions * i.trace_length * i.lookup_width / order
    if i.data_elements:
        errors["data"] = list_size * i.data_elements / order
    errors["composition"] = list_size * max(i.constraints - 1, 1) / order
    errors["out of domain"] = list_size * identity / (order - i.trace_length - i.codeword_length)
    errors["batching"] = (2 * i.columns + i.quotient_columns) * (slope + offset)
    shrunk = 1
    for j, fold in enumerate(i.folds):
        shrunk *= fold
        errors[f"fold {j}"] = (fold - 1) * (slope / shrunk + offset)
    terms = {term: -math.log2(error) for term, error in errors.items()}
    terms["queries"] = -i.queries * math.log2(1 - theta) + i.grinding_bits
    terms["digests"] = i.digest_bits / 2
    return terms
