"""Where slots stand in the rollup's trace: the tables that a verifier's setup commits to, slot by slot."""

import numpy as np
import pytest

from bfl_ref.statements.rollup.layout import KINDS, Layout, marks

ACCOUNT = ["message", *["end"] * 28, "old", "new", *["pair", "lift"] * 10]


@pytest.mark.parametrize("accounts", [4, 8, 64])
def test_every_slot_has_its_type_and_marks(accounts):
    slots = ["entry"] * 21 * accounts + ACCOUNT * accounts + ["step"] * 56 * accounts
    tables = {name: table.reshape(-1, 4) for name, table in Layout(accounts).tables().items()}
    for kind in KINDS:
        assert tables[kind].tolist() == [[int(kind == slot)] * 4 for slot in slots]
    entries = 21 * accounts
    assert np.flatnonzero(tables["goes_on"].all(axis=1)).tolist() == list(range(entries - 1))
    assert np.flatnonzero(tables["goes_on"].any(axis=1)).tolist() == list(range(entries - 1))
    starts = [entries + 51 * number for number in range(accounts)]
    assert np.flatnonzero(tables["last"].all(axis=1)).tolist() == [start + 50 for start in starts]
    assert tables["last"].sum() == 4 * accounts
    full = [start + end for start in starts for end in (7, 14, 21, 28)]
    assert np.flatnonzero(tables["full"].all(axis=1)).tolist() == full
    assert tables["full"].sum() == 4 * len(full)
    chains = np.zeros((len(slots), 4), int)
    for start in starts:
        for end in range(28):
            chains[start + 1 + end] = [16 * end, 16 * end + 8] * 2
    assert (tables["chain"] == chains).all()


def test_limbs_are_bytes_and_numbers_of_five_bits():
    tables = Layout(4).tables()
    held = set(zip(tables["limb"].tolist(), tables["limb_tag"].tolist(), strict=True))
    assert held == {(limb, 0) for limb in range(256)} | {(limb, 1) for limb in range(32)}


def test_rows_of_a_slot_are_told_apart():
    assert [marks()[f"row_{i}"].tolist() for i in range(4)] == np.eye(4, dtype=int).tolist()
