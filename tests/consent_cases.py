"""A patient, a researcher and a hospital before a registry; records and keys are told apart by small numbers."""

from dataclasses import dataclass, replace

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from bfl_ref.chain.contracts import Genesis, System, deploy
from bfl_ref.chain.events import AccessAllowed, AccessDenied
from bfl_ref.chain.node import Node
from bfl_ref.chain.records import Content, Role, RoundParameters
from bfl_ref.consent import (
    ConsentRegistry,
    Domain,
    Purpose,
    StatusList,
    Terms,
    consent_message,
)
from bfl_ref.store import cid_of

PATIENT = Account.from_key(keccak(text="a patient"))
RESEARCHER = Account.from_key(keccak(text="a researcher"))
HOSPITAL = Account.from_key(keccak(text="a hospital"))
DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
FROM, UNTIL = 1_700_000_000, 2_000_000_000
RECIPIENT = bytes(range(32))
TERMS = Terms(
    holder=PATIENT.address,
    grantee=RESEARCHER.address,
    custodian=HOSPITAL.address,
    resource=keccak(text="leaf"),
    purpose=Purpose.HRESCH,
    valid_from_s=FROM,
    valid_until_s=UNTIL,
    status_index=94_567,
    salt=keccak(text="salt"),
)


def patient(i: int) -> LocalAccount:
    return Account.from_key(keccak(text=f"patient {i}"))


@dataclass(frozen=True)
class Clinic:
    """A registry on a chain, with the first two accounts as hospitals and the third as a researcher without membership."""

    system: System
    registry: ConsentRegistry

    @property
    def hospital(self) -> LocalAccount:
        return self.system.node.accounts[0]

    @property
    def other_hospital(self) -> LocalAccount:
        return self.system.node.accounts[1]

    @property
    def researcher(self) -> LocalAccount:
        return self.system.node.accounts[2]

    def terms(self, i: int = 0, **changes) -> Terms:
        parties = {"holder": patient(i).address, "grantee": self.researcher.address}
        record = {"custodian": self.hospital.address, "resource": keccak(text=f"leaf {i}"), "status_index": i}
        return replace(TERMS, **{**parties, **record, **changes})

    def signature(self, terms: Terms, i: int = 0) -> bytes:
        return bytes(patient(i).sign_message(consent_message(terms, self.registry.domain)).signature)

    def enrol(self, *terms: Terms) -> None:
        self.registry.enrol([t.resource for t in terms], [t.holder for t in terms], sender=self.hospital)

    def granted(self, i: int = 0, **changes) -> Terms:
        """Enrolled, if it is not yet, and granted."""
        terms = self.terms(i, **changes)
        if self.registry.enrolment_of(terms.custodian, terms.resource).holder != terms.holder:
            self.enrol(terms)
        self.registry.grant(terms, self.signature(terms, i), sender=self.hospital)
        return terms

    def post(self, status: StatusList) -> None:
        file = Content(cid_of(status.encode().encode()), status.root)
        self.registry.post_status_list(file, sender=self.hospital)

    def ask(self, terms: Terms, purpose: str = "HRESCH", status: StatusList | None = None, **more):
        proof = (status or StatusList()).proof(terms.status_index)
        asked = {"recipient": RECIPIENT, "sender": self.researcher, **more}
        answer = self.registry.request(terms, purpose, asked["recipient"], proof, sender=asked["sender"])
        assert isinstance(answer, AccessAllowed | AccessDenied)
        return answer


def open_clinic(node: Node) -> Clinic:
    """With the empty status list posted."""
    hospitals = [node.accounts[i].address for i in (0, 1, 6, 7)]
    roles = Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR
    start = Content(cid_of(b"model"), bytes([1]) * 32)
    genesis = Genesis(
        dict.fromkeys(hospitals, roles), dict.fromkeys(hospitals, 10), start, RoundParameters(1, 3)
    )
    system = deploy(node, genesis, node.accounts[9])
    clinic = Clinic(system, system.consents)
    clinic.post(StatusList())
    return clinic
