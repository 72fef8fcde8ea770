"""The release statement: what it binds, each rule broken alone, proofs taken by Python and by the contract."""

import copy
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from stark_cases import DOMAIN, FULL
from training_checks import named

from bfl_ref.chain.errors import ContractError
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.stark import deploy_verifier, generated_evaluators
from bfl_ref.fixed_point import State, public_state
from bfl_ref.sharing.digest import SHARE_TAG
from bfl_ref.stark.air import labels
from bfl_ref.stark.field import F, base, random_base
from bfl_ref.stark.prover import prove
from bfl_ref.stark.rejections import RejectedProof
from bfl_ref.stark.setup import params_for, setup
from bfl_ref.stark.solidity.statements import release_setup
from bfl_ref.stark.trace import check_trace
from bfl_ref.stark.verifier import verify
from bfl_ref.statements import release_trace
from bfl_ref.statements.poseidon2 import compress
from bfl_ref.statements.release import LIMIT, ROWS, Release
from bfl_ref.statements.release_trace import Sharing, bucket, fill, limits, squared_norm


@cache
def air(halves=1, aggregators=5, threshold=3):
    return Release(halves, aggregators, threshold)


def example(halves=1, aggregators=5, threshold=3, seed=0, moved=2**17, weight=264):
    rng = np.random.default_rng(seed)
    made = air(halves, aggregators, threshold)
    model = rng.integers(-(2**18), 2**18, made.slots)
    weights = model + rng.integers(-moved, moved + 1, made.slots)
    salts = random_base((aggregators, made.salts), rng.bytes)
    coefficients = random_base((threshold - 1, made.slots), rng.bytes)
    return made, Sharing(State(weights, random_base(8, rng.bytes)), model, weight, coefficients, salts)


def digest(share, salt):
    """By definition: eight elements at a time."""
    h, whole = base([SHARE_TAG] + [0] * 7), np.concatenate([share, salt]).view(F)
    for i in range(0, len(whole), 8):
        h = compress(np.concatenate([h, whole[i : i + 8]]).view(F))
    return h


