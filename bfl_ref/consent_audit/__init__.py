"""Was every row that was trained on under a valid research consent? From public leaves, chain events and status lists alone.

    python -m bfl_ref.consent_audit runs/<time>
    python -m bfl_ref.consent_audit http://node:8545 --deployment deployment.json --store folder

For each hospital that committed to training in a round: the leaves that it had registered as the round was opened, one by
one, against the consents that it had posted, its status list in force, all withdrawals and tombstones up to then, at the
time of that block. Besides: files are those whose digests stand on chain, registered segments are made of just these leaves,
leaves only ever left, no record changed its patient, no revocation was taken back. No row is seen, and no salt.

What it cannot see: whether an account is a person's. A hospital that makes up patients signs for them.
"""

from .auditor import CONTRACTS, audit
from .findings import Checked, ConsentReport, Departure, Finding

__all__ = ["CONTRACTS", "Checked", "ConsentReport", "Departure", "Finding", "audit"]
