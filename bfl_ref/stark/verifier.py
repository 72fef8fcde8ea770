"""Proof -> None or a named rejection, in the numbered phases of docs/proof-format.md.

Whatever bytes it is handed, `verify` accepts or raises a `RejectedProof`; a caller's own mistake is a
ValueError.
"""

from collections.abc import Sequence

import numpy as np

from . import fri, merkle, public_data
from .air import Frame, constraints
from .codec import Proof, check_header, decode
from .composition import short_at, vanishing_at
from .field import EXTENSION_DEGREE, Ext, F, base, root_of_unity
from .poly import coset
from .rejections import BadPublicInput, OodMismatch
from .setup import Domain, Setup
from .transcript import TAG_AUX, TAG_MAIN, TAG_OPENED, TAG_QUOTIENT, Transcript


def verify(setup: Setup, proof: bytes, public: Sequence[int], domain: Domain, data: bytes = b"") -> None:
    """Return None if the proof shows that somebody knows a trace of this AIR with these public inputs (and data); else
    raise.

    public: integers, as they come from the outside.  data: of a statement with data, as public_data.py has them.
    Raises the RejectedProof subclass of the first check that fails.
    """
    air, params, shape = setup.air, setup.params, setup.shape

    # 0 bind
    check_header(proof, shape)
    inputs = _public_inputs(public, air.public_inputs)
    public_data.check_length(data, air.data_width, air.length)
    said = decode(proof, shape)
    transcript = Transcript(setup.binding(inputs, domain, data))

    # 1 main trace
    transcript.absorb(TAG_MAIN, said.roots["main"])

    # 2 lookups
    beta = lam = total = None
    if shape.aux:
        beta, lam = transcript.draw_element(), transcript.draw_element()
        if air.data_width:
            total = public_data.data_sum(public_data.elements(data), lam)
        transcript.absorb(TAG_AUX, said.roots["aux"])

    # 3 composition
    alpha = transcript.draw_element()
    transcript.absorb(TAG_QUOTIENT, said.roots["quotient"])

    # 4 out of domain
    z = transcript.draw_element()
    composed = composition_at(setup, said.opened, inputs, z, alpha, beta, lam, total)
    if composed != quotient_at(setup, said.opened, z):
        raise OodMismatch("constraints and quotient differ at the out-of-domain point")
    transcript.absorb(TAG_OPENED, said.opened.to_bytes())

    # 5 DEEP
    gamma = transcript.draw_element()

    # 6 FRI
    betas = fri.replay(said, params, transcript)

    # 7 queries
    transcript.absorb_nonce(said.nonce, params.grinding_bits)
    positions = transcript.draw_positions(params.queries, params.log_length)

    # 8 openings
    roots = dict(said.roots)
    if setup.preprocessed is not None:
        roots["preprocessed"] = setup.preprocessed.tree.root
    for name, opening in said.groups.items():
        leaves = merkle.hash_leaves(opening.rows.T, opening.salts)
        merkle.check_paths(name, roots[name], params.log_length, positions, leaves, opening.nodes)
    fri.check_paths(said, params, positions)
    fri.check_folds(said, params, positions, betas, deep_at(setup, said, positions, z, gamma))


def composition_at(
    setup: Setup,
    opened: Ext,
    public: F,
    z: Ext,
    alpha: Ext,
    beta: Ext | None,
    lam: Ext | None,
    data: Ext | None = None,
) -> Ext:
    """sum_j alpha^j c_j(z) / Z_j(z) from the opened values. data: T, of a statement with data."""
    air = setup.air
    k_pre, k_main, k_aux = air.widths
    width = k_pre + k_main + EXTENSION_DEGREE * k_aux

    def cells(at: int) -> list[Ext]:
        """Committed columns; five base values make one value of a lookup column."""
        middle = at + k_pre + k_main
        aux = _recombine(opened[middle : at + width])
        return [opened[i] for i in range(at, middle)] + [aux[i] for i in range(k_aux)]

    frame = Frame(
        cur=cells(0),
        nxt=cells(width),
        short=short_at(air, public, z),
        public=list(public),
        k=lambda c: base(c % F.order),
        beta=beta,
        lam=lam,
        data=data,
    )
    found = constraints(air, frame)
    vanishing = {key: vanishing_at(air.length, *key, z) for key in {(c.kind, c.row) for c in found}}
    sums = {key: Ext.from_ints(0) for key in vanishing}
    weights = alpha.powers(len(found))
    for j, c in enumerate(found):
        sums[c.kind, c.row] = sums[c.kind, c.row] + weights[j] * c.value
    return sum((sums[key] / vanishing[key] for key in vanishing), start=Ext.from_ints(0))


def quotient_at(setup: Setup, opened: Ext, z: Ext) -> Ext:
    """sum_i z^(i n) q_i(z) from the opened values."""
    parts = _recombine(opened[len(opened) - EXTENSION_DEGREE * setup.chunks :])
    return (parts * (z**setup.air.length).powers(setup.chunks)).sum()


def deep_at(setup: Setup, said: Proof, positions: np.ndarray, z: Ext, gamma: Ext) -> Ext:
    """(queries,): G at the positions, from the opened leaves.

    G(x) = R(x) + (S(x) - S(z))/(x - z) + gamma^m (S_t(x) - S_t(g z))/(x - g z).
    """
    names = [name for name in ("preprocessed", "main", "aux", "quotient") if name in said.groups]
    rows = np.concatenate([said.groups[name].rows for name in names], axis=1).view(F)
    columns = rows.shape[1] - EXTENSION_DEGREE  # m: without the mask R
    twice = columns - EXTENSION_DEGREE * setup.chunks  # K: opened at g z too
    weights = gamma.powers(columns + 1)[1:]
    terms = Ext(weights.coeffs[:, None, :] * rows[:, :columns])  # (queries, m)
    at_z, at_gz = said.opened[:twice], said.opened[twice : 2 * twice]
    s_z = (weights * Ext.concatenate([at_z, said.opened[2 * twice :]])).sum()
    s_gz = (weights[:twice] * at_gz).sum()
    x = Ext.lift(coset(setup.params.log_length)[positions])
    mask = Ext(np.ascontiguousarray(rows[:, columns:].T).view(F))
    g_z = z * root_of_unity(setup.air.length)
    second = (terms[:, :twice].sum() - s_gz) / (x - g_z)
    return mask + (terms.sum() - s_z) / (x - z) + weights[columns - 1] * second


def _recombine(values: Ext) -> Ext:
    """(5 k,) -> (k,): sum_j X^j v_j of the values in E of the five base columns of each extension column."""
    return (values.reshape(-1, EXTENSION_DEGREE) * Ext.from_ints(0, 1).powers(EXTENSION_DEGREE)).sum()


def _public_inputs(public: Sequence[int], expected: int) -> F:
    values = [int(v) for v in public]
    if len(values) != expected:
        raise BadPublicInput(f"expected {expected} public inputs, got {len(values)}")
    for index, value in enumerate(values):
        if not 0 <= value < F.order:
            raise BadPublicInput(f"public input {index} is {value}, not below p")
    return base(values)
