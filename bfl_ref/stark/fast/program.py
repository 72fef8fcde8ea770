"""The composition, compiled: one fixed interpreter runs the program of any AIR over blocks of points.

No AIR needs compiling of its own. Plain twin: ..composition. The program is lowered to base-field
instructions (a value of E is five base values), public inputs and challenges become immediates, values live
in registers of BLOCK points that are freed after their last use; the whole register file stays in the second
level cache.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from ..air import Air
from ..composition import Challenges, next_row, short_codewords, vanishing_inverse
from ..field import Ext, F, base
from ..program import Program

P = F.order
BLOCK = 512
R = (1 << 32) % P  # values are held as x R (Montgomery): a product is three multiplications, no division
NEGATIVE_INVERSE = np.uint64(-pow(P, -1, 1 << 32) % (1 << 32))
U_P, LOW, THIRTY_TWO = np.uint64(P), np.uint64(0xFFFFFFFF), np.uint64(32)
U32_P = np.uint32(P)

# code, destination, a, b: registers, but for the immediates of *_CONST and for what is said here
CUR, NXT, SHORT = 0, 1, 2  # a: group of codewords, b: column
ADD, SUB, MUL = 3, 4, 5
ADD_CONST, MUL_CONST = 6, 7  # b: immediate
ACCUMULATE = 8  # destination: vanishing polynomial, a: register, b: which five weights


@dataclass(frozen=True)
class Bytecode:
    """instructions (count, 4) int32; immediates and weights (w, 5) in Montgomery form; registers: how many;
    zerofiers: the (kind, row) of each vanishing polynomial.
    """

    instructions: np.ndarray
    immediates: np.ndarray
    weights: np.ndarray
    registers: int
    zerofiers: list[tuple[str, int]]


class _Lowering:
    """Emits instructions on an unlimited number of values. A value is an int >= 0, or an immediate as ("imm",
    x).
    """

    def __init__(self) -> None:
        self.code: list[tuple[int, int, int, int]] = []
        self.immediates: dict[int, int] = {}
        self.values = 0

    def emit(self, code, a, b):
        self.code.append((code, self.values, a, b))
        self.values += 1
        return self.values - 1

    def immediate(self, x):
        return self.immediates.setdefault(x % P, len(self.immediates))

    def combine(self, code, a, b):
        """One base-field operation; immediates are folded, 0 and 1 cost nothing."""
        known_a, known_b = isinstance(a, tuple), isinstance(b, tuple)
        if known_a and known_b:
            x, y = a[1], b[1]
            return ("imm", {ADD: x + y, SUB: x - y, MUL: x * y}[code] % P)
        if known_a and code != SUB:
            a, b, known_a, known_b = b, a, False, True
        if known_b:
            x = b[1]
            if code == MUL:
                return ("imm", 0) if x == 0 else a if x == 1 else self.emit(MUL_CONST, a, self.immediate(x))
            return a if x == 0 else self.emit(ADD_CONST, a, self.immediate(x if code == ADD else -x))
        if known_a:  # x - b
            minus = self.emit(MUL_CONST, b, self.immediate(-1))
            return minus if a[1] == 0 else self.emit(ADD_CONST, minus, self.immediate(a[1]))
        return self.emit(code, a, b)

    def combine_ext(self, code, a, b):
        """The same on lists of one (base) or five (E) values."""
        if len(a) == len(b) == 1:
            return [self.combine(code, a[0], b[0])]
        zero = ("imm", 0)
        a, b = ([*v, *[zero] * (5 - len(v))] for v in (a, b))
        if code != MUL:
            return [self.combine(code, x, y) for x, y in zip(a, b, strict=True)]
        result, high = [zero] * 5, [zero] * 5
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                into = result if i + j < 5 else high
                into[(i + j) % 5] = self.combine(ADD, into[(i + j) % 5], self.combine(MUL, x, y))
        twice = [self.combine(ADD, h, h) for h in high]  # X^5 = 2
        return [self.combine(ADD, x, h) for x, h in zip(result, twice, strict=True)]


def lower(air: Air, program: Program, public: F, challenges: Challenges) -> Bytecode:
    """The program as base-field instructions for these public inputs and challenges."""
    k_pre, k_main, _ = air.widths
    low = _Lowering()

    def column(code, number):
        if number < k_pre + k_main:
            group, column = (0, number) if number < k_pre else (1, number - k_pre)
            return [low.emit(code, group, column)]
        return [low.emit(code, 2, 5 * (number - k_pre - k_main) + i) for i in range(5)]

    def challenge(x):
        return [("imm", c) for c in x.coeffs.tolist()]

    codes = {"cur": CUR, "nxt": NXT, "add": ADD, "sub": SUB, "mul": MUL}
    zerofiers = list(dict.fromkeys((o.kind, o.row) for o in program.outputs))
    alpha_powers = challenges.alpha.powers(len(program.outputs))
    weights = Ext.stack([alpha_powers * Ext.from_ints(*[0] * i, 1) for i in range(5)])  # alpha^j X^i
    values: list[list] = []
    ends: dict[int, list[int]] = {}  # node -> constraints that it is the value of
    for j, output in enumerate(program.outputs):
        ends.setdefault(output.node, []).append(j)
    for node, (name, a, b) in enumerate(program.ops):
        match name:
            case "cur" | "nxt":
                values.append(column(codes[name], a))
            case "short":
                values.append([low.emit(SHORT, 0, a)])
            case "public":
                values.append([("imm", int(public[a]))])
            case "beta" | "lam" | "data":
                values.append(challenge(getattr(challenges, name)))
            case "const":
                values.append([("imm", a)])
            case _:
                values.append(low.combine_ext(codes[name], values[a], values[b]))
        for j in ends.get(node, ()):
            zerofier = zerofiers.index((program.outputs[j].kind, program.outputs[j].row))
            for i, value in enumerate(values[node]):  # alpha^j (v_0 + v_1 X + ...)
                low.code.append((ACCUMULATE, zerofier, value, 5 * j + i))
    instructions, registers = _allocate(low.code)
    scale = F(R)
    return Bytecode(
        instructions=instructions,
        immediates=(base(list(low.immediates) or [0]) * scale).view(np.ndarray),
        weights=(weights.elements().swapaxes(0, 1).reshape(-1, 5) * scale).view(np.ndarray),
        registers=registers,
        zerofiers=zerofiers,
    )


def _allocate(code: list[tuple[int, int, int, int]]) -> tuple[np.ndarray, int]:
    """Values -> registers, each free again after its value's last use; a result never overwrites its
    operands.
    """
    last_use: dict[int, int] = {}
    for at, (op, _, a, b) in enumerate(code):
        for value in _operands(op, a, b):
            last_use[value] = at
    register: dict[int, int] = {}
    free: list[int] = []
    count = 0
    instructions = np.empty((len(code), 4), np.int32)
    for at, (op, destination, a, b) in enumerate(code):
        read = _operands(op, a, b)
        target = destination
        if op != ACCUMULATE:
            target = free.pop() if free else count
            count = max(count, target + 1)
            register[destination] = target
        first = register[a] if read else a
        instructions[at] = op, target, first, register[b] if len(read) == 2 else b
        free += [register[value] for value in set(read) if last_use[value] == at]
    return instructions, count


def _operands(op: int, a: int, b: int) -> tuple[int, ...]:
    if op in (CUR, NXT, SHORT):
        return ()
    return (a, b) if op in (ADD, SUB, MUL) else (a,)


@njit(inline="always")
def _reduce(x):
    """x / 2^32 mod p, for x < p 2^32."""
    t = (x + ((x & LOW) * NEGATIVE_INVERSE & LOW) * U_P) >> THIRTY_TWO
    return np.uint32(min(t, t - U_P))  # unsigned: below p, t - p wraps to a large number


@njit(inline="always")
def _add(x, y):
    s = np.uint32(x + y)
    return min(s, np.uint32(s - U32_P))


@njit(inline="always")
def _sub(x, y):
    d = np.uint32(x - y)
    return min(d, np.uint32(d + U32_P))


@njit
def _run(instructions, immediates, weights, groups, short, run, after, start, registers, sums):
    """The program on the points start .. start + BLOCK - 1, into sums (zerofiers, 5, BLOCK)."""
    square = np.uint64(R * R % P)
    n = len(after)
    base_of_run = start - start % n
    block = registers.shape[1]
    for at in range(len(instructions)):
        op, target, a, b = instructions[at]
        if op == ACCUMULATE:
            x = registers[a]
            for k in range(5):
                total, weight = sums[target, k], np.uint64(weights[b, k])
                for t in range(block):
                    total[t] = _add(total[t], _reduce(np.uint64(x[t]) * weight))
            continue
        out = registers[target]
        if op == CUR:
            column = groups[a][b][start : start + block]
            for t in range(block):
                out[t] = _reduce(np.uint64(column[t]) * square)
        elif op == NXT:
            column, where = groups[a][b][base_of_run : base_of_run + n], after[start % n : start % n + block]
            for t in range(block):
                out[t] = _reduce(np.uint64(column[where[t]]) * square)
        elif op == SHORT:
            for t in range(block):
                out[t] = _reduce(np.uint64(short[b, (start + t) // run]) * square)
        elif op == ADD:
            x, y = registers[a], registers[b]
            for t in range(block):
                out[t] = _add(x[t], y[t])
        elif op == SUB:
            x, y = registers[a], registers[b]
            for t in range(block):
                out[t] = _sub(x[t], y[t])
        elif op == MUL:
            x, y = registers[a], registers[b]
            for t in range(block):
                out[t] = _reduce(np.uint64(x[t]) * np.uint64(y[t]))
        elif op == ADD_CONST:
            x, c = registers[a], immediates[b]
            for t in range(block):
                out[t] = _add(x[t], c)
        else:
            x, factor = registers[a], np.uint64(immediates[b])
            for t in range(block):
                out[t] = _reduce(np.uint64(x[t]) * factor)


@njit(parallel=True, cache=True)
def _composition(
    instructions, immediates, weights, groups, short, run, after, inverses, register_count, result
):
    block = min(BLOCK, len(after))
    for number in prange(result.shape[1] // block):
        start = number * block
        registers = np.empty((register_count, block), np.uint32)
        sums = np.zeros((len(inverses), 5, block), np.uint32)
        _run(instructions, immediates, weights, groups, short, run, after, start, registers, sums)
        for z in range(len(inverses)):
            for k in range(5):
                for t in range(block):
                    over = _reduce(np.uint64(sums[z, k, t]) * np.uint64(inverses[z, start + t]))
                    result[k, start + t] = _add(result[k, start + t], over)


def composition(
    air: Air,
    program: Program,
    codewords: tuple[F, F, F],
    log_size: int,
    public: F,
    challenges: Challenges,
) -> Ext:
    """(M,): C on the coset of M = 2^log_size points, bit-reversed; the same contract as the plain twin."""
    code = lower(air, program, public, challenges)
    short = short_codewords(air, public, log_size)
    longest = max((len(v) for v in short), default=1)
    rows = [np.repeat(v, longest // len(v)) for v in short] or [np.zeros(1, np.uint32)]
    inverses = [vanishing_inverse(air.length, kind, row, log_size) for kind, row in code.zerofiers]
    result = np.zeros((5, 1 << log_size), np.uint32)
    _composition(
        code.instructions,
        code.immediates,
        code.weights,
        tuple(np.ascontiguousarray(group.view(np.ndarray)) for group in codewords),
        np.ascontiguousarray(np.stack(rows).view(np.ndarray)),
        (1 << log_size) // longest,
        next_row(air.length, air.length.bit_length() - 1).astype(np.int32),
        np.ascontiguousarray(np.stack(inverses).view(np.ndarray)),
        code.registers,
        result,
    )
    return Ext(result.view(F))
