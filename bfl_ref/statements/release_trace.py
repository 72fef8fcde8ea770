"""The trace of a release, and what of it is public."""

from dataclasses import dataclass

import numpy as np

from ..fixed_point.digests import absorb_all, state_blocks
from ..fixed_point.training import State
from ..sharing.digest import SHARE_TAG
from ..sharing.shamir import share
from ..stark.air import labels
from ..stark.field import F, base
from . import sixteen_rows
from .poseidon2 import DIGEST, WIDTH
from .release import COARSE, LIMIT, Release
from .sixteen_rows import ROWS


@dataclass(frozen=True, eq=False)
class Sharing:
    """What a hospital releases. state: behind its last leaf.   model (36 halves,): weights in force.   weight a >= 1.

    coefficients (t - 1, 36 halves), salts (m, k): uniform field elements, k of `Release.salts`.
    """

    state: State
    model: np.ndarray
    weight: int
    coefficients: F
    salts: F

    @property
    def update(self) -> np.ndarray:
        """w - w', int64."""
        return self.state.weights - self.model

    def shares(self) -> F:
        """(m, 36 halves): a (w - w') + sum_k c_k x^k at x = 1 .. m."""
        return share(self.weight * self.update, self.coefficients, len(self.salts))

    def share_blocks(self) -> F:
        """(m, blocks, 8): what the digest of each share absorbs."""
        whole = np.concatenate([self.shares(), self.salts], axis=1)
        return whole.reshape(len(whole), -1, DIGEST).view(F)


def squared_norm(update: np.ndarray) -> int:
    """sum_j floor(u_j / 2^10)^2: the norm in units of 2^-6, squared."""
    return int(np.square(update >> COARSE).sum())


def bucket(update: np.ndarray) -> int:
    """The least b with squared_norm < 4^b: norms of bucket b lie in [2^(b - 1), 2^b) units of 2^-6; 0 is no movement."""
    return (squared_norm(update).bit_length() + 1) // 2


def limits(norm_bucket: int) -> tuple[int, int]:
    """(low, high) of the public inputs: 4^(b - 1), or 0 for bucket 0, and 4^b."""
    return (4 ** (norm_bucket - 1) if norm_bucket else 0), 4**norm_bucket


def fill(air: Release, sharing: Sharing) -> tuple[F, F]:
    """(trace, public inputs). ValueError for shapes that do not fit, or an update of norm 16.0 or more (bucket 11)."""
    shapes = (air.slots,), (air.threshold - 1, air.slots), (air.aggregators, air.salts)
    got = sharing.model.shape, sharing.coefficients.shape, sharing.salts.shape
    if got != shapes:
        raise ValueError(f"model, coefficients, salts: expected shapes {shapes}, got {got}")
    update = sharing.update
    if (norm := squared_norm(update)) >= LIMIT**2:
        raise ValueError(f"update: expected a norm below 16, got {norm**0.5 / 64:.3f}")
    loaded, ends = _loads(air, sharing)
    cells = sixteen_rows.fill(loaded)
    coarse = update >> COARSE
    low, high = limits(bucket(update))
    trace = np.zeros((air.widths[1], air.length), np.uint32).view(F)
    trace[: len(cells)] = cells.transpose(0, 2, 1).reshape(len(cells), air.length)
    columns = {
        name: np.zeros(air.length, np.int64) for name in ("after", "before", "rest", "top", "high", "norm")
    }
    j = slice(0, air.slots)
    columns["after"][j], columns["before"][j] = sharing.state.weights, sharing.model
    columns["rest"][j], columns["top"][j] = update % LIMIT, coarse % LIMIT
    columns["high"][j] = coarse >= 0
    columns["norm"][1:] = norm
    columns["norm"][1 : air.slots + 1] = np.cumsum(np.square(coarse))
    for row, more in ((air.slots, norm - low), (air.slots + 1, high - 1 - norm)):
        columns["rest"][row], columns["top"][row] = more % LIMIT, more // LIMIT
    looked_up = np.concatenate([columns["rest"], columns["top"]])
    columns["ranges"] = np.zeros(air.length, np.int64)
    columns["ranges"][:LIMIT] = np.bincount(looked_up, minlength=LIMIT)
    columns["scaled"] = sharing.weight * (columns["after"] - columns["before"])
    first = {name: i for i, name in enumerate(labels(air.main_columns))}
    for name, values in columns.items():
        trace[first[name]] = (values % F.order).astype(np.uint32)
    at = first["coefficient[0]"]
    trace[at : at + air.threshold - 1, j] = sharing.coefficients
    return trace, np.concatenate([*ends, base([sharing.weight, low, high])]).view(F)


def _loads(air: Release, sharing: Sharing) -> tuple[F, list[F]]:
    """((16, blocks) what every permutation is given, the chains' digests)."""
    zero = F.Zeros(DIGEST)
    tag = base([SHARE_TAG] + [0] * (DIGEST - 1))
    chains = [(sharing.state.salt, state_blocks(sharing.state.weights)), (zero, state_blocks(sharing.model))]
    chains += [(tag, blocks) for blocks in sharing.share_blocks()]
    loaded = np.zeros((WIDTH, air.length // ROWS), np.uint32).view(F)
    ends = []
    for chain, (start, blocks) in zip(air.chains, chains, strict=True):
        before = absorb_all(start, blocks)
        loaded[:, chain.start : chain.stop] = np.concatenate([before[:-1], blocks], axis=1).T
        ends.append(before[-1])
    used = air.chains[-1].stop  # what follows absorbs zeros and means nothing
    empty = F.Zeros((air.length // ROWS - used, DIGEST))
    loaded[:DIGEST, used:] = absorb_all(zero, empty)[:-1].T
    return loaded, ends
