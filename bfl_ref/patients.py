"""Patients as a run plays them: records into vaults, consents signed, some of them taken back.

    record -> vault;  consent signed over the row's leaf -> file, root on chain;  rows under consent -> registered segments

Their keys are made from a number: in life each keeps an own one. Each row is a patient's only record, with an account of its
own. What the process needs besides of a public data set, to score baselines, is none of the hospital's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from .chain.contracts import System
from .chain.events import AccessDenied
from .consent import (
    Signed,
    StatusList,
    Terms,
    agreed,
    free_index,
    post_consents,
    publish,
)
from .consent.standing import TRAINING
from .custody import Custody, grant, holding, now_s_of, pending, renew, withdraw
from .data import Silo
from .leaves import resources
from .stark.field import to_bytes
from .store import FolderStore, Store, canonical_json
from .vault import FileKeys, Record, Vault, proceed
from .verified import VerifiedMember

YEARS = 5
_YEAR_S = 365 * 24 * 3600


Leaving = Mapping[int, Sequence[Signed]]
"""Number of a hospital -> consents of those of its patients who will withdraw."""


@dataclass(frozen=True)
class Agreement:
    """How patients are played. share: of those who agree to research, above 0 to 1.   withdraw: how many of them take it
    back after round 1.   seed: of their keys and their minds.   folder: of the vaults.
    """

    share: float
    withdraw: int
    seed: int
    folder: Path


def take_in(
    system: System, store: Store, member: VerifiedMember, features: Sequence[str], agreement: Agreement
) -> Custody:
    """Records into the vault, consents of those who agree onto the chain. The member then holds their rows alone, and is to
    register. features: names of the columns.   ValueError if nobody agrees.
    """
    assert member.rows is not None and member.silo is not None
    rows, silo, own = member.rows, member.silo, member.account.address
    patients = [_patient(agreement.seed, member.name, i) for i in range(len(rows.y))]
    agree = (
        np.random.default_rng([agreement.seed, int(own, 16) % 2**63]).random(len(rows.y)) < agreement.share
    )
    if not agree.any():
        raise ValueError(f"{member.name}: expected a patient who agrees to research, {len(agree)} do not")
    folder = agreement.folder / own
    vault = Vault(folder, FolderStore(folder / "store"), FileKeys(folder / "keys"), system.consents, own)
    named = resources(rows.leaves())
    for i, patient in enumerate(patients):
        record = _record(features, silo, i)
        vault.put(patient.address, named[i], record, to_bytes(rows.salts[i]))
    now_s, taken, consents = now_s_of(system), set[int](), list[Signed]()
    for i in np.flatnonzero(agree).tolist():
        taken.add(index := free_index(taken, member.rng))
        period = now_s, now_s + YEARS * _YEAR_S
        terms = Terms(patients[i].address, own, own, named[i], TRAINING, *period, index, member.rng(32))
        consents.append(agreed(terms, system.consents.domain, patients[i]))
    status = StatusList()
    publish(system.consents, store, status, now_s, sender=member.account)
    post_consents(system.consents, store, consents, sender=member.account)
    keys: dict[str, LocalAccount] = {patient.address: patient for patient in patients}
    taken_in = holding(Custody(member, vault, tuple(consents), status, keys), agree)
    rows.forget(~agree)
    return taken_in


def choose(custodies: Sequence[Custody], agreement: Agreement) -> Leaving:
    """Who is to withdraw: at random, no hospital loses its last row. ValueError for more than can leave."""
    all_of = [(i, each) for i, custody in enumerate(custodies) for each in custody.consents[1:]]
    count = agreement.withdraw
    if not 0 <= count <= len(all_of):
        raise ValueError(f"expected 0 to {len(all_of)} patients who withdraw, got {count}")
    order = np.random.default_rng(agreement.seed).permutation(len(all_of))
    leaving: dict[int, list[Signed]] = {}
    for k in sorted(order[:count].tolist()):
        hospital, consent = all_of[k]
        leaving.setdefault(hospital, []).append(consent)
    return leaving


def introduce(system: System, custodies: Sequence[Custody], leaving: Leaving) -> None:
    """Brings the consents of those who will leave on chain one by one, and has their hospital fetch a record on each."""
    for i, consents in leaving.items():
        grant(system, custodies[i], consents)
        for each in consents:
            assert isinstance(custodies[i].fetch(each), Record)


def depart(
    system: System, store: Store, custodies: Sequence[Custody], leaving: Leaving
) -> tuple[Custody, ...]:
    """Between two rounds: they withdraw and ask for erasure, their hospitals still ask for their records and get a no, the
    rows leave, the records are erased. RuntimeError if one is not, which honest hospitals never see.
    """
    for i, consents in leaving.items():
        withdraw(system, custodies[i], consents, now_s_of(system))
        assert isinstance(custodies[i].fetch(consents[0]), AccessDenied)
    following = tuple(renew(system, store, custody) for custody in custodies)
    for i in leaving:
        account, asks = following[i].member.account, pending(system, store, following[i])
        done = proceed(following[i].vault, account, asks, now_s_of(system))
        if done.waiting:
            raise RuntimeError(f"{following[i].member.name} cannot erase: {done.waiting}")
    return following


def _patient(seed: int, hospital: str, number: int) -> LocalAccount:
    return Account.from_key(keccak(text=f"bfl_ref/patient/{seed}/{hospital}/{number}"))


def _record(features: Sequence[str], silo: Silo, number: int) -> bytes:
    """What the vault keeps: the row by its columns' names, and its label."""
    values = {name: float(value) for name, value in zip(features, silo.x_train[number], strict=True)}
    return canonical_json({"features": values, "label": int(silo.y_train[number])})
