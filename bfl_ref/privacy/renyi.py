"""An upper bound on the Renyi divergence of the protocol's noise from its own shifts, in every direction at once.

    D_a(p || p(. + d))  <=  c_a d^2 + b_a       for every integer |d| <= limit, but for an event of mass
                                                (mu / 4) (d^2 / limit^2 + 3 / slots)

so that a shift by a vector of norm up to `limit` over `slots` slots has D_a <= c_a limit^2 + slots b_a outside an event
of mass mu, which goes into delta. p is no Gaussian: rough from one integer to the next (1e-4 of itself in the middle, a
tenth at 5 standard deviations), with holes beyond 5.6. Write p = f u with f constant on bins of `width` integers and u of
mean 1 on each. For d = k width + e, 0 <= e < width, and sums over pairs (x, y = x + d):

    sum f(x)^a f(y)^(1-a) u(x)^a u(y)^(1-a)  <=  (1/2) sum f(x)^a f(y)^(1-a) (u(x)^2a + u(y)^(2-2a))          (AM-GM)

1. In each half only one rough factor is left. f(y) takes two values on a bin of x, on width - e and e of its points: without
   u the sum is linear in e, between its values at k and k + 1; u moves it by at most the difference of these two values
   times half the mean deviation of u^2a in the bin.
2. The log of a function linear in e exceeds the chord of its logs by at most (difference of logs)^2 / 8 (Hoeffding's
   lemma), and the chord of c d^2 exceeds c d^2 by at most c width^2 / 4.
3. Pairs with u(x) > 1/floor, u(y) < floor or |x| > edge are the event: floor is, for each block of shifts, the largest of
   LEVELS that keeps the event within its mass.
4. u^s is convex: on each level it is below its chord, so a bin needs only the count and the sum of its u per level.

Proved, up to the rounding of float64.
"""

from functools import lru_cache

import numpy as np

from .distribution import pmf, std

ORDERS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 14.0, 16.0, 20.0, 24.0, 32.0, 48.0)
"""Orders a at which everything is composed."""
BINS = 800  # to a standard deviation
_HALF = np.exp(0.0004 * 1.3 ** np.arange(32))
LEVELS = np.concatenate([1 / _HALF[::-1], _HALF])
"""Edges of the levels of u, increasing and symmetric: LEVELS[i] LEVELS[-1 - i] = 1."""


@lru_cache(maxsize=128)
def step_divergence(
    noise: int, limit: int, mass: float, slots: int = 36, copies: int = 1
) -> tuple[float, ...]:
    """D_a of one noisy step at each of ORDERS (inf: no bound), for shifts of norm up to `limit`, outside an event of `mass`.

    limit: units of 2^-16.   copies: independent noises of scale `noise` that are added.   Some 3 s for noise 1000.
    """
    masses, sigma = pmf(noise, copies), std(noise, copies)
    sides = [_Side(way, sigma, limit, mass, slots) for way in (masses, masses[::-1])]
    with np.errstate(all="ignore"):
        each = [max(side.divergence(order) for side in sides) for order in ORDERS]
    return tuple(value if np.isfinite(value) else np.inf for value in each)


