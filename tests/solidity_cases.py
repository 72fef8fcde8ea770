"""What the contract and the Python verifier say of the same bytes, and bytes on which they might differ."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from stark_cases import DOMAIN, Case

from bfl_ref.chain.errors import ContractError
from bfl_ref.chain.stark import StarkVerifier
from bfl_ref.stark.codec import Shape, decode
from bfl_ref.stark.field import F
from bfl_ref.stark.rejections import RejectedProof
from bfl_ref.stark.setup import Domain
from bfl_ref.stark.verifier import verify

ACCEPTED = "accepted"


@dataclass(frozen=True)
class Attempt:
    """What a verifier is handed, and which kind of mutation it is."""

    kind: str
    proof: bytes
    public: Sequence[int]
    domain: Domain = DOMAIN
    data: bytes = b""


def python_says(c: Case, attempt: Attempt) -> tuple[str, dict[str, int]]:
    """Name and numbers of the rejection, or ACCEPTED."""
    try:
        verify(c.setup, attempt.proof, attempt.public, attempt.domain, attempt.data)
    except RejectedProof as refusal:
        name = type(refusal).__name__
        values = {k: v for k, v in vars(refusal).items() if isinstance(v, int)}
        if name in ("FoldMismatch", "FinalMismatch"):
            values["leaf"] = values.pop("position")  # as the contract calls it
        return name, values
    return ACCEPTED, {}


def contract_says(contract: StarkVerifier, attempt: Attempt) -> tuple[str, dict[str, int]]:
    try:
        contract.verify(attempt.proof, attempt.domain, attempt.public, attempt.data)
    except ContractError as refusal:
        return type(refusal).__name__, refusal.values
    return ACCEPTED, {}


def fields(proof: bytes, shape: Shape) -> list[tuple[str, int, int]]:
    """(name, first byte, number of bytes) of every field of the layout, in its order."""
    said, params = decode(proof, shape), shape.params.to_bytes()
    lengths = [("version", 1), *(("params", 1) for _ in params), ("final count", 2)]
    lengths += [(f"{group} count", 2) for group in said.groups]
    lengths += [(f"fri {part} count", 2) for _ in said.layers for part in ("leaf", "node")]
    lengths += [
        ("nonce", 8),
        *((f"{group} root", 26) for group in said.roots),
        *(("fri root", 26) for _ in said.fri_roots),
    ]
    lengths += [("opened", 20 * len(said.opened)), ("final", 20 * len(said.final))]
    lengths += [(f"{group} rows", 4 * o.rows.size) for group, o in said.groups.items()]
    lengths += [("fri leaves", 20 * layer.leaves.shape[0] * layer.leaves.shape[1]) for layer in said.layers]
    lengths += [(f"{g} salts", o.salts.size) for g, o in said.groups.items() if o.salts is not None]
    lengths += [(f"{group} nodes", o.nodes.size) for group, o in said.groups.items()]
    lengths += [("fri nodes", layer.nodes.size) for layer in said.layers]
    starts = np.cumsum([0, *(length for _, length in lengths)])
    assert starts[-1] == len(proof)
    return [(name, int(at), length) for (name, length), at in zip(lengths, starts[:-1], strict=True)]


def mutated(random: np.random.Generator, c: Case, proof: bytes) -> Attempt:
    """An attempt that differs from the honest one."""
    honest = Attempt("honest", proof, c.public.tolist(), data=c.data)
    if c.data and not random.integers(4):
        return replace(honest, kind="other data", data=other_data(random, c.data, 4 * c.setup.air.data_width))
    attempt = honest
    while replace(attempt, kind="honest") == honest:
        attempt = replace(_drawn(random, c, proof), data=c.data)
    return attempt


def other_data(random: np.random.Generator, data: bytes, row: int) -> bytes:
    """Data that differ from `data`: in an element, the order of the rows, which are not all equal, or the length."""
    changed = bytearray(data)
    at = 4 * int(random.integers(len(data) // 4))
    match random.integers(5):
        case 0:
            changed[at : at + 4] = ((int.from_bytes(data[at : at + 4], "big") + 1) % F.order).to_bytes(
                4, "big"
            )
        case 1:  # not below p
            changed[at : at + 4] = int(random.integers(F.order, 2**32)).to_bytes(4, "big")
        case 2:
            del changed[: int(random.integers(1, len(data) + 1))]
        case 3:
            changed = bytearray(random.bytes(int(random.integers(1, 4 * row)))) + changed
        case _:
            changed = changed[row:] + changed[:row]
    return bytes(changed)


def _drawn(random: np.random.Generator, c: Case, proof: bytes) -> Attempt:
    """One change of an honest proof or of what it is checked against, every field of the layout as often as any other."""
    public = c.public.tolist()
    kind = int(random.integers(16))
    if kind == 0:
        return Attempt("truncated", proof[: random.integers(len(proof))], public)
    if kind == 1:
        return Attempt("extended", proof + random.bytes(int(random.integers(1, 40))), public)
    if kind == 2:
        changes = [{"chain_id": 1}, {"contract": "0xc1"}, {"round_id": 8}, {"prover": "0xef"}]
        return Attempt("other domain", proof, public, replace(DOMAIN, **changes[random.integers(4)]))
    if kind == 3 and public:
        other = list(public)
        other[random.integers(len(other))] = [0, F.order, 2**200, int(random.integers(F.order))][
            random.integers(4)
        ]
        return Attempt("other input", proof, other)
    if kind in (3, 4):
        return Attempt("number of inputs", proof, [public[:-1], [*public, 1]][random.integers(2)])
    name, at, length = (found := fields(proof, c.setup.shape))[random.integers(len(found))]
    data = bytearray(proof)
    if kind == 5 and length >= 52:  # swapped halves: paths, leaves, salts in another order
        half = length // 2
        data[at : at + 2 * half] = data[at + half : at + 2 * half] + data[at : at + half]
        return Attempt(f"swapped {name}", bytes(data), public)
    if kind in (6, 7):  # an element that is not below p, if the field holds elements
        to = at + 4 * int(random.integers(max(1, length // 4)))
        if to + 4 <= len(data):
            value = [F.order, 2**32 - 1, 2**31, int(random.integers(F.order, 2**32))][random.integers(4)]
            data[to : to + 4] = value.to_bytes(4, "big")
            return Attempt(f"large {name}", bytes(data), public)
    if "count" in name and kind < 11:  # a count, with as many bytes more or less as it says
        return _recounted(random, c, proof, name)
    for _ in range(random.integers(1, 3)):
        data[at + random.integers(length)] ^= int(random.integers(1, 256))
    return Attempt(f"changed {name}", bytes(data), public)


def _recounted(random: np.random.Generator, c: Case, proof: bytes, name: str) -> Attempt:
    """A count changed together with its section, so that the total length is right again."""
    found = fields(proof, c.setup.shape)
    counts = [i for i, (field, _, _) in enumerate(found) if "count" in field]
    number = counts[random.integers(len(counts))]
    count_name, at, _ = found[number]
    part = counts.index(number)
    groups = len(c.setup.shape.widths)
    if part == 0:
        section, unit = next(f for f in found if f[0] == "final"), 20
    elif part <= groups:
        group = count_name.removesuffix(" count")
        section, unit = next(f for f in found if f[0] == f"{group} nodes"), 26
    else:
        layer, is_node = divmod(part - 1 - groups, 2)
        sections = [f for f in found if f[0] == ("fri nodes" if is_node else "fri leaves")]
        section, unit = sections[layer], 26 if is_node else 20 * c.setup.params.folds[layer]
    _, start, length = section
    now = length // unit
    then = max(0, now + int(random.integers(-2, 3)))
    body = proof[start : start + length]
    body = (
        body[: then * unit]
        if then <= now
        else body + body[: (then - now) * unit].ljust((then - now) * unit, b"\0")
    )
    data = proof[:start] + body + proof[start + length :]
    return Attempt(
        f"recounted {count_name}", data[:at] + then.to_bytes(2, "big") + data[at + 2 :], c.public.tolist()
    )
