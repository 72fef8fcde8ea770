"""Trace -> proof, in the numbered phases of docs/proof-format.md."""

import secrets
from collections.abc import Callable, Sequence

import numpy as np

from . import fri
from .air import quotient_degree
from .codec import Opening, Proof, encode
from .composition import Challenges
from .field import EXTENSION_DEGREE, Ext, F, base, random_base, root_of_unity
from .kernels import FAST, Kernels
from .lookup import auxiliary_trace
from .merkle import SALT_BYTES
from .params import StarkParams
from .poly import blind, divide_linear
from .public_data import data_column, data_sum, own_elements
from .setup import Columns, Domain, Setup, commit_columns
from .trace import check_trace, trace_frame
from .transcript import TAG_AUX, TAG_MAIN, TAG_OPENED, TAG_QUOTIENT, Transcript

Rng = Callable[[int], bytes]


def prove(
    setup: Setup,
    trace: F,
    public: F | Sequence[int],
    domain: Domain,
    data: bytes = b"",
    *,
    rng: Rng = secrets.token_bytes,
    kernels: Kernels = FAST,
    progress: Callable[[str], None] = lambda phase: None,
) -> bytes:
    """The bytes of a proof that `trace` satisfies the AIR with these public inputs; it reveals nothing else.

    trace: (k_main, n).  public: canonical elements.  data: of a statement with data, as public_data.py has them.
    rng(k): k random bytes, from the operating system outside tests.  progress: called with the name of each phase as
    it begins.  ValueError names every constraint that the trace breaks, or what is wrong with the data.
    """
    air, params, shape = setup.air, setup.params, setup.shape
    public = base(public)
    known = own_elements(data, air.data_width, air.length)
    _, k_main, k_aux = air.widths
    degree = quotient_degree(air, params.blinding)
    unseen = (
        degree + 1 == 1 << setup.log_quotient
    )  # a false quotient's degree could then not be told from a right one's
    if unseen or trace.shape != (k_main, air.length) or public.shape != (air.public_inputs,):
        check_trace(air, trace, public, data)
    none = np.empty((0, params.length), np.uint32).view(F)

    progress("0 bind")
    transcript = Transcript(setup.binding(public, domain, data))

    progress("1 main trace")
    main = commit_secret(kernels.intt(trace), params, rng, kernels)
    transcript.absorb(TAG_MAIN, main.tree.root)
    committed: dict[str, Columns] = {"main": main}
    if setup.preprocessed is not None:
        committed["preprocessed"] = setup.preprocessed

    progress("2 lookups")
    beta = lam = total = None
    if k_aux:
        beta, lam = transcript.draw_element(), transcript.draw_element()
        frame = trace_frame(air, trace, public)
        columns = auxiliary_trace(air.fractions(frame), air.lookup_batches, beta, lam, air.length)
        if air.data_width:
            total = data_sum(known, lam)
            columns = Ext.concatenate([columns, data_column(*air.datum_on(frame), lam, air.length)])
        committed["aux"] = commit_secret(kernels.intt(base_columns(columns)), params, rng, kernels)
        transcript.absorb(TAG_AUX, committed["aux"].tree.root)

    progress("3 composition")
    challenges = Challenges(transcript.draw_element(), beta, lam, total)
    names = ("preprocessed", "main", "aux")
    codewords = tuple(committed[name].codeword if name in committed else none for name in names)
    values = kernels.composition(air, setup.program, codewords, setup.log_quotient, public, challenges)
    quotient = Ext(kernels.interpolate(values.coeffs))
    if quotient.coeffs[:, degree + 1 :].any():
        check_trace(air, trace, public, data)
        raise AssertionError("the quotient has too high a degree, but the trace breaks no constraint")
    mask = random_base((EXTENSION_DEGREE, params.degree_bound), rng)
    chunks = masked_chunks(quotient, setup.chunks, params, rng)
    coefficients = np.concatenate([chunks, mask]).view(F)
    committed["quotient"] = commit_columns(coefficients, _salts(params, rng), params, kernels)
    transcript.absorb(TAG_QUOTIENT, committed["quotient"].tree.root)

    progress("4 out of domain")
    z = transcript.draw_element()
    g_z = z * root_of_unity(air.length)
    read_twice = _stack([committed[name] for name in names if name in committed], params)
    opened = Ext.concatenate([kernels.evaluate(read_twice, x) for x in (z, g_z)])
    opened = Ext.concatenate([opened, kernels.evaluate(chunks, z)])
    transcript.absorb(TAG_OPENED, opened.to_bytes())

    progress("5 DEEP")
    weights = transcript.draw_element().powers(len(read_twice) + len(chunks) + 1)
    low, high = weights[1 : len(read_twice) + 1], weights[len(read_twice) + 1 :]
    at_both = kernels.combine(read_twice, low)
    at_z = at_both + kernels.combine(chunks, high)
    deep = Ext(mask) + divide_linear(at_z, z) + divide_linear(at_both, g_z) * weights[-1]

    progress("6 FRI")
    codeword = Ext(kernels.lde(deep.coeffs, params.log_length))
    layers = fri.commit(codeword, params, transcript, kernels.hash_leaves, kernels.hash_nodes, kernels.fold)

    progress("7 queries")
    nonce = kernels.grind(transcript.state, params.grinding_bits)
    transcript.absorb_nonce(nonce, params.grinding_bits)
    positions = transcript.draw_positions(params.queries, params.log_length)

    progress("8 openings")
    proof = Proof(
        nonce=nonce,
        roots={name: committed[name].tree.root for name in shape.salted},
        fri_roots=tuple(tree.root for tree in layers.trees),
        opened=opened,
        final=layers.final,
        groups={name: _open(committed[name], positions) for name in shape.widths},
        layers=fri.open_layers(layers, params, positions),
    )
    return encode(proof, shape)


