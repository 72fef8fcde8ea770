"""One segment's noisy gradient step was done exactly as fixed_point/ prescribes: the proof that is audited.

States:  "I know up to 512 rows behind the segment digest, a seed behind the seed commitment and weights behind the state
digest before, such that: each row's gradient, clipped to norm C, was summed exactly, the noise PRG(seed, r1, step) was
added, the sum was rounded and applied as fixed_point/ says, and the result is behind the state digest after."
Does not state: that the records are true (honest training on flipped labels passes), that patients consented, who they
are, or that the weights before came about rightly: that is the step before.

A trace is blocks of 16 rows. A row of data has one half (36 slots of weights), or two from 36 features on. A block:

    rows 0-2, 6-8     leaf = compress(packed features, salt)           one half's 36 bytes are unpacked on its six rows, six
    rows 3-5, 9-11    hold = compress(hold, leaf): segment digest      a row, and multiplied by weights and clipped residual
    rows 12-14        compress, for the noise, the state digests or the seed commitment: one a block
    row 15            that digest; in the first blocks a weight's noise, division and update (on row 14: its clamp)

Weights are not columns: `read` cells look (slot, weight) up, and the same fractions collect clipped * feature for that slot.
"""

from collections.abc import Iterable
from typing import Any

from ..fixed_point.digests import NOISE_TAG, SEED_TAG, STATE_TAG
from ..fixed_point.rule import NORM, SEGMENT_ROWS, WEIGHT_LIMIT
from ..stark.air import Air
from ..stark.lookup import Fraction
from . import three_rows
from .poseidon2 import DIGEST, Constant
from .training_layout import (
    A_ROW,
    AFTER,
    AFTERWARDS,
    BEFORE,
    BLOCK,
    BUS,
    BYTE,
    CLIP,
    COMMITMENT,
    CONSTANTS,
    NOISE,
    OF_SIGMOID,
    PUBLIC_INPUTS,
    RANGE,
    ROWS,
    SEGMENT,
    WEIGHT,
    Layout,
)


