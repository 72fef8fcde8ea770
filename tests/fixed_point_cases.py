"""The protocol's training rule a second time: Python ints and loops, from the published constants. Slow, independent."""

import hashlib
import json
import math
from pathlib import Path
from statistics import NormalDist

P = 2**31 - 2**27 + 1
_V = json.loads((Path(__file__).parent / "vectors" / "poseidon2_babybear_w16.json").read_text())


class Bytes:
    """rng(k): k bytes that depend on the name and on what was asked before; the same on every machine."""

    def __init__(self, name: str):
        self.name, self.calls = name, 0

    def __call__(self, count: int) -> bytes:
        self.calls += 1
        return hashlib.shake_256(f"{self.name} {self.calls}".encode()).digest(count)


def _times(matrix, x):
    return [sum(m * y for m, y in zip(row, x, strict=True)) % P for row in matrix]


_M4 = _V["m4"]
_OUTER = [[_M4[i % 4][j % 4] * (2 if i // 4 == j // 4 else 1) for j in range(16)] for i in range(16)]
_INNER = [[1 + (_V["internal_diag_V"][i] if i == j else 0) for j in range(16)] for i in range(16)]


def compress(x: list[int]) -> list[int]:
    def full(y, constants):
        return _times(_OUTER, [pow(a + c, 7, P) for a, c in zip(y, constants, strict=True)])

    y = _times(_OUTER, x)
    for constants in _V["rc_external_initial"]:
        y = full(y, constants)
    for constant in _V["rc_internal"]:
        y = _times(_INNER, [pow(y[0] + constant, 7, P), *y[1:]])
    for constants in _V["rc_external_final"]:
        y = full(y, constants)
    return [(a + b) % P for a, b in zip(x, y, strict=True)][:8]


def quantise(x: list[float], halves: int) -> list[int]:
    q = [max(-127, min(127, round(32 * float(value)))) for value in x]
    square = sum(a * a for a in q)
    if square > 128**2 - 32**2:
        q = [int(a * math.sqrt((128**2 - 32**2) / square)) for a in q]
    v = [0] * (36 * halves)
    for f, a in enumerate(q):
        v[f if f < 35 else f + 1] = a
    v[35] = 32
    return v


def leaf(v_half: list[int], last: int, salt: list[int]) -> list[int]:
    """last: the 36th byte."""
    octets = bytes([a + 128 for a in v_half[:35]] + [last])
    e = [int.from_bytes(octets[i : i + 3], "little") for i in range(0, 36, 3)]
    return compress(e[4:] + e[:4] + salt)


def segment_digest(v: list[list[int]], y: list[int], salts: list[list[list[int]]]) -> list[int]:
    halves = len(v[0]) // 36
    h = [1] + [0] * 7
    for row in range(512):
        for half in range(halves):
            if row < len(v):
                last = y[row] if half == halves - 1 else 0
                this = leaf(v[row][36 * half : 36 * half + 36], last, salts[row][half])
            else:
                this = leaf([0] * 36, 0, [0] * 4)
            h = compress(h + this)
    return h


def state_digest(w: list[int], salt: list[int]) -> list[int]:
    h = salt
    for s in range(0, len(w), 6):
        h = compress(h + [a % P for a in w[s : s + 6]] + [0, 3])
    return h


def noise(seed: list[int], r1: list[int], step: int, slots: int, scale: int) -> list[int]:
    table = [round(600 * NormalDist().inv_cdf((d + 0.5) / 4096)) for d in range(4096)]
    result = []
    for j in range(slots):
        e0, e1 = compress([*seed, *r1, step, j, 0, 2])[:2]
        drawn = [e0 % 4096, e0 // 4096 % 4096, e1 % 4096, e1 // 4096 % 4096]
        scales = [scale, scale + 1, scale + 3, scale + 8] if scale else [0] * 4
        result.append(sum(s * table[d] for s, d in zip(scales, drawn, strict=True)))
    return result


def step(w, v, y, rate, clip, nu):
    """w' on rows v with labels y; every division is a floor."""
    divisor = max(64, min(4096, (512 * len(v) + rate // 2) // rate))
    gradient = [0] * len(w)
    for row, label in zip(v, y, strict=True):
        z = sum(a * b for a, b in zip(w, row, strict=True))
        index = max(0, min(4095, z // 2**13 + 2048))
        sigma = max(1, min(2047, round(2048 / (1 + math.exp(-(index - 2048 + 0.5) / 256)))))
        residual = sigma - 2048 * label
        square = sum(a * a for a in row)
        norm = math.isqrt(square - 1) + 1
        bound = min(2047, clip * 2**13 // norm)
        c = max(-bound, min(bound, residual))
        gradient = [g + c * a for g, a in zip(gradient, row, strict=True)]
    delta = [(2 * (g + n) + divisor // 2) // divisor for g, n in zip(gradient, nu, strict=True)]
    return [max(-(2**19), min(2**19 - 1, a - d)) for a, d in zip(w, delta, strict=True)]


def segments(rows: int) -> list[range]:
    count = (rows + 511) // 512
    sizes = [rows // count + (1 if j < rows % count else 0) for j in range(count)]
    return [range(sum(sizes[:j]), sum(sizes[: j + 1])) for j in range(count)]
