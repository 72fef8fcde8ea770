"""More, smaller hospitals: the same rows, dealt out, both labels everywhere."""

import numpy as np
import pytest

from bfl_ref.data import load, subdivide
from bfl_ref.governance.reputation import LARGE
from bfl_ref.options import parse, prepare

HEART = load("heart", seed=0)


def rows_of(federation, side: str) -> np.ndarray:
    """All rows with their labels, in an order of their own."""
    stacked = np.concatenate(
        [np.column_stack([getattr(s, f"x_{side}"), getattr(s, f"y_{side}")]) for s in federation.silos]
    )
    return stacked[np.lexsort(stacked.T)]


@pytest.mark.parametrize("side", ["train", "test"])
def test_rows_are_the_same_and_none_is_doubled(side: str) -> None:
    assert np.array_equal(rows_of(subdivide(HEART, 10, seed=0), side), rows_of(HEART, side))


def test_largest_silo_is_cut_next_and_names_tell_it() -> None:
    cut = subdivide(HEART, 5, seed=0)
    uncut = [s.name for s in HEART.silos[1:]]
    assert [s.name for s in cut.silos] == ["Cleveland 1", "Cleveland 2", *uncut]
    assert "4 silos cut at random into 5 hospitals" in cut.notes
    assert (
        subdivide(HEART, 4, seed=0).silos == HEART.silos and subdivide(HEART, 4, seed=0).notes == HEART.notes
    )


def test_every_part_has_both_labels_and_sizes_are_alike() -> None:
    cut = subdivide(load("thyroid", seed=0), 20, seed=0)
    assert all(len(np.unique(y)) == 2 for s in cut.silos for y in (s.y_train, s.y_test))
    assert max(len(s.y_train) for s in cut.silos) < 2 * min(len(s.y_train) for s in cut.silos)


def test_seed_decides_who_goes_where() -> None:
    parts = [subdivide(HEART, 8, seed=seed).silos[0].x_train for seed in (0, 0, 1)]
    assert np.array_equal(parts[0], parts[1]) and not np.array_equal(parts[0], parts[2])


def test_patients_stay_whole() -> None:
    silo = HEART.silos[0]
    patients = np.array([f"p{i // 3}" for i in range(len(silo.y_train))])
    federation = type(HEART)(
        "made up", HEART.feature_names, (type(silo)(**{**vars(silo), "patients_train": patients}),), ()
    )
    seen = [set(part.patients_train) for part in subdivide(federation, 3, seed=0).silos]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert set().union(*seen) == set(patients)


def test_too_few_or_too_many_hospitals_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 4 hospitals \(the silos\), got 3"):
        subdivide(HEART, 3, seed=0)
    with pytest.raises(ValueError, match="20 hospitals are too many: a part of Switzerland lacks a label"):
        subdivide(HEART, 20, seed=0)


@pytest.mark.parametrize(("hospitals", "seats", "strict"), [(12, 7, True), (11, 7, False), (12, 5, False)])
def test_main_cuts_silos_and_is_strict_where_groups_tell_hospitals_apart(
    hospitals: int, seats: int, strict: bool
) -> None:
    options = parse(["--dataset", "wdbc", "--hospitals", str(hospitals), "--seats", str(seats)], "")
    prepared = prepare(options)
    assert len(prepared.federation.silos) == hospitals and prepared.economy.selection.seats == seats
    assert (prepared.economy.reputation is LARGE) == strict
    assert prepared.economy.selection.patience == (31 if strict else 7)  # as simulated


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hospitals", "3"], r"--hospitals: expected at least 4 hospitals \(the silos\), got 3"),
        (["--hospitals", "101"], "--hospitals: expected 4 to 100, got 101"),
        (["--hospitals", "90"], "--hospitals: 90 hospitals are too many: a part of clinic"),
        (["--seats", "2"], "--seats: expected 3 to 64, got 2"),
        (["--validators", "8"], r"--validators: expected 3 to 7 \(members, at most 64\), got 8"),
    ],
)
def test_main_refuses_by_the_name_of_the_option(arguments: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prepare(parse(["--dataset", "wdbc", *arguments], ""))
