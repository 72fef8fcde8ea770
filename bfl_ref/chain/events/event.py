"""What every event has."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Where an event stands: block, position among the block's logs, transaction hash (0x...), emitting contract."""

    block: int
    log_index: int
    transaction: str
    emitter: str
