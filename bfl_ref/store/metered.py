"""Bytes that go into and come out of a store, counted: what a federation moves in a round."""

from bfl_ref.store.folder import Store


class MeteredStore:
    """A store that counts: sent bytes put, received bytes got, by everyone who uses it."""

    def __init__(self, inner: Store):
        self.inner = inner
        self.sent = self.received = 0

    @property
    def moved(self) -> int:
        """Bytes sent and received so far."""
        return self.sent + self.received

    def put(self, data: bytes) -> str:
        self.sent += len(data)
        return self.inner.put(data)

    def get(self, cid: str) -> bytes:
        data = self.inner.get(cid)
        self.received += len(data)
        return data

    def has(self, cid: str) -> bool:
        return self.inner.has(cid)

    def delete(self, cid: str) -> None:
        self.inner.delete(cid)
