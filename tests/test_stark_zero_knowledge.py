"""What a proof shows of a secret trace is uniformly distributed: tested over many proofs of one tiny witness."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import chisquare
from stark_cases import DOMAIN, FULL, Case, elements, rng, toy

from bfl_ref.stark.codec import Proof, decode
from bfl_ref.stark.field import Ext, F, base, root_of_unity
from bfl_ref.stark.kernels import PLAIN  # for 64 points the threads cost more than they save
from bfl_ref.stark.params import StarkParams, least_blinding
from bfl_ref.stark.poly import coset
from bfl_ref.stark.prover import prove
from bfl_ref.stark.setup import Domain
from bfl_ref.stark.verifier import verify
from bfl_ref.statements.fibonacci import Fibonacci

PROOFS = 2_000 if FULL else 300
BINS = 16
REFUSED = 1e-6  # a right prover fails with this probability a sample; the randomness of the test is fixed


@cache
def tiny() -> Case:
    air = Fibonacci(8, last=6)
    trace = air.trace(5)
    return Case(toy(air, 3, queries=2, grinding=0), trace, air.public_inputs_of(trace))


@cache
def proofs(blinded: bool) -> list[Proof]:
    """Proofs of the same witness, each in a domain of its own so that positions and challenges vary."""
    found = []
    for i in range(PROOFS):
        random = rng(i)
        if not blinded:
            random = unblinded(random)
        c, domain = tiny(), Domain(DOMAIN.chain_id, DOMAIN.contract, i, DOMAIN.prover)
        data = prove(c.setup, c.trace, c.public, domain, rng=random, kernels=PLAIN)
        if i < 10:
            verify(c.setup, data, c.public.tolist(), domain)
        found.append(decode(data, c.setup.shape))
    return found


def unblinded(random):
    """The same randomness but for the main columns' blinding, which is what is asked for first."""
    asked = []

    def give(count: int) -> bytes:
        asked.append(count)
        return bytes(count) if len(asked) == 1 else random(count)

    return give


def uniformity(values: np.ndarray) -> float:
    """p-value of the hypothesis that field elements are uniform, from their counts in equal bins."""
    counts = np.bincount(values.reshape(-1).astype(np.int64) * BINS // F.order, minlength=BINS)
    return float(chisquare(counts).pvalue)


def samples(blinded: bool) -> dict[str, np.ndarray]:
    """Everything in the proofs that depends on the trace."""
    found = proofs(blinded)
    k_main = 2
    return {
        "main rows": np.stack([p.groups["main"].rows.view(np.ndarray) for p in found]),
        "main at z": np.stack([p.opened.coeffs[:, :k_main].view(np.ndarray) for p in found]),
        "main at g z": np.stack([p.opened.coeffs[:, k_main : 2 * k_main].view(np.ndarray) for p in found]),
        "quotient at z": np.stack([p.opened.coeffs[:, 2 * k_main :].view(np.ndarray) for p in found]),
        "quotient rows": np.stack([p.groups["quotient"].rows.view(np.ndarray) for p in found]),
        "FRI leaves": np.concatenate(
            [lo.leaves.coeffs.view(np.ndarray).reshape(-1) for p in found for lo in p.layers]
        ),
        "final": np.stack([p.final.coeffs.view(np.ndarray) for p in found]),
    }


NAMES = ["main rows", "main at z", "main at g z", "quotient at z", "quotient rows", "FRI leaves", "final"]


@pytest.mark.parametrize("what", NAMES)
def test_openings_with_blinding_are_uniform(what):
    assert uniformity(samples(blinded=True)[what]) > REFUSED


def test_openings_without_blinding_are_not_uniform():
    """The control: the same test sees through a trace that is not blinded."""
    assert uniformity(samples(blinded=False)["main rows"]) < REFUSED


def test_openings_at_one_position_with_blinding_vary_and_without_do_not():
    c = tiny()
    seen: dict[bool, set] = {}
    for blinded in (True, False):
        values: dict[int, set] = {}
        for i, proof in enumerate(proofs(blinded)):
            for row in proof.groups["main"].rows.tolist():
                values.setdefault(row[0], set()).add((i, row[1]))
        seen[blinded] = set(values)
    assert len(seen[False]) <= c.setup.params.length < len(seen[True])


def test_counting_rule_blinding_reaches_all_openings_of_a_column():
    """The openings of a column, 2 (queries + 5 * 2) functionals of the h random coefficients, are independent of each
    other up to h: queries in F and five coordinates each at z and g z. So they are jointly uniform, whatever the trace.
    """
    n, queries, h = 8, 6, least_blinding(6)
    x = coset(6)[np.sort(np.random.default_rng(1).choice(64, queries, replace=False))]
    z = Ext(elements(2, 5))
    rows = [[(pow(int(v), n, F.order) - 1) * pow(int(v), j, F.order) % F.order for j in range(h)] for v in x]
    for point in (z, z * root_of_unity(n)):
        weights = (point**n - 1) * point.powers(h)
        rows += weights.coeffs.tolist()
    matrix = base(np.array(rows, np.uint32))
    assert matrix.shape == (queries + 10, h) and _rank(matrix) == queries + 10


def _rank(matrix: F) -> int:
    rows, rank = [[int(v) for v in row] for row in matrix], 0
    for column in range(len(rows[0])):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        inverse = pow(rows[rank][column], -1, F.order)
        for r in range(rank + 1, len(rows)):
            factor = rows[r][column] * inverse % F.order
            rows[r] = [(a - factor * b) % F.order for a, b in zip(rows[r], rows[rank], strict=True)]
        rank += 1
    return rank


def test_too_few_blinding_rows_are_refused():
    with pytest.raises(ValueError, match=r"blinding must be 2 \(queries \+ 5 \* 2\) = 32 or more"):
        StarkParams(8, 3, 6, 0, 31, (3,))
