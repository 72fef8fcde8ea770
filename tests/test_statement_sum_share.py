"""The statement of sum-shares: what it binds, each rule broken alone, proofs taken by Python and by the contract."""

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from stark_cases import DOMAIN, FULL
from training_checks import named

from bfl_ref.chain.errors import ContractError
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.stark import deploy_verifier, generated_evaluators
from bfl_ref.sharing import digest, digest_plain
from bfl_ref.stark.air import labels
from bfl_ref.stark.field import F, base, random_base
from bfl_ref.stark.prover import prove
from bfl_ref.stark.rejections import RejectedProof
from bfl_ref.stark.setup import params_for, setup
from bfl_ref.stark.solidity.statements import sum_setup
from bfl_ref.stark.trace import check_trace
from bfl_ref.stark.verifier import verify
from bfl_ref.statements import sixteen_rows, sum_share
from bfl_ref.statements.sum_share import PLACES, ROWS, Addends, SumShare, fill, lay_out

NAMES = [*(f"share {i}" for i in range(PLACES)), "sum"]


@cache
def air(halves=1):
    return SumShare(halves)


def example(halves=1, hospitals=4, seed=0):
    made, rng = air(halves), np.random.default_rng(seed).bytes
    shares = random_base((hospitals, made.slots), rng)
    return made, Addends(shares, random_base((hospitals, made.salts), rng))


def vectors_of(made, addends):
    """(6, elements): what an honest trace absorbs."""
    vectors = F.Zeros((PLACES + 1, made.slots + made.salts))
    count = len(addends.shares)
    vectors[:count, : made.slots], vectors[:count, made.slots :] = addends.shares, addends.salts
    vectors[PLACES, : made.slots] = addends.total
    return vectors


@pytest.mark.parametrize("halves", [1, 2])
@pytest.mark.parametrize("hospitals", [1, 3, 4, 5])
def test_honest_trace_holds_and_its_public_inputs_are_the_digests(halves, hospitals):
    made, addends = example(halves, hospitals)
    trace, public = fill(made, addends)
    check_trace(made, trace, public)
    assert made.length == 512 * halves
    shown = public.reshape(PLACES + 1, 8)
    assert (shown[:hospitals] == digest(addends.shares, addends.salts)).all()
    free = digest_plain(F.Zeros((1, made.slots)), F.Zeros((1, made.salts)))
    assert all((each == free[0]).all() for each in shown[hospitals:PLACES])
    assert (shown[PLACES] == digest(sum(addends.shares, F(0))[None], F.Zeros((1, made.salts)))[0]).all()


def test_sums_wrap_around_as_the_field_does():
    made, _ = example()
    most = F(np.full((5, 36), F.order - 1))
    trace, public = fill(made, Addends(most, F.Zeros((5, 4))))
    check_trace(made, trace, public)
    assert (Addends(most, F.Zeros((5, 4))).total == F(F.order - 5)).all()


def test_shapes_that_do_not_fit_are_refused():
    made, addends = example()
    for wrong in (
        replace(addends, salts=addends.salts[:, :3]),
        replace(addends, salts=addends.salts[:3]),
        Addends(F.Zeros((6, 36)), F.Zeros((6, 4))),
        Addends(F.Zeros((0, 36)), F.Zeros((0, 4))),
        Addends(F.Zeros((3, 72)), F.Zeros((3, 8))),
    ):
        with pytest.raises(ValueError, match="expected 1 to 5 shares of 36 and salts of 4, got shapes"):
            fill(made, wrong)
    with pytest.raises(ValueError, match="1 or 2 halves, got 3"):
        SumShare(3)


# ---------------------------------------------------------------- each rule alone


@pytest.mark.parametrize("i", range(48))
def test_another_digest_is_refused(i):
    trace, public = fill(*example())
    public[i] += F(1)
    assert named(air(), trace, public) == {f"digest of {NAMES[i // 8]} {i % 8}"}


@pytest.mark.parametrize("halves", [1, 2])
@pytest.mark.parametrize("number", range(PLACES + 1))
def test_an_element_that_does_not_add_up_is_refused_whichever_it_is(halves, number):
    """Everything is hashed as it should be; only the sum of fractions knows that one element is another."""
    made, addends = example(halves)
    for j in range(made.slots):
        vectors = vectors_of(made, addends)
        vectors[number, j] += F(1)
        assert named(made, *lay_out(made, vectors)) == {"lookup"}


