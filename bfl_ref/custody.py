"""A hospital's rows because of its patients' consents: which it may train on, which leave, and what an erasure waits for.

    withdrawal, expiry, revocation -> the row leaves before the next round (`renew`) -> an erasure that was asked goes on

The hospital's extract of rows lies in its memory while the task runs; of a row that leaves, values, label and salt are
overwritten there. Who cannot re-register in time, because its stake answers for a round, keeps out of the next one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from eth_account.signers.local import LocalAccount

from .chain.contracts import System
from .chain.errors import DataFrozen
from .chain.events import AccessDenied, DataRegistered, RoundOpened, RowsLeft
from .chain.records import ConsentState, Phase
from .consent import (
    Signed,
    StatusList,
    consent_id,
    post_consents,
    publish,
    withdrawal_message,
)
from .consent.posted import ids_of
from .consent.standing import TRAINING, Standing, objection, standing_of
from .leaves import read_leaves, resources
from .member import Round, RowsWithoutConsent
from .sealing import public_key
from .store import Store
from .vault import NotReleased, Record, Vault, ask, open_release
from .verified import VerifiedMember, encryption_key, register


@dataclass(frozen=True, eq=False)
class Custody:
    """member: its rows are those under `consents`, in this order.   patients: the keys of all, by account."""

    member: VerifiedMember
    vault: Vault
    consents: tuple[Signed, ...]
    status: StatusList
    patients: Mapping[str, LocalAccount] = field(repr=False)

    def fetch(self, signed: Signed, depth: int = 0) -> Record | NotReleased | AccessDenied:
        """Asks the contract for a record as its consent's grantee, and the vault with the answer. The record, or the no."""
        registry, account = self.vault.registry, self.member.account
        recipient = public_key(encryption_key(account))
        proof = self.status.proof(signed.terms.status_index)
        answer = registry.request(signed.terms, TRAINING, recipient, proof, sender=account)
        if isinstance(answer, AccessDenied):
            return answer
        try:
            sealed = self.vault.release(answer.request_id, depth, self.member.rng)
        except NotReleased as reason:
            return reason
        return open_release(sealed, encryption_key(account), registry.domain, answer.request_id)


def grant(system: System, custody: Custody, consents: Sequence[Signed]) -> None:
    """Brings consents on chain one by one, so that the contract answers for them. After a crash: call it again."""
    registry = system.consents
    _enrol(system, custody, consents)
    missing = [each for each in consents if _state(system, each) is ConsentState.NONE]
    if missing:
        said, signatures = [each.terms for each in missing], [each.signature for each in missing]
        registry.grant_many(said, signatures, sender=custody.member.account)


def withdraw(system: System, custody: Custody, consents: Sequence[Signed], now_s: int) -> None:
    """These patients take their consents back, through their hospital, and ask for erasure. After a crash: call it again."""
    registry = system.consents
    _enrol(system, custody, consents)  # the chain must know a record whose tombstone it is to have
    for each in consents:
        if _state(system, each) is not ConsentState.WITHDRAWN:
            message = withdrawal_message(consent_id(each.terms, registry.domain), registry.domain)
            signature = bytes(custody.patients[each.terms.holder].sign_message(message).signature)
            registry.withdraw(each.terms, signature, sender=custody.member.account)
    ask(custody.vault, [each.terms.holder for each in consents], now_s)


def renew(system: System, store: Store, custody: Custody) -> Custody:
    """Before a round: rows whose consent has ended leave, and what is left is posted and registered again.

    Of a withdrawn consent the bit is set in the status list too. Nobody can register no rows: a hospital of which none would
    be left stays registered as it is, overwrites them all, and trains no more. Raises DataFrozen while its stake answers for
    a round; nothing has changed then. After a crash: call it again.
    """
    account, registry = custody.member.account, system.consents
    standing, now_s = standing_of(system.events(), system.node.web3.eth.block_number), now_s_of(system)
    assert custody.member.rows is not None
    stay = np.array([reason is None for reason in _objections(system, custody, now_s, standing)])
    if stay.all():
        return custody
    if not stay.any():
        if system.vault.stake_of(account.address).freezes:
            raise DataFrozen(hospital=account.address)
        custody.member.rows.forget(~stay)
        return custody
    ids = ids_of(custody.consents, registry.domain)
    gone = [
        c.terms.status_index for c, i in zip(custody.consents, ids, strict=True) if i in standing.withdrawn
    ]
    status = custody.status.with_revoked(*gone)
    kept = tuple(each for each, stays in zip(custody.consents, stay, strict=True) if stays)
    following = holding(replace(custody, consents=kept, status=status), stay)
    register(system, store, following.member)
    custody.member.rows.forget(~stay)
    publish(registry, store, status, now_s, sender=account)
    post_consents(registry, store, kept, sender=account)
    return following


