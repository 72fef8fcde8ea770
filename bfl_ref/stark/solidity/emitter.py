"""A recorded program as straight-line Yul over E.

Every value is one word of five 51-bit slots (contracts/src/stark/Quintic.sol). The emitter knows a bound on every slot:
sums stay unreduced until they are multiplied. A value that is used once stands inside the expression that uses it, unless
that would nest too deep; others have a memory word, which serves again after the last use. Constraints come last to first
(Horner in alpha).
"""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from ..air import Air
from ..field import EXTENSION_DEGREE, P
from ..program import Program

ONES = sum(1 << 51 * k for k in range(5))  # one in every slot
SLOT_LIMIT = 2**51  # no slot may reach it
FACTOR_LIMIT = 177 * P // 100  # Quintic.mul: one factor below this,
OTHER_LIMIT = 2**32  # the other below this
SCALE_LIMIT = 2**34  # Quintic.scale
REDUCED = 108 * P // 100
SUM_LIMIT = SLOT_LIMIT // 4
DEEPEST = 30  # calls inside one another: tools that read the compiler's syntax tree give up on trees that are too deep
MEMORY = 0x3000  # the straight-line code keeps its words from here on; Solidity's own memory stays below


@dataclass(frozen=True)
class Value:
    """A Yul expression for an element of E, each slot below `bound`. reads: memory words of stored values that it reads."""

    text: str
    bound: int
    reads: tuple[int, ...] = ()


def reduced(x: Value) -> Value:
    return x if x.bound <= REDUCED else Value(f"reduce({x.text})", REDUCED, x.reads)


def added(x: Value, y: Value) -> Value:
    if x.bound + y.bound >= SUM_LIMIT:
        x, y = reduced(x), reduced(y)
    return Value(f"add({x.text}, {y.text})", x.bound + y.bound, x.reads + y.reads)


def subtracted(x: Value, y: Value) -> Value:
    """x - y, kept positive by a multiple of p in every slot; memory word 0 holds p in every slot."""
    times = y.bound // P + 1
    if x.bound + times * P >= SUM_LIMIT:
        return subtracted(reduced(x), reduced(y))
    offset = "mload(0)" if times == 1 else f"mul({times}, mload(0))"
    total = offset if x.text == "0" else f"add({x.text}, {offset})"
    return Value(f"sub({total}, {y.text})", x.bound + times * P, x.reads + y.reads)


def multiplied(x: Value, y: Value) -> Value:
    if x.bound > y.bound:
        x, y = y, x
    if x.bound > FACTOR_LIMIT:
        x = reduced(x)
    if y.bound > OTHER_LIMIT:
        y = reduced(y)
    return Value(f"product({x.text}, {y.text})", REDUCED, x.reads + y.reads)


def scaled(x: Value, c: int) -> Value:
    """c x for a base element c: one machine product while the slots last."""
    if c * x.bound < SUM_LIMIT:
        return Value(f"mul({x.text}, {c})", c * x.bound, x.reads)
    if (P - c) * (x.bound + P) < SUM_LIMIT:
        return scaled(subtracted(Value("0", 0), x), P - c)
    if x.bound > SCALE_LIMIT:
        x = reduced(x)
    return Value(f"scale({x.text}, {c})", REDUCED, x.reads)


def seventh(x: Value) -> Value:
    if x.bound > FACTOR_LIMIT:
        x = reduced(x)
    return Value(f"seventh({x.text})", REDUCED, x.reads)


