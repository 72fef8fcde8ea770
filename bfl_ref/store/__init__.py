"""Content-addressed store: bytes are named by what they are (CID), so a name on the chain fixes the content off it."""

from bfl_ref.store.folder import CorruptObject, FolderStore, MissingObject, Store, StoreFull
from bfl_ref.store.formats import canonical_json, pack, parse_json, unpack
from bfl_ref.store.metered import MeteredStore
from bfl_ref.store.unixfs import cid_from_parts, cid_of, cid_parts

__all__ = [
    "CorruptObject",
    "FolderStore",
    "MeteredStore",
    "MissingObject",
    "Store",
    "StoreFull",
    "canonical_json",
    "cid_from_parts",
    "cid_of",
    "cid_parts",
    "pack",
    "parse_json",
    "unpack",
]
