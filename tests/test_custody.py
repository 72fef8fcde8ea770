"""Consent drives training: who did not agree never enters, who withdraws is not in the next round, and erasure waits."""

import json
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from custody_cases import LEAVE, ROWS, SHARE, begin, having, opened, report_of, small
from shared_cases import HYPER, _stub, stub_prover

from bfl_ref import cast, layer2
from bfl_ref import custody as module
from bfl_ref.cast import sharing_parameters, training_parameters
from bfl_ref.chain.errors import DataFrozen, NotSignedByHolder
from bfl_ref.chain.events import (
    AccessAllowed,
    AccessDenied,
    BatchSettled,
    ConsentGranted,
    ConsentsPosted,
    DataRegistered,
    HospitalExcluded,
    RecordErased,
    StatesCommitted,
)
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.records import ConsentState, Denial, Phase
from bfl_ref.comparison import on_chain
from bfl_ref.consent import ConsentRegistry, agreed, fetch_consents, path_of, publish
from bfl_ref.consent.posted import ids_of
from bfl_ref.consent.standing import TRAINING
from bfl_ref.consent_audit.__main__ import main as auditor
from bfl_ref.custody import grant, now_s_of, pending, renew, withdraw
from bfl_ref.figures import trail_timeline
from bfl_ref.history import consent_timeline, save_chain
from bfl_ref.learning import TrainConfig
from bfl_ref.leaves import resources
from bfl_ref.patients import Agreement, choose, depart, introduce
from bfl_ref.report import consent_line, rollup_line
from bfl_ref.rollup.entries import Kind, decode
from bfl_ref.shared import SharedMember, keep_here
from bfl_ref.store import FolderStore
from bfl_ref.vault import Record, check_receipt, proceed, receipt_of
from bfl_ref.vault.records import AccessWasDenied

AGREEMENT = Agreement(SHARE, LEAVE, 0, None)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("custody"), audit_rate=1.0) as one:
        yield one


@pytest.fixture
def stage(played, tmp_path):
    return begin(played, tmp_path)


def test_only_rows_under_consent_are_registered(stage):
    system, domain = stage.system, stage.system.consents.domain
    for custody, silo in zip(stage.custodies, small().silos, strict=True):
        own, rows = custody.member.account.address, custody.member.rows
        assert 0 < len(rows.y) < ROWS and system.data.rows_of(own) == len(rows.y) == len(custody.consents)
        assert [c.terms.resource for c in custody.consents] == resources(rows.leaves())
        assert len(custody.vault.book.entries()) == ROWS == len(custody.patients) == len(silo.y_train)
        assert len({c.terms.status_index for c in custody.consents}) == len(rows.y)
        posted = ids_of(custody.consents, domain)
        assert system.consents.is_posted(own, posted[3], path_of(custody.consents, domain, 3))
        assert not system.consents.is_posted(own, posted[4], path_of(custody.consents, domain, 3))
    agreed = sum(len(c.consents) for c in stage.custodies)
    assert abs(agreed / (4 * ROWS) - SHARE) < 0.1
    assert not stage.told(ConsentGranted)  # thousands cost no transaction each


def test_who_withdraws_is_not_in_the_next_round_and_is_erased(stage):
    """Grant, use, train, withdraw, deny, leave, erase, train again; and the auditor sees it all, from public files alone."""
    system = stage.system
    leaving = choose(stage.custodies, AGREEMENT)
    assert sum(map(len, leaving.values())) == LEAVE
    introduce(system, stage.custodies, leaving)
    first = stage.play()
    assert first.phase is Phase.FINALISED and not first.exhausted
    before = {i: stage.custodies[i].member.rows for i in leaving}
    salts = {i: before[i].salts.copy() for i in leaving}
    after = depart(system, stage.store, stage.custodies, leaving)
    later = having(stage, after)
    second = later.play()
    assert second.phase is Phase.FINALISED and not second.exhausted and second.model != first.model

    assert len(stage.told(ConsentGranted)) == len(stage.told(AccessAllowed)) == LEAVE
    assert [e.reason for e in stage.told(AccessDenied)] == [Denial.WITHDRAWN] * len(leaving)
    assert len(stage.told(RecordErased)) == LEAVE
    for i, consents in leaving.items():
        own, custody = after[i].member.account.address, after[i]
        gone = [c.terms.resource for c in consents]
        assert (
            system.data.rows_of(own)
            == len(custody.member.rows.y)
            == len(stage.custodies[i].consents) - len(gone)
        )
        assert not set(gone) & set(resources(custody.member.rows.leaves()))
        for each in consents:
            check_receipt(receipt_of(custody.vault, each.terms.resource), system.consents)
            assert custody.vault.book.entry(each.terms.resource) is None
            assert custody.status.is_revoked(each.terms.status_index)
        where = [c.terms.resource in gone for c in stage.custodies[i].consents]
        old = before[i]
        assert not old.salts[where].any() and not old.v[where].any()  # overwritten where the hospital trained
        assert salts[i][where].any() and (old.salts[np.invert(where)] == salts[i][np.invert(where)]).all()

    report = report_of(later)
    assert report.findings == () and len(report.checked) == 8
    assert all(each.leaves == each.consented for each in report.checked)
    assert len(report.departures) == LEAVE
    assert {(d.last_round, d.next_round) for d in report.departures} == {(1, 2)}
    expected = {f"0x{c.terms.resource.hex()}" for cs in leaving.values() for c in cs}
    assert {d.resource for d in report.departures} == expected


