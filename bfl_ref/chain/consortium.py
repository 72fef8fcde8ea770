"""The consortium's contract, and how its members' vote is carried through.

A function that only the vote may call returns the `Call` to propose.
"""

from collections.abc import Sequence

from eth_account.signers.local import LocalAccount

from .events import CallProposed
from .records import Member, Proposal, Role, from_abi
from .transactions import Call, Client


class Consortium(Client):
    """IConsortium: membership and government."""

    def seal(self, powers: Sequence[tuple[bytes, str]], *, sender: LocalAccount) -> None:
        """powers: (role, address of the contract that gets it). Once, by the deployer."""
        self._send(sender, "seal", powers)

    def propose(self, call: Call, *, sender: LocalAccount) -> int:
        """The proposal's number; the proposer's vote is cast with it."""
        events = self._send(sender, "propose", call.target, call.data)
        return next(event.proposal_id for event in events if isinstance(event, CallProposed))

    def vote(self, proposal_id: int, *, sender: LocalAccount) -> None:
        self._send(sender, "vote", proposal_id)

    def queue(self, proposal_id: int, *, sender: LocalAccount) -> None:
        """From here on the call waits, `delay` blocks."""
        self._send(sender, "queue", proposal_id)

    def execute(self, proposal_id: int, *, sender: LocalAccount) -> None:
        self._send(sender, "execute", proposal_id)

    def admit(self, account: str, roles: Role) -> Call:
        return self._call("admit", account, int(roles))

    def remove(self, account: str) -> Call:
        return self._call("remove", account)

    def change_roles(self, account: str, roles: Role) -> Call:
        return self._call("changeRoles", account, int(roles))

    def set_voting_period(self, blocks: int) -> Call:
        return self._call("setVotingPeriod", blocks)

    def set_delay(self, blocks: int) -> Call:
        return self._call("setDelay", blocks)

    def set_paused(self, paused: bool) -> Call:
        """The one call that needs two thirds of the voters and does not wait."""
        return self._call("setPaused", paused)

    def grant_role(self, role: bytes, holder: str) -> Call:
        """A power for a contract."""
        return self._call("grantRole", role, holder)

    def revoke_role(self, role: bytes, holder: str) -> Call:
        return self._call("revokeRole", role, holder)

    def has_role(self, role: bytes, holder: str) -> bool:
        return self._view("hasRole", role, holder)

    def members(self) -> tuple[str, ...]:
        """In no particular order."""
        return tuple(self._view("members"))

    def record_of(self, account: str) -> Member:
        return from_abi(Member, self._view("recordOf", account))

    def records_of(self, accounts: Sequence[str]) -> tuple[Member, ...]:
        """In the order of the accounts."""
        return tuple(from_abi(Member, record) for record in self._view("recordsOf", list(accounts)))

    def holding(self, role: Role, version: int = 2**32 - 1) -> tuple[str, ...]:
        """Members that hold a role in a record no newer than a version of the consortium."""
        return tuple(self._view("holding", int(role), version))

    def roles_of(self, account: str) -> Role:
        return Role(self._view("rolesOf", account))

    def is_participant(self, account: str) -> bool:
        return self._view("isParticipant", account)

    def version(self) -> int:
        return self._view("version")

    def voters(self) -> int:
        return self._view("voters")

    def validators(self) -> int:
        """How many hold the role."""
        return self._view("validators")

    def aggregators(self) -> int:
        """How many hold the role."""
        return self._view("aggregators")

    def is_sealed(self) -> bool:
        return self._view("isSealed")

    def voting_period(self) -> int:
        return self._view("votingPeriod")

    def delay(self) -> int:
        """Blocks between the queueing of a call and the first block in which it can be made."""
        return self._view("delay")

    def is_paused(self) -> bool:
        return self._view("isPaused")

    def proposal(self, proposal_id: int) -> Proposal:
        return from_abi(Proposal, self._view("proposal", proposal_id))

    def proposals(self) -> int:
        return self._view("proposals")

    def votes_for(self, proposal_id: int) -> int:
        return self._view("votesFor", proposal_id)


def govern(consortium: Consortium, call: Call, voters: Sequence[LocalAccount]) -> int:
    """A call, made: proposed by the first, voted for by the others, queued, waited for, executed. Its proposal's number.

    A pause neither queues nor waits. Raises NoMajority, of a pause NoTwoThirds, if they are too few: their votes stand.
    """
    first, *others = voters
    proposal_id = consortium.propose(call, sender=first)
    for voter in others:
        consortium.vote(proposal_id, sender=voter)
    if call not in (consortium.set_paused(True), consortium.set_paused(False)):
        consortium.queue(proposal_id, sender=first)
        last_locked = consortium.proposal(proposal_id).ready_block - 1
        consortium.node.wait_blocks(last_locked - consortium.node.web3.eth.block_number)
    consortium.execute(proposal_id, sender=first)
    return proposal_id
