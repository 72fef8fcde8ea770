"""A small shared federation whose patients were asked, taken back to its start for each test."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import shared_cases
from shared_cases import Played, Stage

from bfl_ref import data
from bfl_ref.audit_trail import read_trail
from bfl_ref.consent_audit import CONTRACTS, ConsentReport, audit
from bfl_ref.custody import Custody, _require_consents
from bfl_ref.data import Federation
from bfl_ref.patients import Agreement
from bfl_ref.store import FolderStore
from bfl_ref.vault import FileKeys, Vault

ROWS = 40
SHARE, LEAVE = 0.75, 3


def small() -> Federation:
    """The first rows of wdbc's four clinics."""
    federation = data.load("wdbc", seed=0)
    silos = []
    for silo in federation.silos:
        x, y, patients = silo.x_train[:ROWS], silo.y_train[:ROWS], silo.patients_train[:ROWS]
        silos.append(replace(silo, x_train=x, y_train=y, patients_train=patients))
    return replace(federation, silos=tuple(silos))


@contextmanager
def opened(folder: Path, audit_rate: float = 0.0) -> Iterator[Played]:
    agreement = Agreement(SHARE, LEAVE, 0, folder / "vaults")
    with shared_cases.opened(folder / "store", small(), audit_rate, agreement=agreement) as played:
        yield played


def begin(played: Played, folder: Path) -> Stage:
    """Chain, store, vaults and rows as they were."""
    stage = played.again(folder)
    custodies = tuple(_copied(stage, custody, folder / "vaults") for custody in stage.custodies)
    return having(stage, custodies)


def having(stage: Stage, custodies: tuple[Custody, ...]) -> Stage:
    others = {each.member.account.address: each.member for each in custodies}
    members = tuple(others.get(m.account.address, m) for m in stage.members)
    return stage._replace(members=members, custodies=custodies)


def report_of(stage: Stage) -> ConsentReport:
    addresses = stage.system.deployment.addresses
    trail = read_trail(stage.system.node.web3, {name: addresses[name] for name in CONTRACTS})
    return audit(trail, stage.system.consents.domain, stage.store)


def _copied(stage: Stage, custody: Custody, folder: Path) -> Custody:
    rows, own = custody.member.rows, custody.member.account.address
    where = shutil.copytree(custody.vault.book.path.parent, folder / own)
    vault = Vault(where, FolderStore(where / "store"), FileKeys(where / "keys"), stage.system.consents, own)
    member = replace(custody.member, rows=rows.only(np.ones(len(rows.y), bool)), sharings={})
    copied = replace(custody, vault=vault, member=member)
    return replace(copied, member=replace(member, consented=partial(_require_consents, copied)))