def test_errors_that_cancel_are_no_error():
    """What one share has more another has less: this is a true statement, of other shares."""
    made, addends = example()
    vectors = vectors_of(made, addends)
    vectors[1, 5] += F(7)
    vectors[2, 5] -= F(7)
    check_trace(made, *lay_out(made, vectors))
    vectors[2, 5] += F(7)
    vectors[2, 6] -= F(7)  # in another element they do not
    assert named(made, *lay_out(made, vectors)) == {"lookup"}
    vectors[2, 6] += F(7)
    vectors[2, 13] -= F(7)  # nor in the same one of the next block
    assert named(made, *lay_out(made, vectors)) == {"lookup"}


@pytest.mark.parametrize("halves, salts", [(1, 4), (2, 8)])
def test_the_salt_of_the_sum_is_zero_and_those_of_shares_are_free(halves, salts):
    made, addends = example(halves)
    for i in range(salts):
        vectors = vectors_of(made, addends)
        vectors[PLACES, -1 - i] += F(1)
        assert named(made, *lay_out(made, vectors)) == {f"no salt {i}"}
        vectors[PLACES, -1 - i] -= F(1)
        vectors[:PLACES, -1 - i] += F(1)
        check_trace(made, *lay_out(made, vectors))


def begun(number, block, i):
    """A trace in which a chain goes on, before one of its blocks, from another digest."""
    made, addends = example()
    original = sum_share.absorb_all
    calls = []

    def absorb_all(start, blocks):
        calls.append(len(calls))
        if calls[-1] != number:
            return original(start, blocks)
        before = original(start, blocks[:block])
        before[-1, i] += F(1)
        return np.concatenate([before[:-1], original(before[-1], blocks[block:])]).view(F)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sum_share, "absorb_all", absorb_all)
        return made, *fill(made, addends)


@pytest.mark.parametrize("i", range(8))
def test_the_first_chain_begins_with_the_tag_of_shares(i):
    assert named(*begun(0, 0, i)) == {f"starts {i}"}


@pytest.mark.parametrize("i", range(8))
@pytest.mark.parametrize("number", range(1, PLACES + 1))
def test_every_other_chain_begins_with_it_too(number, i):
    assert named(*begun(number, 0, i)) == {f"state {i}"}


@pytest.mark.parametrize("number, block, i", [(n, b, (n + b) % 8) for n in range(6) for b in range(1, 5)])
def test_a_chain_goes_on_from_the_digest_before(number, block, i):
    assert named(*begun(number, block, i)) == {f"state {i}"}


def wrong_round(what, i, row):
    """The sum's last permutation with one cell off from a row on, its digest that of the cells."""
    made, addends = example()
    block = made.chains[-1].stop - 1

    def sbox_of(state, at, original=sixteen_rows.sbox_of):
        mid = original(state, at)
        if what == "mid" and at == row:
            mid[block] += F(1)
        return mid

    def advance(state, mid, carry, at, original=sixteen_rows.advance):
        state, carry = (each.copy() for each in original(state, mid, carry, at))
        if at == row and what != "mid":
            {"state": state, "carry": carry}[what][i, block] += F(1)
        return state, carry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sixteen_rows, "sbox_of", sbox_of)
        patch.setattr(sixteen_rows, "advance", advance)
        trace, public = fill(made, addends)
    last = ROWS * made.chains[-1].stop - 1
    state, mid, carry = (trace[a:b, last] for a, b in ((0, 16), (16, 17), (17, 25)))
    public[-8:] = sixteen_rows.advance(state, mid[0], carry, ROWS - 1)[0]
    trace[17:, last + 1] = carry  # which the next permutation loads over
    return made, trace, public


@pytest.mark.parametrize("row", [1, 3, 6, 11, 14])
@pytest.mark.parametrize(
    "what, i", [("mid", 0), *(("state", i) for i in range(16)), *(("carry", i) for i in range(8))]
)
def test_each_cell_of_a_permutation_follows_from_those_before(what, i, row):
    made, trace, public = wrong_round(what, i, row)
    assert named(made, trace, public) == {"mid" if what == "mid" else f"{what} {i}"}


def test_every_rule_has_a_false_trace_of_its_own():
    """The names above are all that there are."""
    made, (trace, public) = air(), fill(*example())
    everything = trace.copy()
    everything[:] = F(12345)
    names = {f"state {i}" for i in range(16)} | {f"carry {i}" for i in range(8)} | {"mid", "lookup"}
    names |= {f"digest of {name} {i}" for name in NAMES for i in range(8)} | {f"starts {i}" for i in range(8)}
    names |= {f"no salt {i}" for i in range(4)}
    found = named(made, everything, public)
    assert found <= names and {"mid", "lookup", "starts 0", "no salt 3"} < found
    assert labels(made.main_columns)[16:18] == ["mid", "carry[0]"]


