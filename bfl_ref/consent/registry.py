"""Client of the consent contract. Conventions as in `chain.clients`. It holds no power in the system, and asks none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from ..chain.events import AccessAllowed, AccessDenied, ConsentGranted, Event
from ..chain.records import ConsentState, Content, Denial
from ..chain.transactions import BLOCKS_A_QUERY, Client
from .status_list import StatusProof
from .terms import Domain, Terms


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

    def post_consents(self, consents: Content, *, sender: LocalAccount) -> None:
        self._send(sender, "postConsents", consents.to_abi())

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

    def is_posted(self, custodian: str, consent_id: bytes, path: Sequence[bytes]) -> bool:
        return self._view("isPosted", custodian, consent_id, list(path))

    def consents_root_of(self, custodian: str) -> bytes:
        """Zeros if it has posted none."""
        return self._view("consentsRootOf", custodian)

    def consents_version_of(self, custodian: str) -> int:
        return self._view("consentsVersionOf", custodian)

    def requests(self) -> int:
        """Number of the last request."""
        return self._view("requests")

    def consortium(self) -> str:
        return self._view("consortium")

    @property
    def domain(self) -> Domain:
        """Where signatures for this contract count."""
        return Domain(self.node.web3.eth.chain_id, self.address)

    def history(self, first_block: int, last_block: int) -> list[Event]:
        """Its events in these blocks, both included, in order."""
        logs: list[Any] = []
        for block in range(first_block, last_block + 1, BLOCKS_A_QUERY):
            until = min(block + BLOCKS_A_QUERY - 1, last_block)
            logs += self.node.web3.eth.get_logs(
                {"fromBlock": block, "toBlock": until, "address": self.address}
            )
        logs.sort(key=lambda log: (log["blockNumber"], log["logIndex"]))
        return self.events(logs)

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
