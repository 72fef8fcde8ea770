"""The MIMIC-III loader, on a folder written here and, if it is at hand, on the open demo."""

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bfl_ref.data import load
from bfl_ref.data.mimic3 import VITALS, cohort, extremes, find_table, mimic3

IN_TIME = pd.Timestamp("2150-01-01 10:00:00")
DEMO = Path(os.environ.get("MIMIC3_DIR", Path(__file__).parents[2] / "shared" / "mimic-iii-demo"))
HEART_RATE, CREATININE = 220045, 50912


def hours(h: float) -> str:
    return str(IN_TIME + pd.Timedelta(hours=h))


def write(folder: Path, *, upper: bool, suffix: str, patients: int = 40) -> Path:
    """A PhysioNet-like folder: patient i dies in hospital if i % 4 == 0; care units alternate; nothing else differs.

    Planted: a heart rate of 250 just after the window, and after death; a creatinine of 30 before the ICU and one
    exactly at its end; a chart row flagged as an error; an impossible value; a second admission.
    """
    folder.mkdir()
    died = [i % 4 == 0 for i in range(patients)]
    out = [hours(80 + i) for i in range(patients)]
    admissions = pd.DataFrame(
        {
            "subject_id": range(patients),
            "hadm_id": range(1000, 1000 + patients),
            "admittime": hours(-5),
            "dischtime": out,
            "deathtime": [t if d else None for t, d in zip(out, died, strict=True)],
            "admission_type": ["ELECTIVE" if i % 2 else "EMERGENCY" for i in range(patients)],
            "insurance": ["Medicare" if i % 3 else "Private" for i in range(patients)],
            "hospital_expire_flag": [int(d) for d in died],
        }
    )
    again = admissions.iloc[[1]].assign(
        hadm_id=5000, admittime=hours(9000), dischtime=hours(9100), hospital_expire_flag=1
    )
    stays = pd.DataFrame(
        {
            "hadm_id": [*admissions["hadm_id"], 5000],
            "intime": [hours(0)] * patients + [hours(9001)],
            "first_careunit": ["MICU" if i % 8 < 4 else "SICU" for i in range(patients)] + ["CCU"],
        }
    )
    people = pd.DataFrame(
        {"subject_id": range(patients), "gender": ["F", "M"] * (patients // 2), "dob": "2090-05-05"}
    )
    people.loc[2, "dob"] = "1850-01-01"  # older than 89: shifted by some 300 years
    chart, lab = [], []
    for i in range(patients):
        for hour, value, error in [
            (1, 70 + i, 0),
            (5, 90 + i, 0),
            (6, 249, 1),
            (7, 9999, 0),
            (24, 250, 0),
            (200, 250, 0),
        ]:
            chart.append((i, HEART_RATE, hours(hour), value, error))
        lab += [(i, CREATININE, hours(-0.01), 30.0), (i, CREATININE, hours(24), 30.0)]
        if i != 3:
            lab.append((i, CREATININE, hours(0), 1.0 + i / 100))
    tables = {
        "patients": people,
        "admissions": pd.concat([admissions, again]),
        "icustays": stays,
        "chartevents": pd.DataFrame(
            chart, columns=["subject_id", "itemid", "charttime", "valuenum", "error"]
        ),
        "labevents": pd.DataFrame(lab, columns=["subject_id", "itemid", "charttime", "valuenum"]),
    }
    for name, frame in tables.items():
        case = str.upper if upper else str.lower
        frame.rename(columns=case).to_csv(folder / (case(name) + suffix), index=False)
    return folder


@pytest.fixture
def mimic_folder(tmp_path):
    return write(tmp_path / "mimic", upper=True, suffix=".csv")


@pytest.mark.parametrize(("upper", "suffix"), [(True, ".csv"), (False, ".csv.gz")])
def test_mimic3_both_header_cases_and_compressions_give_the_same_table(tmp_path, mimic_folder, upper, suffix):
    got, expected = mimic3(write(tmp_path / "other", upper=upper, suffix=suffix)), mimic3(mimic_folder)
    pd.testing.assert_frame_equal(got.features, expected.features)
    assert (got.label == expected.label).all() and (got.silo == expected.silo).all()


def test_mimic3_planted_leaks_do_not_reach_the_features(mimic_folder):
    features = mimic3(mimic_folder).features
    assert features["heart rate min"].tolist() == [70 + i for i in range(40)]
    assert features["heart rate max"].tolist() == [90 + i for i in range(40)]
    expected = np.array([1.0 + i / 100 if i != 3 else np.nan for i in range(40)])
    assert np.allclose(features["creatinine max"], expected, equal_nan=True)


def test_mimic3_outcome_change_after_the_window_leaves_all_features_alone(mimic_folder):
    before = mimic3(mimic_folder)
    file = mimic_folder / "ADMISSIONS.csv"
    frame = pd.read_csv(file)
    frame["HOSPITAL_EXPIRE_FLAG"] = 1 - frame["HOSPITAL_EXPIRE_FLAG"]
    frame["DEATHTIME"] = None
    frame["DISCHTIME"] = hours(4000)
    frame.to_csv(file, index=False)
    after = mimic3(mimic_folder)
    pd.testing.assert_frame_equal(before.features, after.features)
    assert (before.label == 1 - after.label).all()


@pytest.mark.parametrize(("hour", "kept"), [(23.9, False), (24.0, False), (24.1, True)])
@pytest.mark.parametrize("columns", [("DEATHTIME", "DISCHTIME"), ("DISCHTIME",)])
def test_cohort_patient_dead_or_discharged_within_the_window_is_left_out(mimic_folder, hour, kept, columns):
    file = mimic_folder / "ADMISSIONS.csv"
    frame = pd.read_csv(file).astype({"DEATHTIME": object})
    frame.loc[0, list(columns)] = hours(hour)
    frame.to_csv(file, index=False)
    people, notes = cohort(mimic_folder)
    assert (0 in people["subject_id"].tolist()) == kept
    counted = "1 dead and 0 out" if "DEATHTIME" in columns else "0 dead and 1 out"
    assert (counted in notes[0]) == (not kept)


def test_cohort_second_admission_and_shifted_birth_date_follow_the_contract(mimic_folder):
    people, _ = cohort(mimic_folder)
    assert people["subject_id"].is_unique and 5000 not in people["hadm_id"].tolist()
    assert people["age_years"].tolist()[:3] == [60.0, 60.0, 90.0]


@pytest.mark.parametrize(
    ("silos_by", "names"), [("care unit", {"MICU", "SICU"}), ("insurance", {"Medicare", "other"})]
)
def test_load_mimic3_silos_follow_the_column_and_small_ones_merge(mimic_folder, silos_by, names):
    federation = load("mimic3", path=mimic_folder, silos_by=silos_by, seed=0)
    assert {silo.name for silo in federation.silos} == names
    assert not any(
        word in name for name in federation.feature_names for word in ("time", "death", "disch", "los")
    )


def test_extremes_result_does_not_depend_on_the_chunk_size(mimic_folder):
    people, _ = cohort(mimic_folder)
    whole = extremes(mimic_folder, "CHARTEVENTS", VITALS, people, 10**6)
    small = extremes(mimic_folder, "CHARTEVENTS", VITALS, people, 7)
    assert all(np.array_equal(whole[name], small[name], equal_nan=True) for name in whole)


def test_extremes_memory_is_bounded_by_the_chunk_and_not_by_the_file(mimic_folder):
    """Peak allocation on a file 8 times as long may not grow, and stays far under what the whole file takes."""
    people, _ = cohort(mimic_folder)
    file = mimic_folder / "CHARTEVENTS.csv"
    header, _, body = file.read_text().partition("\n")
    peaks = []
    for copies in (100, 800):  # 24,000 and 192,000 rows
        file.write_text(f"{header}\n{body * copies}")
        tracemalloc.start()
        extremes(mimic_folder, "CHARTEVENTS", VITALS, people, 2_000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    tracemalloc.start()
    whole = pd.read_csv(file)
    whole_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(whole) == 192_000
    assert peaks[1] < 1.3 * peaks[0] and peaks[1] < whole_peak / 5


@pytest.mark.parametrize("name", ["PATIENTS", "ADMISSIONS", "ICUSTAYS", "LABEVENTS", "CHARTEVENTS"])
def test_mimic3_missing_table_is_named(mimic_folder, name):
    (mimic_folder / f"{name}.csv").unlink()
    with pytest.raises(ValueError, match=rf"MIMIC-III table {name}: expected {name}\.csv or {name}\.csv\.gz"):
        mimic3(mimic_folder)


def test_mimic3_missing_column_is_named(mimic_folder):
    (mimic_folder / "PATIENTS.csv").write_text("SUBJECT_ID,GENDER\n1,F\n")
    with pytest.raises(ValueError, match=r"PATIENTS.csv: expected columns .*; missing dob"):
        mimic3(mimic_folder)


def test_mimic3_caller_mistakes_raise(mimic_folder, tmp_path):
    with pytest.raises(ValueError, match="no MIMIC-III folder at"):
        mimic3(tmp_path / "absent")
    with pytest.raises(ValueError, match="silos_by: expected one of 'care unit', 'insurance', got 'ward'"):
        mimic3(mimic_folder, silos_by="ward")
    with pytest.raises(ValueError, match="mimic3 needs path="):
        load("mimic3", seed=0)


@pytest.mark.skipif(not DEMO.is_dir(), reason="MIMIC3_DIR is not set: the open MIMIC-III demo was not found")
def test_mimic3_open_demo_gives_the_cohort_of_the_card():
    table = mimic3(DEMO)
    card = (Path(__file__).parents[1] / "data" / "mimic3.md").read_text()
    assert f"{len(table.label)} patients, {table.label.sum()} of whom died" in card
    federation = load("mimic3", path=DEMO, seed=0)
    for silo in federation.silos:
        n, k = len(silo.y_train) + len(silo.y_test), silo.y_train.sum() + silo.y_test.sum()
        assert f"| {silo.name} | {n} | {k} |" in card
    assert find_table(DEMO, "CHARTEVENTS").name.lower().startswith("chartevents")
    assert table.features.notna().mean().loc["heart rate max"] > 0.9
