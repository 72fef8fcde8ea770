"""An AIR -> its Solidity evaluator: the recorded program as straight-line code over E.

    python -m bfl_ref.stark.solidity --write     regenerate contracts/src/stark/generated/
    python -m bfl_ref.stark.solidity --check     fail if a file there is not what its AIR gives

Every value is one word of five 51-bit slots (contracts/src/stark/Quintic.sol). The emitter knows a bound on every slot, so sums
stay unreduced until they are multiplied. A value that is used once stands inside the expression that uses it; others have a
memory word, freed after the last use. The constraints are evaluated last to first (Horner in alpha).
"""

import argparse
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from ..statements.fibonacci import Fibonacci
from ..statements.membership import Membership
from ..statements.ranges import Ranges
from .field import EXTENSION_DEGREE, F, P, to_bytes
from .poly import intt, log2
from .setup import Setup, params_for, setup

GENERATED = Path(__file__).parents[2] / "contracts" / "src" / "stark" / "generated"
ONES = sum(1 << 51 * k for k in range(5))  # one in every slot
SLOT_LIMIT = 2**51  # no slot may reach it
FACTOR_LIMIT = 177 * P // 100  # Quintic.mul: one factor below this,
OTHER_LIMIT = 2**32  # the other below this
SCALE_LIMIT = 2**34  # Quintic.scale
REDUCED = 108 * P // 100
SUM_LIMIT = SLOT_LIMIT // 4
MEMORY = 0x3000  # the straight-line code keeps its words from here on; Solidity's own memory stays below


def on_chain() -> dict[str, Setup]:
    """The statements that contracts verify, by evaluator name, at 100 proven bits."""
    statements = {
        "Fibonacci": (Fibonacci(), 5),
        "Membership": (Membership(), 6),
        "Ranges": (Ranges(256, 8), 5),
    }
    return {
        f"{name}Evaluator": setup(air, params_for(air, log_blowup=log_blowup))
        for name, (air, log_blowup) in statements.items()
    }


def parameter_word(made: Setup) -> bytes:
    """The parameters as StarkVerifier's constructor takes them: 32 bytes, left-aligned."""
    return made.params.to_bytes().ljust(32, b"\0")


@dataclass(frozen=True)
class Value:
    """A Yul expression for an element of E, each slot below `bound`. last: memory words that nothing reads after it."""

    text: str
    bound: int
    last: tuple[int, ...] = ()


def reduced(x: Value) -> Value:
    return x if x.bound <= REDUCED else Value(f"reduce({x.text})", REDUCED, x.last)


def added(x: Value, y: Value) -> Value:
    if x.bound + y.bound >= SUM_LIMIT:
        x, y = reduced(x), reduced(y)
    return Value(f"add({x.text}, {y.text})", x.bound + y.bound, x.last + y.last)


def subtracted(x: Value, y: Value) -> Value:
    """x - y, kept positive by a multiple of p in every slot; memory word 0 holds p in every slot."""
    times = y.bound // P + 1
    if x.bound + times * P >= SUM_LIMIT:
        return subtracted(reduced(x), reduced(y))
    offset = "mload(0)" if times == 1 else f"mul({times}, mload(0))"
    total = offset if x.text == "0" else f"add({x.text}, {offset})"
    return Value(f"sub({total}, {y.text})", x.bound + times * P, x.last + y.last)


def multiplied(x: Value, y: Value) -> Value:
    if x.bound > y.bound:
        x, y = y, x
    if x.bound > FACTOR_LIMIT:
        x = reduced(x)
    if y.bound > OTHER_LIMIT:
        y = reduced(y)
    return Value(f"product({x.text}, {y.text})", REDUCED, x.last + y.last)


def scaled(x: Value, c: int) -> Value:
    """c x for a base element c: one machine product while the slots last."""
    if c * x.bound < SUM_LIMIT:
        return Value(f"mul({x.text}, {c})", c * x.bound, x.last)
    if (P - c) * (x.bound + P) < SUM_LIMIT:
        return scaled(subtracted(Value("0", 0), x), P - c)
    if x.bound > SCALE_LIMIT:
        x = reduced(x)
    return Value(f"scale({x.text}, {c})", REDUCED, x.last)


