"""Why the rollup refuses something: one class for each rule of a batch. Whatever a peer sent, it is one of these."""


class RefusedBatch(Exception):
    """An entry, a list or a batch breaks a rule; nothing of it is applied."""


class MalformedEntry(RefusedBatch, ValueError):
    """Not the one encoding of an entry: kind, index, amount or payload out of range, or what must be zero is not."""


class MalformedBatch(RefusedBatch):
    """Entries in an order that no batch has."""


class MalformedList(RefusedBatch):
    """A list that is empty, not of one account, or whose last entry alone is not ROTATE; bytes that are no list."""


class DoubleList(RefusedBatch):
    """An account signs two lists in one batch."""


class DoubleRekey(RefusedBatch):
    """The queue replaces an account's key twice in one batch."""


class DoubleExit(RefusedBatch):
    """The queue lets an account exit twice in one batch."""


class UnknownAccount(RefusedBatch):
    """The account that signs was never enrolled: it has no key."""


class SpentKey(RefusedBatch):
    """The key was replaced through the queue in this very batch, before its list."""


class ReplayedNonce(RefusedBatch):
    """The list is for a nonce that the account has left behind: its key was replaced before, by a list or by the queue."""


class EarlyNonce(RefusedBatch):
    """The list is for a nonce that the account has not reached."""


class ExitingAccount(RefusedBatch):
    """The account exits in this batch: its balance is not its to spend."""


class WrongSignature(RefusedBatch):
    """The signature does not lead to the account's key."""


class Overspend(RefusedBatch):
    """An account spends more than it had before the batch."""


class WrongExit(RefusedBatch):
    """A forced exit of other amounts than the account had before the batch."""


class Overflow(RefusedBatch):
    """A balance or a stake would reach 2^29: more is inside than the contract lets in."""


class WrongClose(RefusedBatch):
    """The closing values are not those that the entries lead to."""


class WrongPath(RefusedBatch):
    """The account is not at that place of the tree with that root."""


class WrongRoot(RefusedBatch):
    """The state has another root than was named."""


class TooLarge(RefusedBatch):
    """A list or a run of the queue has more entries, or touches more accounts, than a batch has room for."""
