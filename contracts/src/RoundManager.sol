// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Phases} from "./Phases.sol";
import {RoundBooks} from "./RoundBooks.sol";
import {Content} from "./interfaces/Content.sol";
import {Release} from "./interfaces/ICommittee.sol";
import {AGGREGATOR, HOSPITAL, IConsortium, Member, VALIDATOR} from "./interfaces/IConsortium.sol";
import {AbortReason, Phase} from "./interfaces/IPhases.sol";
import {IRoundManager, Participation, Parts, Round, RoundParameters} from "./interfaces/IRoundManager.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";

/// @notice See IRoundManager.
/// @dev All calls go to contracts that were named at deployment, and none of these calls a member back: nobody enters twice.
contract RoundManager is RoundBooks {
    constructor(IConsortium consortium_, Parts memory parts, RoundParameters memory parameters_)
        RoundBooks(consortium_, parts, parameters_)
    {}

    /// @inheritdoc IRoundManager
    // slither-disable-next-line reentrancy-no-eth
    function open(Content calldata task, uint24[9] calldata durations)
        external
        override
        whenNotPaused
        returns (uint256 roundId)
    {
        _callerAs(VALIDATOR);
        task.check();
        roundId = _start(durations);
        Round storage round = _rounds[roundId];
        uint256 modelVersion = registry.versions() - 1;
        round.minStake = _parameters.minStake;
        round.minHospitals = _parameters.minHospitals;
        round.verified = _parameters.verified;
        round.shared = _parameters.shared;
        round.membersVersion = SafeCast.toUint24(consortium.version());
        round.modelVersion = SafeCast.toUint24(modelVersion);
        round.aggregators = consortium.aggregators();
        round.taskCodec = task.codec;
        round.taskCid = task.cid;
        round.taskDigest = task.digest;
        bytes32 modelDigest = registry.current().digest;
        emit RoundOpened(
            roundId, msg.sender, modelVersion, modelDigest, task, _parameters, durations, round.membersVersion
        );
        // Interactions
        address[] memory seated = validators.seat(roundId);
        round.validators = SafeCast.toUint8(seated.length);
        vault.freeze(seated);
        if (round.verified) beacon.start(roundId, deadlineOf(roundId), audits.begin(roundId), seated);
        if (!round.shared) return roundId;
        committee.seat(roundId, durations);
        vault.freeze(committee.seatsOf(roundId));
    }

    /// @inheritdoc IRoundManager
    function commitUpdate(uint256 roundId, Content calldata update, uint32 rows) external override {
        _commit(roundId, update, rows, false, false);
    }

    /// @inheritdoc IRoundManager
    function commitStates(uint256 roundId, Content calldata update, bytes32[] calldata states) external override {
        _commitStates(roundId, update, states, false);
    }

    /// @inheritdoc IRoundManager
    function commitShared(uint256 roundId, Content calldata update, bytes32[] calldata states, Release calldata release)
        external
        override
    {
        _commitStates(roundId, update, states, true);
        committee.record(roundId, msg.sender, update.digest, release);
    }

    /// @inheritdoc IRoundManager
    function submitCandidate(uint256 roundId, Content calldata model) external override {
        Member memory caller = _callerAs(AGGREGATOR);
        _requirePhase(roundId, Phase.Aggregate);
        _requireInRound(roundId, msg.sender, caller);
        Participation storage own = _participations[roundId][msg.sender];
        if (own.submitted) revert AlreadySubmitted(roundId, msg.sender);
        model.check();
        if (_rounds[roundId].shared) committee.requireSummed(roundId);
        own.submitted = true;
        uint16 number = ++_rounds[roundId].submitted;
        Candidate storage candidate = _candidates[roundId][_key(model)];
        if (candidate.number == 0) candidate.number = number;
        emit CandidateSubmitted(roundId, msg.sender, model.digest, model.cid, model.codec);
    }

    /// @inheritdoc IRoundManager
    function voteModel(uint256 roundId, Content calldata model, bytes[] calldata signatures)
        external
        override
        onlyVoter
        whenNotPaused
    {
        // Checks
        _requirePhase(roundId, Phase.Finalise);
        Candidate storage candidate = _candidates[roundId][_key(model)];
        if (candidate.number == 0) revert UnknownCandidate(roundId, model.cid, model.digest);
        // Effects
        uint256 before = candidate.votes;
        for (uint256 i = 0; i < signatures.length; ++i) {
            _count(roundId, candidate, model, signatures[i]);
        }
        // Interactions: exactly once, since two thirds leave no room for two thirds of another
        uint256 quorum = quorumOf(roundId);
        if (before < quorum && candidate.votes >= quorum) registry.register(SafeCast.toUint64(roundId), model);
    }

    /// @inheritdoc Phases
    function _isDone(uint256 roundId, Phase phase) internal view override returns (bool) {
        Round memory round = _rounds[roundId];
        if (phase == Phase.Train) return false;
        if (round.verified && phase == Phase.Select) return beacon.isDone(roundId, 0);
        if (round.verified && phase == Phase.Draw) return beacon.isDone(roundId, 1);
        if (round.verified && phase == Phase.Prove) return audits.outstanding(roundId) == 0;
        if (round.shared && phase == Phase.Share) return committee.areSharesSettled(roundId);
        if (phase == Phase.Commit) return round.committed == round.selected;
        if (phase == Phase.Aggregate) return round.submitted == round.aggregators;
        if (round.shared && phase == Phase.Settle) return contributions.isSettled(roundId);
        if (phase == Phase.Finalise) {
            uint256 outstanding = round.validators - round.voted;
            return round.leading >= quorumOf(roundId) || round.leading + outstanding < quorumOf(roundId);
        }
        return true;
    }

    /// @inheritdoc Phases
    // slither-disable-next-line reentrancy-no-eth
    function _leave(uint256 roundId, Phase phase) internal override returns (bool fellShort, AbortReason reason) {
        Round memory round = _rounds[roundId];
        if (round.verified) {
            // the first value seeds the lottery: it is fixed before the hospitals are drawn
            if (phase == Phase.Select) beacon.close(roundId, 0);
            if (phase == Phase.Select && !beacon.hasEnough(roundId, 0)) return (true, AbortReason.NoBeacon);
            if (phase == Phase.Draw) return (!beacon.hasEnough(roundId, 1), AbortReason.NoBeacon);
            if (phase == Phase.Prove) {
                uint8 failing = SafeCast.toUint8(audits.failing(roundId));
                _rounds[roundId].excluded = failing;
                return (round.committed - failing < round.minHospitals, AbortReason.TooFewSurvivors);
            }
        }
        if (round.shared) {
            if (phase == Phase.Share) {
                uint256 lost = round.excluded + committee.disputed(roundId);
                return (round.committed - lost < round.minHospitals, AbortReason.TooFewSurvivors);
            }
            if (phase == Phase.Aggregate && !committee.isSummed(roundId)) return (true, AbortReason.NoSum);
        }
        if (phase == Phase.Select) _select(roundId);
        if (phase == Phase.Commit) _dropMissing(roundId);
        round = _rounds[roundId];
        if (phase == Phase.Select) return (round.selected < round.minHospitals, AbortReason.TooFewHospitals);
        if (phase == Phase.Commit) return (round.committed < round.minHospitals, AbortReason.TooFewCommitments);
        if (phase == Phase.Aggregate) return (round.submitted == 0, AbortReason.NoCandidate);
        if (phase == Phase.Finalise) return (round.leading < quorumOf(roundId), AbortReason.NoQuorum);
    }

    /// @inheritdoc Phases
    function _entered(uint256 roundId, Phase from, Phase to) internal override {
        if (_rounds[roundId].verified) _tellOf(roundId, from, to);
        if (_rounds[roundId].shared) _tellCommittee(roundId, from, to);
        if (from == Phase.Select && to == Phase.Train) vault.freeze(_hospitals[roundId]);
        else if (from != Phase.Select && to >= Phase.Finalised) vault.release(_hospitals[roundId]);
        if (to < Phase.Finalised) return;
        vault.release(validators.committeeOf(roundId));
        if (_rounds[roundId].shared) vault.release(committee.seatsOf(roundId));
        settlement.settle(roundId, from, to == Phase.Finalised);
    }

    /// @dev What beacon and audits have to know of a verified round's phases.
    function _tellOf(uint256 roundId, Phase from, Phase to) private {
        if (from == Phase.Draw) beacon.close(roundId, 1);
        if (from == Phase.Draw && beacon.hasEnough(roundId, 1)) validators.reseed(beacon.valueOf(roundId, 1));
        if (from == Phase.Prove) audits.close(roundId, msg.sender);
        if (to == Phase.Draw) beacon.askSecond(roundId, deadlineOf(roundId));
        if (to == Phase.Prove) audits.draw(roundId, deadlineOf(roundId));
    }

    /// @dev What the committee, and who scores its groups, have to know of a shared round's phases.
    function _tellCommittee(uint256 roundId, Phase from, Phase to) private {
        if (from == Phase.Select && to == Phase.Train) committee.weigh(roundId, _hospitals[roundId]);
        if (to == Phase.Share) committee.askShares(roundId, deadlineOf(roundId));
        if (to == Phase.Aggregate) committee.fixSurvivors(roundId, _hospitals[roundId], deadlineOf(roundId));
        if (from == Phase.Aggregate) committee.close(roundId);
        if (to == Phase.Finalise) contributions.askScores(roundId, deadlineOf(roundId));
        if (to == Phase.Settle) contributions.askReveals(roundId, deadlineOf(roundId));
    }

    function _commitStates(uint256 roundId, Content calldata update, bytes32[] calldata states, bool withShares)
        private
    {
        // Checks and effects
        _commit(roundId, update, audits.data().rowsOf(msg.sender), true, withShares);
        bytes32 last = states.length == 0 ? bytes32(0) : states[states.length - 1];
        if (update.digest != last) revert WrongUpdateDigest(last, update.digest);
        // Interactions
        audits.record(roundId, msg.sender, states);
    }

    /// @dev What all kinds of commitment have in common.
    function _commit(uint256 roundId, Content calldata update, uint32 rows, bool withStates, bool withShares) private {
        Member memory caller = _callerAs(HOSPITAL);
        _requirePhase(roundId, Phase.Commit);
        Round storage round = _rounds[roundId];
        if (round.verified && !withStates) revert VerifiedRound(roundId);
        if (!round.shared && withShares) revert UnsharedRound(roundId);
        if (!round.verified && withStates) revert BasicRound(roundId);
        if (round.shared && !withShares) revert SharedRound(roundId);
        Participation storage own = _participations[roundId][msg.sender];
        if (!own.selected) {
            uint96 active = vault.stakeOf(msg.sender).active;
            if (active < round.minStake) {
                revert IStakeVault.InsufficientStake(msg.sender, active, round.minStake);
            }
            revert NotSelected(roundId, msg.sender);
        }
        _requireInRound(roundId, msg.sender, caller);
        if (own.commitment != 0) revert AlreadyCommitted(roundId, msg.sender);
        update.check();
        if (rows == 0) revert NoRows(msg.sender);
        Origin memory origin = _origins[update.digest];
        if (origin.hospital != address(0)) {
            revert ReplayedSubmission(update.digest, origin.roundId, origin.hospital);
        }
        _origins[update.digest] = Origin(SafeCast.toUint96(roundId), msg.sender);
        own.commitment = commitmentOf(roundId, msg.sender, update.digest);
        own.cid = update.cid;
        own.codec = update.codec;
        own.rows = rows;
        ++round.committed;
        emit UpdateCommitted(roundId, msg.sender, update.digest, update.cid, update.codec, rows, own.commitment);
    }

    /// @dev Those that are drawn from the eligible at this moment.
    // slither-disable-next-line reentrancy-no-eth
    function _select(uint256 roundId) private {
        Round storage round = _rounds[roundId];
        bytes32 seed = round.verified ? beacon.valueOf(roundId, 0) : bytes32(0);
        address[] memory selected = selection.select(roundId, round.membersVersion, round.minStake, seed);
        uint96[] memory stakes = vault.activeOf(selected);
        for (uint256 i = 0; i < selected.length; ++i) {
            _participations[roundId][selected[i]].selected = true;
            emit HospitalSelected(roundId, selected[i], stakes[i]);
        }
        _hospitals[roundId] = selected;
        round.selected = SafeCast.toUint8(selected.length);
    }
}
