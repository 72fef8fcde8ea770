"""A custodian's status list into the store and onto the chain, and back for whoever checks it."""

from eth_account.signers.local import LocalAccount

from ..chain.records import Content
from ..store import Store, canonical_json, parse_json
from .credentials import rfc3339
from .identity import account_did
from .registry import ConsentRegistry
from .status_list import MalformedStatusList, StatusList, list_credential, list_of


def publish(
    registry: ConsentRegistry, store: Store, status: StatusList, now_s: int, *, sender: LocalAccount
) -> Content:
    """Puts the list's credential into the store and its root on chain, in force from then on. now_s: its validFrom."""
    issuer = account_did(sender.address, registry.domain.chain_id)
    credential = list_credential(status, issuer, f"{issuer}/status-list", rfc3339(now_s))
    content = Content(store.put(canonical_json(credential)), status.root)
    registry.post_status_list(content, sender=sender)
    return content


def fetch(store: Store, content: Content) -> StatusList:
    """The list that was posted. MalformedStatusList, also if its root is not the one on chain; what the store raises."""
    try:
        status = list_of(parse_json(store.get(content.cid)))
    except ValueError as error:
        raise MalformedStatusList(str(error)) from None
    if status.root != content.digest:
        raise MalformedStatusList(f"its root is 0x{status.root.hex()}, on chain is 0x{content.digest.hex()}")
    return status
