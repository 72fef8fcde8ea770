"""What a patient agrees to, and the typed data that is signed for it: EIP-712, the same in wallet, contract and here.

    id = keccak256(0x19 0x01 | domain separator | hashStruct(Consent))

The domain holds chain id and contract, so a signature for another chain or another contract is over another digest. The
digest is the consent's id everywhere.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils import is_checksum_address, keccak

STATUS_ENTRIES = 131_072
LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that a credential can name
_DIGEST = 32
_NAME, _VERSION = "bfl_ref consent", "1"
CONSENT_TYPE = {
    "Consent": [
        {"name": "holder", "type": "address"},
        {"name": "grantee", "type": "address"},
        {"name": "custodian", "type": "address"},
        {"name": "resource", "type": "bytes32"},
        {"name": "purpose", "type": "string"},
        {"name": "validFrom", "type": "uint64"},
        {"name": "validUntil", "type": "uint64"},
        {"name": "statusIndex", "type": "uint32"},
        {"name": "salt", "type": "bytes32"},
    ]
}
_WITHDRAWAL_TYPE = {"Withdrawal": [{"name": "consentId", "type": "bytes32"}]}


class Purpose(StrEnum):
    """Codes of HL7 v3 PurposeOfUse (v3-ActReason). One never stands for another: HRESCH does not allow CLINTRCH."""

    TREAT = "TREAT"
    ETREAT = "ETREAT"
    HRESCH = "HRESCH"
    BIORCH = "BIORCH"
    CLINTRCH = "CLINTRCH"
    PUBHLTH = "PUBHLTH"
    HOPERAT = "HOPERAT"
    HPAYMT = "HPAYMT"
    HMARKT = "HMARKT"
    COVERAGE = "COVERAGE"
    PATRQT = "PATRQT"


@dataclass(frozen=True)
class Domain:
    """Where a consent counts. contract: checksummed address of the registry."""

    chain_id: int
    contract: str

    def __post_init__(self) -> None:
        _require_address("contract", self.contract)
        if type(self.chain_id) is not int or not 0 <= self.chain_id < 2**256:
            raise ValueError(f"chain_id: expected an integer of 256 bits, got {self.chain_id!r}")

    def to_eip712(self) -> dict[str, Any]:
        return {
            "name": _NAME,
            "version": _VERSION,
            "chainId": self.chain_id,
            "verifyingContract": self.contract,
        }


@dataclass(frozen=True)
class Terms:
    """A consent's terms, as in IConsentRegistry. ValueError for terms that the contract would refuse whoever signs them.

    holder (the patient), grantee, custodian: checksummed addresses.   resource: 32 bytes, salted commitment to the record.
    It holds from second valid_from_s on and no longer at valid_until_s (Unix time).   salt: 32 bytes.
    """

    holder: str
    grantee: str
    custodian: str
    resource: bytes
    purpose: Purpose
    valid_from_s: int
    valid_until_s: int
    status_index: int
    salt: bytes

    def __post_init__(self) -> None:
        for name in ("holder", "grantee", "custodian"):
            _require_address(name, getattr(self, name))
        for name in ("resource", "salt"):
            if len(value := getattr(self, name)) != _DIGEST:
                raise ValueError(f"{name}: expected {_DIGEST} bytes, got {len(value)}")
        object.__setattr__(self, "purpose", Purpose(self.purpose))
        if not 0 <= self.valid_from_s < self.valid_until_s <= LAST_SECOND:
            period = f"{self.valid_from_s} and {self.valid_until_s}"
            raise ValueError(f"expected 0 <= from < until <= {LAST_SECOND}, got {period}")
        if not 0 <= self.status_index < STATUS_ENTRIES:
            raise ValueError(f"status_index: expected 0 to {STATUS_ENTRIES - 1}, got {self.status_index}")

    def to_abi(self) -> tuple[Any, ...]:
        """The contract's struct Consent."""
        times = self.valid_from_s, self.valid_until_s
        parties = self.holder, self.grantee, self.custodian
        return *parties, self.resource, str(self.purpose), *times, self.status_index, self.salt


def resource_of(leaves: bytes) -> bytes:
    """The resource that stands for a training row: its leaf (32 bytes), or of a row in two halves keccak256 of both (64)."""
    if len(leaves) == _DIGEST:
        return leaves
    if len(leaves) != 2 * _DIGEST:
        raise ValueError(f"expected one leaf or two of {_DIGEST} bytes, got {len(leaves)} bytes")
    return keccak(leaves)


def consent_message(terms: Terms, domain: Domain) -> SignableMessage:
    """What the holder signs to agree."""
    message = dict(zip((f["name"] for f in CONSENT_TYPE["Consent"]), terms.to_abi(), strict=True))
    return encode_typed_data(domain.to_eip712(), CONSENT_TYPE, message)


def withdrawal_message(consent_id: bytes, domain: Domain) -> SignableMessage:
    """What the holder signs to take it back."""
    return encode_typed_data(domain.to_eip712(), _WITHDRAWAL_TYPE, {"consentId": consent_id})


def consent_id(terms: Terms, domain: Domain) -> bytes:
    """32 bytes: the digest that is signed."""
    signed = consent_message(terms, domain)
    return keccak(b"\x19" + signed.version + signed.header + signed.body)


def _require_address(name: str, value: str) -> None:
    if not is_checksum_address(value):
        raise ValueError(f"{name}: expected a checksummed address, got {value!r}")
