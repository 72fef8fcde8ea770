"""The final model rebuilt from events and store alone, in a new process; every tampering refused with its own message."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bfl_ref import data, history
from bfl_ref.__main__ import main
from bfl_ref.aggregation import FLOATS, load_model
from bfl_ref.cast import assemble, economy_parameters
from bfl_ref.chain.contracts import System, connect
from bfl_ref.chain.node import open_chain, seeded_accounts
from bfl_ref.chain.records import Phase
from bfl_ref.history import HistoryMismatch, open_run, past_rounds, replay
from bfl_ref.learning import TrainConfig, federated, initial_weights
from bfl_ref.protocol import play_round, put_task
from bfl_ref.store import CorruptObject, FolderStore, MissingObject
from bfl_ref.store.unixfs import block_cid

SEED = 5
CONFIG = TrainConfig(model="logistic", rounds=2, local_epochs=1, seed=SEED)
OBJECTS = 12  # the task, three models, four updates in each of two rounds


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder."""
    out = tmp_path_factory.mktemp("runs")
    arguments = ["--dataset", "wdbc", "--protocol", "basic", "--fast", "--seed", str(SEED)]
    assert main([*arguments, "--out", str(out)]) == 0
    (folder,) = out.iterdir()
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture(scope="module")
def system(finished: Path) -> System:
    """The run's chain, executed again."""
    return open_run(finished, SEED)[0]


def rebuild(capsys: pytest.CaptureFixture, folder: Path) -> tuple[int, str, str]:
    code = history.main([str(folder)])
    out, err = capsys.readouterr()
    return code, out, err


# ---------------------------------------------------------------- rebuilt


def test_history_new_process_rebuilds_the_final_model_bit_by_bit(finished: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bfl_ref.history", str(finished)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
    expected = FLOATS.content(federated(data.load("wdbc", seed=SEED), CONFIG), round_id=2)
    assert f"model in force: {expected.cid}\ndigest: {expected.digest.hex()}\n" in done.stdout
    assert done.stdout.count("finalised, 4 updates, recomputed bit by bit") == 2
    assert done.stderr == ""


def test_history_reads_rounds_from_events_alone(system: System) -> None:
    first, second = past_rounds(system)
    assert [name for name, _ in first.phases] == [
        p.name.lower() for p in list(Phase)[Phase.SELECT : Phase.ABORTED]
    ]
    assert first.phases[-1][1] < second.phases[0][1]
    assert sorted(block for _, block in first.phases) == [block for _, block in first.phases]
    assert (first.ending, second.ending) == ("finalised", "finalised")
    assert len({u.hospital for u in first.updates}) == 4 and first.task == second.task
    assert second.model == system.registry.current().content != first.model


def test_history_replay_yields_the_model_after_every_round(system: System, finished: Path) -> None:
    store = FolderStore(finished / "store")
    for past, weights in replay(system, store):
        assert past.model is not None
        stored = load_model(store, past.model)
        assert all(torch.equal(weights[name], stored[name]) for name in stored)


def test_history_second_connection_to_anvil_rebuilds_the_final_model(tmp_path: Path) -> None:
    federation = data.load("wdbc", seed=SEED)
    store = FolderStore(tmp_path / "store")
    with open_chain("anvil", accounts=7, seed=SEED) as node:
        start = initial_weights(CONFIG, len(federation.feature_names))
        cast = assemble(
            node,
            store,
            federation,
            start,
            np.random.default_rng(SEED).bytes,
            economy=economy_parameters(validators=7),
        )
        play_round(cast.system, store, cast.members, put_task(store, "wdbc", CONFIG), CONFIG)
        cast.system.save(tmp_path / "deployment.json")
        url, keys = node.web3.provider.endpoint_uri, [a.key.hex() for a in seeded_accounts(1, seed=99)]  # type: ignore[attr-defined]
        with open_chain(
            url, keys=keys
        ) as reader:  # another connection, with a key that has no power and no funds
            again = connect(reader, tmp_path / "deployment.json")
            ((past, _),) = replay(again, FolderStore(tmp_path / "store"))
    assert past.model == FLOATS.content(
        federated(federation, TrainConfig(**{**vars(CONFIG), "rounds": 1})), 1
    )


# ---------------------------------------------------------------- the store tampered with


@pytest.mark.parametrize("number", range(OBJECTS))
def test_history_changed_byte_in_a_stored_object_is_refused_with_both_cids(
    system: System, run: Path, number: int
) -> None:
    blocks = sorted((run / "store" / "blocks").iterdir())
    assert len(blocks) == OBJECTS
    changed = bytearray(blocks[number].read_bytes())
    changed[-1] ^= 1
    blocks[number].write_bytes(changed)
    with pytest.raises((CorruptObject, HistoryMismatch)) as refusal:
        list(replay(system, FolderStore(run / "store")))
    assert f"expected {blocks[number].name}, got {block_cid(bytes(changed), 'raw')}" in str(refusal.value)


@pytest.mark.parametrize("number", range(OBJECTS))
def test_history_missing_stored_object_is_refused_by_name(system: System, run: Path, number: int) -> None:
    lost = sorted((run / "store" / "blocks").iterdir())[number]
    lost.unlink()
    with pytest.raises((MissingObject, HistoryMismatch)) as refusal:
        list(replay(system, FolderStore(run / "store")))
    assert f"{lost.name} is not in" in str(refusal.value)


def test_history_command_damaged_store_says_so_on_one_line(
    run: Path, system: System, capsys: pytest.CaptureFixture
) -> None:
    genesis = system.registry.model_at(0).content.cid
    path = run / "store" / "blocks" / genesis
    path.write_bytes(path.read_bytes()[:-1])
    code, _, err = rebuild(capsys, run)
    assert code == 2 and err.count("\n") == 1
    assert err.startswith(f"error: CorruptObject: block changed: expected {genesis}, got baf")


# ---------------------------------------------------------------- the run's files tampered with


def edit_blocks(run: Path, number: int, change: str) -> None:
    saved = json.loads((run / "blocks.json").read_text())
    block = bytearray.fromhex(saved["blocks"][number])
    if (
        change == "state root"
    ):  # after two list headers of 3 bytes: parent, uncles, coinbase, then the state root
        at = 6 + 33 + 33 + 21 + 1
        block[at] ^= 1
    elif change == "transaction":  # the end of the block, where its one transaction's signature is
        block[-50] ^= 1
    saved["blocks"][number] = block.hex()
    if change == "left out":
        del saved["blocks"][number]
    elif change == "cut":
        saved["blocks"][number] = saved["blocks"][number][:-2]
    (run / "blocks.json").write_text(json.dumps(saved))


@pytest.mark.parametrize("change", ["state root", "transaction", "left out", "cut"])
@pytest.mark.parametrize("number", [1, 15])
def test_history_altered_block_is_refused_with_its_number(
    run: Path, capsys: pytest.CaptureFixture, change: str, number: int
) -> None:
    edit_blocks(run, number, change)
    code, out, err = rebuild(capsys, run)
    assert code == 2 and out == ""
    assert f"block {number + 1} does not follow on those before" in err


def test_history_shorter_chain_is_refused_by_its_head(run: Path, capsys: pytest.CaptureFixture) -> None:
    saved = json.loads((run / "blocks.json").read_text())
    (run / "blocks.json").write_text(json.dumps(saved | {"blocks": saved["blocks"][:-1]}))
    code, out, err = rebuild(capsys, run)
    assert code == 2 and out == ""
    head = json.loads((run / "summary.json").read_text())["chain"]["head"]
    assert f"HistoryMismatch: expected the chain's last block to be {head}" in err


def test_history_wrong_seed_is_refused_at_the_first_block(run: Path, capsys: pytest.CaptureFixture) -> None:
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"seed": SEED + 1}))
    code, _, err = rebuild(capsys, run)
    assert code == 2 and "block 1 does not follow on those before" in err


