"""Clinical tables as federations of hospitals: `load(name, seed=...)`."""

from pathlib import Path

from bfl_ref.data.csv_table import csv
from bfl_ref.data.federation import Federation, Silo, Table, federate, split
from bfl_ref.data.mimic3 import mimic3
from bfl_ref.data.subdivide import subdivide
from bfl_ref.data.tables import heart, thyroid, wdbc

__all__ = ["NAMES", "Federation", "Silo", "load", "split", "subdivide"]

NAMES = ("thyroid", "heart", "wdbc", "mimic3", "csv")


def load(
    name: str = "thyroid",
    *,
    seed: int,
    features: str = "plain",
    test_fraction: float = 0.2,
    path: str | Path | None = None,
    silos_by: str = "care unit",
    target: str | None = None,
    silo: str | None = None,
    patient: str | None = None,
) -> Federation:
    """Load a data set as hospitals with training and test rows; the same arguments give the same arrays.

    name: one of NAMES.   seed: draws the split (and the silos of wdbc).   test_fraction: share of patients, per silo
    and class, in (0, 1).   features: "plain" or "clinical", thyroid only.   path: a PhysioNet folder (mimic3) or a
    CSV file (csv).   silos_by: "care unit" or "insurance", mimic3 only.   target, silo, patient: column names, csv only.
    Raises ValueError on an unknown name or a table that cannot be used, ModuleNotFoundError if a wheel is missing.
    """
    table: Table
    if name == "thyroid":
        table = thyroid(features)
    elif name == "heart":
        table = heart()
    elif name == "wdbc":
        table = wdbc(seed)
    elif name == "mimic3":
        if path is None:
            raise ValueError("mimic3 needs path=, the folder that holds your PhysioNet MIMIC-III files")
        table = mimic3(path, silos_by=silos_by)
    elif name == "csv":
        if path is None or target is None or silo is None:
            raise ValueError(f"csv needs path=, target= and silo=, got {path=}, {target=}, {silo=}")
        table = csv(path, target=target, silo=silo, patient=patient)
    else:
        raise ValueError(f"unknown data set {name!r}; known: {', '.join(NAMES)}")
    return federate(table, seed=seed, test_fraction=test_fraction)