class Impatient(SharedMember):
    """Asks its vault to erase while it is audited."""

    def audited(self, round_, update):
        self.moment(round_)
        return super().audited(round_, update)


def test_erasure_waits_for_the_rows_audits_and_the_hospital_loses_nothing(stage):
    system, custody = stage.system, stage.custodies[0]
    account, patient = custody.member.account, custody.consents[5]
    own, resource = account.address, patient.terms.resource
    seen = []

    def moment(round_) -> None:
        assert round_.phase is Phase.PROVE
        withdraw(system, custody, [patient], now_s_of(system))
        done = proceed(custody.vault, account, pending(system, stage.store, custody), now_s_of(system))
        seen.append(done)
        with pytest.raises(DataFrozen):
            renew(system, stage.store, custody)

    impatient = shared_as(Impatient, custody.member, moment)
    stakes = stage.stakes()
    outcome = stage.play(impatient)
    assert outcome.phase is Phase.FINALISED and stage.stakes()[own] == stakes[own]
    assert not stage.told(HospitalExcluded)  # every step was audited, and proven
    assert seen[0].receipts == ()
    assert seen[0].waiting == {resource: ("audits of round 1", "registered: it leaves before the next round")}
    assert custody.vault.book.entry(resource) and custody.member.rows.salts.any(axis=(1, 2)).all()

    done = proceed(custody.vault, account, pending(system, stage.store, custody), now_s_of(system))
    assert done.waiting == {resource: ("registered: it leaves before the next round",)}
    following = renew(system, stage.store, custody)
    assert not custody.member.rows.salts[5].any()
    (receipt,) = proceed(
        custody.vault, account, pending(system, stage.store, following), now_s_of(system)
    ).receipts
    check_receipt(receipt, system.consents)
    later = having(stage, (following, *stage.custodies[1:]))
    assert later.play().phase is Phase.FINALISED
    report = report_of(later)
    assert report.findings == () and [d.next_round for d in report.departures] == [2]


def shared_as(kind, member, moment):
    """The member as another class."""
    turned = kind(**vars(member))
    object.__setattr__(turned, "moment", moment)
    return turned


def test_hospital_that_did_not_renew_keeps_out_and_one_that_trains_all_the_same_is_found(stage):
    system, honest, other = stage.system, stage.custodies[0], stage.custodies[1]
    for custody in (honest, other):
        withdraw(system, custody, custody.consents[:1], now_s_of(system))
    deaf = replace(other.member, consented=None)
    outcome = stage.play(deaf)
    own = honest.member.account.address
    assert outcome.phase is Phase.FINALISED and outcome.exhausted.keys() == {own}
    assert (outcome.exhausted[own].count, outcome.exhausted[own].reason) == (1, "Withdrawn")
    assert own not in {e.hospital for e in stage.told(StatesCommitted)}
    (finding,) = report_of(stage).findings
    assert (finding.what, finding.hospital, finding.round_id) == (
        "Withdrawn",
        other.member.account.address,
        1,
    )
    assert finding.resource == f"0x{other.consents[0].terms.resource.hex()}"


def test_hospital_whose_last_row_leaves_erases_and_trains_no_more(stage):
    """It cannot register no rows: they stay registered, and nobody is asked about them, since it commits to nothing."""
    system, custody = stage.system, stage.custodies[2]
    withdraw(system, custody, custody.consents, now_s_of(system))
    assert renew(system, stage.store, custody) is custody and not custody.member.rows.salts.any()
    account, asks = custody.member.account, pending(system, stage.store, custody)
    assert len(proceed(custody.vault, account, asks, now_s_of(system)).receipts) == len(custody.consents)
    outcome = stage.play()
    assert outcome.phase is Phase.FINALISED and outcome.exhausted[account.address].count == len(
        custody.consents
    )
    assert report_of(stage).findings == ()


