"""Random histories of the governance contracts: what happens to them, and to the twin, step by step."""

from dataclasses import astuple

from eth_utils import keccak
from governance_cases import BALANCE, REWARDS, ROLES, Script, Stage, checksummed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from bfl_ref.chain.contracts import NO_CONTRACT
from bfl_ref.chain.records import Role
from bfl_ref.governance import reputation, rewards, selection, validators
from bfl_ref.governance.reputation import Evidence, Standing
from bfl_ref.governance.selection import NO_SEED

MEMBERS = len(ROLES)
HOSPITALS = tuple(i for i, role in enumerate(ROLES) if role & Role.HOSPITAL)
VALIDATORS = tuple(i for i, role in enumerate(ROLES) if role & Role.VALIDATOR)
amounts = st.one_of(st.integers(0, 3000), st.integers(2**36, 2**49))
members = st.integers(0, MEMBERS - 1)
seeds = st.binary(min_size=32, max_size=32)


class Histories(RuleBasedStateMachine):
    """The twin's state, and the script of what the contracts are to do and to answer."""

    stage: Stage

    def __init__(self):
        super().__init__()
        self.script = Script(self.stage)
        self.round_id = 1
        self.standings = [Standing()] * MEMBERS
        self.stakes, self.data, self.owed = [0] * MEMBERS, {}, [0] * MEMBERS
        self.begun, self.credited = {}, set()
        self.typical, self.pot, self.value = 0, 0, bytes(32)

    @initialize(
        stakes=st.lists(
            st.one_of(st.integers(100, 400), st.integers(0, 200)), min_size=MEMBERS, max_size=MEMBERS
        )
    )
    def members_lock_stakes_and_register_data(self, stakes):
        for i, stake in enumerate(stakes):
            if stake:
                self.lock(i, stake)
            if i in HOSPITALS[:-1]:
                self.register(i)

    @rule(member=members, amount=st.integers(1, 300))
    def lock(self, member, amount):
        self.script.call_as(
            member, "UtilityToken", "approve", self.stage.contracts["StakeVault"].address, amount
        )
        self.script.call_as(member, "StakeVault", "lock", amount)
        self.stakes[member] += amount

    @rule(member=members)
    def unlock(self, member):
        if self.stakes[member]:
            self.script.call_as(member, "StakeVault", "requestUnlock", self.stakes[member])
            self.stakes[member] = 0

    @rule(member=st.sampled_from(HOSPITALS))
    def register(self, member):
        if member not in self.data:
            leaves = (keccak(b"leaves"), keccak(b"digest"), 0x55)
            self.script.call_as(member, "DataRegistry", "register", [bytes(32)], 7, bytes(32), leaves)
            self.data[member] = len(self.data) + 1

    @rule(rounds=st.one_of(st.integers(1, 30), st.integers(1, 5000)))
    def rounds_pass(self, rounds):
        self.round_id += rounds
        for standing, address in zip(self.standings, self.stage.members, strict=True):
            left = astuple(reputation.evidence_in(self.stage.reputation, standing, self.round_id))
            self.script.call("Reputation", "evidenceOf", address, self.round_id, expect=left)

    @rule(member=members, positive=amounts, negative=amounts)
    def evidence_comes_in(self, member, positive, negative):
        address = self.stage.members[member]
        self.script.call("Reputation", "record", self.round_id, address, positive, negative)
        seen = Evidence(positive, negative)
        old = self.standings[member]
        self.standings[member] = reputation.record(self.stage.reputation, old, self.round_id, seen)
        self.compare_standings()

    @rule(member=members, bucket=st.integers(0, 255), typical=st.one_of(st.none(), st.integers(0, 12)))
    def bucket_is_noted(self, member, bucket, typical):
        self.script.call("Reputation", "noteBucket", self.stage.members[member], bucket)
        standing = self.standings[member]
        self.standings[member] = Standing(*astuple(standing)[:-1], bucket)
        if typical is not None:
            self.script.call("Selection", "setTypical", typical)
            self.typical = typical
        self.compare_standings()

    @rule(
        number=st.integers(0, 2**32),
        lotteries=st.integers(1, 4),
        rounds=st.integers(1, 4),
        min_stake=st.sampled_from([0, 100, 100, 130]),
    )
    def hospitals_are_selected(self, number, lotteries, rounds, min_stake):
        for k in range(lotteries):  # with few rounds between, so that some wait
            self.round_id += rounds
            seed = keccak(number.to_bytes(5, "big") + bytes([k])) if (number + k) % 4 else NO_SEED
            self.one_lottery(seed, min_stake)

    def one_lottery(self, seed, min_stake):
        if seed != NO_SEED and self.round_id not in self.begun:
            self.script.call("Audits", "begin", self.round_id)
            self.begun[self.round_id] = set(self.data)
        ready = HOSPITALS if seed == NO_SEED else self.begun[self.round_id]
        candidates = [selection.Candidate(self.standings[i], self.stakes[i], i in ready) for i in HOSPITALS]
        rules = self.stage.selection, self.stage.reputation
        drawn = selection.select(*rules, candidates, self.round_id, seed, self.typical, min_stake)
        selected = [HOSPITALS[j] for j in drawn.selected]
        version = 2**32 - 1
        arguments = self.round_id, version, min_stake, seed
        self.script.call("Selection", "select", *arguments, expect=checksummed(self.stage, selected))
        for j in drawn.eligible:
            noted = {"selected": j in drawn.selected, "newcomer": j in drawn.newcomers}
            i = HOSPITALS[j]
            self.standings[i] = selection.note_selection(self.standings[i], self.round_id, **noted)
        self.compare_standings()

    @rule(value=st.one_of(st.none(), seeds))
    def committee_is_seated(self, value):
        if value is not None:
            self.script.call("Validators", "reseed", value)
            self.value = value
        rules = self.stage.validators
        points = [
            reputation.score(self.stage.reputation, self.standings[i], self.round_id) for i in VALIDATORS
        ]
        pool = [VALIDATORS[j] for j in validators.pool(rules, points, [self.stakes[i] for i in VALIDATORS])]
        chain = self.stage.node.web3.eth.chain_id
        at = self.stage.contracts["Validators"].address
        seed = validators.seed_of(chain, at, self.round_id, self.value)
        drawn = [pool[j] for j in validators.draw(seed, pool, rules.seats, rules.per_operator)]
        if sum(self.stakes[i] >= rules.penalty for i in VALIDATORS) >= validators.MIN_VALIDATORS:
            self.script.call("Validators", "seat", self.round_id, expect=checksummed(self.stage, drawn))

    @rule(member=members, amount=st.one_of(st.integers(1, 40), st.integers(1, BALANCE // 20)))
    def member_funds(self, member, amount):
        self.script.call_as(
            member, "UtilityToken", "approve", self.stage.contracts["Rewards"].address, amount
        )
        self.script.call_as(member, "Rewards", "fund", amount)
        self.pot += amount
        self.compare_rewards()

    @rule(
        parts=st.lists(st.tuples(members, amounts), max_size=6, unique_by=lambda part: part[0]),
        services=st.lists(members, min_size=0, max_size=12),
    )
    def round_is_credited(self, parts, services):
        if self.round_id in self.credited:
            return
        self.credited.add(self.round_id)
        hospitals, contributions = [i for i, _ in parts], [x for _, x in parts]
        address = self.stage.members
        lists = [address[i] for i in hospitals], contributions, [address[i] for i in services]
        self.script.call("Rewards", "credit", self.round_id, *lists, NO_CONTRACT)
        paid = rewards.split(REWARDS, self.pot, contributions, len(services))
        for i, amount in zip(hospitals, paid.hospitals, strict=True):
            self.owed[i] += amount
        for i in services:
            self.owed[i] += paid.service
        self.pot = paid.pot
        self.compare_rewards()

    @rule(member=members)
    @precondition(lambda self: any(self.owed))
    def member_claims(self, member):
        if self.owed[member]:
            self.script.call_as(member, "Rewards", "claim")
            self.owed[member] = 0
        self.compare_rewards()

    def compare_standings(self):
        everyone = list(self.stage.members)
        expected = tuple(astuple(standing) for standing in self.standings)
        self.script.call("Reputation", "standingsOf", everyone, expect=expected)
        rules, round_id = self.stage.reputation, self.round_id
        points = tuple(reputation.score(rules, standing, round_id) for standing in self.standings)
        self.script.call("Reputation", "scoresOf", everyone, round_id, expect=points)

    def compare_rewards(self):
        self.script.call("Rewards", "pot", expect=self.pot)
        self.script.call("Rewards", "owed", expect=sum(self.owed))
        for i, address in enumerate(self.stage.members):
            self.script.call("Rewards", "owedTo", address, expect=self.owed[i])

    def teardown(self):
        self.compare_standings()
        self.compare_rewards()
        self.script.check()
