// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Entries} from "./Entries.sol";
import {Governed} from "./Governed.sol";
import {Median} from "./Median.sol";
import {Roster} from "./Roster.sol";
import {BabyBear} from "./stark/BabyBear.sol";
import {Content} from "./interfaces/Content.sol";
import {IAudits} from "./interfaces/IAudits.sol";
import {IBeacon, SecretState} from "./interfaces/IBeacon.sol";
import {ICommittee} from "./interfaces/ICommittee.sol";
import {IConsortium, ROUNDS_ROLE} from "./interfaces/IConsortium.sol";
import {IContributions} from "./interfaces/IContributions.sol";
import {Phase} from "./interfaces/IPhases.sol";
import {Model} from "./interfaces/IModelRegistry.sol";
import {IReputation, ReputationParameters, SCORE_ONE} from "./interfaces/IReputation.sol";
import {IRewards} from "./interfaces/IRewards.sol";
import {IRollup} from "./interfaces/IRollup.sol";
import {QueueItem} from "./interfaces/IRollupQueue.sol";
import {IRoundManager} from "./interfaces/IRoundManager.sol";
import {ISelection} from "./interfaces/ISelection.sol";
import {ISettlement} from "./interfaces/ISettlement.sol";
import {IValidators} from "./interfaces/IValidators.sol";

