"""The rollup in plain Python: accounts under one root, signed lists of entries, batches that turn a state into the next.

    account    key, record, balance, stake, nonce, evidence; a leaf of a tree of depth 10      accounts
    entry      6 elements, 24 bytes: transfer, lock, submission, deposit, ...                  entries
    signature  of a list of entries, by a key that signs once; the list names the next key     signatures, lists
    wallet     the owner's file, which sees to it that no key signs two lists                  wallet
    ledger     state and batch -> next state and published data; and from the data alone       ledger
    sequencer  confirms lists and cuts batches, by a log; has them proven and posted           sequencer, posting

Whatever a peer sends is applied, or refused by name (refusals).
"""

from .accounts import Account, StateTree, check_path
from .entries import Entry, Kind
from .ledger import Applied, Batch, apply, replay
from .lists import SignedList
from .refusals import RefusedBatch
from .signatures import OneTimeKey, Signature, domain_elements, sign
from .wallet import Wallet

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
    "Wallet",
    "apply",
    "check_path",
    "domain_elements",
    "replay",
    "sign",
]
