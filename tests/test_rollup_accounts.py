"""Accounts and their tree: the formulas in plain loops, sparse against whole, paths that lead to the root and only there."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.rollup.accounts import ACCOUNTS, DEPTH, EMPTY, Account, StateTree, check_path, leaf
from bfl_ref.rollup.refusals import WrongPath
from bfl_ref.stark.field import P, base
from bfl_ref.statements.poseidon2 import compress

element = st.integers(0, P - 1)
amount = st.integers(0, 2**29 - 1)
five = st.tuples(*[element] * 5)
account = st.builds(Account, five, five, amount, amount, element, element, element)
index = st.integers(0, ACCOUNTS - 1)
SOME = Account((1, 2, 3, 4, 5), (6, 7, 8, 9, 10), 11, 12, 2000, 14, 15)


def root_of_whole(accounts: dict[int, Account]) -> tuple[int, ...]:
    """All 1,024 leaves, and every node above them."""
    columns = []
    for i in range(ACCOUNTS):
        a = accounts.get(i, EMPTY)
        columns.append([*a.key, *a.record, a.balance, a.stake, a.nonce, a.positive, a.negative, 5])
    level = compress(base(np.array(columns).T))
    while level.shape[1] > 1:
        level = compress(np.concatenate([level[:, 0::2], level[:, 1::2]]).view(type(level)))
    return tuple(int(x) for x in level[:, 0])


def test_root_is_that_of_all_leaves_by_definition():
    held = {0: SOME, 1: replace(SOME, nonce=99), 512: replace(SOME, balance=0), 1023: SOME}
    assert StateTree(held).root == root_of_whole(held)
    assert StateTree().root == StateTree({5: EMPTY}).root == root_of_whole({})


def test_every_field_of_an_account_is_in_its_leaf():
    others = [SOME]
    for each in fields(Account):
        value = getattr(SOME, each.name)
        others.append(replace(SOME, **{each.name: (*value[:4], 99) if isinstance(value, tuple) else 99}))
    leaves = leaf(others)
    assert leaves.shape == (8, len(others))
    assert len({tuple(int(x) for x in column) for column in leaves.T}) == len(others)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(index, account, max_size=8), st.dictionaries(index, account, max_size=8))
def test_changed_tree_is_the_tree_made_at_once(first, second):
    tree = StateTree(first)
    at_once, one_by_one = tree.replaced_all(second), tree
    for place, each in second.items():
        one_by_one = one_by_one.replaced(place, each)
    assert (
        at_once.root == one_by_one.root == StateTree(first | second).root == StateTree(at_once.accounts).root
    )
    assert tree.root == StateTree(first).root  # what was there has not changed
    back = at_once.replaced_all({place: EMPTY for place in second.keys() - first.keys()} | first)
    assert back.root == tree.root and back.accounts == tree.accounts
    assert all(at_once[place] == each for place, each in (first | second).items())


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(index, account, min_size=1, max_size=8), st.data())
def test_path_leads_to_the_root_and_no_other_does(held, data):
    held = {i: replace(each, nonce=i + 1) for i, each in held.items()}  # no two alike, none empty
    tree = StateTree(held)
    place = data.draw(st.sampled_from(sorted(held)))
    siblings = tree.siblings(place)
    check_path(tree.root, place, tree[place], siblings)
    level, at = data.draw(st.integers(0, DEPTH - 1)), data.draw(st.integers(0, 7))
    changed = list(map(list, siblings))
    changed[level][at] = (changed[level][at] + 1) % P
    false = [
        (tree.root, place ^ (1 << level), tree[place], siblings),
        (tree.root, place, replace(tree[place], nonce=0), siblings),
        (tree.root, place, tree[place], [tuple(s) for s in changed]),
        (tree.root, place, tree[place], siblings[:-1]),
        (StateTree({place: SOME}).root, place, tree[place], siblings),
    ]
    for each in false:
        with pytest.raises(WrongPath):
            check_path(*each)


def test_path_with_an_element_that_is_not_canonical_is_refused():
    tree = StateTree({7: SOME})
    first, *rest = tree.siblings(7)
    with pytest.raises(WrongPath, match="below p"):
        check_path(tree.root, 7, SOME, [(first[0] + P, *first[1:]), *rest])


@given(account)
def test_account_comes_back_from_its_bytes(each):
    assert Account.from_bytes(each.to_bytes()) == each and len(each.to_bytes()) == 60


def test_what_is_out_of_range_is_a_callers_mistake():
    for changes in (
        {"balance": 2**29},
        {"stake": -1},
        {"nonce": P},
        {"positive": -1},
        {"key": (1, 2, 3, 4)},
        {"record": (1, 2, 3, 4, P)},
    ):
        with pytest.raises(ValueError, match="expected"):
            replace(SOME, **changes)
    for place in (-1, ACCOUNTS):
        for wrong in (
            lambda place=place: StateTree()[place],
            lambda place=place: StateTree().replaced(place, SOME),
            lambda place=place: StateTree().siblings(place),
        ):
            with pytest.raises(ValueError, match=f"index from 0 to {ACCOUNTS - 1}"):
                wrong()