/// @notice See ISettlement.
/// @dev Nothing here reverts for what a party did or left undone: it reads what other contracts hold, and pays nobody out.
/// It calls contracts that were named at deployment, none of which calls a member back.
contract Settlement is ISettlement, Governed {
    /// @dev A round that is being settled. medians: empty where nothing was scored.
    struct Case {
        IRoundManager manager;
        uint256 roundId;
        Phase last;
        bool finalised;
        bool verified;
        bool shared;
        int16[] medians;
        ReputationParameters parameters;
        bytes entries; // evidence for the rollup
    }

    /// @dev Evidence that was written as of a round; positive and negative as the rollup counts them.
    struct Collected {
        uint32 positive;
        uint32 negative;
    }

    /// @inheritdoc ISettlement
    IReputation public immutable override reputation;
    /// @inheritdoc ISettlement
    IRewards public immutable override rewards;
    /// @inheritdoc ISettlement
    IContributions public immutable override contributions;
    /// @inheritdoc ISettlement
    ISelection public immutable override selection;
    /// @inheritdoc ISettlement
    IValidators public immutable override validators;
    /// @inheritdoc ISettlement
    IRollup public immutable override rollup;
    /// @inheritdoc ISettlement
    uint256 public override lastSettled;
    IAudits internal immutable _audits;
    IBeacon internal immutable _beacon;
    ICommittee internal immutable _committee;

    mapping(address member => Collected) private _collected;
    mapping(uint256 number => bool) private _reclaimed;

    constructor(
        IConsortium consortium_,
        IReputation reputation_,
        IRewards rewards_,
        IContributions contributions_,
        ISelection selection_,
        IValidators validators_,
        IAudits audits_,
        IBeacon beacon_,
        ICommittee committee_,
        IRollup rollup_
    ) Governed(consortium_) {
        (reputation, rewards, contributions) = (reputation_, rewards_, contributions_);
        (selection, validators) = (selection_, validators_);
        (_audits, _beacon, _committee, rollup) = (audits_, beacon_, committee_, rollup_);
    }

    /// @inheritdoc ISettlement
    function settle(uint256 roundId, Phase last, bool finalised) external override onlyPower(ROUNDS_ROLE) {
        // filled below; what is not is zero
        // slither-disable-next-line uninitialized-local
        Case memory one;
        (one.manager, one.roundId, one.last, one.finalised) = (IRoundManager(msg.sender), roundId, last, finalised);
        (one.verified, one.shared) = (one.manager.roundOf(roundId).verified, one.manager.roundOf(roundId).shared);
        one.parameters = reputation.reputation();
        // too few scores: no medians
        // slither-disable-next-line unused-return
        if (finalised && one.shared) (, one.medians) = contributions.mediansOf(roundId);
        emit RoundSettled(roundId, last, one.medians);
        if (last >= Phase.Commit) _settleHospitals(one);
        if (one.verified) _settleSecrets(one);
        address[] memory voted = finalised ? _settleValidators(one) : new address[](0);
        address[] memory summed = one.shared && last >= Phase.Aggregate ? _settleSeats(one) : new address[](0);
        if (finalised && one.shared) _reward(one, voted, summed);
        if (address(rollup) != address(0)) _push(one);
    }

    /// @inheritdoc ISettlement
    // slither-disable-next-line reentrancy-no-eth
    function collect(address[] calldata members) external override {
        uint256[] memory slots = rollup.slotsOf(members);
        for (uint256 i = 0; i < members.length; ++i) {
            Collected memory known = _collected[members[i]];
            Collected memory now_ = Collected(uint32(slots[i] >> 32), uint32(slots[i]));
            uint256 positive = (uint256(now_.positive) + BabyBear.P - known.positive) % BabyBear.P;
            uint256 negative = (uint256(now_.negative) + BabyBear.P - known.negative) % BabyBear.P;
            if (positive == 0 && negative == 0) continue;
            _collected[members[i]] = now_;
            reputation.record(lastSettled, members[i], positive, negative);
        }
    }

    /// @inheritdoc ISettlement
    function reclaim(uint256 number, bytes calldata entries) external override {
        // Checks
        if (!rollup.isFrozen()) revert IRollup.NotFrozenYet();
        if (_reclaimed[number]) revert AlreadyReclaimed(number);
        QueueItem memory item = rollup.itemOf(number);
        bool paid = item.payer == address(rewards);
        if (!paid && item.payer != address(this)) revert WrongItem(number);
        if (Entries.digest(keccak256(entries), entries.length / Entries.BYTES) != item.digest) {
            revert WrongItem(number);
        }
        // Effects
        _reclaimed[number] = true;
        // Interactions
        if (!paid) return _write(lastSettled, entries);
        if (item.amount != 0) rollup.refund(number);
        rewards.restore(lastSettled, entries, rollup);
    }

    /// @dev Evidence of a member: to the rollup if it has an account there, else at once.
    function _record(Case memory one, address member, uint256 positive, uint256 negative) private {
        uint256 account = address(rollup) == address(0) ? 0 : rollup.accountNumberOf(member);
        if (account == 0) {
            reputation.record(one.roundId, member, positive, negative);
        } else if (positive != 0 || negative != 0) {
            uint256 entry = Entries.make(Entries.EVIDENCE, account - 1, (positive << 128) | (negative << 96));
            one.entries = bytes.concat(one.entries, Entries.toBytes(entry));
        }
    }

    /// @dev Hands evidence to the rollup; if that takes nothing now, for whatever reason, it is written after all.
    function _push(Case memory one) private {
        lastSettled = one.roundId;
        if (one.entries.length == 0) return;
        try rollup.push(one.entries) {
            return;
        } catch {
            _write(one.roundId, one.entries);
        }
    }

    function _write(uint256 roundId, bytes memory entries) private {
        for (uint256 place = 0; place < entries.length; place += Entries.BYTES) {
            uint256 entry = Entries.readMemory(entries, place);
            address member = rollup.ownerOf(Entries.to(entry));
            reputation.record(roundId, member, Entries.element(entry, 0), Entries.element(entry, 1));
        }
    }

    function _settleHospitals(Case memory one) private {
        address[] memory hospitals = one.manager.hospitalsOf(one.roundId);
        for (uint256 i = 0; i < hospitals.length; ++i) {
            (uint256 positive, uint256 negative) = _factsOf(one, hospitals[i]);
            _record(one, hospitals[i], positive, negative);
        }
    }

    /// @dev Evidence of a hospital that was selected.
    function _factsOf(Case memory one, address hospital) private view returns (uint256 positive, uint256 negative) {
        ReputationParameters memory units = one.parameters;
        if (one.manager.participationOf(one.roundId, hospital).commitment == 0) return (0, units.missed);
        if (_audits.isExcluded(one.roundId, hospital)) return (0, units.failed);
        if (one.shared) {
            // a complaint that was answered says nothing
            // slither-disable-next-line unused-return
            (, uint16 unanswered) = _committee.complaintsOf(one.roundId, hospital);
            if (unanswered != 0) return (0, units.missed);
        }
        bool proven = one.shared || _audits.statesOf(one.roundId, hospital).proven;
        positive = uint256(units.kept) + (proven ? units.proven : 0);
        // of one group alone nobody knows who of its members was good: it is all of them
        if (one.medians.length < 2) return (positive, 0);
        // who is not left out by now survived, and has a group
        int256 quality = one.medians[_committee.groupOf(one.roundId, hospital)];
        uint256 full = units.qualityFull;
        if (quality >= 0) return (positive + (units.quality * Math.min(uint256(quality), full)) / full, 0);
        return (positive, (uint256(units.qualityLoss) * units.quality * Math.min(uint256(-quality), full)) / full);
    }

    /// @dev Evidence of who dealt secrets for the beacon.
    function _settleSecrets(Case memory one) private {
        address[] memory dealers = _beacon.validatorsOf(one.roundId);
        for (uint256 i = 0; i < dealers.length; ++i) {
            uint256 negative = 0;
            for (uint8 which = 0; which < 2; ++which) {
                SecretState state = _beacon.dealingOf(one.roundId, which, dealers[i]).state;
                if (state == SecretState.False) negative += one.parameters.failed;
                if (state == SecretState.Rebuilt || state == SecretState.Lost) negative += one.parameters.missed;
            }
            if (negative != 0) _record(one, dealers[i], 0, negative);
        }
    }

    /// @dev Evidence of the round's validators; those that voted for the model that came in force.
    function _settleValidators(Case memory one) private returns (address[] memory voted) {
        address[] memory seated = validators.committeeOf(one.roundId);
        voted = new address[](seated.length);
        uint256 found = 0;
        uint256 chosen = _chosen(one);
        for (uint256 i = 0; i < seated.length; ++i) {
            uint256 votedFor = one.manager.participationOf(one.roundId, seated[i]).votedFor;
            (uint256 positive, uint256 negative) = (one.parameters.kept, 0);
            if (votedFor != 0 && votedFor == chosen) voted[found++] = seated[i];
            else (positive, negative) = (0, one.parameters.missed);
            bool owing = contributions.scoresCommitmentOf(one.roundId, seated[i]) != 0
                && !contributions.hasRevealed(one.roundId, seated[i]);
            if (owing) negative += one.parameters.missed;
            _record(one, seated[i], positive, negative);
        }
        Roster.cut(voted, found);
    }

    /// @dev Number of the candidate that a finalised round put in force.
    function _chosen(Case memory one) private view returns (uint256 number) {
        Model memory model = one.manager.registry().current();
        // its number alone counts here
        // slither-disable-next-line unused-return
        (number,) = one.manager.candidateOf(one.roundId, Content(model.cid, model.digest, model.codec));
    }

    /// @dev Evidence of the aggregators' seats; those with a sum of each group.
    function _settleSeats(Case memory one) private returns (address[] memory summed) {
        address[] memory seats = _committee.seatsOf(one.roundId);
        // their number alone counts here
        // slither-disable-next-line unused-return
        (uint256 groups,) = _committee.groupsOf(one.roundId);
        summed = new address[](seats.length);
        uint256 found = 0;
        for (uint256 a = 0; a < seats.length; ++a) {
            bool complete = true;
            for (uint256 group = 0; group < groups; ++group) {
                complete = complete && _committee.sumHashOf(one.roundId, group, a) != 0;
            }
            if (complete) summed[found++] = seats[a];
            (uint256 positive, uint256 negative) =
                complete ? (uint256(one.parameters.kept), uint256(0)) : (0, one.parameters.missed);
            _record(one, seats[a], positive, negative);
        }
        Roster.cut(summed, found);
    }

    /// @dev Rewards of a finalised shared round, and what its updates say for coming lotteries.
    function _reward(Case memory one, address[] memory voted, address[] memory summed) private {
        address[] memory survivors = _committee.survivorsOf(one.roundId);
        uint256[] memory parts = new uint256[](survivors.length);
        int256[] memory buckets = new int256[](survivors.length);
        for (uint256 i = 0; i < survivors.length; ++i) {
            uint8 bucket = _committee.bucketOf(one.roundId, survivors[i]);
            buckets[i] = int256(uint256(bucket));
            reputation.noteBucket(survivors[i], bucket);
            uint256 factor = SCORE_ONE;
            if (one.medians.length != 0) {
                // not below zero: a median is at least -10,000
                factor = uint256(int256(SCORE_ONE) + one.medians[_committee.groupOf(one.roundId, survivors[i])]);
            }
            parts[i] = _committee.weightOf(one.roundId, survivors[i]) * factor;
        }
        // casting is safe: one of the buckets
        // forge-lint: disable-next-line(unsafe-typecast)
        selection.setTypical(uint8(uint256(Median.lower(buckets))));
        address[] memory services = new address[](voted.length + summed.length);
        for (uint256 i = 0; i < services.length; ++i) {
            services[i] = i < voted.length ? voted[i] : summed[i - voted.length];
        }
        rewards.credit(one.roundId, survivors, parts, services, rollup);
    }
}
