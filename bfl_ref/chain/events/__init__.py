"""What the contracts tell: one frozen dataclass for every event, its fields as in contracts/src/interfaces.

A (cid, digest, codec) that an event carries is one `Content` here. Addresses are checksummed.
"""

from typing import Any

from ..records import from_names
from .consent import *  # noqa: F403
from .event import Event
from .governance import *  # noqa: F403
from .membership import *  # noqa: F403
from .rollup import *  # noqa: F403
from .rounds import *  # noqa: F403
from .sharing import *  # noqa: F403
from .training import *  # noqa: F403

EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in Event.__subclasses__()}


def from_log(decoded: Any) -> Event:
    """A dataclass above from what web3 decoded (`contract.events.X().process_log(log)`)."""
    kind = EVENTS[decoded["event"]]
    return kind(
        block=decoded["blockNumber"],
        log_index=decoded["logIndex"],
        transaction=decoded["transactionHash"].to_0x_hex(),
        emitter=decoded["address"],
        **from_names(kind, decoded["args"]),
    )
