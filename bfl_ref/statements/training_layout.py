"""Where everything stands in the trace of a segment step: tags, public inputs, tables, and the schedule of blocks."""

import numpy as np

from ..fixed_point.rule import CLIP_TABLE, HALF_SLOTS, NOISE_TABLE, SEGMENT_ROWS, SIGMOID
from ..stark.field import P
from . import three_rows

BLOCK = 16
FIRST_ROWS = (0, 3, 6, 9, 12)  # of a block's permutations
A_ROW = 6  # slots, and bytes, a row
RANGE, BYTE, OF_SIGMOID, NOISE, CLIP, WEIGHT, BUS = range(1, 8)  # tags of what is looked up
AFTER = 128  # slot numbers of the weights after the step begin here
SEED_ID, AFTER_ID = 255, 128  # ids on the bus; those of the state before begin at 0
# public inputs
SEGMENT, BEFORE, AFTERWARDS, COMMITMENT = 0, 8, 16, 24
R1, STEP, ROWS, DIVISOR, ROUNDING, LIMIT, CLIP_BASE, SCALES = 32, 36, 37, 38, 39, 40, 41, 42
PUBLIC_INPUTS = 46
CONSTANTS = {f"r1_{i}": R1 + i for i in range(4)} | {f"scale_{i}": SCALES + i for i in range(4)}
CONSTANTS |= {"step": STEP, "divisor": DIVISOR, "rounding": ROUNDING, "limit": LIMIT, "clip_base": CLIP_BASE}


class Layout:
    """halves of a data row: 1 (up to 35 features) or 2 (up to 64). ValueError for another number.

    slots: of weights.  blocks: of 16 rows.  before, after, seed_block: the blocks whose fifth permutation digests the state
    before the step, the one after, or commits to the seed; that of block j < slots draws the noise of slot j.
    """

    def __init__(self, halves: int):
        if halves not in (1, 2):
            raise ValueError(f"a row has 1 or 2 halves, got {halves}")
        self.halves, self.slots = halves, halves * HALF_SLOTS
        self.blocks = SEGMENT_ROWS * halves // 2
        hashes = self.slots // A_ROW
        self.before = range(self.slots, self.slots + hashes)
        self.after = range(
            self.blocks - hashes, self.blocks
        )  # ends on the last row, where other boundaries are
        self.seed_block = self.before.stop
        assert self.seed_block < self.after.start

    def tables(self) -> dict[str, np.ndarray]:
        """Tables; which slots a row reads; what each fifth permutation is for."""
        n, slots = BLOCK * self.blocks, self.slots
        row, block = np.arange(n) % BLOCK, np.arange(n) // BLOCK
        number = np.arange(n) % len(SIGMOID)
        feature_row = row < 2 * A_ROW
        at = np.where(feature_row, A_ROW * (row % (A_ROW * self.halves)), 0)
        reads, bus, bus_id, slot, noise = (np.zeros(n, np.int64) for _ in range(5))
        reads[feature_row] = 1
        for blocks, first_id, offset in ((self.before, 0, 0), (self.after, AFTER_ID, AFTER)):
            for step, b in enumerate(blocks):
                load, end = BLOCK * b + 12, BLOCK * b + 15
                reads[load], at[load] = 1, offset + A_ROW * step
                if (
                    b > blocks.start
                ):  # the state comes from the permutation before; the first one's start is the salt
                    bus[load], bus_id[load] = 1, first_id + step
                if b < blocks.stop - 1:
                    bus[end], bus_id[end] = -1, first_id + step + 1
        for r, marked in ((12, noise), (15, slot)):
            marked[(row == r) & (block < slots)] = 1
            at[(row == r) & (block < slots)] = np.arange(slots)
        bus[noise == 1], bus_id[noise == 1] = 1, SEED_ID
        bus[BLOCK * self.seed_block + 12], bus_id[BLOCK * self.seed_block + 12] = -slots, SEED_ID
        columns = {"number": number, "sigmoid": SIGMOID[number], "noise": NOISE_TABLE[number]}
        columns |= {"clip": CLIP_TABLE[number], "low_byte": number % 256, "reads": reads, "at": at}
        columns |= {"slot": slot, "draws": noise, "bus": bus, "bus_id": bus_id}
        return {name: values % P for name, values in columns.items()}

    def marks(self) -> dict[str, np.ndarray]:
        """Where in a block a row stands."""
        feature = [[int(r in (p, p + A_ROW)) for r in range(BLOCK)] for p in range(A_ROW)]
        extra = [[int(r == 12 + e) for r in range(BLOCK)] for e in range(4)]
        first, end = np.array(feature[0]), np.array(feature[A_ROW - 1])
        bias = 160 * end
        if self.halves == 2:
            first, end, bias = (
                first * (np.arange(BLOCK) < A_ROW),
                end * (np.arange(BLOCK) >= A_ROW),
                bias.copy(),
            )
            bias[11] = 128  # the last slot of a second half is not used: value 0
        marks = {"feature": feature, "extra": extra, "first": first, "end": end, "bias": bias}
        return {k: np.array(v) for k, v in marks.items()} | three_rows.round_constants(FIRST_ROWS, BLOCK)
