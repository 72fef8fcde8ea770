"""The auditor of consents: each thing that can be wrong has its name, and nothing else is found. Trails are made by hand;
test_custody audits real rounds."""

from dataclasses import replace

import numpy as np
import pytest
from consent_cases import DOMAIN, FROM, UNTIL, patient
from eth_account import Account
from eth_utils import keccak

from bfl_ref.audit_trail import Entry, Trail
from bfl_ref.chain.records import Content
from bfl_ref.consent import Purpose, Signed, StatusList, Terms, agreed
from bfl_ref.consent.posted import MalformedConsents, consents_file, fetch_consents, ids_of
from bfl_ref.consent.status_list import list_credential
from bfl_ref.consent.tree import merkle_path, merkle_tree
from bfl_ref.consent_audit import audit
from bfl_ref.fixed_point import commit_rows
from bfl_ref.leaves import MalformedLeaves, leaves_file, read_leaves, resources, segments_over
from bfl_ref.store import FolderStore, canonical_json, cid_of, cid_parts, pack

OWN, OTHER = (Account.from_key(keccak(text=name)).address for name in ("own", "other"))
NOW = FROM + 1000
RNG = np.random.default_rng(0)
ROWS = commit_rows(RNG.normal(size=(6, 5)), np.array([0, 1, 0, 1, 0, 1]), RNG.bytes)
NAMED = resources(ROWS.leaves())


def consent(i: int, **changes) -> Signed:
    said = {
        "holder": patient(i).address,
        "grantee": OWN,
        "custodian": OWN,
        "resource": NAMED[i],
        "purpose": Purpose.HRESCH,
        "valid_from_s": FROM,
        "valid_until_s": UNTIL,
        "status_index": i,
        "salt": keccak(b"salt %d" % i),
    }
    return agreed(Terms(**{**said, **changes}), DOMAIN, patient(i))


NOBODY = StatusList()
CONSENTS = [consent(i) for i in range(6)]


class History:
    """Entries one after another, a block each, and the files that they name."""

    def __init__(self, store: FolderStore) -> None:
        self.store, self.entries = store, []

    def tell(self, what: str, time_s: int = NOW, **details) -> None:
        shown = {k: f"0x{v.hex()}" if isinstance(v, bytes) else v for k, v in details.items()}
        block = len(self.entries) + 1
        self.entries.append(Entry(time_s, block, 0, "0x", OWN, "", what, None, None, None, shown))

    def file(self, prefix: str, data: bytes, digest: bytes) -> dict:
        sha, codec = cid_parts(self.store.put(data))
        return {f"{prefix}_cid": sha, f"{prefix}_digest": digest, f"{prefix}_codec": codec}

    def register(self, kept=ROWS, what: str = "DataRegistered", **changes) -> None:
        file = leaves_file(kept)
        segments = [f"0x{each.hex()}" for each in segments_over(kept.leaves())]
        said = {"hospital": OWN, "rows": len(kept.y), "segments": segments, **changes}
        self.tell(what, **said, **self.file("leaves", file, keccak(file)))

    def post(self, consents=CONSENTS) -> None:
        root = merkle_tree(ids_of(consents, DOMAIN))[1]
        self.tell(
            "ConsentsPosted", custodian=OWN, version=1, **self.file("consents", consents_file(consents), root)
        )

    def post_list(self, status: StatusList = NOBODY) -> None:
        data = canonical_json(list_credential(status, "did:x", "did:x/status-list", "2026-01-01T00:00:00Z"))
        self.tell("StatusListPosted", custodian=OWN, version=1, **self.file("status", data, status.root))

    def train(self, round_id: int = 1, time_s: int = NOW) -> None:
        self.tell("RoundOpened", time_s, round_id=round_id)
        self.tell("StatesCommitted", time_s, round_id=round_id, hospital=OWN)

    def report(self):
        return audit(Trail(tuple(self.entries), "0x", len(self.entries)), DOMAIN, self.store)

    def found(self) -> list[tuple[str, str | None]]:
        return [(each.what, each.resource) for each in self.report().findings]


@pytest.fixture
def history(tmp_path):
    return History(FolderStore(tmp_path))


def begun(history: History, consents=CONSENTS) -> History:
    history.post_list()
    history.post(consents)
    history.register()
    return history


def name(i: int) -> str:
    return f"0x{NAMED[i].hex()}"


def test_rows_under_consent_are_all_right(history):
    begun(history).train()
    report = history.report()
    assert report.findings == () and [(c.leaves, c.consented) for c in report.checked] == [(6, 6)]


STALE = {
    "NoConsent": None,
    "NotYetValid": {"valid_from_s": NOW + 1},
    "Expired": {"valid_until_s": NOW},
    "WrongGrantee": {"grantee": OTHER},
    "WrongPurpose": {"purpose": Purpose.TREAT},
    "OtherCustodian": {"custodian": OTHER},
}


@pytest.mark.parametrize("what", STALE)
def test_consent_that_does_not_fit_is_found_by_its_own_name(history, what):
    changed = [] if STALE[what] is None else [consent(2, **STALE[what])]
    begun(history, CONSENTS[:2] + changed + CONSENTS[3:]).train()
    assert history.found() == [(what, name(2))]
    (checked,) = history.report().checked
    assert (checked.leaves, checked.consented) == (6, 5)


