// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governed} from "./Governed.sol";
import {Dealing, IBeacon, SecretState, Stage} from "./interfaces/IBeacon.sol";

/// @dev What is known of the secrets of each round, and in which stage its values are.
abstract contract Secrets is IBeacon, Governed {
    /// @dev One slot a round. dealt: validators that committed.
    struct Sitting {
        uint96 penalty;
        uint32 commitUntil;
        uint8 dealt;
    }

    /// @dev One of a round's two values. settled: secrets known or known to be false; known: those that count.
    struct Value {
        uint32 revealUntil;
        uint8 settled;
        uint8 known;
        bool closed;
        bytes32 value;
    }

    mapping(uint256 roundId => Sitting) internal _sittings;
    mapping(uint256 roundId => Value[2]) internal _values;
    mapping(uint256 roundId => address[]) internal _validators;
    mapping(uint256 roundId => mapping(address account => bool)) internal _listed;
    mapping(uint256 roundId => mapping(address dealer => Dealing[2])) internal _dealings;

    /// @inheritdoc IBeacon
    function validatorsOf(uint256 roundId) external view override returns (address[] memory) {
        return _validators[roundId];
    }

    /// @inheritdoc IBeacon
    function thresholdOf(uint256 roundId) public view override returns (uint256) {
        return _validators[roundId].length / 2 + 1;
    }

    /// @inheritdoc IBeacon
    function stageOf(uint256 roundId, uint8 which) public view override returns (Stage) {
        Value storage value = _valueAt(roundId, which);
        if (value.revealUntil == 0) return Stage.None;
        if (value.closed) return Stage.Closed;
        if (which == 0 && !_committingIsOver(roundId)) return Stage.Commit;
        bool waiting = value.settled < _sittings[roundId].dealt;
        return waiting && block.number <= value.revealUntil ? Stage.Reveal : Stage.Rebuild;
    }

    /// @inheritdoc IBeacon
    function stagesOf(uint256 roundId, uint8 which)
        external
        view
        override
        returns (uint32 commitUntil, uint32 revealUntil)
    {
        return (which == 0 ? _sittings[roundId].commitUntil : 0, _valueAt(roundId, which).revealUntil);
    }

    /// @inheritdoc IBeacon
    function isDone(uint256 roundId, uint8 which) external view override returns (bool) {
        Value storage value = _valueAt(roundId, which);
        return value.revealUntil != 0 && _committingIsOver(roundId) && value.settled >= _sittings[roundId].dealt;
    }

    /// @inheritdoc IBeacon
    function hasEnough(uint256 roundId, uint8 which) public view override returns (bool) {
        return _valueAt(roundId, which).known >= thresholdOf(roundId);
    }

    /// @inheritdoc IBeacon
    function valueOf(uint256 roundId, uint8 which) external view override returns (bytes32) {
        if (!_valueAt(roundId, which).closed || !hasEnough(roundId, which)) revert NoValue(roundId, which);
        return _values[roundId][which].value;
    }

    /// @inheritdoc IBeacon
    function dealingOf(uint256 roundId, uint8 which, address dealer) external view override returns (Dealing memory) {
        if (which > 1) revert UnknownValue(which);
        return _dealings[roundId][dealer][which];
    }

    /// @inheritdoc IBeacon
    function commitmentOf(uint256 roundId, uint8 which, address validator, uint256 secret)
        public
        view
        override
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, address(this), roundId, which, validator, secret));
    }

    /// @inheritdoc IBeacon
    function shareHashOf(uint256 roundId, uint8 which, address dealer, uint256 index, uint256 share)
        public
        view
        override
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, address(this), roundId, which, dealer, index, share));
    }

    function _settle(uint256 roundId, uint8 which, Dealing storage dealt, uint256 secret, SecretState state) internal {
        dealt.state = state;
        dealt.secret = secret;
        ++_values[roundId][which].settled;
        if (_counts(state)) ++_values[roundId][which].known;
    }

    function _unsettled(uint256 roundId, uint8 which, address dealer) internal view returns (Dealing storage dealt) {
        dealt = _dealings[roundId][dealer][which];
        if (dealt.state != SecretState.Dealt) revert NothingToSettle(roundId, which, dealer);
    }

    function _valueAt(uint256 roundId, uint8 which) internal view returns (Value storage) {
        if (which > 1) revert UnknownValue(which);
        return _values[roundId][which];
    }

    function _requireStage(uint256 roundId, uint8 which, Stage expected) internal view {
        Stage got = stageOf(roundId, which);
        if (got != expected) revert WrongStage(expected, got);
    }

    function _committingIsOver(uint256 roundId) internal view returns (bool) {
        Sitting memory sitting = _sittings[roundId];
        return sitting.dealt >= _validators[roundId].length || block.number > sitting.commitUntil;
    }

    function _counts(SecretState state) internal pure returns (bool) {
        return state == SecretState.Revealed || state == SecretState.Rebuilt;
    }
}
