"""Private rounds: what training may cost each hospital's patients, fixed before the first and charged before every round.

    steps   verified rounds: the noise of every integer step, proven where it is audited     (privacy.accounting)
    dpsgd   basic rounds: DP-SGD of a torch model at each hospital                           (privacy.dpsgd)

Both hold against everybody but the hospital itself, also where updates are shared and only sums are opened. Distributed
noise (privacy.distributed) hides a hospital behind the sum of all gradients; shared rounds sum up updates, each rounded by
itself, and that sum is no function of the summed noise, so `plan` refuses it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from .data import Federation
from .fixed_point import Hyper, halves_of
from .fixed_point.rule import HALF_SLOTS
from .learning import TrainConfig, Weights
from .member import Member, Round
from .privacy import accounting, dpsgd
from .privacy.dpsgd import PrivateConfig
from .privacy.ledger import Budget, Charge, Ledger, sampled_charge, steps_charge
from .privacy.settings import DPSGD, private_settings

MECHANISMS = ("steps", "dpsgd")
DELTA = 1e-5


@dataclass(frozen=True)
class Plan:
    """How a federation trains so that its rounds cost each hospital at most (epsilon, delta), one patient replaced.

    charges: of one round, in silo order.   hyper: of mechanism steps, with its noise.   config, multipliers: of dpsgd.
    """

    mechanism: str
    epsilon: float
    delta: float
    charges: tuple[Charge, ...]
    hyper: Hyper | None = None
    config: PrivateConfig | None = None
    multipliers: tuple[float, ...] = ()


def plan(
    federation: Federation,
    case: tuple[str, str, str],
    mechanism: str,
    *,
    epsilon: float,
    delta: float,
    rounds: int,
) -> Plan:
    """Noise for `rounds` rounds on a federation of `privacy.settings.private_data`. case: (data set, features, model).

    ValueError for epsilon <= 0, delta that is not below 1 / rows of every hospital, another mechanism, or a case without
    private settings.
    """
    rows = [len(silo.y_train) for silo in federation.silos]
    accounting.check_budget(epsilon, delta, max(rows))
    if mechanism == "distributed":
        raise ValueError(
            "distributed noise needs gradients that are summed before anything is rounded; rounds share rounded updates"
        )
    if mechanism == "steps":
        _, hyper = private_settings(*case[:2], mechanism, epsilon)
        releases, slots = rounds * hyper.epochs, HALF_SLOTS * halves_of(len(federation.feature_names))
        noise = accounting.calibrate(epsilon, delta, releases, hyper.clip, slots=slots)
        hyper = replace(hyper, noise=noise)
        mass = accounting.claim(hyper, releases, delta, slots=slots).mass
        charge = steps_charge(hyper, hyper.epochs, mass, slots=slots)
        return Plan(mechanism, epsilon, delta, (charge,) * len(rows), hyper=hyper)
    if mechanism != "dpsgd":
        raise ValueError(f"mechanism: expected one of {', '.join(MECHANISMS)}, got {mechanism!r}")
    if case not in DPSGD:
        known = "; ".join(", ".join(each) for each in DPSGD)
        raise ValueError(f"expected one of {known}; got {', '.join(case)}: no private settings")
    config = replace(DPSGD[case], rounds=rounds)
    multipliers = tuple(dpsgd.calibrate(config, n, epsilon, delta) for n in rows)
    charges = tuple(
        sampled_charge(z, config.sample_rate(n), config.steps) for z, n in zip(multipliers, rows, strict=True)
    )
    return Plan(mechanism, epsilon, delta, charges, config=config, multipliers=multipliers)


def open_budgets(plan: Plan, federation: Federation, folder: Path, budget: float) -> tuple[Budget, ...]:
    """Each hospital's ledger in `folder`, a new one with this budget where it has none yet. In silo order.

    An existing ledger keeps its own budget and all that was spent. ValueError if it is kept at another delta.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for silo, charge in zip(federation.silos, plan.charges, strict=True):
        path = folder / f"{quote(silo.name, safe=' +')}.sqlite"
        if path.exists():
            ledger = Ledger(path)
        else:
            ledger = Ledger.create(path, silo.name, budget, plan.delta, patients=len(silo.y_train))
        if ledger.delta != plan.delta:
            raise ValueError(f"delta of {path}: expected {plan.delta}, got {ledger.delta}: it is fixed once")
        found.append(Budget(ledger, charge))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class DpsgdMember(Member):
    """A hospital of basic rounds that trains by DP-SGD. All its noise and batches are drawn from `rng`."""

    settings: PrivateConfig
    multiplier: float

    def train(self, round_: Round, config: TrainConfig) -> Weights:
        assert self.silo is not None
        x, y = self.silo.x_train, self.silo.y_train
        weights, _ = dpsgd.train_private(round_.model, x, y, self.settings, self.multiplier, self.rng)
        return weights


def spent(members: Sequence[Member]) -> dict[str, dict[str, float]]:
    """Hospital -> epsilon spent, its budget, and the rounds that it paid for, from the ledgers."""
    ledgers = {m.name: m.budget.ledger for m in members if m.budget is not None}
    return {
        name: {"spent": ledger.spent, "budget": ledger.epsilon, "rounds": len(ledger.rounds())}
        for name, ledger in ledgers.items()
    }
