// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Batch} from "./Batch.sol";
import {Governed} from "./Governed.sol";
import {Roster} from "./Roster.sol";
import {Sortition} from "./Sortition.sol";
import {Content} from "./interfaces/Content.sol";
import {IConsortium, ROUNDS_ROLE, VALIDATOR} from "./interfaces/IConsortium.sol";
import {IReputation} from "./interfaces/IReputation.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {IValidators, ValidatorParameters} from "./interfaces/IValidators.sol";

/// @notice See IValidators.
contract Validators is IValidators, Governed, EIP712 {
    /// @dev The least number of which two thirds do not need every single one.
    uint256 public constant MIN_VALIDATORS = 3;
    /// @dev With more, what it takes to settle a round does not fit a transaction.
    uint256 public constant MAX_SEATS = 64;

    bytes32 private constant VOTE = keccak256("Vote(uint256 roundId,bytes32 cid,uint8 codec,bytes32 digest)");

    /// @dev Of a round: what its validators have at stake.
    struct Sitting {
        uint96 penalty;
        uint96 fee;
    }

    /// @inheritdoc IValidators
    IStakeVault public immutable override vault;
    /// @inheritdoc IValidators
    IReputation public immutable override reputation;
    /// @inheritdoc IValidators
    bytes32 public override lastValue;

    ValidatorParameters private _parameters;
    uint256 private _lastRound;
    /// @dev How many members have an operator that a vote said: with none, that many slots need not be read.
    uint256 private _operated;
    mapping(address member => address) private _operators;
    mapping(uint256 roundId => Sitting) private _sittings;
    mapping(uint256 roundId => address[]) private _committees;
    mapping(uint256 roundId => mapping(address validator => bool)) private _reported;

    constructor(
        IConsortium consortium_,
        IStakeVault vault_,
        IReputation reputation_,
        ValidatorParameters memory parameters
    ) Governed(consortium_) EIP712("bfl_ref", "1") {
        (vault, reputation) = (vault_, reputation_);
        _setValidators(parameters);
    }

    /// @inheritdoc IValidators
    function seat(uint256 roundId) external override onlyPower(ROUNDS_ROLE) returns (address[] memory committee) {
        ValidatorParameters memory parameters = _parameters;
        address[] memory pool = _pool(roundId, parameters.penalty);
        bytes32 seed = keccak256(abi.encode(block.chainid, address(this), roundId, lastValue));
        uint256[] memory drawn = Sortition.draw(seed, _operatorsOf(pool), parameters.seats, parameters.perOperator);
        if (drawn.length < MIN_VALIDATORS) revert TooFewInPool(drawn.length, MIN_VALIDATORS);
        committee = new address[](drawn.length);
        for (uint256 i = 0; i < drawn.length; ++i) {
            committee[i] = pool[drawn[i]];
        }
        _lastRound = roundId;
        _committees[roundId] = committee;
        _sittings[roundId] = Sitting(parameters.penalty, parameters.fee);
        emit CommitteeDrawn(roundId, seed, pool, committee);
    }

    /// @inheritdoc IValidators
    function reseed(bytes32 value) external override onlyPower(ROUNDS_ROLE) {
        lastValue = value;
    }

    /// @inheritdoc IValidators
    function report(
        uint256 roundId,
        Content calldata first,
        bytes calldata firstSignature,
        Content calldata second,
        bytes calldata secondSignature
    ) external override onlyMember {
        // Checks
        (bytes32 one, bytes32 other) = (voteDigest(roundId, first), voteDigest(roundId, second));
        if (one == other) revert SameVote(first.digest);
        address culprit = signerOf(roundId, first, firstSignature);
        address again = signerOf(roundId, second, secondSignature);
        if (culprit != again) revert SignersDiffer(culprit, again);
        if (_reported[roundId][culprit]) revert AlreadyReported(roundId, culprit);
        // Effects
        _reported[roundId][culprit] = true;
        emit Equivocated(roundId, culprit, msg.sender, one, other);
        // Interactions
        reputation.record(_lastRound, culprit, 0, reputation.reputation().failed);
        Sitting memory sitting = _sittings[roundId];
        uint96 slashed = vault.slash(culprit, sitting.penalty, "validators: two votes");
        uint256 fee = Math.min(slashed, sitting.fee);
        if (fee != 0 && msg.sender != culprit) vault.payFee(msg.sender, fee);
    }

    /// @inheritdoc IValidators
    function setOperator(address member, address operator) external override onlyVote {
        if (_operators[member] != address(0)) --_operated;
        if (operator != address(0)) ++_operated;
        _operators[member] = operator;
        emit OperatorSet(member, operator);
    }

    /// @inheritdoc IValidators
    function setValidators(ValidatorParameters calldata parameters) external override onlyVote {
        _setValidators(parameters);
    }

    /// @inheritdoc IValidators
    function validators() external view override returns (ValidatorParameters memory) {
        return _parameters;
    }

    /// @inheritdoc IValidators
    function committeeOf(uint256 roundId) external view override returns (address[] memory) {
        return _committees[roundId];
    }

    /// @inheritdoc IValidators
    function draw(bytes32 seed, address[] calldata operators, uint256 seats, uint256 perOperator)
        external
        pure
        override
        returns (uint256[] memory)
    {
        return Sortition.draw(seed, operators, seats, perOperator);
    }

    /// @inheritdoc IValidators
    function operatorOf(address member) public view override returns (address) {
        address operator = _operators[member];
        return operator == address(0) ? member : operator;
    }

    /// @inheritdoc IValidators
    function isSeated(uint256 roundId, address account) public view override returns (bool) {
        // a walk, in place of a slot for each: committees are small
        address[] storage committee = _committees[roundId];
        for (uint256 i = 0; i < committee.length; ++i) {
            if (committee[i] == account) return true;
        }
        return false;
    }

    /// @inheritdoc IValidators
    function voteDigest(uint256 roundId, Content calldata model) public view override returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(VOTE, roundId, model.cid, model.codec, model.digest)));
    }

    /// @inheritdoc IValidators
    function signerOf(uint256 roundId, Content calldata model, bytes calldata signature)
        public
        view
        override
        returns (address signer)
    {
        signer = ECDSA.recoverCalldata(voteDigest(roundId, model), signature);
        if (!isSeated(roundId, signer)) revert NotInCommittee(roundId, signer);
    }

    /// @dev Who can be drawn, in the order of `members()`.
    function _pool(uint256 roundId, uint256 penalty) private view returns (address[] memory pool) {
        pool = consortium.holding(VALIDATOR, type(uint32).max);
        uint256[] memory stakes =
            Batch.ask(address(vault), abi.encodePacked(IStakeVault.activeOf.selector, uint256(0x20)), pool);
        uint256 count = 0;
        for (uint256 i = 0; i < pool.length; ++i) {
            if (stakes[i] >= penalty) pool[count++] = pool[i];
        }
        Roster.cut(pool, count);
        uint256[] memory scores = Batch.ask(
            address(reputation), abi.encodePacked(IReputation.scoresOf.selector, uint256(0x40), roundId), pool
        );
        uint256 bar = _barOf(scores);
        count = 0;
        for (uint256 i = 0; i < pool.length; ++i) {
            if (scores[i] >= bar) pool[count++] = pool[i];
        }
        Roster.cut(pool, count);
    }

    /// @dev Half of the best score, rounded up, or the MIN_VALIDATORS-th best one if that is lower.
    function _barOf(uint256[] memory scores) private pure returns (uint256) {
        // zeros: no score is below
        // slither-disable-next-line uninitialized-local
        uint256[MIN_VALIDATORS] memory best; // in falling order
        for (uint256 i = 0; i < scores.length; ++i) {
            uint256 score = scores[i];
            for (uint256 place = 0; place < MIN_VALIDATORS; ++place) {
                if (score > best[place]) (score, best[place]) = (best[place], score);
            }
        }
        return Math.min(Math.ceilDiv(best[0], 2), best[MIN_VALIDATORS - 1]);
    }

    function _operatorsOf(address[] memory pool) private view returns (address[] memory operators) {
        if (_operated == 0) return pool;
        operators = new address[](pool.length);
        for (uint256 i = 0; i < pool.length; ++i) {
            operators[i] = operatorOf(pool[i]);
        }
    }

    function _setValidators(ValidatorParameters memory parameters) private {
        _requireRange("seats", parameters.seats, MIN_VALIDATORS, MAX_SEATS);
        _requireRange("perOperator", parameters.perOperator, 1, parameters.seats);
        _requireRange("fee", parameters.fee, 0, parameters.penalty);
        _parameters = parameters;
        emit ValidatorsSet(parameters);
    }
}
