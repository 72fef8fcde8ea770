"""Consent: credentials verified, gas of each call, patients erased, the audit trail rebuilt, the chain scanned.

python -m benchmarks.consent [--json] [--quick]

Gas: on anvil; the same on any machine. a_thousand: what a hospital pays to post the consents of a thousand patients and its
status list, against granting each on chain (grant_many, twenty in a transaction). erasure: patients erased at once while ten
others stay, tombstones and receipts included. trail: that many events, read back and decoded, every header's hash
checked. scan: all calldata, logs and storage of that chain for the records of 20 patients.
"""

import argparse
import json
import secrets
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from bfl_ref.audit_trail import read_trail
from bfl_ref.chain.contracts import Genesis, System, deploy
from bfl_ref.chain.node import Node, open_chain
from bfl_ref.chain.records import Content, Role, RoundParameters
from bfl_ref.consent import (
    Purpose,
    Signed,
    StatusList,
    Terms,
    agreed,
    consent_id,
    post_consents,
    publish,
    sign,
    verify,
    withdrawal_message,
)
from bfl_ref.leak_scan import everything, scan
from bfl_ref.sealing import public_key
from bfl_ref.store import FolderStore, cid_of
from bfl_ref.vault import FileKeys, Vault, ask, open_release, proceed

YEAR_S = 365 * 24 * 3600
PURPOSE = Purpose.HRESCH
STAY, SCANNED, BATCH = 10, 20, 400
PRIVATE = bytes(range(32))


def patient(i: int) -> LocalAccount:
    return Account.from_key(keccak(text=f"benchmark patient {i}"))


def hospitals(node: Node) -> System:
    """Three hospitals; the first one is used."""
    roles = Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR
    members = {str(account.address): roles for account in node.accounts[:3]}
    start = Content(cid_of(b"model"), keccak(b"model"))
    return deploy(
        node, Genesis(members, dict.fromkeys(members, 1), start, RoundParameters(1, 3)), node.accounts[0]
    )


def consents(system: System, count: int) -> list[Signed]:
    own, now_s = system.node.accounts[0].address, system.node.web3.eth.get_block("latest")["timestamp"]
    said = []
    for i in range(count):
        period = now_s, now_s + YEAR_S
        resource, salt = keccak(text=f"leaf {i}"), keccak(text=f"salt {i}")
        terms = Terms(patient(i).address, own, own, resource, PURPOSE, *period, i, salt)
        said.append(agreed(terms, system.consents.domain, patient(i)))
    return said


def credentials(system: System, count: int) -> dict[str, float]:
    """W3C credentials signed and verified a second: schema, EIP-712 signature, document, time, status."""
    domain, status = system.consents.domain, StatusList()
    said = [each.terms for each in consents(system, count)]
    begin = time.perf_counter()
    made = [sign(terms, domain, patient(i)) for i, terms in enumerate(said)]
    signed = time.perf_counter()
    for credential in made:
        verify(credential, domain, said[0].valid_from_s, purpose=PURPOSE, status=status)
    return {
        "signed_per_s": count / (signed - begin),
        "verified_per_s": count / (time.perf_counter() - signed),
    }


def gas(system: System, folder: Path) -> dict[str, float]:
    """Gas of each call, and of what a thousand patients cost."""
    registry, account, store = system.consents, system.node.accounts[0], FolderStore(folder / "files")
    said, status = consents(system, 1000), StatusList()
    registry.enrol([e.terms.resource for e in said[:40]], [e.terms.holder for e in said[:40]], sender=account)
    publish(registry, store, status, said[0].terms.valid_from_s, sender=account)
    post_consents(registry, store, said, sender=account)
    first, many = said[0], said[1:21]
    registry.grant(first.terms, first.signature, sender=account)
    registry.grant_many([e.terms for e in many], [e.signature for e in many], sender=account)
    for purpose in (PURPOSE, Purpose.TREAT):
        registry.request(first.terms, purpose, bytes(31) + b"\1", status.proof(0), sender=account)
    message = withdrawal_message(consent_id(first.terms, registry.domain), registry.domain)
    registry.withdraw(first.terms, bytes(patient(0).sign_message(message).signature), sender=account)
    registry.erase([e.terms.resource for e in said[:20]], sender=account)
    used = {name.removeprefix("ConsentRegistry."): entries for name, entries in system.gas.items()}
    allowed, denied = used["request"]
    one = used["grantMany"][0] / len(many)
    return {
        "grant": used["grant"][0],
        "grant_of_many": one,
        "withdraw": used["withdraw"][0],
        "access_allowed": allowed,
        "access_denied": denied,
        "enrol_of_many": used["enrol"][0] / 40,
        "erase_of_many": used["erase"][0] / 20,
        "a_thousand_posted": used["postConsents"][0] + used["postStatusList"][0],
        "a_thousand_granted": 1000 * (one + used["enrol"][0] / 40),
    }


