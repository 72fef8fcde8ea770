"""Goes through a trail and keeps a book of each hospital: what it had registered and posted as each round was opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..audit_trail import Entry, Trail
from ..chain.records import Content
from ..consent import Domain, Signed, StatusList, fetch, fetch_consents
from ..consent.credentials import NotSignedByHolder
from ..consent.posted import MalformedConsents, ids_of
from ..consent.standing import Standing, objection
from ..consent.status_list import MalformedStatusList
from ..leaves import MalformedLeaves, read_leaves, resources, segments_over
from ..store import CorruptObject, MissingObject, Store, cid_from_parts
from .findings import Checked, ConsentReport, Departure, Finding

CONTRACTS = ("RoundManager", "DataRegistry", "Audits", "ConsentRegistry")
_UNREADABLE = (MissingObject, CorruptObject, MalformedLeaves, MalformedConsents, MalformedStatusList)


@dataclass
class _Book:
    """What a hospital has on chain and in the store so far. consents: resource -> those posted, with their ids."""

    leaves: frozenset[bytes] = frozenset()
    registered: bool = False
    consents: Mapping[bytes, list[tuple[Signed, bytes]]] = field(default_factory=dict)
    status: StatusList | None = None


def audit(trail: Trail, domain: Domain, store: Store) -> ConsentReport:
    """Goes through a trail of CONTRACTS at least. domain: of the consent registry.   store: has the public files."""
    return _Auditor(domain, store).report(trail)


class _Auditor:
    def __init__(self, domain: Domain, store: Store) -> None:
        self.domain, self.store = domain, store
        self.books: dict[str, _Book] = {}
        self.holders: dict[tuple[str, bytes], str] = {}
        self.withdrawn: dict[bytes, int] = {}  # id -> block
        self.erased: set[tuple[str, bytes]] = set()
        self.posted: dict[bytes, tuple[str, bytes]] = {}  # id -> hospital, resource
        self.opened: dict[int, tuple[Entry, dict[str, _Book], Standing]] = {}
        self.trained: list[tuple[int, str]] = []
        self.checked: list[Checked] = []
        self.findings: list[Finding] = []

    def report(self, trail: Trail) -> ConsentReport:
        acts: dict[str, Callable[[Entry], None]] = {
            "DataRegistered": self._registered,
            "RowsLeft": self._registered,
            "ConsentsPosted": self._consents,
            "StatusListPosted": self._status,
            "RecordEnrolled": self._enrolled,
            "ConsentWithdrawn": self._withdrawn,
            "RecordErased": self._erased,
            "RoundOpened": self._opened,
            "StatesCommitted": self._trained,
        }
        for entry in trail.entries:
            if entry.what in acts:
                acts[entry.what](entry)
        departures = [self._departure(each) for each in self.withdrawn if each in self.posted]
        return ConsentReport(tuple(self.checked), tuple(departures), tuple(self.findings))

    def _find(
        self,
        what: str,
        hospital: str,
        why: object,
        resource: bytes | None = None,
        round_id: int | None = None,
    ) -> None:
        about = None if resource is None else f"0x{resource.hex()}"
        self.findings.append(Finding(what, hospital, round_id, about, str(why)))

    def _registered(self, entry: Entry) -> None:
        hospital = entry.details["hospital"]
        book = self.books.setdefault(hospital, _Book())
        try:
            leaves = read_leaves(self.store, _content(entry, "leaves"))
        except _UNREADABLE as error:
            self._find("UnreadableFile", hospital, error)
            return
        segments = [f"0x{each.hex()}" for each in segments_over(leaves)]
        if segments != entry.details["segments"] or len(leaves) != entry.details["rows"]:
            self._find(
                "LeavesDoNotFit",
                hospital,
                f"{len(leaves)} leaves give other segments than the registered ones",
            )
        found = resources(leaves)
        now = frozenset(found)
        for resource in sorted(
            {each for each in found if found.count(each) > 1} if len(now) < len(found) else ()
        ):
            self._find("LeafTwice", hospital, "a row counts twice", resource)
        if book.registered:
            for resource in sorted(now - book.leaves):
                self._find("LeafEntered", hospital, "rows may only leave", resource)
        book.leaves, book.registered = now, True

    def _consents(self, entry: Entry) -> None:
        hospital = entry.details["custodian"]
        book = self.books.setdefault(hospital, _Book())
        book.consents = {}
        try:
            consents = fetch_consents(self.store, _content(entry, "consents"), self.domain)
        except _UNREADABLE as error:
            self._find("UnreadableFile", hospital, error)
            return
        by_resource: dict[bytes, list[tuple[Signed, bytes]]] = {}
        for signed, consent_id in zip(consents, ids_of(consents, self.domain), strict=True):
            terms = signed.terms
            try:
                if consent_id not in self.posted:  # an id is the digest that was signed: verified once
                    signed.verify(self.domain)
            except NotSignedByHolder as reason:
                self._find(type(reason).__name__, hospital, reason, terms.resource)
                continue
            self.posted[consent_id] = hospital, terms.resource
            self._holder(hospital, terms.resource, terms.holder)
            by_resource.setdefault(terms.resource, []).append((signed, consent_id))
        book.consents = by_resource

    def _holder(self, hospital: str, resource: bytes, holder: str) -> None:
        before = self.holders.setdefault((hospital, resource), holder)
        if before != holder:
            self._find(
                "HolderChanged", hospital, f"expected a consent of {before}, got one of {holder}", resource
            )

    def _enrolled(self, entry: Entry) -> None:
        said = entry.details
        self._holder(said["custodian"], bytes.fromhex(said["resource"][2:]), said["holder"])

    def _status(self, entry: Entry) -> None:
        hospital = entry.details["custodian"]
        book = self.books.setdefault(hospital, _Book())
        try:
            status = fetch(self.store, _content(entry, "status"))
        except _UNREADABLE as error:
            self._find("UnreadableFile", hospital, error)
            return
        before, now = (int.from_bytes(each.bits) for each in (book.status or StatusList(), status))
        if before & ~now:
            self._find("BitCleared", hospital, f"{(before & ~now).bit_count()} revocations were taken back")
        book.status = status

    def _withdrawn(self, entry: Entry) -> None:
        self.withdrawn.setdefault(bytes.fromhex(entry.details["consent_id"][2:]), entry.block)

    def _erased(self, entry: Entry) -> None:
        self.erased.add((entry.details["custodian"], bytes.fromhex(entry.details["resource"][2:])))

    def _opened(self, entry: Entry) -> None:
        books = {hospital: _Book(**vars(book)) for hospital, book in self.books.items()}
        standing = Standing(frozenset(self.withdrawn), frozenset(self.erased))
        self.opened[entry.details["round_id"]] = entry, books, standing

    def _trained(self, entry: Entry) -> None:
        round_id, hospital = entry.details["round_id"], entry.details["hospital"]
        opened, books, standing = self.opened[round_id]
        book = books.get(hospital, _Book())
        consented, status = 0, book.status or StatusList()
        if book.status is None:
            self._find("NoStatusList", hospital, "no status list is posted", round_id=round_id)
        for resource in sorted(book.leaves):
            reasons = [
                objection(signed, consent_id, hospital, opened.time_s, status, standing)
                for signed, consent_id in book.consents.get(resource, [])
            ]
            if None in reasons:
                consented += 1
                continue
            name = type(reasons[-1]).__name__ if reasons else "NoConsent"
            why = reasons[-1] if reasons else "no consent to this row is posted"
            self._find(name, hospital, why, resource, round_id)
        self.trained.append((round_id, hospital))
        self.checked.append(Checked(round_id, hospital, len(book.leaves), consented))

    def _departure(self, consent_id: bytes) -> Departure:
        (hospital, resource), block = self.posted[consent_id], self.withdrawn[consent_id]
        own = [round_id for round_id, who in self.trained if who == hospital]
        inside = [r for r in own if resource in self.opened[r][1][hospital].leaves]
        after = [r for r in own if self.opened[r][0].block > block and r not in inside]
        said = f"0x{consent_id.hex()}", f"0x{resource.hex()}", hospital, block
        return Departure(*said, max(inside, default=None), min(after, default=None))


def _content(entry: Entry, prefix: str) -> Content:
    """The file that an event names."""
    said = entry.details
    cid, digest = (bytes.fromhex(said[f"{prefix}_{part}"][2:]) for part in ("cid", "digest"))
    return Content(cid_from_parts(cid, said[f"{prefix}_codec"]), digest)
