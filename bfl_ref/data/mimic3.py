"""In-hospital mortality from the first 24 hours in intensive care, read from the reader's own MIMIC-III files.

Unit: the patient, first admission, first ICU stay in it. Prediction is made WINDOW after the ICU in-time, so only what
was measured before that moment is read. CHARTEVENTS (330 million rows in the full database) and LABEVENTS are streamed:
at no time are more than CHUNK_ROWS rows of them in memory, beside one minimum and one maximum per patient and
measurement.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bfl_ref.data.federation import Table

WINDOW = pd.Timedelta(hours=24)
CHUNK_ROWS = 500_000
MIN_PER_CLASS = 5
"""A care unit or insurance with fewer patients of either outcome joins the silo "other"."""

SILO_COLUMNS = {"care unit": "first_careunit", "insurance": "insurance"}

# name: (item ids, lowest and highest believable value). Ids of CareVue (below 220000) and MetaVision charts name the
# same measurement; ids from 50800 to 51400 are laboratory items. Values outside the range are entry errors.
VITALS = {
    "heart rate": ((211, 220045), 10, 300),
    "systolic pressure": ((51, 442, 455, 6701, 220050, 220179), 20, 300),
    "diastolic pressure": ((8368, 8440, 8441, 8555, 220051, 220180), 5, 250),
    "mean pressure": ((52, 443, 456, 6702, 220052, 220181, 225312), 10, 280),
    "respiratory rate": ((615, 618, 220210, 224690), 1, 70),
    "temperature C": ((676, 223762), 25, 45),
    "temperature F": ((678, 223761), 77, 113),
    "oxygen saturation": ((646, 220277), 20, 100),
    "GCS eyes": ((184, 220739), 1, 4),
    "GCS motor": ((454, 223901), 1, 6),
}
LABS = {
    "anion gap": ((50868,), 1, 80),
    "bicarbonate": ((50882,), 2, 60),
    "bilirubin": ((50885,), 0.05, 80),
    "creatinine": ((50912,), 0.1, 40),
    "glucose": ((50809, 50931), 10, 2000),
    "haemoglobin": ((50811, 51222), 1, 25),
    "INR": ((51237,), 0.5, 30),
    "lactate": ((50813,), 0.1, 40),
    "pH": ((50820,), 6.5, 8.0),
    "platelets": ((51265,), 1, 2500),
    "potassium": ((50822, 50971), 1, 12),
    "sodium": ((50824, 50983), 90, 200),
    "urea nitrogen": ((51006,), 1, 300),
    "white cells": ((51300, 51301), 0.05, 500),
}


def find_table(folder: Path, table: str) -> Path:
    """The file of a table: TABLE.csv or TABLE.csv.gz in any case. Raises ValueError if there is none."""
    for suffix in (".csv", ".csv.gz"):
        for file in sorted(folder.iterdir()):
            if file.name.lower() == table.lower() + suffix:
                return file
    raise ValueError(
        f"MIMIC-III table {table}: expected {table}.csv or {table}.csv.gz (any case), got none in {folder}"
    )


def read_chunks(
    folder: Path, table: str, columns: tuple[str, ...], chunk_rows: int
) -> Iterator[pd.DataFrame]:
    """The named columns (lower case; the file may use either) in pieces of at most chunk_rows rows."""
    file = find_table(folder, table)
    header = {name.lower(): name for name in pd.read_csv(file, nrows=0).columns}
    if absent := [name for name in columns if name not in header]:
        raise ValueError(f"{file.name}: expected columns {', '.join(columns)}; missing {', '.join(absent)}")
    with pd.read_csv(
        file, usecols=[header[c] for c in columns], chunksize=chunk_rows, low_memory=False
    ) as reader:
        for chunk in reader:
            yield chunk.rename(columns=str.lower)


def read_table(folder: Path, table: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """A small table in one piece; columns that end in "time" (and dob) are parsed as times."""
    frame = pd.concat(read_chunks(folder, table, columns, CHUNK_ROWS), ignore_index=True)
    for name in columns:
        if name.endswith("time") or name == "dob":
            frame[name] = pd.to_datetime(frame[name])
    return frame


def cohort(folder: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One row per patient: subject_id, hadm_id, start, end, age_years, male, elective, died, first_careunit, insurance.

    Kept: adults who at the end of the window are alive and still in hospital. Someone who died or went home before has
    no outcome left to predict, and keeping them would let an empty chart tell the outcome. Also returns the notes.
    """
    patients = read_table(folder, "PATIENTS", ("subject_id", "gender", "dob"))
    times = ("admittime", "dischtime", "deathtime")
    facts = ("subject_id", "hadm_id", "admission_type", "insurance", "hospital_expire_flag")
    admissions = read_table(folder, "ADMISSIONS", times + facts)
    stays = read_table(folder, "ICUSTAYS", ("hadm_id", "intime", "first_careunit")).dropna(subset=["intime"])
    first = admissions.sort_values(["admittime", "hadm_id"]).drop_duplicates("subject_id")
    stay = stays.sort_values("intime").drop_duplicates("hadm_id")
    people = first.merge(stay, on="hadm_id").merge(patients, on="subject_id")
    people["start"], people["end"] = people["intime"], people["intime"] + WINDOW
    # Ages above 89 are shifted to about 300 years for privacy; the difference of years cannot overflow.
    people["age_years"] = (people["intime"].dt.year - people["dob"].dt.year).clip(upper=90).astype(float)
    adult = people["age_years"] >= 18
    # Deaths recorded before the ICU stay (organ donors readmitted) fall here too.
    dead = people["deathtime"] <= people["end"]
    left = (people["dischtime"] <= people["end"]) & ~dead
    kept = people[adult & ~dead & ~left].sort_values("subject_id").reset_index(drop=True)
    notes = (
        f"{len(first)} patients; left out: {len(first) - len(people)} without an ICU stay in the first admission, "
        f"{(~adult).sum()} under 18, {(adult & dead).sum()} dead and {(adult & left).sum()} out of hospital at 24 hours",
    )
    kept["male"] = (kept["gender"] == "M").astype(float)
    kept["elective"] = (kept["admission_type"] == "ELECTIVE").astype(float)
    kept["died"] = kept["hospital_expire_flag"].astype(np.int64)
    return kept, notes