class _Side:
    """The bins of p, and the floor of each block of shifts d >= 0. Bins are counted from the left end of the window."""

    def __init__(self, p: np.ndarray, sigma: float, limit: int, mass: float, slots: int) -> None:
        self.limit, self.slots = limit, slots
        self.width = max(1, round(sigma / BINS))
        self.shifts = -(-limit // self.width)
        inner = self._inner(p, mass / (8 * slots))
        outer = inner + self.shifts + 2
        missing = max(0, outer * self.width - len(p) // 2)
        middle = len(p) // 2 + missing
        p = np.pad(p, missing)[middle - outer * self.width : middle + outer * self.width]
        self.total = np.maximum(p.reshape(-1, self.width).sum(axis=1), 1e-300)
        self.x = np.arange(outer - inner, outer + inner)
        self.count, self.sum = self._levels(p.reshape(-1, self.width))
        outside = max(0.0, 1 - float(self.total[self.x].sum()))
        shares = (np.arange(self.shifts) * self.width / limit) ** 2 + 3 / slots
        self.floor = self._floors(mass / 4 * shares - outside)

    def _inner(self, p: np.ndarray, allowed: float) -> int:
        """Bins on either side of zero, so that at most `allowed` lies outside."""
        right, left = np.cumsum(p[: len(p) // 2 : -1]), np.cumsum(p[: len(p) // 2])
        outside = min(np.searchsorted(right, allowed / 2), np.searchsorted(left, allowed / 2))
        return -(-(len(p) // 2 - int(outside)) // self.width)

    def _levels(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(bins, len(LEVELS) + 1) each: the share of a bin's points in each level of u, and their sum of u,
        over the width.
        """
        bins, kinds = len(p), len(LEVELS) + 1
        count, total = np.zeros((bins, kinds)), np.zeros((bins, kinds))
        for start in range(0, bins, 1000):
            part = slice(start, min(start + 1000, bins))
            u = (p[part] * (self.width / self.total[part, None])).ravel()
            cell = np.searchsorted(LEVELS, u) + kinds * np.repeat(np.arange(part.stop - start), self.width)
            size = kinds * (part.stop - start)
            count[part] = np.bincount(cell, minlength=size).reshape(-1, kinds) / self.width
            total[part] = np.bincount(cell, u, size).reshape(-1, kinds) / self.width
        return count, total

    def _floors(self, allowed: np.ndarray) -> np.ndarray:
        """(shifts,): index of the largest level whose event is within `allowed`; -1 if there is none."""
        x, last = self.x, self.x[-1] + 1
        pairs = np.maximum(self.total[x[0] : last + 1], self.total[x[0] - 1 : last])
        found = np.full(self.shifts, -1)
        for level in range(0, len(LEVELS) // 2, 2):
            high = float(self.total[x] @ self.sum[x, len(LEVELS) - level :].sum(axis=1))
            holes = self.count[:, : level + 1].sum(axis=1)
            lost = high + np.correlate(holes[x[0] : last + self.shifts], pairs / LEVELS[level], "valid")
            found[lost <= allowed] = level
        return found

    def divergence(self, order: float) -> float:
        """c limit^2 + slots b at this order."""
        if self.floor.min() < 0:
            return np.inf
        ends, rough = np.zeros((2, self.shifts)), np.zeros(self.shifts)
        for level in np.unique(self.floor):
            here = np.flatnonzero(self.floor == level)
            ends[:, here], rough[here] = self._moments(order, level, here)
        rough /= ends.min(axis=0)
        ends = np.log(ends)
        base = max(0.0, ends[0, 0])
        at = self.width * np.stack([np.arange(self.shifts), np.arange(1, self.shifts + 1)])
        slope = np.max(((ends - base) / np.maximum(at, 1) ** 2)[at > 0], initial=0.0)
        slack = rough + (ends[1] - ends[0]) ** 2 / 8
        extra = np.max((slack[1:] - slack[0]) / at[0, 1:] ** 2, initial=0.0)
        constant = base + slope * self.width**2 / 4 + slack[0]
        return float(((slope + extra) * self.limit**2 + self.slots * constant) / (order - 1))

    def _moments(self, order: float, level: int, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """((2, blocks) the sum at both ends of each block, (blocks,) how far u may move it inside)."""
        inside = slice(level + 1, len(LEVELS) - level)  # levels within floor .. 1/floor
        high, high_rough = self._power(2 * order, slice(0, inside.stop))
        low, low_rough = self._power(2 - 2 * order, slice(inside.start, len(LEVELS) + 1))
        x, y = self.x, np.arange(self.x[0], self.x[-1] + 2)
        front, back = np.zeros(len(self.total)), np.exp((1 - order) * np.log(self.total))
        front[x] = np.exp(order * np.log(self.total[x]))
        back[low == 0] = 0  # in a bin of holes only, all pairs are in the event
        weighted, changes = front[x] * high_rough[x], np.abs(front[y] - front[y - 1])
        ends, moved = np.zeros((2, len(blocks))), np.zeros(len(blocks))
        for i, k in enumerate(blocks):
            for end in (0, 1):
                z = slice(x[0] + k + end, x[-1] + 1 + k + end)
                ends[end, i] = front[x] @ (back[z] * (high[x] + low[z])) / 2
            steps = np.abs(np.diff(back[x[0] + k : x[-1] + 2 + k]))
            z = slice(y[0] + k, y[-1] + 1 + k)
            moved[i] = (steps @ weighted + changes @ (back[z] * low_rough[z])) / 2
        return ends, moved

    def _power(self, power: float, kept: slice) -> tuple[np.ndarray, np.ndarray]:
        """Per bin: bounds on the mean of u^power over the levels kept (0 on the others), and on half its mean deviation."""
        edges = np.concatenate([[LEVELS[0] if power < 0 else 0.0], LEVELS, [LEVELS[-1]]])
        values = edges**power
        low, high = edges[:-1], edges[1:]
        slope = np.divide(np.diff(values), high - low, out=np.zeros(len(low)), where=high > low)
        far = np.maximum(np.abs(values[:-1] - 1), np.abs(values[1:] - 1))
        mask = np.zeros(len(low))
        mask[kept] = 1.0
        mean = self.count @ (mask * (values[:-1] - slope * low)) + self.sum @ (mask * slope)
        gone = self.count @ (1 - mask)
        deviation = self.count @ (mask * far) + gone + np.abs(mean - 1)
        return np.where(gone < 1 - 1e-12, mean, 0.0), deviation / 2
