// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governed} from "./Governed.sol";
import {Phases} from "./Phases.sol";
import {Content} from "./interfaces/Content.sol";
import {IAudits} from "./interfaces/IAudits.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {ICommittee} from "./interfaces/ICommittee.sol";
import {IConsortium, Member, VALIDATOR} from "./interfaces/IConsortium.sol";
import {IContributions} from "./interfaces/IContributions.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IRoundManager, Participation, Parts, Round, RoundParameters} from "./interfaces/IRoundManager.sol";
import {ISelection} from "./interfaces/ISelection.sol";
import {ISettlement} from "./interfaces/ISettlement.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {IValidators} from "./interfaces/IValidators.sol";

/// @dev The books of the rounds, and what can be read in them.
abstract contract RoundBooks is IRoundManager, Phases {
    /// @dev In a sum over two hospitals each sees the other's update.
    uint8 public constant MIN_HOSPITALS = 3;
    uint8 public constant MAX_HOSPITALS = 128;

    /// @dev A model that an aggregator submitted. number: how many submissions there were with its first one; zero: none.
    struct Candidate {
        uint16 number;
        uint8 votes;
    }

    /// @dev Who first used an update's digest, and where.
    struct Origin {
        uint96 roundId;
        address hospital;
    }

    /// @inheritdoc IRoundManager
    IStakeVault public immutable override vault;
    /// @inheritdoc IRoundManager
    IModelRegistry public immutable override registry;
    /// @inheritdoc IRoundManager
    IBeacon public immutable override beacon;
    /// @inheritdoc IRoundManager
    IAudits public immutable override audits;
    /// @inheritdoc IRoundManager
    ICommittee public immutable override committee;
    /// @inheritdoc IRoundManager
    ISelection public immutable override selection;
    /// @inheritdoc IRoundManager
    IValidators public immutable override validators;
    /// @inheritdoc IRoundManager
    IContributions public immutable override contributions;
    /// @inheritdoc IRoundManager
    ISettlement public immutable override settlement;

    RoundParameters internal _parameters;
    mapping(uint256 roundId => Round) internal _rounds;
    mapping(uint256 roundId => address[]) internal _hospitals;
    mapping(uint256 roundId => mapping(address member => Participation)) internal _participations;
    mapping(uint256 roundId => mapping(bytes32 key => Candidate)) internal _candidates;
    mapping(bytes32 digest => Origin) internal _origins;

    constructor(IConsortium consortium_, Parts memory parts, RoundParameters memory parameters_) Governed(consortium_) {
        (vault, registry) = (parts.vault, parts.registry);
        (beacon, audits, committee) = (parts.beacon, parts.audits, parts.committee);
        (selection, validators) = (parts.selection, parts.validators);
        (contributions, settlement) = (parts.contributions, parts.settlement);
        _setParameters(parameters_);
    }

    /// @inheritdoc IRoundManager
    function setParameters(RoundParameters calldata parameters_) external override onlyVote {
        _setParameters(parameters_);
    }

    /// @inheritdoc IRoundManager
    function parameters() external view override returns (RoundParameters memory) {
        return _parameters;
    }

    /// @inheritdoc IRoundManager
    function roundOf(uint256 roundId) external view override returns (Round memory) {
        return _rounds[roundId];
    }

    /// @inheritdoc IRoundManager
    function hospitalsOf(uint256 roundId) external view override returns (address[] memory) {
        return _hospitals[roundId];
    }

    /// @inheritdoc IRoundManager
    function participationOf(uint256 roundId, address member) external view override returns (Participation memory) {
        return _participations[roundId][member];
    }

    /// @inheritdoc IRoundManager
    function candidateOf(uint256 roundId, Content calldata model)
        external
        view
        override
        returns (uint16 number, uint8 votes)
    {
        Candidate memory candidate = _candidates[roundId][_key(model)];
        return (candidate.number, candidate.votes);
    }

    /// @inheritdoc IRoundManager
    function quorumOf(uint256 roundId) public view override returns (uint256) {
        return (2 * uint256(_rounds[roundId].validators) + 2) / 3;
    }

    /// @inheritdoc IRoundManager
    function commitmentOf(uint256 roundId, address hospital, bytes32 digest) public view override returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), roundId, hospital, digest));
    }

    function _requireInRound(uint256 roundId, address member, Member memory record) internal view {
        if (record.version > _rounds[roundId].membersVersion) revert NotInRound(roundId, member);
    }

    /// @dev Counts one vote for a candidate.
    function _count(uint256 roundId, Candidate storage candidate, Content calldata model, bytes calldata signature)
        internal
    {
        address signer = validators.signerOf(roundId, model, signature);
        Member memory record = consortium.recordOf(signer);
        if (record.roles & VALIDATOR == 0) revert NotInRound(roundId, signer);
        _requireInRound(roundId, signer, record);
        Participation storage own = _participations[roundId][signer];
        if (own.votedFor != 0) revert AlreadyVoted(roundId, signer);
        own.votedFor = candidate.number;
        uint8 votes = ++candidate.votes;
        Round storage round = _rounds[roundId];
        ++round.voted;
        if (votes > round.leading) round.leading = votes;
        emit ModelVoted(roundId, signer, model.digest, votes);
    }

    function _dropMissing(uint256 roundId) internal {
        address[] memory hospitals = _hospitals[roundId];
        for (uint256 i = 0; i < hospitals.length; ++i) {
            if (_participations[roundId][hospitals[i]].commitment == 0) emit HospitalDropped(roundId, hospitals[i]);
        }
    }

    function _setParameters(RoundParameters memory parameters_) private {
        _requireRange("minHospitals", parameters_.minHospitals, MIN_HOSPITALS, MAX_HOSPITALS);
        if (parameters_.shared && !parameters_.verified) {
            revert InvalidParameters(parameters_.verified, parameters_.shared);
        }
        _parameters = parameters_;
        emit ParametersSet(parameters_);
    }

    function _key(Content calldata model) internal pure returns (bytes32) {
        return keccak256(abi.encode(model.cid, model.digest, model.codec));
    }
}