def extremes(
    folder: Path, table: str, items: dict, people: pd.DataFrame, chunk_rows: int
) -> dict[str, np.ndarray]:
    """Lowest and highest value of each item per patient, over start <= charttime < end; NaN where never measured.

    Severity scores (APACHE, SAPS) read the worst value of the first day; the two extremes hold it in either direction.
    """
    columns = ("subject_id", "itemid", "charttime", "valuenum") + (
        ("error",) if table == "CHARTEVENTS" else ()
    )
    position = pd.Index(people["subject_id"])
    item_of = {itemid: i for i, (ids, _, _) in enumerate(items.values()) for itemid in ids}
    lowest, highest = np.array([item[1:] for item in items.values()], dtype=float).T
    low = np.full((len(items), len(people)), np.inf)
    high = np.full((len(items), len(people)), -np.inf)
    start, end = people["start"].to_numpy(), people["end"].to_numpy()
    for chunk in read_chunks(folder, table, columns, chunk_rows):
        chunk = chunk[chunk["itemid"].isin(item_of) & chunk["subject_id"].isin(position)]
        if table == "CHARTEVENTS":
            chunk = chunk[chunk["error"] != 1]
        value = pd.to_numeric(chunk["valuenum"], errors="coerce").to_numpy(dtype=float)
        time = pd.to_datetime(chunk["charttime"]).to_numpy()
        item = chunk["itemid"].map(item_of).to_numpy(dtype=np.int64)
        who = position.get_indexer(chunk["subject_id"])
        # Times are compared per patient, not per admission: laboratory rows often carry no admission number.
        good = (time >= start[who]) & (time < end[who]) & (value >= lowest[item]) & (value <= highest[item])
        np.minimum.at(low, (item[good], who[good]), value[good])
        np.maximum.at(high, (item[good], who[good]), value[good])
    return {
        f"{name} {side}": np.where(np.isfinite(row), row, np.nan)
        for i, name in enumerate(items)
        for side, row in (("min", low[i]), ("max", high[i]))
    }


def mimic3(path: str | Path, *, silos_by: str = "care unit", chunk_rows: int = CHUNK_ROWS) -> Table:
    """In-hospital death of a patient, from age, sex, admission type and 46 first-day extremes.

    path: a folder with PATIENTS, ADMISSIONS, ICUSTAYS, LABEVENTS and CHARTEVENTS as .csv or .csv.gz, names and headers in
    either case.   silos_by: "care unit" (first ICU) or "insurance".   chunk_rows: rows of a large table held at once.
    Raises ValueError for a missing folder, table or column, another silos_by, and an empty cohort.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ValueError(f"no MIMIC-III folder at {folder}")
    if silos_by not in SILO_COLUMNS:
        raise ValueError(f"silos_by: expected one of {', '.join(map(repr, SILO_COLUMNS))}, got {silos_by!r}")
    for table in ("PATIENTS", "ADMISSIONS", "ICUSTAYS", "LABEVENTS", "CHARTEVENTS"):
        find_table(folder, table)  # before minutes of streaming, not after
    people, notes = cohort(folder)
    if len(people) == 0:
        raise ValueError(f"{folder}: no adult patient is alive and in hospital 24 hours after ICU admission")
    measured = extremes(folder, "CHARTEVENTS", VITALS, people, chunk_rows)
    measured |= extremes(folder, "LABEVENTS", LABS, people, chunk_rows)
    for side, best in (("min", np.fmin), ("max", np.fmax)):
        celsius = (measured.pop(f"temperature F {side}") - 32) / 1.8
        measured[f"temperature C {side}"] = best(measured[f"temperature C {side}"], celsius)
    unit = people[SILO_COLUMNS[silos_by]].fillna("not stated")
    deaths = people["died"].groupby(unit).agg(["size", "sum"])
    rarer = np.minimum(deaths["sum"], deaths["size"] - deaths["sum"])
    small = deaths.index[rarer < MIN_PER_CLASS]
    return Table(
        name="mimic3",
        features=pd.concat([people[["age_years", "male", "elective"]], pd.DataFrame(measured)], axis=1),
        label=people["died"].to_numpy(),
        silo=unit.mask(unit.isin(small), "other").to_numpy(dtype=str),
        patient=people["subject_id"].to_numpy(),
        notes=(
            *notes,
            f"silos by {silos_by}; merged into 'other' (fewer than {MIN_PER_CLASS} of an outcome): "
            + (", ".join(small) or "none"),
        ),
    )