class Emitter:
    """Straight-line Yul of a program. Memory words from MEMORY on: the inputs, then values that are used twice or more.

    Inputs, in this order: opened values (columns at z, then at g z; T of the data, if there are any), public inputs, and
    the prelude: alpha, beta, lam, z^n - 1 and its inverse, for each row of `rows` z - g^row and its inverse, short
    columns, auxiliary columns in E (at z, at g z).
    """

    def __init__(self, air: Air, program: Program):
        self.air, self.ops, self.outputs = air, program.ops, program.outputs
        self.base_columns = air.widths[0] + air.widths[1]
        self.columns = self.base_columns + EXTENSION_DEGREE * air.widths[2]
        self.rows = sorted({o.row for o in self.outputs if o.kind == "boundary"} | {air.length - 1})
        self.public = 2 * self.columns + bool(air.data_width)
        self.alpha = self.public + air.public_inputs
        self.vanishing = self.alpha + 3
        self.short = self.vanishing + 2 + 2 * len(self.rows)
        self.short_count = sum(len(np.atleast_2d(v)) for v in air.periodic.values()) + len(air.public)
        self.aux = self.short + self.short_count
        self.words = self.aux + 2 * air.widths[2]
        self.free: list[int] = []
        self.unread: dict[
            int, int
        ] = {}  # memory word -> how many expressions are still to be written that read it
        self.lines: list[str] = []
        self.uses = self._count_uses()
        self.sevenths = self._find_sevenths()
        self.values: dict[int, Value] = {}

    def run(self) -> None:
        """Emit the word `result`, which is to hold sum_j alpha^j c_j / Z_j.

        Constraints with the same Z stand together. Horner over all of them, last to first; a run of equal Z starts by
        multiplying what is there by Z, and ends by dividing all by it.
        """
        at = len(self.outputs)
        total = Value("0", 0)
        while at:
            end, key = at, (self.outputs[at - 1].kind, self.outputs[at - 1].row)
            while at and (self.outputs[at - 1].kind, self.outputs[at - 1].row) == key:
                at -= 1
            over, under = self._vanishing(*key)
            if end < len(self.outputs):
                for factor in over:
                    total = multiplied(total, factor)
            for output in reversed(self.outputs[at:end]):
                self.lines.append(f"// {output.kind} {output.name}")
                self._compute(output.node)
                if total.text != "0":
                    total = multiplied(total, word(self.alpha, P - 1))
                total = self._assign(added(total, self.values[output.node]))
            for factor in under:
                total = self._assign(multiplied(total, factor))

    def _assign(self, value: Value) -> Value:
        self.lines.append(f"result := {value.text}")
        self._release(value)
        return Value("result", value.bound)

    def _release(self, value: Value) -> None:
        """The expression has been written. A word serves again once everything that reads it has been."""
        for at in value.reads:
            self.unread[at] -= 1
            if not self.unread[at]:
                self.free.append(at)

    def _vanishing(self, kind: str, row: int) -> tuple[list[Value], list[Value]]:
        """Factors of Z, and factors of 1/Z."""
        whole, inverse = word(self.vanishing, REDUCED), word(self.vanishing + 1, REDUCED)
        if kind == "everywhere":
            return [whole], [inverse]
        at = self.vanishing + 2 + 2 * self.rows.index(row if kind == "boundary" else self.air.length - 1)
        linear, linear_inverse = word(at, REDUCED), word(at + 1, REDUCED)
        return (
            ([linear], [linear_inverse])
            if kind == "boundary"
            else ([whole, linear_inverse], [linear, inverse])
        )

    def _count_uses(self) -> list[int]:
        uses = [0] * len(self.ops)
        for number in [x for code, a, b in self.ops if code in ("add", "sub", "mul") for x in (a, b)]:
            uses[number] += 1
        for output in self.outputs:
            uses[output.node] += 1
        return uses

    def _find_sevenths(self) -> dict[int, int]:
        """Nodes (x^2 x)(x^2 x^2) whose parts nothing else uses -> x: the S-box, which gets a function of its own."""
        found = {}
        for number, (code, a, b) in enumerate(self.ops):
            if code != "mul":
                continue
            for cube, fourth in ((a, b), (b, a)):
                square = self.ops[fourth][1]
                x = self.ops[square][1] if self.ops[fourth] == ("mul", square, square) else -1
                is_square = x >= 0 and self.ops[square] == ("mul", x, x) and self.uses[square] == 3
                if is_square and self.ops[cube] in (("mul", square, x), ("mul", x, square)):
                    found[number] = x
                    self.uses[x] -= 2  # used once instead of three times
                    break
        return found

    def _operands(self, number: int) -> tuple[int, ...]:
        code, a, b = self.ops[number]
        if number in self.sevenths:
            return (self.sevenths[number],)
        return (a, b) if code in ("add", "sub", "mul") else ()

    def _compute(self, wanted: int) -> None:
        """Make the values that `wanted` needs and that are not made yet, operands first."""
        stack = [wanted]
        while stack:
            number = stack[-1]
            missing = [x for x in reversed(self._operands(number)) if x not in self.values]
            if number not in self.values and missing:
                stack.extend(missing)
                continue
            if number not in self.values:
                is_input = not self._operands(number)
                value = self._leaf(*self.ops[number][:2]) if is_input else self._combine(number)
                stands = is_input or (self.uses[number] == 1 and nesting(value.text) < DEEPEST)
                self.values[number] = value if stands else self._store(value, number)
            stack.pop()

    def _combine(self, number: int) -> Value:
        code, a, b = self.ops[number]
        if number in self.sevenths:
            return seventh(self.values[self.sevenths[number]])
        x, y = self.values[a], self.values[b]
        if code == "sub" and self.ops[b][0] == "const":
            return added(x, Value(str(P - self.ops[b][1]), P))
        if code == "mul" and self.ops[a][0] == "const":
            return scaled(y, self.ops[a][1])
        if code == "mul" and self.ops[b][0] == "const":
            return scaled(x, self.ops[b][1])
        return {"add": added, "sub": subtracted, "mul": multiplied}[code](x, y)

    def _leaf(self, code: str, a: int) -> Value:
        if code == "const":
            return Value(str(a), a)
        if code in ("cur", "nxt") and a >= self.base_columns:
            after = self.air.widths[2] if code == "nxt" else 0
            return word(self.aux + after + a - self.base_columns, REDUCED)
        first = {"cur": 0, "nxt": self.columns, "public": self.public, "short": self.short}
        challenges = {"beta": self.alpha + 1, "lam": self.alpha + 2, "data": self.public - 1}
        return word(
            first[code] + a if code in first else challenges[code], REDUCED if code == "short" else P - 1
        )

    def _store(self, value: Value, number: int) -> Value:
        """Keep a node's value in a word of its own. Words that are free with this line serve again only after it."""
        at = self.free.pop() if self.free else self.words
        self.words = max(self.words, at + 1)
        self.lines.append(f"mstore({address(at)}, {value.text})")
        self._release(value)
        self.unread[at] = self.uses[number]
        return Value(word(at, value.bound).text, value.bound, (at,))


def nesting(text: str) -> int:
    """How many calls stand inside one another at most."""
    return max(accumulate((c == "(") - (c == ")") for c in text), default=0)


def address(at: int) -> str:
    return hex(MEMORY + 32 * at)


def word(at: int, bound: int) -> Value:
    return Value(f"mload({address(at)})", bound)
