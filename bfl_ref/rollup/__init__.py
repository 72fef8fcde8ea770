"""The rollup in plain Python: accounts under one root, signed lists of entries, batches that turn a state into the next.

account    key, record, balance, stake, nonce, evidence; a leaf of a tree of depth 10      accounts
entry      6 elements, 24 bytes: transfer, lock, submission, deposit, ...                  entries
signature  one for an account's list, by a key that signs once and names the next one     signatures
ledger     state, batch -> state, published data; and again from the data alone            ledger
"""

from .accounts import Account, StateTree, check_path
from .entries import Entry, Kind
from .ledger import Applied, Batch, apply, replay
from .lists import SignedList
from .refusals import RefusedBatch
from .signatures import OneTimeKey, Signature, domain_elements, sign

__all__ = [
    "Account",
    "Applied",
    "Batch",
    "Entry",
    "Kind",
    "OneTimeKey",
    "RefusedBatch",
    "Signature",
    "SignedList",
    "StateTree",
    "apply",
    "check_path",
    "domain_elements",
    "replay",
    "sign",
]
