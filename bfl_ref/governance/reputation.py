"""Reputation from verified facts: subjective logic with exponential decay, in the integers of IReputation.

    d_n = decay^n by squaring, each product shifted right by 32 bits        what n rounds leave of old evidence
    r, s  <-  (r d_n >> 32) + positive,  (s d_n >> 32) + negative           each write decays once
    score = floor((10,000 r + a W) / (r + s + W))                           belief + base rate * uncertainty

r and s count in units of 1/1024. A new identity has r = s = 0 and the score a: it stands at the bottom of those who are
selected. One failure weighs as 16 deadlines met (64 in `LARGE`): standing is lost fast and won slowly.
"""

from dataclasses import dataclass, replace

EVIDENCE_UNIT = 1024
SCORE_ONE = 10_000
DECAY_BITS = 32
EVIDENCE_LIMIT = (1 << 48) - 1
BUCKET_LIMIT = 255


@dataclass(frozen=True)
class ReputationParameters:
    """decay: what a round leaves of old evidence, in 2^-32.  prior: W, the weight of having seen nothing.  base: the base
    rate a.  threshold: the score below which a hospital is not selected.  Positive evidence - kept: a deadline met; proven:
    proofs accepted; quality: the best contribution.  Negative - missed: a deadline; failed: an audit, a secret, a vote for
    two models; quality_loss: how many times `quality` the worst contribution counts.  quality_full: the score of the best.

    prior and evidence in units of 1/1024, base, threshold and quality_full in 1/10,000.
    """

    decay: int = round(0.95 * (1 << DECAY_BITS))
    prior: int = 2048
    base: int = 2000
    threshold: int = 1000
    kept: int = 1024
    proven: int = 1024
    missed: int = 1024
    failed: int = 16384
    quality: int = 1024
    quality_loss: int = 4
    quality_full: int = 2000


LARGE = ReputationParameters(
    decay=round(0.98 * (1 << DECAY_BITS)),
    threshold=1800,
    kept=256,
    proven=256,
    missed=512,
    quality_loss=8,
    quality_full=4000,
)
"""For federations whose rounds open several groups: what made-up data do to a group suspends in the long run.

Not for few hospitals: of two groups, the one with flipped labels in it has half of the honest, who would be suspended too.
"""


@dataclass(frozen=True)
class Standing:
    """What is known of a member.  positive, negative: r and s as of round `written`.  since: round of the first lottery that
    it was eligible for, 0: none yet.  selected: round in which it was last selected, 0: never.  bucket: of its last release.
    """

    positive: int = 0
    negative: int = 0
    written: int = 0
    since: int = 0
    selected: int = 0
    bucket: int = 0


@dataclass(frozen=True)
class Evidence:
    """What was seen of a member, in units of 1/1024."""

    positive: int = 0
    negative: int = 0

    def __add__(self, other: "Evidence") -> "Evidence":
        return Evidence(self.positive + other.positive, self.negative + other.negative)


def decay_over(decay: int, rounds: int) -> int:
    """d_n for n = rounds >= 0, in 2^-32; d_0 = 2^32. Squares from the lowest bit of n on, as the contract does."""
    if rounds < 0:
        raise ValueError(f"rounds: expected at least 0, got {rounds}")
    product, square = 1 << DECAY_BITS, decay
    while rounds:
        if rounds & 1:
            product = product * square >> DECAY_BITS
        square = square * square >> DECAY_BITS
        rounds >>= 1
    return product


def evidence_in(parameters: ReputationParameters, standing: Standing, round_id: int) -> Evidence:
    """(r, s) in a round. ValueError before the round that was last written."""
    if round_id < standing.written:
        raise ValueError(f"round: expected {standing.written} or later, got {round_id}")
    left = decay_over(parameters.decay, round_id - standing.written)
    return Evidence(standing.positive * left >> DECAY_BITS, standing.negative * left >> DECAY_BITS)


def record(parameters: ReputationParameters, standing: Standing, round_id: int, seen: Evidence) -> Standing:
    """The standing after evidence of a round."""
    now = evidence_in(parameters, standing, round_id) + seen
    r, s = min(now.positive, EVIDENCE_LIMIT), min(now.negative, EVIDENCE_LIMIT)
    return replace(standing, positive=r, negative=s, written=round_id)


def score(parameters: ReputationParameters, standing: Standing, round_id: int) -> int:
    """b + a u in 1/10,000, in a round."""
    now = evidence_in(parameters, standing, round_id)
    prior = parameters.prior
    return (SCORE_ONE * now.positive + parameters.base * prior) // (now.positive + now.negative + prior)