def at_zero(shares, seats):
    """The value at 0 of the polynomials through some shares, in plain integers."""
    p, total = F.order, np.zeros(shares.shape[1], object)
    for a in seats:
        factor = 1
        for b in seats:
            if b != a:
                factor = factor * (b + 1) * pow(b - a, -1, p) % p
        total = (total + factor * shares[a].view(np.ndarray).astype(object)) % p
    return np.where(total > p // 2, total - p, total).astype(np.int64)


CASES = [(1, 5, 3), (2, 5, 3), (1, 3, 2), (1, 4, 4), (1, 10, 6)]


@pytest.mark.parametrize("case", CASES)
def test_honest_trace_holds_and_its_public_inputs_are_what_they_say(case):
    made, sharing = example(*case)
    trace, public = fill(made, sharing)
    check_trace(made, trace, public)
    assert (public[:8] == sharing.state.digest).all()
    assert (public[8:16] == public_state(sharing.model).digest).all()
    shares = sharing.shares()
    for a in range(case[1]):
        assert (public[16 + 8 * a : 24 + 8 * a] == digest(shares[a], sharing.salts[a])).all()
    weight, low, high = (int(x) for x in public[-3:])
    assert weight == sharing.weight and low <= squared_norm(sharing.update) < high == 4 ** bucket(
        sharing.update
    )
    for seats in list(combinations(range(case[1]), case[2]))[:4]:
        assert (at_zero(shares, seats) == sharing.weight * sharing.update).all()


@pytest.mark.parametrize(
    "update, expected", [(0, 0), (1023, 0), (1024, 1), (-1, 1), (2048, 2), (-(2**20), 11)]
)
def test_buckets_are_powers_of_two_of_the_norm(update, expected):
    moved = np.zeros(36, np.int64)
    moved[3] = update
    assert bucket(moved) == expected
    low, high = limits(expected)
    assert low <= squared_norm(moved) < high


def test_a_norm_bounded_by_its_bucket_cannot_wrap_around():
    """|u_j| < 2^10 sqrt(high) for every u whose squared norm is below high: the worst cases."""
    for b in range(1, 11):
        most = 2**b  # in one weight
        assert squared_norm(np.array([most * 1024 - 1])) < 4**b <= squared_norm(np.array([most * 1024]))
        assert squared_norm(np.array([-most * 1024])) >= 4**b > squared_norm(np.array([-(most - 1) * 1024]))


# ---------------------------------------------------------------- each rule alone


def forged(edit, sharing=None, made=None):
    made, right = (made, sharing) if made else example()
    trace, public = fill(made, right)
    rows = {name: trace[i] for i, name in enumerate(labels(made.main_columns))}
    edit(rows, public, right)
    return made, trace, public


def counted(made, rows):
    """How often each number is looked up, after an edit."""
    looked = np.concatenate([np.asarray(rows["rest"]), np.asarray(rows["top"])])
    rows["ranges"][:LIMIT] = np.bincount(looked, minlength=LIMIT)


def change(name, row, by=1):
    def edit(rows, public, _):
        rows[name][row] += F(by % F.order)

    return edit


def other_input(i):
    def edit(_, public, __):
        public[i] += F(1)

    return edit


@pytest.mark.parametrize("i", [0, 7, 8, 15, 16, 23, 24, 48, 55])
def test_another_digest_is_refused(i):
    made, trace, public = forged(other_input(i))
    name = ["state", "model", *(f"share {a}" for a in range(5))][i // 8]
    assert named(made, trace, public) == {f"digest of {name} {i % 8}"}


def test_another_weight_is_refused():
    made, trace, public = forged(other_input(-3))
    assert named(made, trace, public) == {"scaled"}


@pytest.mark.parametrize("i, name", [(-2, "norm not less"), (-1, "norm not more")])
def test_other_limits_are_refused_even_if_true(i, name):
    made, trace, public = forged(other_input(i))
    assert named(made, trace, public) == {name}


@pytest.mark.parametrize("limit, row", [(-2, 0), (-1, 1)])
@pytest.mark.parametrize("rest", [0, LIMIT - 1, F.order - 1])
def test_a_norm_outside_the_limits_has_no_trace(limit, row, rest):
    """Numbers that make up for a norm which is one too large or too small are not below 2^10: the lookup refuses them."""

    def edit(rows, public, sharing):
        norm = squared_norm(sharing.update)
        public[limit] = F(norm + 1 if limit == -2 else norm)
        at = 36 + row
        rows["rest"][at] = F(rest)
        rows["top"][at] = (F(F.order - 1) - F(rest)) / F(LIMIT)

    made, trace, public = forged(edit)
    assert named(made, trace, public) == {"lookup"}


@pytest.mark.parametrize("number, block", [(0, 2), (1, 5), (4, 1)])
def test_a_chain_goes_on_from_the_digest_before(number, block):
    """Only behind a chain's last block may another one begin."""
    made, sharing = example()
    original = release_trace._loads

    def loads(air_, sharing_):
        loaded, ends = original(air_, sharing_)
        chain = air_.chains[number]
        loaded[0, chain.start + block] += F(1)
        for at in range(chain.start + block, chain.stop):
            out = compress(loaded[:, at].view(F))
            if at + 1 < chain.stop:
                loaded[:8, at + 1] = out
        ends[number] = out
        return loaded, ends

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release_trace, "_loads", loads)
        trace, public = fill(made, sharing)
    assert named(made, trace, public) == {"state 0"}


def test_a_share_that_is_not_on_the_polynomial_is_refused():
    """Its digest is right, its place in the sum is not: the lookup finds no such cell."""
    made, sharing = example()

    class False_(Sharing):
        def shares(self):
            found = super().shares()
            found[2, 7] += F(1)
            return found

    lie = False_(**vars(sharing))
    trace, public = fill(made, lie)
    assert named(made, trace, public) == {"lookup"}
    for a in range(5):
        assert (public[16 + 8 * a : 24 + 8 * a] == digest(lie.shares()[a], lie.salts[a])).all()


def test_another_state_than_that_behind_the_digest_is_refused():
    made, sharing = example()
    _, public = fill(made, sharing)
    moved = replace(sharing, state=State(sharing.state.weights + 1, sharing.state.salt))
    other, said = fill(made, moved)
    said[:8] = public[:8]
    assert {"digest of state 0", "digest of state 7"} <= named(made, other, said)


def test_an_update_that_wraps_around_is_refused():
    """A weight that moved by 16.0 has no parts within their ranges, nor has one whose negative is meant."""
    made, sharing = example()
    far = sharing.state.weights.copy()
    far[4] = sharing.model[4] + 2**20
    with pytest.raises(ValueError, match=r"expected a norm below 16, got 17\.\d"):
        fill(made, replace(sharing, state=State(far, sharing.state.salt)))
    for after, top, high in ((2**20, 1024, 1), (2**20, 0, 2), (-(2**20) - 1, 1023, -1)):

        def edit(rows, public, _, after=after, top=top, high=high):
            rows["after"][4] = F((int(rows["before"][4]) + after) % F.order)
            rows["top"][4], rows["high"][4] = F(top), F(high % F.order)
            rows["rest"][4] = F(after % LIMIT)
            rows["scaled"][4] = F(264) * (rows["after"][4] - rows["before"][4])

        _, trace, public = forged(edit)
        assert {"lookup"} < named(made, trace, public)


@pytest.mark.parametrize(
    "name, edit",
    [
        ("norm", change("norm", ROWS * 60)),
        ("scaled", change("scaled", 700)),
        ("parts", None),
        ("high is a bit", change("high", 500, by=2)),
        ("state tag", None),
        ("state pads with zero", None),
        ("norm starts", None),
        ("share 1 starts 0", None),
        ("model starts 3", None),
    ],
)
def test_each_rule_alone_refuses_its_false_trace(name, edit):
    made, sharing = example()
    if edit is None:
        trace, public = ALONE[name](made, sharing)
    else:
        _, trace, public = forged(edit)
    found = named(made, trace, public)
    assert found == {name}


def _parts(made, sharing):
    """The norm of another update: parts that are not those of w - w'."""
    trace, public = fill(made, sharing)
    rows = {n: trace[i] for i, n in enumerate(labels(made.main_columns))}
    j = int(np.flatnonzero(np.asarray(rows["rest"])[: made.slots] < LIMIT - 1)[0])
    rows["rest"][j] += F(1)
    counted(made, rows)
    return trace, public


def _rehashed(made, sharing, number, change_):
    """A trace in which one chain absorbs or begins with something else, and is hashed on from there."""
    original = release_trace._loads

    def loads(air_, sharing_):
        loaded, ends = original(air_, sharing_)
        chain = air_.chains[number]
        change_(loaded, chain)
        for block in range(chain.start, chain.stop):
            out = compress(loaded[:, block].view(F))
            if block + 1 < chain.stop:
                loaded[:8, block + 1] = out
        ends[number] = out
        return loaded, ends

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release_trace, "_loads", loads)
        return fill(made, sharing)