def vault_in(folder: Path, system: System) -> Vault:
    own = system.node.accounts[0].address
    return Vault(folder, FolderStore(folder / "store"), FileKeys(folder / "keys"), system.consents, own)


def access(system: System, folder: Path, times: int) -> dict[str, float]:
    """Seconds from a request to the opened record."""
    registry, account = system.consents, system.node.accounts[0]
    vault = vault_in(folder / "access", system)
    (signed,) = consents(system, 31)[30:]
    vault.put(signed.terms.holder, signed.terms.resource, b"record", bytes(16))
    registry.grant(signed.terms, signed.signature, sender=account)
    proof = StatusList().proof(signed.terms.status_index)
    begin = time.perf_counter()
    for _ in range(times):
        answer = registry.request(signed.terms, PURPOSE, public_key(PRIVATE), proof, sender=account)
        sealed = vault.release(answer.request_id, 0, secrets.token_bytes)
        assert open_release(sealed, PRIVATE, registry.domain, answer.request_id).data == b"record"
    return {"access_s": (time.perf_counter() - begin) / times}


def erasure(system: System, folder: Path, count: int) -> dict[str, float]:
    """Seconds to erase so many patients at once."""
    registry, account = system.consents, system.node.accounts[0]
    vault = vault_in(folder / "erasure", system)
    people = [patient(10_000 + i) for i in range(count + STAY)]
    resources = [keccak(b"record %d" % i) for i in range(len(people))]
    begin = time.perf_counter()
    for who, resource in zip(people, resources, strict=True):
        vault.put(who.address, resource, secrets.token_bytes(300), bytes(16))
    kept = time.perf_counter()
    for start in range(0, len(people), BATCH):
        part = slice(start, start + BATCH)
        registry.enrol(resources[part], [who.address for who in people[part]], sender=account)
    ask(vault, [who.address for who in people[:count]], 1)
    asked = time.perf_counter()
    done = proceed(vault, account, lambda resource: (), 2)
    assert len(done.receipts) == count and len(vault.book.entries()) == STAY
    return {
        "put_s": (kept - begin) / len(people),
        "patients": count,
        "erasure_s": time.perf_counter() - asked,
    }


def trail(system: System, events: int) -> dict[str, float]:
    """Seconds to rebuild the trail of so many events, and to scan all that the chain holds."""
    registry, account = system.consents, system.node.accounts[0]
    for start in range(0, events, BATCH):
        resources = [keccak(b"event %d" % i) for i in range(start, start + BATCH)]
        registry.enrol(resources, [account.address] * BATCH, sender=account)
    begin = time.perf_counter()
    found = read_trail(system.node.web3, system.deployment.addresses)
    read = time.perf_counter()
    rng = np.random.default_rng(0)
    records = [{f"value {k}": float(v) for k, v in enumerate(rng.normal(size=30))} for _ in range(SCANNED)]
    places = list(everything(system.node))
    size = sum(len(data) for _, data in places)
    assert scan(records, places) == []
    scanned_s = time.perf_counter() - read
    return {"events": len(found.entries), "rebuild_s": read - begin, "scan_s": scanned_s, "scan_bytes": size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--quick", action="store_true", help="100 credentials, 100 patients, 2,000 events")
    arguments = parser.parse_args()
    few = arguments.quick
    results: dict[str, Any] = {}
    with open_chain("anvil") as node, TemporaryDirectory() as name:
        system, folder = hospitals(node), Path(name)
        results |= credentials(system, 100 if few else 1000)
        results["gas"] = gas(system, folder)
        results |= access(system, folder, 5 if few else 20)
        results |= erasure(system, folder, 100 if few else 1000)
        results |= trail(system, 2_000 if few else 10_000)
    for what, figure in {
        **results,
        **{f"gas, {what}": used for what, used in results["gas"].items()},
    }.items():
        if what != "gas":
            print(f"{what}: {figure:,.4g}")
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