class Crash(BaseException):
    """Nothing catches it."""


@contextmanager
def crashing(at: int, after: bool):
    """The at-th transaction to the consent contract is the last thing that happens, or the first that does not."""
    real, sent = ConsentRegistry._send, []

    def send(self, *arguments, **named):
        sent.append(arguments)
        if len(sent) == at and not after:
            raise Crash
        told = real(self, *arguments, **named)
        if len(sent) == at:
            raise Crash
        return told

    with patch.object(ConsentRegistry, "_send", send):
        yield sent


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("act", "at"), [("grant", 1), ("grant", 2), ("access", 1), *(("withdraw", i) for i in (1, 2, 3))]
)
def test_crash_at_each_step_of_grant_access_and_withdraw_ends_in_the_same_state(stage, act, at, after):
    """Transactions are whole or not there; what the hospital does again after its restart finds them."""
    system, custody = stage.system, stage.custodies[0]
    two = custody.consents[:2]
    acts = {
        "grant": lambda: grant(system, custody, two),
        "access": lambda: custody.fetch(two[0]),
        "withdraw": lambda: withdraw(system, custody, two, now_s_of(system)),
    }
    if act == "access":
        grant(system, custody, two)
    with crashing(at, after), pytest.raises(Crash):
        acts[act]()
    with crashing(99, after) as sent:
        again = acts[act]()
    assert len(sent) <= {"grant": 2, "access": 1, "withdraw": 3}[act]
    states = [module._state(system, each) for each in two]
    assert states == [ConsentState.WITHDRAWN if act == "withdraw" else ConsentState.GRANTED] * 2
    if act == "access":
        assert isinstance(again, Record) and b"features" in again.data
    asked = custody.vault.book.erasures()
    assert [e.resource for e in asked] == (sorted(e.terms.resource for e in two) if act == "withdraw" else [])


def test_everything_that_does_not_fit_is_denied_audited_and_releases_nothing(stage):
    """Tampered terms and terms of elsewhere are consents that nobody granted; the others have reasons of their own."""
    system, custody = stage.system, stage.custodies[1]
    registry, account, one = system.consents, custody.member.account, custody.consents[3]
    later = replace(one.terms, valid_from_s=now_s_of(system) + 1000, salt=bytes(31) + b"\1")
    over = replace(one.terms, valid_from_s=1, valid_until_s=2, salt=bytes(31) + b"\2")
    key = custody.patients[one.terms.holder]
    elsewhere = replace(registry.domain, chain_id=1)
    grant(system, custody, [one, agreed(later, registry.domain, key), agreed(over, registry.domain, key)])
    with pytest.raises(NotSignedByHolder):
        registry.grant(
            replace(one.terms, salt=bytes(32)), agreed(one.terms, elsewhere, key).signature, sender=account
        )
    status = custody.status.with_revoked(one.terms.status_index)
    proof = custody.status.proof(one.terms.status_index)
    tries = {
        Denial.NOT_GRANTED: (
            replace(one.terms, valid_until_s=one.terms.valid_until_s + 1),
            TRAINING,
            account,
        ),
        Denial.WRONG_GRANTEE: (one.terms, TRAINING, stage.members[-1].account),
        Denial.WRONG_PURPOSE: (one.terms, "TREAT", account),
        Denial.NOT_YET_VALID: (later, TRAINING, account),
        Denial.EXPIRED: (over, TRAINING, account),
    }
    answers = [registry.request(t, p, bytes(32), proof, sender=who) for t, p, who in tries.values()]
    publish(registry, stage.store, status, now_s_of(system), sender=account)
    answers.append(
        registry.request(one.terms, TRAINING, bytes(32), status.proof(one.terms.status_index), sender=account)
    )
    assert [each.reason for each in answers] == [*tries, Denial.REVOKED]
    assert [e.reason for e in stage.told(AccessDenied)] == [
        *tries,
        Denial.REVOKED,
    ]  # in the log, for every auditor
    for answer in answers:
        with pytest.raises(AccessWasDenied):
            custody.vault.release(answer.request_id, 0, custody.member.rng)