@pytest.mark.parametrize("name", ["blocks.json", "deployment.json", "summary.json"])
def test_history_missing_file_is_refused_by_name(run: Path, capsys: pytest.CaptureFixture, name: str) -> None:
    (run / name).unlink()
    code, _, err = rebuild(capsys, run)
    assert code == 2 and name in err and err.count("\n") == 1


def test_history_missing_store_is_refused_by_name(run: Path, capsys: pytest.CaptureFixture) -> None:
    shutil.rmtree(run / "store")
    code, _, err = rebuild(capsys, run)
    assert code == 2 and "it has no store" in err
    assert not (run / "store").exists()


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"accounts": 7, "blocks": ["zz"]}', '{"accounts": 7, "blocks": [1]}']
)
def test_history_other_text_in_the_block_file_is_refused(
    run: Path, capsys: pytest.CaptureFixture, text: str
) -> None:
    (run / "blocks.json").write_text(text)
    code, _, err = rebuild(capsys, run)
    assert code == 2 and "blocks.json is not as it was written" in err and err.count("\n") == 1


@pytest.mark.parametrize("text", ["{}", '{"seed": "5"}'])
def test_history_summary_without_a_seed_is_refused(
    run: Path, capsys: pytest.CaptureFixture, text: str
) -> None:
    (run / "summary.json").write_text(text)
    code, _, err = rebuild(capsys, run)
    assert code == 2 and "summary.json: expected a seed, got" in err


def test_history_deployment_at_another_address_is_refused(run: Path, capsys: pytest.CaptureFixture) -> None:
    deployment = json.loads((run / "deployment.json").read_text())
    addresses = deployment["addresses"]
    addresses["RoundManager"], addresses["StakeVault"] = addresses["StakeVault"], addresses["RoundManager"]
    (run / "deployment.json").write_text(json.dumps(deployment))
    code, _, err = rebuild(capsys, run)
    assert code == 2 and "NoSuchDeployment" in err and addresses["StakeVault"] in err
