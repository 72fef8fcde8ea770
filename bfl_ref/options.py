"""The options of the main job, and everything that can be refused before anything is written."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from . import data
from .cast import (
    MIN_HOSPITALS,
    OPERATORS,
    SEATS,
    VALIDATORS,
    economy_parameters,
    sharing_parameters,
    training_parameters,
)
from .chain.contracts import Economy
from .chain.records import SharingParameters, TrainingParameters
from .fixed_point import settings
from .layer2 import SIZES
from .learning import TrainConfig, chosen_config
from .patients import Agreement
from .privacy.ledger import Budget
from .privacy.settings import private_data
from .private import DELTA, Plan, open_budgets, plan

PROTOCOLS = ("verified", "basic")
LOCAL_CHAINS = ("embedded", "anvil")
MOST_SEATS, MOST_HOSPITALS, LEAST_VALIDATORS = 64, 100, 3  # seats of either kind: the contracts' limit


@dataclass(frozen=True)
class Prepared:
    """What a run works on.

    training, sharing: what hospitals of a verified federation are to do, and its committee; None of a basic one.
    private: None without --epsilon.   economy: how hospitals and validators are drawn, and what is paid.
    layer2: whether rounds settle through the rollup.
    """

    federation: data.Federation
    config: TrainConfig
    training: TrainingParameters | None
    sharing: SharingParameters | None
    private: Plan | None
    economy: Economy
    layer2: bool


def parse(arguments: list[str], description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bfl_ref",
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add: Callable[..., argparse.Action] = parser.add_argument
    add("--dataset", default="thyroid", help=f"one of {', '.join(data.NAMES)}")
    add("--features", default="plain", help='"plain" or "clinical" (thyroid only)')
    add("--path", default=None, help="mimic3: PhysioNet folder; csv: the file")
    add("--target", default=None, help="csv: name of the column with 0/1 labels")
    add("--silo", default=None, help="csv: name of the column that names the hospital")
    add("--hospitals", type=int, default=None, help="cut the silos into so many hospitals, up to 100")
    add(
        "--seats",
        type=int,
        default=SEATS,
        help="verified: hospitals that a lottery selects for a round, 3 to 64",
    )
    add("--validators", type=int, default=VALIDATORS, help="validators drawn for a round, 3 to all members")
    add("--rounds", type=int, default=5, help="federated rounds, 1 to 1000")
    add("--protocol", default="verified", help='"verified" (proofs of training, audited) or "basic" (none)')
    add("--audit-rate", type=float, default=0.1, help="verified: share of all training steps audited, 0 to 1")
    add("--aggregators", type=int, default=5, help="verified: seats that take shares of updates, 2 to 5")
    add("--threshold", type=int, default=3, help="verified: shares that give an update, 2 to --aggregators")
    add("--noise", type=int, default=0, help="verified: scale of the proven noise, 0 (none) to 4000")
    add("--epsilon", type=float, default=None, help="differential privacy: what all rounds may cost, above 0")
    add("--delta", type=float, default=DELTA, help="with --epsilon: above 0, below 1/rows of every hospital")
    add("--mechanism", default=None, help='with --epsilon: "steps" (verified) or "dpsgd" (basic)')
    add("--budget", type=float, default=None, help="with --epsilon: the epsilon that new ledgers hold")
    add("--ledgers", type=Path, default=None, help="with --epsilon: folder of ledgers that outlive the run")
    add(
        "--consent",
        type=float,
        default=None,
        help="verified: ask each patient; the share that agrees, above 0 to 1",
    )
    add(
        "--l2",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="settle rounds through the rollup, by proven batches: by default where rounds are verified",
    )
    add("--withdraw", type=int, default=3, help="with --consent: patients who take it back after round 1")
    add("--model", default="logistic", help='"logistic" or, in the basic protocol, "mlp" (64-32)')
    add(
        "--chain", default="embedded", help='"embedded", "anvil", or an http(s) URL (keys: variable BFL_KEYS)'
    )
    add("--chain-id", type=int, default=None, help="refuse a chain with another id")
    add(
        "--seed",
        type=int,
        default=0,
        help="0 or more: split, initial weights, order of rows, keys of the local chain",
    )
    add("--out", type=Path, default=Path("runs"), help="folder in which the run's folder is made")
    add("--fast", action="store_true", help="two rounds, one pass each: a look at the whole path in seconds")
    return parser.parse_args(arguments)


def prepare(options: argparse.Namespace) -> Prepared:
    """What a run works on. ValueError that names the option at fault."""
    if not 1 <= options.rounds <= 1000:
        raise ValueError(f"--rounds: expected 1 to 1000, got {options.rounds}")
    if not MIN_HOSPITALS <= options.seats <= MOST_SEATS:
        raise ValueError(f"--seats: expected {MIN_HOSPITALS} to {MOST_SEATS}, got {options.seats}")
    if options.protocol not in PROTOCOLS:
        raise ValueError(f"--protocol: expected 'verified' or 'basic', got {options.protocol!r}")
    config = replace(chosen_config(options.dataset, options.model, seed=options.seed), rounds=options.rounds)
    if options.protocol == "verified" and options.model != "logistic":
        raise ValueError(f"--model {options.model}: proofs are of logistic regression; add --protocol basic")
    if options.fast:
        config = replace(config, rounds=min(2, options.rounds), local_epochs=1)
    sharing = None
    if options.protocol == "verified":
        sharing = sharing_parameters(options.aggregators, options.threshold)
    private = None
    if options.epsilon is None:
        _refuse_private_options(options)
        chosen = {"path": options.path, "target": options.target, "silo": options.silo}
        federation = data.load(options.dataset, seed=options.seed, features=options.features, **chosen)
        federation = _cut(options, federation)
    else:
        mechanism = _mechanism(options)
        federation = _cut(options, private_data(options.dataset, options.features, options.seed))
        case = options.dataset, options.features, options.model
        wanted = {"epsilon": options.epsilon, "delta": options.delta, "rounds": config.rounds}
        private = plan(federation, case, mechanism, **wanted)
    training = _training(options, len(federation.feature_names), private)
    _check_consent(options, config.rounds)
    members = min(len(federation.silos) + OPERATORS, MOST_SEATS)
    if not LEAST_VALIDATORS <= options.validators <= members:
        raise ValueError(
            f"--validators: expected {LEAST_VALIDATORS} to {members} (members, at most 64), got {options.validators}"
        )
    economy = economy_parameters(options.seats, options.validators, len(federation.silos))
    layer2 = _layer2(options, len(federation.silos) + OPERATORS)
    return Prepared(federation, config, training, sharing, private, economy, layer2)


def budgets(options: argparse.Namespace, prepared: Prepared, folder: Path) -> tuple[Budget, ...]:
    """The hospitals' privacy ledgers: those of --ledgers, or new ones in the run's own folder."""
    if prepared.private is None:
        return ()
    budget = options.epsilon if options.budget is None else options.budget
    where = options.ledgers or folder / "ledgers"
    return open_budgets(prepared.private, prepared.federation, where, budget)


def agreement(options: argparse.Namespace, folder: Path) -> Agreement | None:
    """How patients are played, their vaults in a folder; None without --consent."""
    if options.consent is None:
        return None
    return Agreement(options.consent, options.withdraw, options.seed, folder)


def _layer2(options: argparse.Namespace, members: int) -> bool:
    """Unless it is said: in verified federations that a batch has room for."""
    fits = members <= SIZES[-1]
    if options.l2 and options.protocol != "verified":
        raise ValueError(f"--l2: expected --protocol verified, got {options.protocol}")
    if options.l2 and not fits:
        raise ValueError(f"--l2: expected at most {SIZES[-1]} members, got {members}")
    return options.protocol == "verified" and fits if options.l2 is None else options.l2


def _check_consent(options: argparse.Namespace, rounds: int) -> None:
    if options.consent is None:
        return
    if not 0 < options.consent <= 1:
        raise ValueError(f"--consent: expected a share above 0 to 1, got {options.consent:g}")
    if options.protocol != "verified":
        raise ValueError(
            f"--consent: it goes with registered rows; expected --protocol verified, got {options.protocol}"
        )
    if options.epsilon is not None:
        raise ValueError(
            "--consent: the account of --epsilon is over rows that stay; expected one of the two"
        )
    if options.withdraw < 0 or (options.withdraw and rounds < 2):
        raise ValueError(f"--withdraw: expected 0 or more, 0 with a single round, got {options.withdraw}")


def _cut(options: argparse.Namespace, federation: data.Federation) -> data.Federation:
    """The silos, or --hospitals of them."""
    if options.hospitals is None:
        return federation
    if not 1 <= options.hospitals <= MOST_HOSPITALS:
        raise ValueError(
            f"--hospitals: expected {len(federation.silos)} to {MOST_HOSPITALS}, got {options.hospitals}"
        )
    try:
        return data.subdivide(federation, options.hospitals, seed=options.seed)
    except ValueError as error:
        raise ValueError(f"--hospitals: {error}") from None


def _refuse_private_options(options: argparse.Namespace) -> None:
    for name in ("mechanism", "budget", "ledgers"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name} {getattr(options, name)}: it goes with --epsilon, which is missing")


def _mechanism(options: argparse.Namespace) -> str:
    """The mechanism of a private run; ValueError if other options contradict it."""
    fitting = {"verified": "steps", "basic": "dpsgd"}[options.protocol]
    mechanism = options.mechanism or fitting
    if mechanism in ("steps", "dpsgd") and mechanism != fitting:
        protocol = {"steps": "verified", "dpsgd": "basic"}[mechanism]
        raise ValueError(f"--mechanism {mechanism}: it needs --protocol {protocol}, got {options.protocol}")
    if options.noise:
        raise ValueError(
            f"--noise {options.noise}: with --epsilon the noise follows from it; expected one of the two"
        )
    if options.chain not in LOCAL_CHAINS and options.ledgers is None:
        raise ValueError(
            f"--chain {options.chain}: it outlives the run, and so must privacy ledgers; add --ledgers"
        )
    return mechanism


def _training(options: argparse.Namespace, features: int, private: Plan | None) -> TrainingParameters | None:
    if options.protocol == "basic":
        return None
    if private is not None and private.hyper is not None:
        return training_parameters(features, private.hyper, options.audit_rate)
    _, hyper = settings.verified(options.dataset, options.features, options.noise)
    return training_parameters(
        features, replace(hyper, epochs=1) if options.fast else hyper, options.audit_rate
    )