def test_second_consent_to_the_same_row_is_enough(history):
    begun(history, [*CONSENTS, consent(2, valid_until_s=NOW, salt=bytes(32))]).train()
    assert history.found() == []


def test_signature_of_somebody_else_counts_nothing(history):
    forged = replace(CONSENTS[2], signature=CONSENTS[3].signature)
    begun(history, [*CONSENTS[:2], forged, *CONSENTS[3:]]).train()
    assert history.found() == [("NotSignedByHolder", name(2)), ("NoConsent", name(2))]


def test_withdrawal_counts_from_the_next_round_on(history):
    begun(history).train(1)
    history.tell("RoundOpened", round_id=2)
    gone = ids_of(CONSENTS[4:5], DOMAIN)[0]
    history.tell("ConsentWithdrawn", consent_id=gone, holder=patient(4).address)
    history.tell("StatesCommitted", round_id=2, hospital=OWN)
    history.train(3)
    history.register(ROWS.only(np.arange(6) != 4), "RowsLeft")
    history.train(4)
    (finding,) = history.report().findings
    assert (finding.what, finding.round_id, finding.resource) == ("Withdrawn", 3, name(4))
    (left,) = history.report().departures
    assert (left.resource, left.last_round, left.next_round) == (name(4), 3, 4)


def test_revoked_and_erased_rows_are_found(history):
    begun(history)
    history.post_list(StatusList().with_revoked(1))
    history.tell("RecordErased", custodian=OWN, resource=NAMED[3])
    history.tell(
        "RecordErased", custodian=OTHER, resource=NAMED[5]
    )  # another hospital's word says nothing here
    history.train()
    assert set(history.found()) == {("Revoked", name(1)), ("Erased", name(3))}
    history.post_list(StatusList())
    assert ("BitCleared", None) in history.found()


def test_leaf_that_enters_or_counts_twice_is_found(history):
    history.post_list()
    history.post()
    history.register(ROWS.only(np.arange(4)))
    history.register(ROWS.only(np.array([0, 1, 5])), "RowsLeft")
    history.register(ROWS.only(np.array([0, 0])), "RowsLeft")
    assert history.found() == [("LeafEntered", name(5)), ("LeafTwice", name(0))]


def test_segments_over_other_leaves_are_found(history):
    history.register(segments=[f"0x{bytes(32).hex()}"])
    history.register(ROWS.only(np.arange(5)), "RowsLeft", rows=4)
    assert history.found() == [("LeavesDoNotFit", None)] * 2


def test_record_does_not_change_its_patient(history):
    """A hospital that makes a patient up for the row of one who withdrew."""
    begun(history)
    made_up = agreed(replace(CONSENTS[2].terms, holder=patient(9).address), DOMAIN, patient(9))
    history.post([*CONSENTS[:2], made_up, *CONSENTS[3:]])
    history.tell("RecordEnrolled", custodian=OWN, resource=NAMED[0], holder=patient(8).address)
    assert history.found() == [("HolderChanged", name(2)), ("HolderChanged", name(0))]


def test_hospital_without_status_list_is_found(history):
    history.post()
    history.register()
    history.train()
    assert history.found() == [("NoStatusList", None)]


@pytest.mark.parametrize("what", ["leaves", "consents", "status"])
def test_files_that_are_missing_or_others_are_found(history, what):
    begun(history)
    where = {"leaves": 2, "consents": 1, "status": 0}[what]
    said = history.entries[where].details
    said[f"{what}_digest"] = f"0x{bytes(31).hex()}01"
    assert ("UnreadableFile", None) in history.found()
    said[f"{what}_cid"] = f"0x{bytes(32).hex()}"
    assert ("UnreadableFile", None) in history.found()


def test_files_of_another_shape_are_malformed(tmp_path):
    store = FolderStore(tmp_path)
    leaves = ROWS.leaves().view(np.ndarray)
    for arrays, kind in (
        ({"leaves": leaves}, "rows"),
        ({"leaves": leaves[:, 0]}, "leaves"),
        ({"leaves": leaves[:0]}, "leaves"),
        ({"leaves": leaves.astype(np.int64)}, "leaves"),
        ({"leaves": leaves | 0x80000000}, "leaves"),
        ({"leaves": leaves, "more": leaves}, "leaves"),
        ({"other": leaves}, "leaves"),
    ):
        data = pack(arrays, {"kind": kind})
        with pytest.raises(MalformedLeaves):
            read_leaves(store, Content(store.put(data), keccak(data)))
    good = consents_file(CONSENTS)
    root = merkle_tree(ids_of(CONSENTS, DOMAIN))[1]
    assert fetch_consents(store, Content(store.put(good), root), DOMAIN) == CONSENTS
    for data, digest in (
        (good, bytes(32)),
        (good[:-1], root),
        (b"{}", root),
        (consents_file(CONSENTS[1:]), root),
    ):
        with pytest.raises(MalformedConsents):
            fetch_consents(store, Content(store.put(data), digest), DOMAIN)
    assert cid_of(good) == store.put(good)


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7])
def test_path_leads_to_the_root_from_every_leaf(count):
    data = [keccak(b"%d" % i) for i in range(count)]
    tree = merkle_tree(data)
    for i, each in enumerate(data):
        node = keccak(keccak(each))
        for sibling in merkle_path(tree, i):
            node = keccak(b"".join(sorted((node, sibling))))
        assert node == tree[1]
    with pytest.raises(ValueError, match="at least one"):
        merkle_tree([])
