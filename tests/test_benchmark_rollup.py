"""The rollup's benchmark at a small size, through the real contract; its conclusions on made-up lines."""

import numpy as np
import pytest

from benchmarks.rollup import measure, parts
from benchmarks.rollup_parts.levers import extrapolate
from benchmarks.rollup_parts.mix import directly, mixed, permutations, shares
from bfl_ref.chain.node import open_chain

KEYS = {
    *("batch_size", "l2_gas_per_tx", "bytes_per_tx", "prove_s", "tps_accept", "tps_prove", "tps_settle"),
    *("permutations_per_tx", "gas", "half"),
}


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_mixed_every_kind_has_its_share_and_every_account_as_much() -> None:
    batch = mixed(1024, 64, rng())
    assert len(batch.entries) == 1024 and {len(part) for part in batch.lists.values()} == {14}
    assert shares(batch) == {
        **{"transfer": 6 / 16, "record": 3 / 16, "lock": 1 / 16, "access": 2 / 16, "unlock": 1 / 16},
        **{"withdraw": 1 / 16, "evidence": 3 / 32, "deposit": 1 / 32},
    }
    assert len(mixed(16, 4, rng()).entries) == 16


def test_permutations_one_signature_a_batch_needs_far_fewer() -> None:
    used = permutations(mixed(1024, 64, rng()))
    assert used["one_a_batch"] == (1024 + 64 * 108) / 1024
    assert used["one_a_transaction"] > 10 * used["one_a_batch"]


def test_directly_every_kind_costs_a_transaction_and_runs_less() -> None:
    with open_chain(accounts=4) as node:
        found = directly(node, mixed(16, 4, rng()), owners=4)
    gas = found["gas"]
    kinds = {"transfer", "record", "lock", "access", "unlock", "withdraw", "evidence", "deposit"}
    assert gas.keys() == kinds | {"mix", "in_runs"}
    assert all(22_000 < gas[kind] < 32_500 for kind in kinds)
    assert 20_000 < gas["in_runs"] < gas["mix"] < gas["transfer"] and found["abi_bytes"] > 36


def test_measure_a_small_size_has_every_figure_and_they_agree() -> None:
    line, _ = measure(16, 8)
    assert set(line) >= KEYS
    gas = line["gas"]
    assert sum(gas.values()) == 2 * gas["total"] == 2 * 16 * line["l2_gas_per_tx"]
    assert min(gas.values()) > 0 and gas["verification"] > 0.5 * gas["total"]
    assert line["bytes_per_tx"] == 24 * (16 + 8 + 8) / 16 and line["permutations_per_tx"] == 64
    assert all(value > 0 for value in line["tps_settle"].values())


def made_up(accounts: int, size: int) -> dict:
    total = 3_000_000 + 100_000 * np.log2(accounts) + 8_000 * accounts + 1_000 * size
    return {"accounts": accounts, "batch_size": size, "gas": parts(int(total), 0, 0, 0)}


def test_extrapolate_gas_of_a_known_law_is_found_again() -> None:
    lines = [made_up(*size) for size in ((4, 16), (8, 64), (16, 256), (64, 1024))]
    lines[-1]["half"] = made_up(64, 512)
    found = extrapolate(lines, direct=25_000, ratio=10)
    assert found["marginal_gas"] == pytest.approx(1_000)
    assert found["growth"] == pytest.approx({"doubling": 100_000, "account": 8_000}, rel=1e-3)
    assert found["break_even"] == found["break_even_by_accounts"][8] == 141
    assert found["full"][5120]["gas"] == pytest.approx(1_000 + (3_800_000 + 8_000 * 256) / 5120, rel=1e-3)
    assert found["at_ratio"] == 5120 and found["full"][2560]["gain"] < 10 < found["limit"]
    assert extrapolate(lines, direct=25_000, ratio=33)["at_ratio"] is None
