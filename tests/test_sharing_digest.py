"""Digests of shares: the compiled form against the definition, the shapes of the release proof, what they bind."""

import numpy as np
import pytest

from bfl_ref.sharing import digest, digest_plain, salt_length
from bfl_ref.stark.field import F, base, random_base
from bfl_ref.statements.poseidon2 import compress

RNG = np.random.default_rng(0).bytes


def case(*shape: int) -> tuple[F, F]:
    return random_base(shape, RNG), random_base((*shape[:-1], salt_length(shape[-1])), RNG)


def test_salt_length_fills_a_block_with_at_least_four():
    assert [salt_length(n) for n in (36, 72)] == [4, 8]
    assert [(36 + 4) // 8, (72 + 8) // 8] == [5, 10]  # permutations
    for n in range(100):
        fitting = [s for s in range(4, 20) if (n + s) % 8 == 0]
        assert salt_length(n) == fitting[0]
    with pytest.raises(ValueError, match="n >= 0"):
        salt_length(-1)


@pytest.mark.parametrize("shape", [(36,), (5, 36), (2, 5, 72), (3, 1), (1, 41)])
def test_digest_equals_its_definition(shape):
    shares, salts = case(*shape)
    found = digest(shares, salts)
    assert found.shape == (*shape[:-1], 8) and isinstance(found, F)
    assert (found == digest_plain(shares, salts)).all()
    for at in np.ndindex(*shape[:-1]):
        h = base([4, 0, 0, 0, 0, 0, 0, 0])
        elements = [*shares[at].tolist(), *salts[at].tolist()]
        for i in range(0, len(elements), 8):
            h = compress(base([*h.tolist(), *elements[i : i + 8]]))
        assert found[at].tolist() == h.tolist()


def test_any_change_of_share_or_salt_changes_the_digest():
    share, salt = case(36)
    seen = {tuple(digest(share, salt).tolist())}
    for vector, count in ((share, 36), (salt, 4)):
        for j in range(count):
            vector[j] += F(1)
            seen.add(tuple(digest(share, salt).tolist()))
    assert len(seen) == 1 + 36 + 4


@pytest.mark.parametrize("salt", [(3,), (5,), (12,), (1, 4), (2, 4)])
def test_digest_refuses_a_salt_of_another_length(salt):
    share, _ = case(36)
    for form in (digest, digest_plain):
        with pytest.raises(ValueError, match="salts: expected shape"):
            form(share, F.Zeros(salt))
