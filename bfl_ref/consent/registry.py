"""The consent contract: what it tells, its client, its deployment. Conventions as in `chain.clients`.

The registry holds no power in the system, so it is deployed beside one, at any time, and found by its address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from eth_account.signers.local import LocalAccount

from ..chain.beside import connect_beside, deploy_beside
from ..chain.contracts import System
from ..chain.events import Event
from ..chain.records import Content, from_names
from ..chain.transactions import BLOCKS_A_QUERY, Client
from .status_list import StatusProof
from .terms import Domain, Terms


class ConsentState(IntEnum):
    NONE = 0
    GRANTED = 1
    WITHDRAWN = 2


class Denial(IntEnum):
    """Why access is denied; of several reasons the first."""

    NONE = 0
    NOT_GRANTED = 1
    WITHDRAWN = 2
    ERASED = 3
    WRONG_GRANTEE = 4
    WRONG_PURPOSE = 5
    NOT_YET_VALID = 6
    EXPIRED = 7
    STATUS_UNPROVEN = 8
    REVOKED = 9


@dataclass(frozen=True)
class ConsentGranted(Event):
    consent_id: bytes
    holder: str
    grantee: str
    custodian: str
    resource: bytes
    purpose: str
    valid_from: int
    valid_until: int
    status_index: int


@dataclass(frozen=True)
class ConsentWithdrawn(Event):
    consent_id: bytes
    holder: str


@dataclass(frozen=True)
class AccessAllowed(Event):
    request_id: int
    consent_id: bytes
    grantee: str
    custodian: str
    resource: bytes
    purpose: str
    recipient: bytes


@dataclass(frozen=True)
class AccessDenied(Event):
    request_id: int
    consent_id: bytes
    caller: str
    purpose: str
    reason: Denial


@dataclass(frozen=True)
class StatusListPosted(Event):
    """status: the list's file; its digest is the Merkle root."""

    custodian: str
    version: int
    status: Content


@dataclass(frozen=True)
class RecordEnrolled(Event):
    custodian: str
    resource: bytes
    holder: str


@dataclass(frozen=True)
class RecordErased(Event):
    custodian: str
    resource: bytes


_EVENTS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        ConsentGranted,
        ConsentWithdrawn,
        AccessAllowed,
        AccessDenied,
        StatusListPosted,
        RecordEnrolled,
        RecordErased,
    )
}


@dataclass(frozen=True)
class Enrolment:
    """Whose a custodian's record is (the zero address: not enrolled), and whether its tombstone stands."""

    holder: str
    erased: bool


class ConsentRegistry(Client):
    """IConsentRegistry: gatekeeper of patients' records."""

    def enrol(self, resources: Sequence[bytes], holders: Sequence[str], *, sender: LocalAccount) -> None:
        """Some 600 fit into one transaction."""
        self._send(sender, "enrol", list(resources), list(holders))

    def grant(self, terms: Terms, signature: bytes = b"", *, sender: LocalAccount) -> bytes:
        """The consent's id. signature: the patient's, if a hospital sends."""
        events = self._send(sender, "grant", terms.to_abi(), signature)
        return next(event.consent_id for event in events if isinstance(event, ConsentGranted))

    def grant_many(
        self, terms: Sequence[Terms], signatures: Sequence[bytes], *, sender: LocalAccount
    ) -> tuple[bytes, ...]:
        """Their ids, in order; all are granted or none."""
        events = self._send(sender, "grantMany", [each.to_abi() for each in terms], list(signatures))
        return tuple(event.consent_id for event in events if isinstance(event, ConsentGranted))

    def withdraw(self, terms: Terms, signature: bytes = b"", *, sender: LocalAccount) -> None:
        self._send(sender, "withdraw", terms.to_abi(), signature)

    def request(
        self, terms: Terms, purpose: str, recipient: bytes, status: StatusProof, *, sender: LocalAccount
    ) -> AccessAllowed | AccessDenied:
        """The answer, a yes or a no. recipient: X25519 key that the record is to be sealed for."""
        (answer,) = self._send(sender, "request", terms.to_abi(), str(purpose), recipient, status.to_abi())
        assert isinstance(answer, AccessAllowed | AccessDenied)
        return answer

    def post_status_list(self, status: Content, *, sender: LocalAccount) -> None:
        self._send(sender, "postStatusList", status.to_abi())

    def erase(self, resources: Sequence[bytes], *, sender: LocalAccount) -> None:
        """Some 1,500 fit into one transaction."""
        self._send(sender, "erase", list(resources))

    def decide(self, terms: Terms, caller: str, purpose: str, status: StatusProof) -> Denial:
        """What `request` would answer."""
        return Denial(self._view("decide", terms.to_abi(), caller, str(purpose), status.to_abi()))

    def id_of(self, terms: Terms) -> bytes:
        return self._view("idOf", terms.to_abi())

    def state_of(self, consent_id: bytes) -> ConsentState:
        return ConsentState(self._view("stateOf", consent_id))

    def enrolment_of(self, custodian: str, resource: bytes) -> Enrolment:
        return Enrolment(*self._view("enrolmentOf", custodian, resource))

    def status_root_of(self, custodian: str) -> bytes:
        """Zeros if it has posted no list."""
        return self._view("statusRootOf", custodian)

    def status_version_of(self, custodian: str) -> int:
        return self._view("statusVersionOf", custodian)

    def requests(self) -> int:
        """Number of the last request."""
        return self._view("requests")

    def consortium(self) -> str:
        return self._view("consortium")

    @property
    def domain(self) -> Domain:
        """Where signatures for this contract count."""
        return Domain(self.node.web3.eth.chain_id, self.address)

    def events(self, logs: Sequence[Any]) -> list[Event]:
        """The logs of this contract, decoded, in their order."""
        return [self._told(log) for log in logs if log["address"] == self.address]

    def _told(self, log: Any) -> Event:
        decoded = self._decoders[bytes(log["topics"][0])].process_log(log)
        kind = _EVENTS[decoded["event"]]
        where = decoded["transactionHash"].to_0x_hex(), decoded["address"]
        return kind(decoded["blockNumber"], decoded["logIndex"], *where, **from_names(kind, decoded["args"]))

    def answer_to(self, request_id: int, last_block: int) -> AccessAllowed | AccessDenied | None:
        """The answer to a request, if it stands in a block up to this one. Looks in the latest blocks first."""
        numbered = [None, "0x" + request_id.to_bytes(32).hex()]
        for until in range(last_block, -1, -BLOCKS_A_QUERY):
            first = max(until - BLOCKS_A_QUERY + 1, 0)
            asked = {"fromBlock": first, "toBlock": until, "address": self.address, "topics": numbered}
            for event in self.events(self.node.web3.eth.get_logs(asked)):  # type: ignore[arg-type]
                if isinstance(event, AccessAllowed | AccessDenied):
                    return event
        return None


def deploy_consent(system: System, deployer: LocalAccount) -> ConsentRegistry:
    """A registry of the system's consortium. Its events begin in a later block than the chain's last one now."""
    return deploy_beside(system, ConsentRegistry, deployer, system.consortium.address)


def connect_consent(system: System, address: str) -> ConsentRegistry:
    """The registry at an address. ValueError if other code stands there, or one of another consortium."""
    return connect_beside(system, ConsentRegistry, address)
