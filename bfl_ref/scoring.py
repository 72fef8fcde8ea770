"""A validator's scores of the opened sums: what each group's update alone does to the model on rows that it holds out.

It commits before anybody reveals, so that nobody copies; its salt is drawn from its key and the round, so that one that
restarts reveals what it committed to.
"""

from hashlib import shake_256

from eth_abi import encode

from .chain.events import SumDecoded
from .data import Silo
from .governance.contributions import score_groups
from .member import Member, Round


def scores(round_: Round, silo: Silo) -> list[int]:
    """Of each group, in its order, in 1/10,000 of the loss before (IContributions)."""
    _, weights = round_.system.committee.groups_of(round_.round_id)
    decoded = sorted(round_.events(SumDecoded), key=lambda said: said.group)
    return score_groups(round_.model, [said.total for said in decoded], weights, silo.x_test, silo.y_test)


def commit(member: Member, round_: Round) -> None:
    """Phase finalise. Who has no rows keeps out."""
    if member.silo is None:
        return
    contributions, own = round_.system.contributions, member.account.address
    said = scores(round_, member.silo)
    commitment = contributions.scores_commitment(round_.round_id, own, said, _salt(member, round_))
    contributions.commit_scores(round_.round_id, commitment, sender=member.account)


def reveal(member: Member, round_: Round) -> None:
    """Phase settle, of who committed."""
    contributions, own = round_.system.contributions, member.account.address
    if member.silo is not None and any(contributions.scores_commitment_of(round_.round_id, own)):
        said = scores(round_, member.silo)
        contributions.reveal_scores(round_.round_id, said, _salt(member, round_), sender=member.account)


def _salt(member: Member, round_: Round) -> bytes:
    where = round_.system.node.web3.eth.chain_id, round_.system.contributions.address, round_.round_id
    context = encode(["uint256", "address", "uint256"], where)
    return shake_256(b"bfl_ref/scores" + bytes(member.account.key) + context).digest(32)
