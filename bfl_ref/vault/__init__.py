"""A hospital's vault: records under keys of their own, released on the consent contract's decision, erased for good."""

from .book import AlreadyKept, DecisionUsed, Step
from .erasure import Progress, Receipt, ask, check_receipt, proceed, receipt_of
from .keys import FileKeys, KeyEncryption
from .records import NotReleased, Record, Vault, commitment, open_release

__all__ = [
    "AlreadyKept",
    "DecisionUsed",
    "FileKeys",
    "KeyEncryption",
    "NotReleased",
    "Progress",
    "Receipt",
    "Record",
    "Step",
    "Vault",
    "ask",
    "check_receipt",
    "commitment",
    "open_release",
    "proceed",
    "receipt_of",
]
