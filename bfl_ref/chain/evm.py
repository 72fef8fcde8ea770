"""py-evm in a fifth of its time: the same results for the same gas, in fewer steps of Python.

Verifying a proof runs a million opcodes. py-evm goes through ten calls for each, and turns what lies on the stack from bytes
into integers and back. Here the stack holds integers, and the opcodes that a verifier consists of run in one loop, on local
variables. Every other opcode, and whatever makes the memory grow, stays py-evm's own.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from weakref import ref

from eth.constants import UINT_256_MAX
from eth.exceptions import FullStack, InsufficientStack, InvalidJumpDestination, OutOfGas
from eth.vm import opcode_values as op
from eth.vm.code_stream import CodeStream
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.state import PragueState
from eth.vm.memory import Memory
from eth.vm.opcode_values import DUP1, JUMP, JUMPDEST, JUMPI, MLOAD, MSTORE, POP, PUSH0, PUSH32, SWAP1, SWAP16
from eth.vm.stack import Stack

STACK_LIMIT = 1024
# a: the top of the stack.
UNARY = {op.ISZERO: lambda a: int(a == 0), op.NOT: lambda a: a ^ UINT_256_MAX}
BINARY = {
    op.ADD: lambda a, b: (a + b) & UINT_256_MAX,
    op.MUL: lambda a, b: (a * b) & UINT_256_MAX,
    op.SUB: lambda a, b: (a - b) & UINT_256_MAX,
    op.AND: lambda a, b: a & b,
    op.OR: lambda a, b: a | b,
    op.XOR: lambda a, b: a ^ b,
    op.SHL: lambda a, b: (b << min(a, 256)) & UINT_256_MAX,
    op.SHR: lambda a, b: b >> min(a, 256),
    op.LT: lambda a, b: int(a < b),
    op.GT: lambda a, b: int(a > b),
    op.EQ: lambda a, b: int(a == b),
}
TERNARY = {op.MULMOD: lambda a, b, m: a * b % m if m else 0}
_OTHER = {op.CALLDATALOAD, JUMP, JUMPDEST, JUMPI, MLOAD, MSTORE, POP, *range(PUSH0, SWAP16 + 1)}
QUICK = frozenset(UNARY | BINARY | TERNARY) | _OTHER
"""The opcodes that run here."""
_RULES: Mapping[int, Any] = PragueComputation.opcodes
_GAS = tuple(_RULES[opcode].gas_cost if opcode in QUICK else 0 for opcode in range(256))


class IntegerStack(Stack):
    """Integers only: what py-evm's opcodes push as bytes is converted as it comes."""

    __slots__ = ()
    values: list[int]  # type: ignore[assignment]

    def push_bytes(self, value: bytes) -> None:
        self.push_int(int.from_bytes(value, "big"))


@lru_cache(maxsize=64)
def decoded(code: bytes) -> tuple[bytes, frozenset[int], dict[int, int]]:
    """(code that ends with STOP, where one may jump to, what a PUSH pushes by the position behind its opcode)."""
    targets, pushed, at = set(), {}, 0
    while at < len(code):
        opcode, at = code[at], at + 1
        if opcode == JUMPDEST:
            targets.add(at - 1)
        elif PUSH0 <= opcode <= PUSH32:
            size = opcode - PUSH0
            pushed[at] = int.from_bytes(code[at : at + size].ljust(size, b"\0"), "big")
            at += size
    return code + bytes(33), frozenset(targets), pushed


class QuickCode(CodeStream):
    """The code of one call. Going through it runs what is `QUICK`, and gives the opcodes that are not.

    In one loop for speed: counter and gas are local, and written back before somebody else reads them.
    """

    __slots__ = ("_computation",)

    def __init__(self, computation: "QuickComputation"):
        super().__init__(computation.msg.code)
        self._computation = ref(
            computation
        )  # which refers to its code: in a cycle its memory would outlive it

    def __iter__(self) -> Iterator[int]:
        computation = self._computation()
        assert computation is not None
        code, targets, pushed = decoded(self._raw_code_bytes)
        values, meter, memory = computation._stack.values, computation._gas_meter, computation._memory
        push, pop = values.append, values.pop
        calldata = computation.msg.data_as_bytes
        at, gas = self.program_counter, meter.gas_remaining
        opcode = op.STOP
        try:
            while True:
                opcode, at = code[at], at + 1
                gas -= _GAS[opcode]
                if gas < 0:
                    raise OutOfGas(f"opcode {opcode:#04x} before position {at}")
                if PUSH0 <= opcode <= SWAP16:
                    if opcode >= SWAP1:
                        place = SWAP1 - 2 - opcode
                        values[-1], values[place] = values[place], values[-1]
                        continue
                    if len(values) >= STACK_LIMIT:
                        raise FullStack(f"opcode {opcode:#04x} before position {at}")
                    if opcode >= DUP1:
                        push(values[DUP1 - 1 - opcode])
                    else:
                        push(pushed[at])
                        at += opcode - PUSH0
                elif opcode in BINARY:
                    values[-1] = BINARY[opcode](pop(), values[-1])
                elif opcode == JUMPDEST:
                    pass
                elif opcode in (MLOAD, MSTORE):
                    start = pop()
                    if start + 32 > len(memory._bytes):
                        meter.gas_remaining = gas
                        computation.extend_memory(start, 32)
                        gas = meter.gas_remaining
                    if opcode == MLOAD:
                        push(int.from_bytes(memory._bytes[start : start + 32], "big"))
                    else:
                        memory._bytes[start : start + 32] = pop().to_bytes(32, "big")
                elif opcode == POP:
                    pop()
                elif opcode in (JUMP, JUMPI):
                    target = pop()
                    if opcode == JUMP or pop():
                        if target not in targets:
                            raise InvalidJumpDestination(f"{target} before position {at}")
                        at = target
                elif opcode in TERNARY:
                    values[-1] = TERNARY[opcode](pop(), pop(), values[-1])
                elif opcode in UNARY:
                    values[-1] = UNARY[opcode](values[-1])
                elif opcode == op.CALLDATALOAD:
                    start = pop()
                    push(int.from_bytes(calldata[start : start + 32].ljust(32, b"\0"), "big"))
                else:
                    self.program_counter, meter.gas_remaining = at, gas
                    yield opcode
                    at, gas = self.program_counter, meter.gas_remaining
        except IndexError:
            raise InsufficientStack(f"opcode {opcode:#04x} before position {at}") from None


class QuickComputation(PragueComputation):
    """A call, or a creation, whose code is run as the module says."""

    _stack: IntegerStack
    _memory: Memory

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self._stack = IntegerStack()
        self.code = QuickCode(self)


class _QuickState(PragueState):
    computation_class = QuickComputation  # type: ignore[assignment]


class QuickVM(PragueVM):
    """The rules of Prague, which eth-tester takes by default."""

    _state_class = _QuickState