def _put(row, block, value):
    def change_(loaded, chain):
        loaded[row, chain.start + block] += F(value)

    return change_


def _norm_starts(made, sharing):
    trace, public = fill(made, sharing)
    rows = {n: trace[i] for i, n in enumerate(labels(made.main_columns))}
    rows["norm"] += F(1)
    low, high = int(public[-2]), int(public[-1])
    norm = squared_norm(sharing.update) + 1
    for row, more in ((made.slots, norm - low), (made.slots + 1, high - 1 - norm)):
        rows["rest"][row], rows["top"][row] = F(more % LIMIT), F(more // LIMIT)
    counted(made, rows)
    return trace, public


ALONE = {
    "parts": _parts,
    "state tag": lambda made, s: _rehashed(made, s, 0, _put(15, 2, 1)),
    "state pads with zero": lambda made, s: _rehashed(made, s, 1, _put(14, 3, 1)),
    "norm starts": _norm_starts,
    "share 1 starts 0": lambda made, s: _rehashed(made, s, 3, _put(0, 0, 1)),
    "model starts 3": lambda made, s: _rehashed(made, s, 1, _put(3, 0, 1)),
}


@pytest.mark.parametrize("left_out", ["parts", "state tag", "norm starts", "share 1 starts 0"])
def test_without_a_rule_its_false_trace_passes(left_out):
    class Mutant(Release):
        def everywhere(self, cur, nxt, k):
            return [c for c in super().everywhere(cur, nxt, k) if c[0] != left_out]

        def boundary(self, cur, public, k):
            return [c for c in super().boundary(cur, public, k) if c[0] != left_out]

    made, sharing = example()
    mutant = copy.copy(made)
    mutant.__class__ = Mutant
    check_trace(mutant, *ALONE[left_out](made, sharing))


ABSORBED = (
    [(0, 8 + i, 1) for i in range(6)] + [(1, 8, 2)] + [(2 + a, 8 + a, a) for a in range(5)] + [(4, 15, 3)]
)


@pytest.mark.parametrize("number, row, block", ABSORBED)
def test_each_absorbed_element_is_looked_up(number, row, block):
    """One element of a chain changed and hashed on: only the lookup knows what should stand there."""
    made, sharing = example()
    trace, public = _rehashed(made, sharing, number, _put(row, min(block, len(made.chains[number]) - 2), 1))
    assert named(made, trace, public) == {"lookup"}


def test_salts_of_shares_are_free_and_hide():
    """Two sharings that differ in a salt alone: other digests, both right."""
    made, sharing = example()
    salts = sharing.salts.copy()
    salts[1, 0] += F(1)
    first, second = fill(made, sharing)[1], fill(made, replace(sharing, salts=salts))[1]
    assert (first[24:32] != second[24:32]).any() and (
        np.delete(first, range(24, 32)) == np.delete(second, range(24, 32))
    ).all()


def test_shapes_and_thresholds_that_do_not_fit_are_refused():
    made, sharing = example()
    with pytest.raises(ValueError, match="expected shapes"):
        fill(made, replace(sharing, salts=sharing.salts[:4]))
    with pytest.raises(ValueError, match="expected shapes"):
        fill(made, replace(sharing, coefficients=sharing.coefficients[:1]))
    for wrong in ((3, 5, 3), (1, 5, 1), (1, 5, 6)):
        with pytest.raises(ValueError, match=r"halves|threshold"):
            Release(*wrong)


# ---------------------------------------------------------------- proofs


@cache
def proven():
    made, sharing = example()
    small = setup(made, params_for(made, target_bits=30, log_blowup=3))
    trace, public = fill(made, sharing)
    return small, prove(small, trace, public, DOMAIN), public.tolist()


def test_a_proof_is_refused_for_any_other_public_input_or_domain():
    small, proof, public = proven()
    verify(small, proof, public, DOMAIN)
    for i in range(len(public)) if FULL else (0, 15, 16, 40, 55, 56, 57, 58):
        claimed = list(public)
        claimed[i] = (claimed[i] + 1) % F.order
        with pytest.raises(RejectedProof):
            verify(small, proof, claimed, DOMAIN)
    for other in ({"prover": "0xef"}, {"round_id": 8}, {"contract": "0xc1"}, {"chain_id": 1}):
        with pytest.raises(RejectedProof):
            verify(small, proof, public, replace(DOMAIN, **other))


def test_there_is_no_proof_of_a_false_release():
    small, _, _ = proven()
    made, sharing = example()
    trace, public = ALONE["parts"](made, sharing)
    with pytest.raises(ValueError):
        prove(small, trace, public, DOMAIN)


@pytest.mark.parametrize("halves", [1, 2])
def test_the_contract_takes_the_proof_at_a_hundred_proven_bits_and_refuses_others_by_name(halves):
    made = release_setup(halves)
    assert made.security.bits >= 100
    _, sharing = example(halves)
    trace, public = fill(made.air, sharing)
    proof = prove(made, trace, public, DOMAIN)
    verify(made, proof, public.tolist(), DOMAIN)
    name = {1: "ReleaseEvaluator", 2: "WideReleaseEvaluator"}[halves]
    with open_chain() as node:
        contract = deploy_verifier(node, made, generated_evaluators()[name], node.accounts[0])
        cost = contract.cost(proof, DOMAIN, public.tolist(), node.accounts[0])
        assert cost.gas <= 3_500_000
        for i in (0, 20, 56, 58):
            claimed = public.tolist()
            claimed[i] = (claimed[i] + 1) % F.order
            with pytest.raises(ContractError) as refusal:
                contract.verify(proof, DOMAIN, claimed)
            assert type(refusal.value).__name__ == "OodMismatch"
        with pytest.raises(ContractError) as refusal:
            contract.verify(proof, replace(DOMAIN, prover="0xef"), public.tolist())
        assert type(refusal.value).__name__ == "OodMismatch"