def pending(system: System, store: Store, custody: Custody) -> Callable[[bytes], tuple[str, ...]]:
    """For `vault.proceed`: resource -> what the chain may still ask about the row.

    It may while the leaf is among those that the hospital registered last, since the next round would draw it (unless it
    trains no more: no consent is left); and while a round for which it was registered has audits that are not closed.
    """
    events, hospital = system.events(), custody.member.account.address
    standing = standing_of(events, system.node.web3.eth.block_number)
    trains = None in _objections(system, custody, now_s_of(system), standing)
    registered = [e for e in events if isinstance(e, DataRegistered | RowsLeft) and e.hospital == hospital]
    sets = [(e.block, frozenset(resources(read_leaves(store, e.leaves)))) for e in registered]
    open_rounds = []
    for opened in (e for e in events if isinstance(e, RoundOpened)):
        drawn = Phase.SELECT < system.rounds.phase_of(opened.round_id) <= Phase.PROVE
        if drawn and hospital in system.rounds.hospitals_of(opened.round_id):
            before = [leaves for block, leaves in sets if block <= opened.block]
            open_rounds.append((opened.round_id, before[-1] if before else frozenset()))

    def asks(resource: bytes) -> tuple[str, ...]:
        said = [f"audits of round {round_id}" for round_id, leaves in open_rounds if resource in leaves]
        if trains and sets and resource in sets[-1][1]:
            said.append("registered: it leaves before the next round")
        return tuple(said)

    return asks


def holding(custody: Custody, stay: np.ndarray) -> Custody:
    """The member with these of its rows, and with a guard that looks at their consents as a round begins."""
    member = custody.member
    assert member.rows is not None and member.silo is not None
    silo = replace(member.silo, x_train=member.silo.x_train[stay], y_train=member.silo.y_train[stay])
    if len(silo.patients_train):
        silo = replace(silo, patients_train=silo.patients_train[stay])
    following = replace(custody, member=replace(member, rows=member.rows.only(stay), silo=silo))
    guarded = replace(following.member, consented=partial(_require_consents, following))
    return replace(following, member=guarded)


def _require_consents(custody: Custody, round_: Round) -> None:
    """RowsWithoutConsent if a consent had ended when the round was opened."""
    (opened,) = round_.events(RoundOpened)
    block = round_.system.node.web3.eth.get_block(opened.block)
    standing = standing_of(round_.system.events(), opened.block)
    reasons = _objections(round_.system, custody, block["timestamp"], standing)
    if ended := [reason for reason in reasons if reason is not None]:
        raise RowsWithoutConsent(len(ended), type(ended[0]).__name__)


def _objections(system: System, custody: Custody, now_s: int, standing: Standing) -> list[Any]:
    own = custody.member.account.address
    ids = ids_of(custody.consents, system.consents.domain)
    return [
        objection(each, i, own, now_s, custody.status, standing)
        for each, i in zip(custody.consents, ids, strict=True)
    ]


def _enrol(system: System, custody: Custody, consents: Sequence[Signed]) -> None:
    registry, own = system.consents, custody.member.account
    holders = {each.terms.resource: each.terms.holder for each in consents}
    unknown = [r for r in holders if not int(registry.enrolment_of(own.address, r).holder, 16)]
    if unknown:
        registry.enrol(unknown, [holders[r] for r in unknown], sender=own)


def _state(system: System, signed: Signed) -> ConsentState:
    return system.consents.state_of(consent_id(signed.terms, system.consents.domain))


def now_s_of(system: System) -> int:
    """Time of the last block."""
    return system.node.web3.eth.get_block("latest")["timestamp"]
