"""The contract and the Python verifier agree: same proofs accepted, same rejection by name for everything else."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from itertools import chain as flatten
from pathlib import Path

import numpy as np
import pytest
from solidity_cases import ACCEPTED, Attempt, contract_says, fields, mutated, python_says
from stark_cases import DOMAIN, FULL, NAMES, case, elements, pretending, rng
from test_stark_dishonest import Generous, high_degree

from bfl_ref.chain.compile import CONTRACTS, MAX_CODE_BYTES, Artifact, compile_contracts
from bfl_ref.chain.node import Node, open_chain
from bfl_ref.chain.stark import (
    EVALUATOR_SETTINGS,
    StarkVerifier,
    deploy_verifier,
    generated_evaluators,
    split_artifact,
    verifier_artifact,
)
from bfl_ref.stark.field import Ext, F, base
from bfl_ref.stark.kernels import FAST
from bfl_ref.stark.prover import prove
from bfl_ref.stark.rejections import RejectedProof
from bfl_ref.stark.setup import Domain
from bfl_ref.stark.solidity import evaluators, on_chain
from bfl_ref.stark.solidity.emitter import DEEPEST, nesting
from bfl_ref.stark.verifier import composition_at

HONEST = 100 if FULL else 8  # proofs in all, over the small statements
MUTATED = 2_000 if FULL else 160
FROZEN = Path(__file__).parent / "fixtures" / "fibonacci_v1.json"


class Chain:
    """Verifiers of the small statements on one node, deployed when first asked for."""

    def __init__(self, node: Node, evaluators: dict[str, tuple[Artifact, ...]]):
        self.node, self.evaluators = node, evaluators
        self.verifiers: dict[str, StarkVerifier] = {}

    def verifier(self, name: str) -> StarkVerifier:
        if name not in self.verifiers:
            made, parts = case(name).setup, self.evaluators[name]
            self.verifiers[name] = deploy_verifier(self.node, made, parts, self.node.accounts[0])
        return self.verifiers[name]


def contract_of(name: str) -> str:
    return f"{name.capitalize()}Toy"


@pytest.fixture(scope="module")
def chains(tmp_path_factory) -> Iterator[dict[str, Chain]]:
    folder = tmp_path_factory.mktemp("evaluators")
    sources = {name: evaluators(contract_of(name), case(name).setup) for name in NAMES}
    for part, source in flatten.from_iterable(parts.items() for parts in sources.values()):
        (folder / f"{part}.sol").write_text(source)
    compiled = compile_contracts([str(path) for path in folder.iterdir()], EVALUATOR_SETTINGS)
    artifacts = {name: tuple(compiled[part] for part in parts) for name, parts in sources.items()}
    with ExitStack() as stack:
        yield {
            kind: Chain(stack.enter_context(open_chain(kind, accounts=1)), artifacts)
            for kind in ("anvil", "embedded")
        }


@cache
def honest(name: str, seed: int = 1) -> bytes:
    c = case(name)
    return prove(c.setup, c.trace, c.public, DOMAIN, c.data, rng=rng(seed))


def agree(chain: Chain, name: str, attempt: Attempt) -> str:
    """What both say; AssertionError if they differ, in the name or in a value that both give."""
    said, values = python_says(case(name), attempt)
    said_on_chain, values_on_chain = contract_says(chain.verifier(name), attempt)
    assert said_on_chain == said, f"{name}, {attempt.kind}: contract {said_on_chain}, Python {said}"
    shared = values.keys() & values_on_chain.keys()
    assert {k: values[k] for k in shared} == {k: values_on_chain[k] for k in shared}, (name, attempt.kind)
    return said


@pytest.mark.parametrize("kind", ["anvil", "embedded"])
@pytest.mark.parametrize("name", NAMES)
def test_honest_proofs_are_accepted(chains, kind, name):
    count = HONEST // len(NAMES) if kind == "anvil" else 1
    for seed in range(count):
        attempt = Attempt("honest", honest(name, seed), case(name).public.tolist(), data=case(name).data)
        assert agree(chains[kind], name, attempt) == ACCEPTED


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(-1, 20 if FULL else 2))
def test_evaluator_equals_the_airs_own_python_on_any_openings(chains, name, seed):
    """Seed -1: every coefficient at its largest, where a sum kept unreduced for too long would overflow its slot."""
    c, chain = case(name), chains["embedded"]
    k_pre, k_main, k_aux = c.setup.air.widths
    columns = 2 * (k_pre + k_main + 5 * k_aux)
    drawn = elements(abs(seed), 5, 4 + columns + bool(c.data))
    drawn = base(np.full_like(drawn, F.order - 1)) if seed < 0 else drawn
    (beta, lam, alpha, z), opened = [Ext(drawn[:, i]) for i in range(4)], Ext(drawn[:, 4:])
    if not k_aux:
        beta = lam = Ext.from_ints(0)
    artifact = chain.evaluators[name][0]
    address = (
        chain.verifier(name).contract.functions.EVALUATOR().call({"from": chain.node.accounts[0].address})
    )
    contract = chain.node.web3.eth.contract(abi=artifact.abi)(address)
    challenges = [packed(x) for x in (beta, lam, alpha, z)]
    call = contract.functions.composition(
        challenges, [packed(opened[i]) for i in range(len(opened))], c.public.tolist()
    )
    word = call.call({"from": chain.node.accounts[0].address})
    slots = [(word >> 51 * k) % 2**51 % F.order for k in range(5)]
    total = opened[columns] if c.data else None
    assert Ext.from_ints(*slots) == composition_at(
        c.setup, opened[:columns], c.public, z, alpha, beta, lam, total
    )


def packed(x: Ext) -> int:
    """An element in five slots of 51 bits, as the contracts hold it."""
    return sum(int(c) << 51 * k for k, c in enumerate(x.coeffs.reshape(5)))


def test_mutated_proofs_meet_the_same_named_rejection(chains):
    random, met = np.random.default_rng(8), Counter()
    for i in range(MUTATED):
        name = NAMES[i % len(NAMES)]
        attempt = mutated(random, case(name), honest(name))
        met[agree(chains["anvil"], name, attempt)] += 1
    assert not met[ACCEPTED]
    assert len(met) >= (9 if FULL else 7), met


def test_mutated_proofs_meet_the_same_named_rejection_in_the_embedded_evm(chains):
    random = np.random.default_rng(9)
    for _ in range(MUTATED // 10):
        attempt = mutated(random, case("fibonacci"), honest("fibonacci"))
        assert agree(chains["embedded"], "fibonacci", attempt) != ACCEPTED


def test_every_field_of_the_layout_is_bound(chains):
    """One bit of each field of a proof with all groups: no change is accepted, and both name the same check."""
    proof, public = honest("ranges"), case("ranges").public.tolist()
    for field, at, length in fields(proof, case("ranges").setup.shape):
        for position in {at, at + length - 1}:
            data = bytearray(proof)
            data[position] ^= 1
            assert agree(chains["anvil"], "ranges", Attempt(field, bytes(data), public)) != ACCEPTED


def test_every_named_rejection_occurs(chains):
    c, public, proof = case("fibonacci"), case("fibonacci").public.tolist(), honest("fibonacci")
    p = c.setup.params
    own = replace(
        c.setup,
        params=Generous(p.trace_length, p.log_blowup, p.queries, p.grinding_bits, p.blinding, p.folds),
    )
    at = {name: start for name, start, _ in fields(proof, c.setup.shape)}
    attempts = {
        "BadVersion": (b"\x02" + proof[1:], public),
        "WrongParameters": (proof[:2] + b"\x09" + proof[3:], public),
        "BadPublicInput": (proof, [2**31]),
        "BadLength": (proof[:-1], public),
        "NonCanonicalElement": (proof[: at["final"]] + b"\xff" + proof[at["final"] + 1 :], public),
        "OodMismatch": (proof, [public[0] ^ 1]),
        "FinalDegree": (prove(own, c.trace, c.public, DOMAIN, kernels=high_degree(c)), public),
        "BadMerklePath": (proof[:-1] + bytes([proof[-1] ^ 1]), public),
        "DeepMismatch": (prove(c.setup, c.trace, c.public, DOMAIN, kernels=high_degree(c)), public),
        "FoldMismatch": (_badly_folded(0), public),
        "FinalMismatch": (_badly_folded(1), public),
    }
    for name, (data, inputs) in attempts.items():
        assert agree(chains["anvil"], "fibonacci", Attempt(name, data, inputs)) == name
    with_data = Attempt("data", honest("sums"), case("sums").public.tolist(), data=b"\xff" * 8)
    assert agree(chains["anvil"], "sums", with_data) == "BadPublicData"
    nonces = [proof[: at["nonce"]] + i.to_bytes(8, "big") + proof[at["nonce"] + 8 :] for i in range(20)]
    met = {agree(chains["anvil"], "fibonacci", Attempt("nonce", data, public)) for data in nonces}
    assert "BadGrinding" in met
    assert {*attempts, "BadGrinding", "BadPublicData"} == {
        cls.__name__ for cls in RejectedProof.__subclasses__()
    }


def _badly_folded(layer: int) -> bytes:
    """A proof whose FRI layer after `layer` is one off."""
    c, calls = case("fibonacci"), []

    def other(values, x, beta, factor):
        calls.append(factor)
        folded = FAST.fold(values, x, beta, factor)
        return folded + 1 if len(calls) == layer + 1 else folded

    return prove(c.setup, c.trace, c.public, DOMAIN, kernels=replace(FAST, fold=other))


def test_false_statement_is_refused(chains):
    """Dishonest provers: a wrong cell, a boundary that does not hold."""
    c = case("fibonacci")
    trace = c.trace.copy()
    trace[1, 7] += base(1)
    claimed = c.public + base(1)
    for proof, public in (
        (prove(c.setup, trace, c.public, DOMAIN, kernels=pretending(c.setup)), c.public),
        (prove(c.setup, c.trace, claimed, DOMAIN, kernels=pretending(c.setup)), claimed),
    ):
        attempt = Attempt("false", proof, public.tolist())
        assert agree(chains["anvil"], "fibonacci", attempt) == "OodMismatch"


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 30, 33, 64])
def test_short_noise_is_refused_alike(chains, size):
    header = honest("fibonacci")[:size]
    for data in (bytes(size), header, np.random.default_rng(size).bytes(size)):
        assert (
            agree(chains["anvil"], "fibonacci", Attempt("noise", data, case("fibonacci").public.tolist()))
            != ACCEPTED
        )


def test_frozen_proof_of_version_1_is_accepted(chains):
    """The bytes of a proof made when version 1 was fixed. If this fails the format has changed: count the version up."""
    frozen = json.loads(FROZEN.read_text())
    domain = Domain(*frozen["domain"])
    attempt = Attempt("frozen", bytes.fromhex(frozen["proof"]), frozen["public"], domain)
    assert case("fibonacci").setup.air_id.hex() == frozen["air_id"]
    assert agree(chains["embedded"], "fibonacci", attempt) == ACCEPTED


def test_contracts_stay_below_the_code_limit(chains):
    """The wide Poseidon2 AIR too, whose constraints are the longest here."""
    made = [
        *flatten.from_iterable(generated_evaluators().values()),
        split_artifact(),
        *flatten.from_iterable(chains["anvil"].evaluators.values()),
        verifier_artifact(),
    ]
    assert max(artifact.runtime_bytes for artifact in made) < MAX_CODE_BYTES
    assert {"Poseidon2Toy0", "MembershipToy", "TrainingEvaluator2"} <= {artifact.name for artifact in made}


def test_membership_at_100_proven_bits_costs_less_than_its_budget(chains):
    """4.5 million gas and 120 kB are what is promised; 2 million is where it stands."""
    made = on_chain()["MembershipEvaluator"]
    assert made.security.bits >= 100
    trace = made.air.trace(elements(4, 16), elements(5, 31, 8), index=123_456_789)  # type: ignore[attr-defined]
    public = made.air.public_inputs_of(trace)  # type: ignore[attr-defined]
    proof = prove(made, trace, public, DOMAIN, rng=rng(6))
    assert len(proof) <= 120_000
    for chain in chains.values():
        sender = chain.node.accounts[0]
        deployed = deploy_verifier(chain.node, made, generated_evaluators()["MembershipEvaluator"], sender)
        cost = deployed.cost(proof, DOMAIN, public.tolist(), sender)
        assert cost.floor_gas <= cost.gas <= 2_000_000


def test_generated_evaluators_are_current():
    for name, made in on_chain().items():
        for part, source in evaluators(name, made).items():
            assert (CONTRACTS / "src/stark/generated" / f"{part}.sol").read_text() == source
            assert max(map(nesting, source.splitlines())) <= DEEPEST + 10, part  # slither reads them then
