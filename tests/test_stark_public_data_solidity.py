"""DataVerifier and the Python verifier agree on statements with public data; what the data cost on chain."""

from collections.abc import Iterator

import numpy as np
import pytest
from solidity_cases import ACCEPTED, Attempt, contract_says, python_says
from stark_cases import DOMAIN, case, elements, pretending, rng
from test_stark_public_data import DATA, OTHERS, ROW

from bfl_ref.chain import errors
from bfl_ref.chain.compile import MAX_CODE_BYTES, Artifact, compile_contracts
from bfl_ref.chain.node import Node, open_chain
from bfl_ref.chain.stark import (
    EVALUATOR_SETTINGS,
    VERIFIER_SETTINGS,
    StarkVerifier,
    deploy_verifier,
    split_artifact,
    verifier_artifact,
)
from bfl_ref.chain.transactions import transact
from bfl_ref.stark.field import Ext, F, base, to_bytes
from bfl_ref.stark.prover import prove
from bfl_ref.stark.public_data import data_sum
from bfl_ref.stark.solidity import evaluators, parameter_word

GAS_OF_7000 = 345_000  # 49 an element: what is promised, just above where it stands


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with open_chain("anvil", accounts=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory) -> Artifact:
    path = tmp_path_factory.mktemp("evaluators") / "Sums.sol"
    path.write_text(evaluators("Sums", case("sums").setup)["Sums"])
    return compile_contracts([str(path)], EVALUATOR_SETTINGS)["Sums"]


@pytest.fixture(scope="module")
def verifier(node, evaluator) -> StarkVerifier:
    return deploy_verifier(node, case("sums").setup, [evaluator], node.accounts[0])


def attempted(data: bytes, claimed: bytes = DATA, kernels=None) -> Attempt:
    """A proof of right data, or of a cheat who claims others, as it is handed to the verifiers with `data`."""
    c = case("sums")
    choices = {"kernels": kernels} if kernels else {}
    proof = prove(c.setup, c.trace, c.public, DOMAIN, claimed, rng=rng(4), **choices)
    return Attempt("data", proof, c.public.tolist(), data=data)


def agreed(verifier: StarkVerifier, attempt: Attempt) -> tuple[str, dict[str, int]]:
    said = python_says(case("sums"), attempt)
    assert contract_says(verifier, attempt)[0] == said[0]
    if said[0] == "BadPublicData":
        assert contract_says(verifier, attempt) == said
    return said


def test_honest_data_are_accepted(verifier):
    assert agreed(verifier, attempted(DATA)) == (ACCEPTED, {})


@pytest.mark.parametrize("how", OTHERS)
def test_other_data_are_refused_alike(verifier, how):
    assert agreed(verifier, attempted(OTHERS[how]))[0] == "OodMismatch"


@pytest.mark.parametrize("how", OTHERS)
def test_prover_who_claims_other_data_is_refused_alike(verifier, how):
    attempt = attempted(OTHERS[how], OTHERS[how], pretending(case("sums").setup))
    assert agreed(verifier, attempt)[0] == "OodMismatch"


@pytest.mark.parametrize("size", [1, 4, ROW + 4, 31 * ROW + 4, 32 * ROW])
def test_wrong_length_is_refused_alike(verifier, size):
    assert agreed(verifier, attempted(bytes(size))) == ("BadPublicData", {"index": size, "value": 0})


@pytest.mark.parametrize("index", [0, 5, len(DATA) // 4 - 1])
@pytest.mark.parametrize("value", [F.order, 2**31, 2**32 - 1])
def test_element_not_below_p_is_refused_alike(verifier, index, value):
    data = DATA[: 4 * index] + value.to_bytes(4, "big") + DATA[4 * index + 4 :]
    assert agreed(verifier, attempted(data)) == ("BadPublicData", {"index": index, "value": value})


def test_checks_come_in_the_same_order(verifier):
    """Length of the data before that of the proof, their elements after it."""
    right = attempted(DATA)
    for data, name in ((bytes(4), "BadPublicData"), (b"\xff" * ROW, "BadLength")):
        assert agreed(verifier, Attempt("cut", right.proof[:-1], right.public, data=data))[0] == name


def test_function_without_data_takes_them_to_be_none(node, verifier):
    c = case("sums")
    trace = c.setup.air.trace(np.zeros((0, 2), int), [])
    proof = prove(c.setup, trace, [0], DOMAIN)
    name = "verify(bytes,(uint256,address,uint256,address),uint256[])"
    arguments = verifier._arguments(proof, DOMAIN, [0], b"")[:3]
    verifier._view(name, *arguments)
    verifier.verify(proof, DOMAIN, [0])
    with pytest.raises(errors.OodMismatch):
        verifier._view(name, *verifier._arguments(attempted(DATA).proof, DOMAIN, c.public.tolist(), b"")[:3])


def deployed(node: Node, artifact: Artifact, *arguments):
    factory = node.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    address = transact(node, factory.constructor(*arguments), node.accounts[0])["contractAddress"]
    return node.web3.eth.contract(abi=artifact.abi)(address)


def test_evaluator_in_parts_says_the_width_and_verifies(node, evaluator):
    split = deployed(node, split_artifact(), [deployed(node, evaluator).address])
    made = case("sums").setup
    artifact = verifier_artifact(made)
    contract = deployed(node, artifact, split.address, parameter_word(made))
    assert contract.functions.DATA_WIDTH().call({"from": node.accounts[0].address}) == 2
    right = attempted(DATA)
    StarkVerifier(node, contract, [artifact.abi], {}).verify(right.proof, DOMAIN, right.public, DATA)


def test_evaluator_with_data_under_a_verifier_without_is_refused(node, evaluator):
    """What StarkVerifier hands it lacks T: another word must not be read in its place."""
    made, artifact = case("sums").setup, verifier_artifact()
    contract = deployed(node, artifact, deployed(node, evaluator).address, parameter_word(made))
    without = StarkVerifier(node, contract, [artifact.abi, evaluator.abi], {})
    c = case("sums")
    unbound = prove(c.setup, c.trace, c.public, DOMAIN, DATA)
    with pytest.raises(errors.WrongOpenings) as caught:
        without.verify(unbound, DOMAIN, c.public.tolist())
    assert caught.value.values == {"expected": 43, "got": 42}
    with pytest.raises(ValueError, match="without public data was handed 56 bytes"):
        without.verify(unbound, DOMAIN, c.public.tolist(), DATA)


def test_sum_is_pythons_and_costs_less_than_its_budget(node):
    artifact = compile_contracts(["test/stark/PublicData.t.sol"], VERIFIER_SETTINGS)["PublicDataTest"]
    contract, caller = deployed(node, artifact), {"from": node.accounts[0].address}
    lam = elements(7, 5)
    word = sum(int(c) << 51 * k for k, c in enumerate(lam))
    for count in (0, 1, 63, 64, 7_000):
        data = elements(8, count)
        total = contract.functions.sum(to_bytes(data), word).call(caller)
        assert Ext(base([total >> 51 * k & 2**51 - 1 for k in range(5)])) == data_sum(data, Ext(lam))
    assert contract.functions.gasOfSum(to_bytes(data), word).call(caller) <= GAS_OF_7000


def test_contract_stays_below_the_code_limit():
    assert verifier_artifact(case("sums").setup).runtime_bytes < MAX_CODE_BYTES
