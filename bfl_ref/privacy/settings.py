"""What private training may know beforehand, and the settings chosen with it: public scales, one row a patient,
hyper-parameters.

Nothing here was fitted to a record without being paid for, with one exception that is said plainly: rate, clip, epochs and
`OTHER_SCALE` were chosen with `learning.holdout` on training rows of several splits (of each, no test row), and that choice
itself is not charged to a budget.
"""

from dataclasses import replace

import numpy as np

from ..data import Federation, Silo, load
from ..data.federation import Statistics, Table, encode, federate
from ..data.tables import heart
from ..fixed_point import Hyper
from .dpsgd import PrivateConfig

HEART_SCALE = {
    "age": (50.0, 10.0),
    "trestbps": (130.0, 20.0),
    "chol": (200.0, 50.0),
    "fbs": (0.0, 1.0),
    "thalch": (150.0, 25.0),
    "exang": (0.0, 1.0),
    "oldpeak": (0.0, 1.0),
    "ca": (0.0, 1.0),
}
"""(zero, unit) of each number of `heart`, from clinical convention: mmHg around borderline pressure, mg/dl around the
desirable
cholesterol, beats around an adult's peak rate, mm of ST depression, coloured vessels. Not from the table."""
HEART_VALUES = (
    ("Female", "Male"),
    ("asymptomatic", "atypical angina", "non-anginal", "typical angina"),
    ("lv hypertrophy", "normal", "st-t abnormality"),
    ("downsloping", "flat", "upsloping"),
    ("fixed defect", "normal", "reversable defect"),
)
"""Categories of sex, cp, restecg, slope and thal as the table's data dictionary lists them."""


THYROID_TESTS = (
    *("TSH", "TT4", "FTI", "on_thyroxine", "log TSH over 6", "log TSH over 10", "TSH > 6"),
    *("low FTI", "low TT4", "TSH > 6 on thyroxine", "TSH x FTI"),
)
"""What guidelines diagnose hypothyroidism by: TSH, free thyroxine, and whether it is treated."""
OTHER_SCALE = 0.25
"""Factor of every other feature of thyroid: it takes that share of a row's gradient, so the clip norm goes to the tests, and
noise in its weight moves a logit that much less. Held-out F1 at epsilon 3, best clip and rate for each factor:

    1      1/2    1/4    1/8
    .783   .802   .815   .815     plain
    .875   .893   .901   .901     clinical

On heart a like choice (chest pain, exercise, thallium scan) gained nothing.
"""

PRIVATE = {
    ("thyroid", "clinical", "steps"): ((5, 2, 4096, 6), (5, 1, 4096, 4), (5, 1, 4096, 2)),
    ("thyroid", "plain", "steps"): ((5, 1, 4096, 10), (5, 1, 4096, 4), (5, 1, 4096, 2)),
    ("heart", "plain", "steps"): ((5, 1, 768, 12), (5, 1, 2048, 2), (5, 1, 2048, 1)),
    ("heart", "plain", "distributed"): ((5, 1, 8192, 6), (5, 1, 4096, 2), (5, 1, 2048, 2)),
}
"""(data set, features, mechanism) -> (rounds, epochs, rate, clip) from epsilon 2 on, from 1 on, and below. steps: each
hospital's own noise.

From 2 on: the best held-out F1 (thyroid) or accuracy (heart) at epsilon 3 (heart 4), means over ten splits and several
noises, five rounds; of equals the smaller clip. Below: the largest clip whose noise scale still has a proof, since `renyi`
bounds scales above 1000 badly. The grid: python -m benchmarks.privacy --choose
"""


DPSGD = {
    ("thyroid", "plain", "logistic"): PrivateConfig("logistic", 5, 25, 211, 1.0, 0.9, clip=1.5),
    ("thyroid", "plain", "mlp"): PrivateConfig("mlp", 5, 25, 211, 0.25, 0.9, clip=1.5),
    ("thyroid", "clinical", "logistic"): PrivateConfig("logistic", 5, 25, 211, 8.0, 0.0, clip=1.5),
    ("thyroid", "clinical", "mlp"): PrivateConfig("mlp", 5, 10, 211, 2.0, 0.0, clip=1.5),
    ("heart", "plain", "logistic"): PrivateConfig("logistic", 5, 4, 79, 1.0, 0.9, clip=1.5),
    ("heart", "plain", "mlp"): PrivateConfig("mlp", 5, 25, 64, 0.0625, 0.9, clip=0.5),
}
"""(data set, features, model) -> settings of mechanism dpsgd: the best held-out F1 (thyroid, epsilon 3) or accuracy (heart,
epsilon 4) over three splits among 2 batch sizes (64, the smallest hospital), 3 numbers of steps, 6 pairs of rate and
momentum and 2 clip norms.
"""


def private_settings(data_set: str, features: str, mechanism: str, epsilon: float) -> tuple[int, Hyper]:
    """(rounds, hyper-parameters without noise) of `PRIVATE`; the noise is `accounting.calibrate`'s.

    ValueError if not listed.
    """
    if (data_set, features, mechanism) not in PRIVATE:
        known = "; ".join(", ".join(case) for case in PRIVATE)
        raise ValueError(
            f"expected one of {known}; got {data_set}, {features}, {mechanism}: no private settings"
        )
    rounds, epochs, rate, clip = PRIVATE[data_set, features, mechanism][(epsilon < 2) + (epsilon < 1)]
    return rounds, Hyper(epochs, rate, clip, 0)


def private_data(data_set: str, features: str, seed: int) -> Federation:
    """A federation whose features have public scales and whose hospitals hold one training row a patient.

    data_set: "thyroid" (plain, clinical: scales are reference ranges, then `OTHER_SCALE`) or "heart" (`HEART_SCALE`;
    `data.load` would scale it with sums of records, a release of its own). ValueError for any other: it has no public scale.
    """
    if data_set == "thyroid":
        federation = _rescaled(load("thyroid", features=features, seed=seed))
    elif data_set == "heart":
        federation = federate(_public(heart()), seed=seed, test_fraction=0.2)
    else:
        raise ValueError(f"data set with public scales: expected 'thyroid' or 'heart', got {data_set!r}")
    return replace(federation, silos=tuple(map(one_row_per_patient, federation.silos)))


def one_row_per_patient(silo: Silo) -> Silo:
    """The silo with the first training row of each patient: what makes replacing a patient replacing one row.

    A silo whose rows carry no patient is returned as it is: then the unit of privacy is the row.
    """
    if len(silo.patients_train) == 0:
        return silo
    first = np.sort(np.unique(silo.patients_train, return_index=True)[1])
    return replace(
        silo,
        x_train=silo.x_train[first],
        y_train=silo.y_train[first],
        patients_train=silo.patients_train[first],
    )


def _rescaled(federation: Federation) -> Federation:
    names = federation.feature_names
    factor = np.array([1.0 if name in THYROID_TESTS else OTHER_SCALE for name in names], dtype=np.float32)
    silos = [replace(s, x_train=s.x_train * factor, x_test=s.x_test * factor) for s in federation.silos]
    return replace(federation, silos=tuple(silos))


def _public(table: Table) -> Table:
    zero, unit = np.array(list(HEART_SCALE.values())).T
    shared = Statistics(
        rows=2,  # twice the count: every number may be missing, so each has its flag
        count=np.ones(len(zero)),
        total=zero,
        squares=zero**2 + unit**2,
        values=HEART_VALUES,
    )
    return replace(table, features=encode(table.features, shared), ready=True)
