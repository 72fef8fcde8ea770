"""Secret sharing of updates among m aggregators: what they see is noise, what they add up is the sum of all updates.

    a hospital   u (integers) -> a u mod p -> shares s_1 .. s_m, one to each aggregator          shamir, frugal, uniform
                 their digests, which the release proof binds to what was trained                digest
    aggregators  one sum-share each, over the survivors or a group of them                       groups
    anybody      sum-shares -> the sum, and who lied -> the new model                            decoding, groups

Everything is arithmetic modulo p = 2^31 - 2^27 + 1, the field of the proofs; sums stay within (-p/2, p/2), so they are exact
integers. Any t - 1 aggregators together learn nothing but the sums. m - t may be silent, or (m - t) / 2 may lie; where sums
are proven (statements/sum_share.py), as in rounds of this package, who lies counts as silent.
"""

from .decoding import Decoded, NotDecodable, TooFewShares, Undecodable, decode, decode_plain
from .digest import digest, digest_plain, salt_length
from .frugal import (
    MODES,
    additive_messages,
    additive_total,
    open_message,
    pack,
    plain_messages,
    seeded_coefficients,
    seeded_messages,
    seeded_seats,
    unpack,
)
from .groups import TooFewSurvivors, combine, partition, weights
from .shamir import random_coefficients, residues, share, signed, sum_shares
from .uniform import expand, uniform

__all__ = [
    "MODES",
    "Decoded",
    "NotDecodable",
    "TooFewShares",
    "TooFewSurvivors",
    "Undecodable",
    "additive_messages",
    "additive_total",
    "combine",
    "decode",
    "decode_plain",
    "digest",
    "digest_plain",
    "expand",
    "open_message",
    "pack",
    "partition",
    "plain_messages",
    "random_coefficients",
    "residues",
    "salt_length",
    "seeded_coefficients",
    "seeded_messages",
    "seeded_seats",
    "share",
    "signed",
    "sum_shares",
    "uniform",
    "unpack",
    "weights",
]
