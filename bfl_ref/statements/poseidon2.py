"""Poseidon2 over BabyBear (ePrint 2023/323): width 16, S-box x^7, 4 + 13 + 4 rounds; hash and constraints.

Each layer is written once over anything with `+ - *`. The compression function is Tr_8(P(x) + x): without the
feed-forward P could be run backwards from any digest, and "I know a preimage" would say nothing.

`Poseidon2Chain` states:  "I know a state whose n-fold permutation begins with these eight public elements."
It does not state much (a permutation can be inverted): it measures throughput, one permutation a row.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..stark.air import Air
from ..stark.fast.poseidon2 import chain
from ..stark.field import F

P = F.order
WIDTH, HALF_FULL, PARTIAL, DIGEST = 16, 4, 13, 8

# Round constants of the published instance (Plonky3, baby-bear/src/poseidon2.rs); a test compares with its vector.
_EXTERNAL = """
1774958255 1185780729 1621102414 1796380621 588815102 1932426223 1925334750 747903232 89648862 360728943
977184635 1425273457 256487465 1200041953 572403254 448208942 1215789478 944884184 953948096 547326025
646827752 889997530 1536873262 86189867 1065944411 32019634 333311454 456061748 1963448500 1827584334
1391160226 1348741381 88424255 104111868 1763866748 79691676 1988915530 1050669594 359890076 573163527
222820492 159256268 669703072 763177444 889367200 256335831 704371273 25886717 51754520 1833211857 454499742
1384520381 777848065 1053320300 1851729162 344647910 401996362 1046925956 5351995 1212119315 754867989
36972490 751272725 506915399
1922082829 1870549801 1502529704 1990744480 1700391016 1702593455 321330495 528965731 183414327 1886297254
1178602734 1923111974 744004766 549271463 1781349648 542259047 1536158148 715456982 503426110 340311124
1558555932 1226350925 742828095 1338992758 1641600456 1843351545 301835475 43203215 386838401 1520185679
1235297680 904680097 1491801617 1581784677 913384905 247083962 532844013 107190701 213827818 1979521776
1358282574 1681743681 1867507480 1530706910 507181886 695185447 1172395131 1250800299 1503161625 817684387
498481458 494676004 1404253825 108246855 59414691 744214112 890862029 1342765939 1417398904 1897591937
1066647396 1682806907 1015795079 1619482808
"""
_INTERNAL = """
1518359488 1765533241 945325693 422793067 311365592 1311448267 1629555936 1009879353 190525218 786108885
557776863 212616710 605745517
"""
EXTERNAL = [
    [int(c) for c in _EXTERNAL.split()[i : i + WIDTH]] for i in range(0, 2 * HALF_FULL * WIDTH, WIDTH)
]
INTERNAL = [int(c) for c in _INTERNAL.split()]
# The internal matrix is J + diag(V), J all ones; V as fractions a / 2^b.
_FRACTIONS = [
    (-2, 0),
    (1, 0),
    (2, 0),
    (1, 1),
    (3, 0),
    (4, 0),
    (-1, 1),
    (-3, 0),
    (-4, 0),
    (1, 8),
    (1, 2),
    (1, 3),
]
_FRACTIONS += [(1, 27), (-1, 8), (-1, 4), (-1, 27)]
DIAGONAL = [a * pow(2, -b, P) % P for a, b in _FRACTIONS]

Constant = Callable[[int], Any]


def sbox(x: Any) -> Any:
    """x^7 with four products."""
    square = x * x
    return (square * x) * (square * square)


def external_linear(x: Sequence[Any]) -> list[Any]:
    """circ(2 M4, M4, M4, M4) x, M4 = circ(2, 3, 1, 1)."""
    mixed: list[Any] = []
    for a, b, c, d in (x[i : i + 4] for i in range(0, WIDTH, 4)):
        ab, bc, cd, da = a + b, b + c, c + d, d + a
        total = ab + cd
        mixed += [total + ab + b, total + bc + c, total + cd + d, total + da + a]
    sums = [mixed[i] + mixed[4 + i] + (mixed[8 + i] + mixed[12 + i]) for i in range(4)]
    return [y + sums[i % 4] for i, y in enumerate(mixed)]


def internal_linear(x: Sequence[Any], k: Constant) -> list[Any]:
    """(J + diag(V)) x."""
    total = x[0]
    for y in x[1:]:
        total = total + y
    return [total + k(v) * y for v, y in zip(DIAGONAL, x, strict=True)]


def add_constants(x: Sequence[Any], constants: Sequence[int], k: Constant) -> list[Any]:
    return [y + k(c) for y, c in zip(x, constants, strict=True)]


def permute(state: F) -> F:
    """P applied to each column of (16, ...)."""
    x = external_linear(list(state))
    for constants in EXTERNAL[:HALF_FULL]:
        x = external_linear([sbox(y) for y in add_constants(x, constants, F)])
    for constant in INTERNAL:
        x = internal_linear([sbox(x[0] + F(constant)), *x[1:]], F)
    for constants in EXTERNAL[HALF_FULL:]:
        x = external_linear([sbox(y) for y in add_constants(x, constants, F)])
    return np.stack(x).astype(np.uint32).view(F)


def compress(x: F) -> F:
    """Digest (8, ...) of (16, ...): the first 8 elements of P(x) + x."""
    return permute(x)[:DIGEST] + x[:DIGEST]


class Poseidon2Chain(Air):
    """Wide layout: a row is one permutation, its cells the input and every S-box layer's result: 16 + 64 + 13
    + 64.

    length: number of permutations n. Public inputs: the first 8 elements of the last output. Degree 7.
    """

    def __init__(self, length: int):
        columns = "input[16] first[64] middle[13] second[64]"
        super().__init__("poseidon2-chain", length, columns, public_inputs=DIGEST)

    def transition(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        for i, output in enumerate(cur.second[-WIDTH:]):
            yield f"chain {i}", nxt.input[i] - output

    def everywhere(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        x = external_linear(cur.input)
        for r, constants in enumerate(EXTERNAL):
            if r == HALF_FULL:
                for j, constant in enumerate(INTERNAL):
                    yield f"partial round {j}", cur.middle[j] - sbox(x[0] + k(constant))
                    x = internal_linear([cur.middle[j], *x[1:]], k)
            half, at = (cur.first, r) if r < HALF_FULL else (cur.second, r - HALF_FULL)
            cells = half[WIDTH * at : WIDTH * (at + 1)]
            mixed = external_linear([sbox(y) for y in add_constants(x, constants, k)])
            for i, (cell, y) in enumerate(zip(cells, mixed, strict=True)):
                yield f"full round {r}[{i}]", cell - y
            x = cells

    def boundary(self, cur: Any, public: Any, k: Constant) -> Iterable[tuple[str, int, Any]]:
        for i in range(DIGEST):
            yield f"result {i}", self.length - 1, cur.second[-WIDTH + i] - public[i]

    def trace(self, start: F) -> F:
        """(157, n): the chain from the state `start` (16,)."""
        if start.shape != (WIDTH,):
            raise ValueError(f"start must be a state of {WIDTH} elements; got shape {start.shape}")
        cells = list(chain(start, self.length, EXTERNAL, INTERNAL, DIAGONAL))
        x = external_linear(cells)
        for r, constants in enumerate(EXTERNAL):
            if r == HALF_FULL:
                for constant in INTERNAL:
                    cells.append(sbox(x[0] + F(constant)))
                    x = internal_linear([cells[-1], *x[1:]], F)
            x = external_linear([sbox(y) for y in add_constants(x, constants, F)])
            cells += x
        return np.stack(cells).astype(np.uint32).view(F)

    def public_inputs_of(self, trace: F) -> F:
        """(8,): the start of the last output."""
        return trace[-WIDTH : -WIDTH + DIGEST, -1]
