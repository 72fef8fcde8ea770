"""An AIR -> the source of its Solidity evaluator, or of several that SplitEvaluator adds up (EIP-170 limits a contract)."""

from bisect import bisect_right
from itertools import groupby, pairwise

import numpy as np

from ..field import EXTENSION_DEGREE, F, P, to_bytes
from ..poly import intt, log2
from ..program import Program
from ..setup import Setup
from .emitter import MEMORY, ONES, Emitter, address, word


def parameter_word(made: Setup) -> bytes:
    """The parameters as StarkVerifier's constructor takes them: 32 bytes, left-aligned."""
    return made.params.to_bytes().ljust(32, b"\0")


MAX_OPERATIONS = 1_500  # of a part: some 13 bytes of code each, of 24,576


def evaluators(name: str, made: Setup) -> dict[str, str]:
    """Contract name -> source: `name` alone, or name0, name1, ... where one contract would be too large.

    The sum of the parts' compositions is the AIR's: part i begins with a power alpha^(its first constraint).
    """
    program, ends = made.program, [0]
    while ends[-1] < len(
        program.outputs
    ):  # as many constraints as fit, each part sharing operations within itself
        rest = range(ends[-1] + 1, len(program.outputs) + 1)
        fits = bisect_right(rest, MAX_OPERATIONS, key=lambda stop: len(program.part(ends[-1], stop).ops))
        ends.append(rest[max(fits - 1, 0)])
    if len(ends) == 2:
        return {name: _source(name, made, program, 0)}
    return {
        f"{name}{i}": _source(f"{name}{i}", made, program.part(start, stop), start)
        for i, (start, stop) in enumerate(pairwise(ends))
    }


def _source(name: str, made: Setup, program: Program, first: int) -> str:
    """first: number of the program's first constraint among the AIR's."""
    air = made.air
    code = Emitter(air, program)
    code.run()
    if first:
        code.lines += _times_power(word(code.alpha, P).text, first)
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
        data_import=DATA_IMPORT if air.data_width else "",
        data_base=", IDataEvaluator" if air.data_width else "",
        data=DATA.format(width=air.data_width) if air.data_width else "",
        data_check=DATA_CHECK.format(words=code.public) if air.data_width else "",
        prelude_words=prelude_words,
        memory=hex(MEMORY),
        opened_bytes=32 * code.public,
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
    at = code.short - code.alpha
    constants: list[tuple[str, bytes]] = []
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
        column = f"_publicColumn({inputs}, {log2(len(span))}, {power})"
        lines.append(f"prelude[{at}] = {column if len(span) > 1 else f'publicInputs[{span.start}]'};")
        at += 1
    k_aux = air.widths[2]
    for i in range(k_aux):
        first = code.base_columns + EXTENSION_DEGREE * i
        lines.append(f"prelude[{at + i}] = _recombined(opened, {first});")
        lines.append(f"prelude[{at + k_aux + i}] = _recombined(opened, {code.columns + first});")
    return lines, constants


def _times_power(alpha: str, exponent: int) -> list[str]:
    """result := result alpha^exponent, by squaring."""
    lines = [f"// alpha^{exponent}: the first constraint of this part", f"let power := {alpha}"]
    for bit in bin(exponent)[3:]:
        lines.append("power := product(power, power)")
        lines += [f"power := product(power, {alpha})"] * int(bit)
    return [*lines, "result := product(result, power)"]


def _reduction(name: str) -> str:
    """Quintic.reduce, in place: within one function it saves the calls."""
    low_21, low_27 = hex(ONES * (2**21 - 1)), hex(ONES * (2**27 - 1))
    quotient = f"and(shr(30, mul(and(shr(24, {name}), {low_27}), 0x888888)), {low_21})"
    return f"r := sub({name}, mul({quotient}, 0x78000001))"


DATA_IMPORT = 'import {IDataEvaluator} from "src/interfaces/IDataEvaluator.sol";\n'

DATA = """
    function dataWidth() external pure returns (uint256) {{
        return {width};
    }}
"""

DATA_CHECK = """\
        if (opened.length != {words}) revert WrongOpenings({words}, opened.length);
"""

TEMPLATE = """\
// SPDX-License-Identifier: Apache-2.0
// Generated by `python -m bfl_ref.stark.solidity --write` from the AIR "{air}", {rows} rows. Do not edit.
pragma solidity 0.8.37;

{data_import}import {{AirEvaluator}} from "src/stark/AirEvaluator.sol";
import {{Quintic}} from "src/stark/Quintic.sol";

contract {name} is AirEvaluator{data_base} {{
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
{data}
    function composition(uint256[4] calldata challenges, uint256[] calldata opened, uint256[] calldata publicInputs)
        external
        pure
        returns (uint256 result)
    {{
{data_check}        uint256[] memory prelude = new uint256[]({prelude_words});
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
            function seventh(a) -> r {{
                let square := product(a, a)
                r := product(product(square, a), product(square, square))
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