class Training(Layout, Air):
    """halves of a data row: 1 (up to 35 features) or 2 (up to 64). Degree 8; 4,096 or 8,192 rows, 107 columns."""

    def __init__(self, halves: int):
        Layout.__init__(self, halves)
        Air.__init__(
            self,
            f"training-{halves}",
            BLOCK * self.blocks,
            three_rows.COLUMNS + " carry[8] later[2] hold[8] byte[6] read[6] range[4] index[4] value[4]"
            " clipped dot norm length live count flag[6]"
            " ranges bytes sigmoids noises clips",
            preprocessed=self.tables(),
            periodic=self.marks(),
            public={name: range(i, i + 1) for name, i in CONSTANTS.items()},
            public_inputs=PUBLIC_INPUTS,
            lookup_degree=8,
        )

    def transition(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        yield from self._hashing(cur, nxt, k)
        yield from self._rows(cur, nxt, k)
        yield from self._update(cur, nxt, k)

    def everywhere(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        yield from self._unpacking(cur, k)
        f = cur.feature
        here = f[0] + f[1] + f[2] + f[3] + f[4] + f[5]
        # on every row, the last one too: the lookups collect clipped * feature wherever it is not zero
        yield "clipped elsewhere", (k(1) - here) * cur.clipped
        # `high`, `low` and `live` need no such rule: B >= 64 and a residual is never 0, so "clipped above", "clipped below",
        # "clipped of padding" and "not clipped" leave them no other values
        for i in (0, 1, 2, 5):
            yield f"flag {i} is a bit", cur.flag[i] * cur.flag[i] - cur.flag[i]

    def _hashing(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        """Permutations, and what goes into the next one."""
        f, e = cur.feature, cur.extra
        yield from three_rows.constraints(
            cur, nxt, k, f[0] + f[3] + e[0], f[1] + f[4] + e[1], f[2] + f[5] + e[2]
        )
        out = three_rows.output(cur)
        for i in range(DIGEST):
            digest = out[i] + cur.carry[i]  # feed-forward
            yield f"digest {i}", f[2] * (nxt.state[i] - cur.hold[i]) + e[2] * (nxt.state[i] - digest)
            yield f"leaf {i}", f[2] * (nxt.state[DIGEST + i] - digest)
            yield f"hold {i}", nxt.hold[i] - cur.hold[i] - f[5] * out[i]
            keep = f[1] + f[2] + f[3] + f[4] + e[1]
            loaded, kept = nxt.carry[i] - cur.state[i], nxt.carry[i] - cur.carry[i]
            yield f"carry {i}", (f[0] + e[0]) * loaded + keep * kept
        for i in range(2):
            yield f"later {i}", f[0] * (nxt.later[i] - cur.state[10 + i])

    def _unpacking(self, cur: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        """Three bytes an element, six bytes a row: unique, since each is looked up and 2^24 < p. The label is a bit."""
        f, label, b = cur.feature, cur.flag[5], cur.byte
        last = f[5]
        for i in range(2):
            source = f[0] * cur.state[8 + i] + f[1] * cur.later[i]
            for p in range(2, A_ROW):
                source = source + f[p] * cur.carry[2 * (p - 2) + i]
            here = f[0] + f[1] + f[2] + f[3] + f[4] + f[5]
            low = here * (b[3 * i] + k(256) * b[3 * i + 1])
            high = here * b[2] if i == 0 else (here - last) * b[5] + last * label
            yield f"packed {i}", source - low - k(1 << 16) * high
        yield "bias", last * b[5] - cur.bias
        if self.halves == 2:
            yield "one label", (last - cur.end) * label
        # the fifth permutations' inputs
        hashes = cur.extra[0] * cur.reads
        for i in range(A_ROW):
            yield f"hashed weight {i}", hashes * (cur.state[DIGEST + i] - cur.read[i])
        yield "hashed zero", hashes * cur.state[14]
        yield "hash tag", hashes * (cur.state[15] - k(STATE_TAG))
        for i in range(4):
            yield f"draw beacon {i}", cur.draws * (cur.state[DIGEST + i] - getattr(cur, f"r1_{i}"))
        yield "draw step", cur.draws * (cur.state[12] - cur.step)
        yield "draw slot", cur.draws * (cur.state[13] - cur.at)
        yield "draw zero", cur.draws * cur.state[14]
        yield "draw tag", cur.draws * (cur.state[15] - k(NOISE_TAG))

    def _rows(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        """Dot product, norm, and what stays the same over a row of data."""
        f = cur.feature
        here = f[0] + f[1] + f[2] + f[3] + f[4] + f[5]
        within = here - cur.end
        value = [b - k(128) for b in cur.byte]
        dot, norm = cur.dot, cur.norm
        for w, v in zip(cur.read, value, strict=True):
            dot, norm = dot + w * v, norm + v * v
        yield "dot starts", cur.first * cur.dot
        yield "norm starts", cur.first * cur.norm
        yield "dot", within * (nxt.dot - dot)
        yield "norm", within * (nxt.norm - norm)
        for name in ("clipped", "length"):
            yield f"{name} stays", within * (getattr(nxt, name) - getattr(cur, name))
        yield "clipped of padding", (k(1) - cur.live) * cur.clipped
        stays = nxt.live - cur.live
        yield "live", stays - cur.end * (stays - nxt.live * (k(1) - cur.live))
        yield "count", nxt.count - cur.count - cur.end * cur.live
        yield "length bound", f[4] * (cur.range[0] + cur.length - k(NORM))
        yield from self._residual(cur, nxt, k, dot, norm)

    def _residual(self, cur: Any, nxt: Any, k: Constant, dot: Any, norm: Any) -> Iterable[tuple[str, Any]]:
        """On a data row's last row: sigmoid of the dot product, the norm's root, the clipped residual."""
        end, one = cur.end, k(1)
        carry, above, below, high, low, label = cur.flag
        beyond = cur.range[1] + k(4096) * nxt.range[2] + one
        index = cur.index[0] + (above - below) * beyond - k(2048)
        yield "sigmoid index", end * (dot - k(8192) * index - cur.range[0] - k(4096) * carry)
        yield "beyond in 16 bits", end * (nxt.range[3] - k(256) * nxt.range[2])
        yield "above", end * above * (cur.index[0] - k(4095))
        yield "below", end * below * cur.index[0]
        length, rest = cur.length, nxt.range[0]
        yield "length not less", end * (length * length - norm - rest)
        yield "length not more", end * (length + length - k(2) - rest - nxt.range[1])
        c, bound = cur.clipped, cur.value[1]
        residual = cur.value[0] - k(2048) * label
        yield "upper side", end * (cur.range[2] - (one - high) * (bound - c) - high * (residual - bound))
        yield "lower side", end * (cur.range[3] - (one - low) * (bound + c) + low * (bound + residual))
        yield "clip entry", end * (cur.index[1] - cur.clip_base - length + one)
        yield "clipped above", end * high * (c - bound)
        yield "clipped below", end * low * (c + bound)
        yield "not clipped", end * cur.live * (one - high) * (one - low) * (c - residual)

    def _update(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        """Rows 14 and 15 of every block (beyond the weights' blocks nothing reads the result): draws, division, clamp.

        Row 15 `read`: weight before, weight after, gradient, change.
        """
        at, one = cur.extra[3], k(1)
        for i in range(2):  # an element below p = 120 * 2^24 + 1 as two draws of 12 bits and a top byte
            first, second = cur.index[2 * i], cur.index[2 * i + 1]
            element = first + k(4096) * second + k(1 << 24) * cur.byte[i]
            yield f"drawn {i}", at * (cur.state[i] - element)
            yield f"top {i}", at * (cur.byte[2 + i] + cur.byte[i] - k(119) - cur.flag[i])
            yield f"p - 1 {i}", at * cur.flag[i] * (first + second)
        noisy = cur.read[2]
        for i, value in enumerate(cur.value):
            noisy = noisy + getattr(cur, f"scale_{i}") * value
        rest = noisy + noisy + cur.rounding - cur.read[3] * cur.divisor - cur.range[0]
        yield "division", at * rest
        yield "remainder", at * (cur.divisor - one - cur.range[0] - cur.range[1])
        yield "change not less", at * (cur.limit + cur.read[3] - cur.range[2] - k(4096) * cur.range[3])

        at, (before, after, _, change) = cur.extra[2], nxt.read[:4]
        more = cur.range[3] + k(4096) * cur.byte[1] + k(1 << 20) * cur.byte[2]
        yield "change not more", at * (cur.limit - change - more)
        beyond = cur.range[0] + k(4096) * cur.range[1]
        high, low = cur.flag[:2]
        yield "clamp", at * (before - change - after - (high - low) * beyond)
        yield "clamped above", at * high * (after - k(WEIGHT_LIMIT - 1))
        yield "clamped below", at * low * (after + k(WEIGHT_LIMIT))
        yield "after in 20 bits", at * (after + k(WEIGHT_LIMIT) - cur.range[2] - k(4096) * cur.byte[0])
        top = cur.byte[5]
        low_bits = cur.byte[3] + k(256) * cur.byte[4]
        yield "before in 20 bits", at * (before + k(WEIGHT_LIMIT) - low_bits - k(1 << 16) * top)
        yield "before's top in 4 bits", at * (nxt.byte[4] - k(16) * top)

    def lookups(self, cur: Any, k: Constant) -> Iterable[Fraction]:
        one, last = k(1), cur.extra[3]
        for i, b in enumerate(cur.byte):
            yield Fraction(f"byte {i}", one, [k(BYTE), b])
        for i, w in enumerate(cur.read):
            collected = cur.clipped * (cur.byte[i] - k(128))
            yield Fraction(f"weight {i}", [cur.reads, collected], [k(WEIGHT), cur.at + k(i), w])
        for i, r in enumerate(cur.range):
            yield Fraction(f"range {i}", one, [k(RANGE), r])
        of_row = (k(OF_SIGMOID), k(CLIP))
        for i, (index, value) in enumerate(zip(cur.index, cur.value, strict=True)):
            used, tag = last, k(NOISE) * last
            if i < 2:
                used, tag = used + cur.end, tag + of_row[i] * cur.end
            yield Fraction(f"entry {i}", used, [tag, index, value])
        minus = k(0)
        yield Fraction("range table", minus - cur.ranges, [k(RANGE), cur.number])
        yield Fraction("byte table", minus - cur.bytes, [k(BYTE), cur.low_byte])
        yield Fraction("sigmoid table", minus - cur.sigmoids, [k(OF_SIGMOID), cur.number, cur.sigmoid])
        yield Fraction("noise table", minus - cur.noises, [k(NOISE), cur.number, cur.noise])
        yield Fraction("clip table", minus - cur.clips, [k(CLIP), cur.number, cur.clip])
        # every row of data reads each slot once, the state before once more; the gradients' sum comes with it
        reads = k(-SEGMENT_ROWS - 1) * cur.slot
        yield Fraction("before", [reads, minus - cur.slot * cur.read[2]], [k(WEIGHT), cur.at, cur.read[0]])
        yield Fraction("after", minus - cur.slot, [k(WEIGHT), cur.at + k(AFTER), cur.read[1]])
        yield Fraction("bus", cur.bus, [k(BUS), cur.bus_id, *cur.state[:DIGEST]])

    def boundary(self, cur: Any, public: Any, k: Constant) -> Iterable[tuple[str, int, Any]]:
        last, seed = self.length - 1, BLOCK * self.seed_block
        for i in range(DIGEST):
            yield f"segment starts {i}", 0, cur.hold[i] - k(int(i == 0))
            yield f"segment {i}", last, cur.hold[i] - public[SEGMENT + i]
            yield f"state before {i}", BLOCK * self.before.stop - 1, cur.state[i] - public[BEFORE + i]
            yield f"state after {i}", last, cur.state[i] - public[AFTERWARDS + i]
            yield f"seed {i}", seed + 15, cur.state[i] - public[COMMITMENT + i]
            tag = k(SEED_TAG if i == DIGEST - 1 else 0)
            yield f"seed input {i}", seed + 12, cur.state[DIGEST + i] - tag
        yield "count starts", 0, cur.count
        yield "rows", last, cur.count - public[ROWS]
