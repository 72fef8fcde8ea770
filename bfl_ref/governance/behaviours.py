"""Who takes part in the simulated federation, what it costs them, and what their updates do to a group's score.

    honest     trains as prescribed; misses a deadline now and then
    lazy       skips a share of its steps; an audit of a skipped one cannot be proven
    poisoning  trains as prescribed on flipped labels: all proofs pass
    sybil      one operator, several identities without data: rows made up, labels tossed; all proofs pass
    colluding  as sybil, by several operators: praise each other's groups and no others, vote together, sign a model of their
               own when they hold two thirds of a committee, and now and then sign both

Group scores follow a line that was measured by real training (`unequal.measure_shifts`, thyroid in silos of 210 rows, groups
of three, rounds 2 to 25): the score of a group is gain + sum of (share of the group's weight) * shift + noise.
"""

from dataclasses import dataclass, field
from enum import Enum

from .reputation import Standing
from .rewards import TOKEN


class Behaviour(Enum):
    HONEST = "honest"
    LAZY = "lazy"
    POISONING = "poisoning"
    SYBIL = "sybil"
    COLLUDING = "colluding"


FABRICATED = (Behaviour.SYBIL, Behaviour.COLLUDING)


@dataclass(frozen=True)
class Costs:
    """In the token's smallest unit.  row: training on one, all epochs.  proof: making one, of a release or an audited step.
    capital: what a round of staking costs, in millionths of the stake: 8 % a year, 180 rounds a year.
    """

    row: int = TOKEN // 1000
    proof: int = TOKEN // 4
    capital: int = 444


@dataclass(frozen=True)
class Habits:
    """late: how often a deadline is missed.  skipped: share of the steps that the lazy skip.  equivocation: how often, in a
    committee, the colluding sign two models.
    """

    late: float = 0.02
    skipped: float = 0.5
    equivocation: float = 0.05


@dataclass(frozen=True)
class Shifts:
    """Of group scores, 1/10,000.  gain: of an honest group.  flipped, tossed: what a whole group of such labels would add.
    noise: standard deviation between groups; between: between validators' rows.
    """

    gain: float = 100
    flipped: float = -28_000
    tossed: float = -8_200
    noise: float = 300
    between: float = 100

    def of(self, behaviour: Behaviour) -> float:
        """Per share of the group's weight."""
        if behaviour is Behaviour.POISONING:
            return self.flipped
        return self.tossed if behaviour in FABRICATED else 0.0


@dataclass
class Book:
    """What a party earned and paid so far, smallest unit."""

    rewards: int = 0
    costs: int = 0
    slashes: int = 0
    capital: int = 0

    @property
    def net(self) -> int:
        return self.rewards - self.costs - self.slashes - self.capital


@dataclass
class Party:
    """An identity.  operator: who runs it.  rows: n_i, made up or not.  stake: smallest unit.  joined: its first round."""

    behaviour: Behaviour
    operator: int
    rows: int
    stake: int
    joined: int = 1
    standing: Standing = field(default_factory=Standing)
    book: Book = field(default_factory=Book)

    def slash(self, amount: int) -> None:
        """Takes up to `amount` of its stake, which it makes up for at once: it wants to go on."""
        self.book.slashes += min(amount, self.stake)
