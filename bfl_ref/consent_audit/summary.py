"""What a run says of its patients, counted by an auditor."""

from ..audit_trail import read_trail
from ..chain.contracts import System
from ..chain.events import ConsentWithdrawn, DataRegistered, RecordErased
from ..store import Store
from .auditor import CONTRACTS, audit


def asked(system: System, store: Store, patients: int, rounds: int) -> dict[str, int]:
    """patients; who agreed at first, withdrew, was erased; rounds; leaves that were checked in all of them; findings."""
    trail = read_trail(system.node.web3, {name: system.deployment.addresses[name] for name in CONTRACTS})
    report = audit(trail, system.consents.domain, store)
    events = system.events()
    return {
        "patients": patients,
        "agreed": sum(e.rows for e in events if isinstance(e, DataRegistered)),
        "withdrawn": sum(isinstance(e, ConsentWithdrawn) for e in events),
        "erased": sum(isinstance(e, RecordErased) for e in events),
        "rounds": rounds,
        "checked": sum(each.leaves for each in report.checked),
        "findings": len(report.findings),
    }