class Emitter:
    """Straight-line Yul of a program. Memory words from MEMORY on: the inputs, then values that are used twice or more.

    Inputs, in this order: opened values (columns at z, then at g z), public inputs, and the prelude: alpha, beta, lam, z^n - 1
    and its inverse, for each row of `rows` z - g^row and its inverse, short columns, lookup columns in E (at z, at g z).
    """

    def __init__(self, made: Setup):
        air = made.air
        self.air, self.ops, self.outputs = air, made.program.ops, made.program.outputs
        self.base_columns = air.widths[0] + air.widths[1]
        self.columns = self.base_columns + EXTENSION_DEGREE * air.widths[2]
        self.rows = sorted({o.row for o in self.outputs if o.kind == "boundary"} | {air.length - 1})
        self.public = 2 * self.columns
        self.alpha = self.public + air.public_inputs
        self.vanishing = self.alpha + 3
        self.short = self.vanishing + 2 + 2 * len(self.rows)
        self.short_count = sum(len(np.atleast_2d(v)) for v in air.periodic.values()) + len(air.public)
        self.aux = self.short + self.short_count
        self.words = self.aux + 2 * air.widths[2]
        self.free: list[int] = []
        self.lines: list[str] = []
        self.uses = self._count_uses()
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
                total = self._assign(added(total, self._take(output.node)))
            for factor in under:
                total = self._assign(multiplied(total, factor))

    def _assign(self, value: Value) -> Value:
        self.lines.append(f"result := {value.text}")
        self.free += value.last
        return Value("result", value.bound)

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

    def _compute(self, wanted: int) -> None:
        """Make the values that `wanted` needs and that are not made yet, operands first."""
        stack = [wanted]
        while stack:
            number = stack[-1]
            code, a, b = self.ops[number]
            missing = [x for x in (b, a) if x not in self.values] if code in ("add", "sub", "mul") else []
            if number in self.values or missing:
                stack.pop() if number in self.values else stack.extend(missing)
                continue
            value = self._combine(code, a, b) if code in ("add", "sub", "mul") else self._leaf(code, a)
            if code in ("add", "sub", "mul") and self.uses[number] > 1:
                value = self._store(value)
            self.values[number] = value
            stack.pop()

    def _combine(self, code: str, a: int, b: int) -> Value:
        x, y = self._take(a), self._take(b)
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
        challenges = {"beta": self.alpha + 1, "lam": self.alpha + 2}
        return word(
            first[code] + a if code in first else challenges[code], REDUCED if code == "short" else P - 1
        )

    def _store(self, value: Value) -> Value:
        """Keep a value in a word of its own. Words that it was the last to read serve again only after this line."""
        at = self.free.pop() if self.free else self.words
        self.words = max(self.words, at + 1)
        self.lines.append(f"mstore({address(at)}, {value.text})")
        self.free += value.last
        return word(at, value.bound)

    def _take(self, number: int) -> Value:
        """A node's value for one of its uses; the last use of a stored one frees its word."""
        value = self.values[number]
        self.uses[number] -= 1
        is_stored = self.ops[number][0] in ("add", "sub", "mul") and value.text.startswith("mload(")
        if is_stored and not self.uses[number]:
            return Value(value.text, value.bound, ((int(value.text[6:-1], 16) - MEMORY) // 32,))
        return value


def address(at: int) -> str:
    return hex(MEMORY + 32 * at)


def word(at: int, bound: int) -> Value:
    return Value(f"mload({address(at)})", bound)


def evaluator(name: str, made: Setup) -> str:
    """Source of the evaluator contract `name`."""
    code = Emitter(made)
    code.run()
    air = made.air
    k_pre, k_main, k_aux = air.widths
    prelude, periodic = _prelude(made, code)
    root = made.preprocessed.tree.root if made.preprocessed else b""
    prelude_words = code.aux + 2 * k_aux - code.alpha
    return TEMPLATE.format(
        name=name,
        air=air.name,
        rows=air.length,
        air_id=made.air_id.hex(),
        root=root.ljust(32, b"\0").hex(),
        log_length=log2(air.length),
        k_pre=k_pre,
        k_main=k_main,
        k_aux=k_aux,
        chunks=made.chunks,
        inputs=air.public_inputs,
        constants="".join(
            f'    bytes private constant {key} = hex"{value.hex()}";\n' for key, value in periodic
        ),
        prelude="\n".join(f"        {line}" for line in prelude),
        prelude_words=prelude_words,
        memory=hex(MEMORY),
        opened_bytes=64 * code.columns,
        public_at=address(code.public),
        public_bytes=32 * air.public_inputs,
        prelude_at=address(code.alpha),
        prelude_bytes=32 * prelude_words,
        reduce=_reduction("a"),
        reduce_r=_reduction("r"),
        low_16=hex(ONES * (2**16 - 1)),
        modulus=hex(2**255 - 2),
        p_slots=hex(ONES * P),
        code="\n".join(f"            {line}" for line in code.lines),
    )


def _prelude(made: Setup, code: Emitter) -> tuple[list[str], list[tuple[str, bytes]]]:
    """Solidity statements that fill `prelude`, and the constants that they read."""
    air, log_length = made.air, log2(made.air.length)
    lines = [
        "(prelude[0], prelude[1], prelude[2]) = (challenges[2], challenges[0], challenges[1]);",
        "uint256 z = challenges[3];",
        f"prelude[3] = Quintic.sub(_squared(z, {log_length}), 1);",
        "prelude[4] = Quintic.inverse(prelude[3]);",
    ]
    for i, row in enumerate(code.rows):
        at = code.vanishing + 2 + 2 * i - code.alpha
        lines.append(f"prelude[{at}] = _minusRow(z, {log_length}, {row});")
        lines.append(f"prelude[{at + 1}] = Quintic.inverse(prelude[{at}]);")
    at, constants = code.short - code.alpha, []
    rows = [row for values in air.periodic.values() for row in np.atleast_2d(values)]
    for period, group in groupby(rows, key=len):
        coefficients = [to_bytes(intt(row.view(F))) for row in group]
        key = f"PERIODIC_{len(constants)}"
        constants.append((key, b"".join(coefficients)))
        power = f"_squared(z, {log2(air.length // period)})"
        lines.append(f"_periodic({key}, {period}, {power}, prelude, {at});")
        at += len(coefficients)
    for span in air.public.values():
        power = f"_squared(z, {log2(air.length // len(span))})"
        inputs = f"publicInputs[{span.start}:{span.stop}]"
        lines.append(f"prelude[{at}] = _publicColumn({inputs}, {log2(len(span))}, {power});")
        at += 1
    k_aux = air.widths[2]
    for i in range(k_aux):
        first = code.base_columns + EXTENSION_DEGREE * i
        lines.append(f"prelude[{at + i}] = _recombined(opened, {first});")
        lines.append(f"prelude[{at + k_aux + i}] = _recombined(opened, {code.columns + first});")
    return lines, constants


def _reduction(name: str) -> str:
    """Quintic.reduce, in place: within one function it saves the calls."""
    low_21, low_27 = hex(ONES * (2**21 - 1)), hex(ONES * (2**27 - 1))
    quotient = f"and(shr(30, mul(and(shr(24, {name}), {low_27}), 0x888888)), {low_21})"
    return f"r := sub({name}, mul({quotient}, 0x78000001))"


TEMPLATE = """\
// SPDX-License-Identifier: Apache-2.0
// Generated by `python -m bfl_ref.stark.solidity --write` from the AIR "{air}", {rows} rows. Do not edit.
pragma solidity 0.8.37;

import {{AirEvaluator}} from "../AirEvaluator.sol";
import {{Quintic}} from "../Quintic.sol";

contract {name} is AirEvaluator {{
{constants}
    function shape() external pure returns (Shape memory) {{
        return Shape({{
            airId: hex"{air_id}",
            preprocessedRoot: hex"{root}",
            logLength: {log_length},
            preprocessed: {k_pre},
            main: {k_main},
            aux: {k_aux},
            chunks: {chunks},
            publicInputs: {inputs}
        }});
    }}

    function composition(uint256[4] calldata challenges, uint256[] calldata opened, uint256[] calldata publicInputs)
        external
        pure
        returns (uint256 result)
    {{
        uint256[] memory prelude = new uint256[]({prelude_words});
{prelude}
        assembly ("memory-safe") {{
            if gt(mload(0x40), {memory}) {{ revert(0, 0) }}
            calldatacopy({memory}, opened.offset, {opened_bytes})
            calldatacopy({public_at}, publicInputs.offset, {public_bytes})
            mcopy({prelude_at}, add(prelude, 32), {prelude_bytes})
            mstore(0, {p_slots})

            // As in Quintic.sol, where the bounds stand.
            function reduce(a) -> r {{
                {reduce}
            }}
            function product(a, b) -> r {{
                r := mulmod(a, and(shr(16, b), {low_16}), {modulus})
                {reduce_r}
                r := add(shl(16, r), mulmod(a, and(b, {low_16}), {modulus}))
                {reduce_r}
            }}
            function scale(a, s) -> r {{
                r := mul(a, shr(16, s))
                {reduce_r}
                r := add(shl(16, r), mul(a, and(s, 0xffff)))
                {reduce_r}
            }}
{code}
        }}
    }}
}}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Solidity evaluators of the AIRs that contracts verify")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true", help="regenerate every evaluator")
    choice.add_argument("--check", action="store_true", help="fail if one is not current")
    write = parser.parse_args().write
    stale = []
    for name, made in on_chain().items():
        path, text = GENERATED / f"{name}.sol", evaluator(name, made)
        if write:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(path.name)
    if stale:
        print(
            f"not current: {', '.join(stale)}; run python -m bfl_ref.stark.solidity --write", file=sys.stderr
        )
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