@pytest.mark.parametrize("at", ["register", "publish", "post_consents"])
def test_crash_while_rows_leave_ends_in_the_same_state(stage, monkeypatch, at):
    system, custody = stage.system, stage.custodies[0]
    withdraw(system, custody, custody.consents[:2], now_s_of(system))
    spare = replace(custody, member=replace(custody.member, rows=custody.member.rows.only(slice(None))))

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        changed.setattr(module, at, crash)
        with pytest.raises(KeyboardInterrupt):
            renew(system, stage.store, custody)
    # its memory is gone; the hospital reads its rows and consents again
    shrunk = system.data.rows_of(custody.member.account.address) < len(custody.consents)
    assert shrunk == (at != "register")
    again = renew(system, stage.store, spare)
    own = again.member.account.address
    assert system.data.rows_of(own) == len(again.member.rows.y) == len(custody.consents) - 2
    posted = [e.consents for e in stage.told(ConsentsPosted) if e.custodian == own][-1]
    assert fetch_consents(stage.store, posted, system.consents.domain) == list(again.consents)
    assert posted.digest == system.consents.consents_root_of(own)
    assert system.consents.status_root_of(own) == again.status.root


def check_accesses(chain):
    """Each access that the contract allowed is on record, put there by its custodian, and nothing else is."""
    events, rollup = chain.system.events(), chain.system.rollup
    batches = [[*decode(rollup.data_of(e))] for e in events if isinstance(e, BatchSettled)]
    said = [[(rollup.owner_of(e.to), e.payload) for e in batch if e.kind is Kind.ACCESS] for batch in batches]
    allowed = [e for e in events if isinstance(e, AccessAllowed)]
    expected = [(e.custodian, layer2.access_of(e)) for e in allowed]
    assert len(expected) == LEAVE == chain.batches["accesses"] and chain.batches["updates"] == 4 + 4
    assert sorted(one for each in said for one in each) == sorted(expected)
    # one after a round: who let two be read puts the second on record after the second round
    custodians = [e.custodian for e in allowed]
    assert [len(each) for each in said] == [0, len({*custodians}), LEAVE - len({*custodians})]
    assert f"8 updates and {LEAVE} accesses put on record" in rollup_line(chain.batches)


def test_whole_run_asks_patients_and_an_auditor_who_reads_what_it_leaves(tmp_path, capsys):
    """comparison.on_chain with an agreement and a rollup; verifiers and provers are stubs, but for the rollup's."""
    agreement = Agreement(SHARE, LEAVE, 0, tmp_path / "vaults")
    federation = small()
    training = training_parameters(len(federation.feature_names), HYPER, 0.0)
    config = TrainConfig(rounds=2, local_epochs=1)
    with (
        open_chain("embedded", accounts=7, seed=0) as node,
        patch.object(cast, "deploy_verifier", _stub),
        patch.object(layer2, "ACCESSES", 1),
    ):
        said = training, stub_prover, None, (), sharing_parameters(), keep_here, None, agreement, True
        chain = on_chain(node, tmp_path / "store", federation, config, "wdbc", *said)
        save_chain(chain.system, tmp_path)
    assert chain.consent == {
        "patients": 4 * ROWS,
        "agreed": chain.consent["agreed"],
        "withdrawn": LEAVE,
        "erased": LEAVE,
        "rounds": 2,
        "checked": 2 * chain.consent["agreed"] - LEAVE,
        "findings": 0,
    }
    assert "3 records erased" in consent_line(chain.consent)
    check_accesses(chain)
    happened, rounds = consent_timeline(chain.system.events())
    assert list(rounds) == [1, 2] and len(happened["RecordErased"]) == LEAVE
    assert all(rounds[1][1] < block < rounds[2][0] for block in happened["RowsLeft"])
    assert len(trail_timeline(happened, rounds, "title").axes[0].lines) == len(happened)

    (tmp_path / "summary.json").write_text(json.dumps({"seed": 0}))
    assert auditor([str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 8 + LEAVE + 1 and said[-1] == "0 findings"
    assert said[8].startswith("withdrawn in block ") and said[8].endswith(": last in round 1, not in 2")
    for wrong in ([str(tmp_path / "nothing")], ["http://localhost:1"]):
        assert auditor(wrong) == 2 and capsys.readouterr().err.startswith("error: ")
    registered = next(e for e in chain.system.events() if isinstance(e, DataRegistered))
    FolderStore(tmp_path / "store").delete(registered.leaves.cid)
    assert auditor([str(tmp_path)]) == 1
    assert "FINDING UnreadableFile" in capsys.readouterr().out


def test_no_more_patients_withdraw_than_agreed(stage):
    with pytest.raises(ValueError, match="expected 0 to"):
        choose(stage.custodies, replace(AGREEMENT, withdraw=1000))
