"""The embedded chain's loop does to the last unit of gas what py-evm does, opcode by opcode."""

import gc
import random
import weakref

import pytest
from eth.exceptions import FullStack, InsufficientStack, OutOfGas, VMError
from eth.vm import opcode_values as op
from eth.vm.forks.prague import PragueVM

from bfl_ref.chain.evm import BINARY, QUICK, TERNARY, UNARY, QuickVM, decoded
from bfl_ref.chain.node import open_chain

CALLER, CONTRACT = b"\x01" * 20, b"\x02" * 20
CALLDATA = bytes(range(1, 78))
WORD = 2**256 - 1
EDGES = (0, 1, 2, 31, 32, 77, 255, 256, 257, 2**31, 2**64, 2**128, 2**255, WORD - 1, WORD)
# Left to py-evm, and mixed in: they push bytes, read the counter and the gas, copy and hash memory.
SLOW = (op.ADDRESS, op.CALLER, op.CALLDATASIZE, op.PC, op.GAS, op.MSIZE, op.SLOAD, op.BYTE, op.SGT, op.SHA3)


@pytest.fixture(scope="module")
def machines():
    """py-evm's own and ours, on the same state."""
    with open_chain("embedded", accounts=1) as node:
        vm = node.web3.provider.ethereum_tester.backend.chain.get_vm()
        assert isinstance(vm, QuickVM)
        header, context = vm.get_header(), vm.chain_context
        yield tuple(kind(header, vm.chaindb, context, vm.consensus_context) for kind in (PragueVM, QuickVM))


def outcome(vm, code: bytes, gas: int):
    """Everything that a call leaves behind; of one that failed the error, which takes memory and stack away."""
    seen = vm.execute_bytecode(CALLER, 1, gas, CONTRACT, CALLER, 0, CALLDATA, code, CONTRACT)
    stack = [each if isinstance(each, int) else int.from_bytes(each, "big") for each in seen._stack.values]
    left = bytes(seen._memory._bytes), stack
    spent = seen.get_gas_used(), seen.get_gas_remaining()
    return seen.output, *spent, left if seen.is_success else type(seen._error)


def same(machines, code: bytes, gas: int = 100_000):
    reference, quick = (outcome(vm, code, gas) for vm in machines)
    assert quick == reference, code.hex()
    return quick


def push(value: int) -> bytes:
    size = max(1, (value.bit_length() + 7) // 8)
    return bytes([op.PUSH0 + size]) + value.to_bytes(size, "big")


def program(rng: random.Random, length: int) -> bytes:
    """Operands are pushed for most opcodes; jumps go forward to where something follows, seldom to somewhere else."""
    code = b""
    quick = sorted(QUICK - {op.JUMP, op.JUMPI, *range(op.PUSH0, op.PUSH32 + 1)})
    for _ in range(length):
        opcode = rng.choice(quick) if rng.random() < 0.9 else rng.choice(SLOW)
        if rng.random() < 0.05:
            data = bytes([op.JUMPDEST]) * rng.randrange(4)  # as data of a PUSH: no target
            target = len(code) + 7 + len(data) + rng.choice((0, 0, 0, 1))
            code += bytes([op.PUSH1, rng.randrange(2), op.PUSH2]) + target.to_bytes(2, "big")
            code += bytes([op.JUMPI, op.PUSH0 + len(data)]) + data + bytes([op.JUMPDEST])
            continue
        memory = opcode in (op.MLOAD, op.MSTORE, op.SHA3, op.CALLDATALOAD)
        for _ in range(3 if rng.random() < 0.95 else 0):
            code += push(rng.randrange(200) if memory else rng.choice((*EDGES, rng.getrandbits(256))))
        code += bytes([opcode])
    return code


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_end_alike(machines, seed):
    rng = random.Random(seed)
    code = program(rng, rng.randrange(1, 60))
    end = same(machines, code)
    used = end[1]
    for gas in {used, used - 1, rng.randrange(1, used + 1)}:
        same(machines, code, gas)


@pytest.mark.parametrize("seed", range(40))
def test_random_bytes_end_alike(machines, seed):
    rng = random.Random(seed)
    start = b"".join(push(rng.choice(EDGES)) for _ in range(20))
    same(machines, start + bytes(rng.choice((*QUICK, *SLOW)) for _ in range(200)))


@pytest.mark.parametrize("opcode", sorted(UNARY | BINARY | TERNARY))
def test_operations_agree_on_all_edges(machines, opcode):
    for a in EDGES:
        for b in EDGES:
            for m in (0, 1, 0x78000001, WORD) if opcode in TERNARY else (7,):
                assert isinstance(same(machines, push(m) + push(b) + push(a) + bytes([opcode]))[-1], tuple)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (bytes([op.PUSH0]) * 1025, FullStack),
        (bytes([op.PUSH0]) * 1024 + bytes([op.DUP1]), FullStack),
        (bytes([op.PUSH0, op.DUP2]), InsufficientStack),
        (bytes([op.PUSH0, op.SWAP1]), InsufficientStack),
        (bytes([op.PUSH0, op.MSTORE]), InsufficientStack),
        (bytes([op.PUSH0, op.PUSH0, op.MULMOD]), InsufficientStack),
        (bytes([op.JUMP]), InsufficientStack),
        (push(2**200) + bytes([op.MLOAD]), OutOfGas),
        (push(WORD) * 2 + bytes([op.MSTORE]), OutOfGas),
    ],
)
def test_faults_have_the_same_names(machines, code, error):
    assert same(machines, code)[-1] is error


def test_jumps_into_data_past_the_end_and_nowhere_fail(machines):
    for target in (0, 3, 5, 6, 2**255):
        code = push(target) + bytes([op.JUMP, op.PUSH1, op.JUMPDEST, op.STOP])
        reference, quick = (outcome(vm, code, 1000) for vm in machines)
        assert reference[:-1] == quick[:-1] and issubclass(quick[-1], VMError)


def test_a_push_that_the_end_cuts_off_is_padded(machines):
    for size in range(1, 33):
        for given in range(size):
            end = same(machines, bytes([op.PUSH0 + size]) + b"\xff" * given)
            assert end[-1][1] == [int.from_bytes((b"\xff" * given).ljust(size, b"\0"), "big")]


def test_targets_are_not_data():
    _, targets, pushed = decoded(bytes([op.JUMPDEST, op.PUSH2, op.JUMPDEST, op.JUMPDEST, op.JUMPDEST]))
    assert targets == {0, 4} and pushed == {2: 0x5B5B}


def test_a_call_that_is_over_leaves_nothing_to_collect(machines):
    gc.disable()
    try:
        code = push(0) * 2 + bytes([op.MSTORE])
        call = weakref.ref(machines[1].execute_bytecode(CALLER, 1, 10_000, CONTRACT, CALLER, 0, b"", code))
        assert call() is None
    finally:
        gc.enable()