@pytest.mark.parametrize(
    "left_out, forged",
    [
        ("mid", lambda: wrong_round("mid", 0, 3)),
        ("state 9", lambda: wrong_round("state", 9, 6)),
        ("carry 2", lambda: wrong_round("carry", 2, 6)),
        ("starts 0", lambda: begun(0, 0, 0)),
        ("state 0", lambda: begun(4, 0, 0)),
        ("sum", None),
        ("no salt 0", None),
    ],
)
def test_without_a_rule_its_false_trace_passes(left_out, forged):
    class Mutant(SumShare):
        def transition(self, cur, nxt, k):
            return [c for c in super().transition(cur, nxt, k) if c[0] != left_out]

        def everywhere(self, cur, nxt, k):
            return [c for c in super().everywhere(cur, nxt, k) if c[0] != left_out]

        def lookups(self, cur, k):
            return [f for f in super().lookups(cur, k) if f.name != left_out]

        def boundary(self, cur, public, k):
            return [c for c in super().boundary(cur, public, k) if c[0] != left_out]

    if forged is None:
        made, addends = example()
        vectors = vectors_of(made, addends)
        vectors[PLACES, 3 if left_out == "sum" else -1] += F(1)
        trace, public = lay_out(made, vectors)
    else:
        made, trace, public = forged()
    mutant = copy.copy(made)
    mutant.__class__ = Mutant
    check_trace(mutant, trace, public)


# ---------------------------------------------------------------- proofs


@cache
def proven():
    made, addends = example()
    small = setup(made, params_for(made, target_bits=30, log_blowup=4))
    trace, public = fill(made, addends)
    return small, prove(small, trace, public, DOMAIN), public.tolist()


def test_a_proof_is_refused_for_any_other_public_input_or_domain():
    small, proof, public = proven()
    verify(small, proof, public, DOMAIN)
    for i in range(len(public)) if FULL else (0, 15, 31, 39, 40, 47):
        claimed = list(public)
        claimed[i] = (claimed[i] + 1) % F.order
        with pytest.raises(RejectedProof):
            verify(small, proof, claimed, DOMAIN)
    for other in ({"prover": "0xef"}, {"round_id": 8}, {"contract": "0xc1"}, {"chain_id": 1}):
        with pytest.raises(RejectedProof):
            verify(small, proof, public, replace(DOMAIN, **other))


def test_there_is_no_proof_of_a_false_sum():
    small, _, _ = proven()
    made, addends = example()
    vectors = vectors_of(made, addends)
    vectors[PLACES, 0] += F(1)
    with pytest.raises(ValueError):
        prove(small, *lay_out(made, vectors), DOMAIN)


def test_a_proof_hides_shares_behind_fresh_randomness():
    """Two proofs of one sum have nothing in common but their public inputs."""
    small, proof, public = proven()
    made, addends = example()
    trace, _ = fill(made, addends)
    again = prove(small, trace, base(np.array(public)), DOMAIN)
    verify(small, again, public, DOMAIN)
    assert again[40:72] != proof[40:72]


@pytest.mark.parametrize("halves, bound", [(1, 2_300_000), (2, 2_500_000)])
def test_the_contract_takes_the_proof_at_a_hundred_proven_bits_and_refuses_others_by_name(halves, bound):
    made = sum_setup(halves)
    assert made.security.bits >= 100
    trace, public = fill(*example(halves))
    proof = prove(made, trace, public, DOMAIN)
    verify(made, proof, public.tolist(), DOMAIN)
    name = {1: "SumEvaluator", 2: "WideSumEvaluator"}[halves]
    with open_chain() as node:
        contract = deploy_verifier(node, made, generated_evaluators()[name], node.accounts[0])
        cost = contract.cost(proof, DOMAIN, public.tolist(), node.accounts[0])
        assert cost.gas <= bound
        for i in (0, 39, 40, 47):
            claimed = public.tolist()
            claimed[i] = (claimed[i] + 1) % F.order
            with pytest.raises(ContractError) as refusal:
                contract.verify(proof, DOMAIN, claimed)
            assert type(refusal.value).__name__ == "OodMismatch"
        with pytest.raises(ContractError) as refusal:
            contract.verify(proof, replace(DOMAIN, prover="0xef"), public.tolist())
        assert type(refusal.value).__name__ == "OodMismatch"