def commit_secret(coefficients: F, params: StarkParams, rng: Rng, kernels: Kernels) -> Columns:
    """Blind columns (k, n) with h random coefficients each, extend and commit to them in salted leaves."""
    randomness = random_base((len(coefficients), params.blinding), rng)
    return commit_columns(blind(coefficients, randomness), _salts(params, rng), params, kernels)


def masked_chunks(quotient: Ext, chunks: int, params: StarkParams, rng: Rng) -> F:
    """(5 c, D): Q = sum_i X^(i n) q_i as q_i + X^n t_i - t_(i-1), random t_i of h coefficients, t_(-1) =
    t_(c-1) = 0.

    Their recombination is Q again, but each chunk alone is blinded.
    """
    n, h = params.trace_length, params.blinding
    wanted = np.zeros((EXTENSION_DEGREE, max(chunks * n, len(quotient))), np.uint32).view(F)
    wanted[:, : len(quotient)] = quotient.coeffs
    parts = wanted[:, : chunks * n].reshape(EXTENSION_DEGREE, chunks, n).swapaxes(0, 1)
    masks = np.zeros((chunks + 1, EXTENSION_DEGREE, h), np.uint32).view(F)
    masks[1:-1] = random_base((chunks - 1, EXTENSION_DEGREE, h), rng)
    masked = np.zeros((chunks, EXTENSION_DEGREE, n + h), np.uint32).view(F)
    masked[:, :, :n] = parts
    masked[:, :, n:] = masks[1:]
    masked[:, :, :h] -= masks[:-1]
    return masked.reshape(chunks * EXTENSION_DEGREE, n + h).view(F)


def base_columns(columns: Ext) -> F:
    """Extension columns (k, n) as base columns (5 k, n), the five of a column together."""
    return columns.coeffs.swapaxes(0, 1).reshape(-1, columns.shape[-1]).view(F)


def _stack(groups: list[Columns], params: StarkParams) -> F:
    """(K, D): coefficients of several groups one below the other, padded to the degree bound."""
    result = np.zeros((sum(len(g.coefficients) for g in groups), params.degree_bound), np.uint32).view(F)
    at = 0
    for group in groups:
        rows, count = group.coefficients.shape
        result[at : at + rows, :count] = group.coefficients
        at += rows
    return result


def _salts(params: StarkParams, rng: Rng) -> np.ndarray:
    return np.frombuffer(rng(params.length * SALT_BYTES), np.uint8).reshape(-1, SALT_BYTES)


def _open(columns: Columns, positions: np.ndarray) -> Opening:
    salts = None if columns.salts is None else columns.salts[positions]
    rows = np.ascontiguousarray(columns.codeword[:, positions].T).view(F)
    return Opening(rows, salts, columns.tree.open(positions))
