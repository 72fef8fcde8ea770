// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Governed} from "./Governed.sol";
import {Secrets} from "./Secrets.sol";
import {Shamir} from "./Shamir.sol";
import {Dealing, IBeacon, SecretState, Stage} from "./interfaces/IBeacon.sol";
import {IConsortium, ROUNDS_ROLE, VALIDATOR} from "./interfaces/IConsortium.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";

/// @notice See IBeacon.
contract Beacon is Secrets {
    struct Share {
        uint256 point;
        uint256 value;
    }

    /// @inheritdoc IBeacon
    IStakeVault public immutable override vault;
    /// @inheritdoc IBeacon
    mapping(address validator => bytes32) public override keyOf;

    mapping(uint256 roundId => mapping(address dealer => Share[][2])) private _shares;

    modifier onlyListed(uint256 roundId) {
        if (!_listed[roundId][msg.sender]) revert NotListed(roundId, msg.sender);
        _;
    }

    constructor(IConsortium consortium_, IStakeVault vault_) Governed(consortium_) {
        vault = vault_;
    }

    /// @inheritdoc IBeacon
    function publishKey(bytes32 key) external override {
        _callerAs(VALIDATOR);
        if (key == 0) revert NoKey(msg.sender);
        keyOf[msg.sender] = key;
        emit KeyPublished(msg.sender, key);
    }

    /// @inheritdoc IBeacon
    function commit(
        uint256 roundId,
        bytes32[2] calldata commitments,
        bytes32[][2] calldata shareHashes,
        bytes calldata sealed_
    ) external override onlyListed(roundId) {
        _callerAs(VALIDATOR);
        _requireStage(roundId, 0, Stage.Commit);
        Dealing[2] storage own = _dealings[roundId][msg.sender];
        if (own[0].state != SecretState.None) revert AlreadyDealt(roundId, msg.sender);
        uint256 count = _validators[roundId].length;
        for (uint256 which = 0; which < 2; ++which) {
            if (shareHashes[which].length != count) revert WrongShareCount(count, shareHashes[which].length);
            own[which].commitment = commitments[which];
            own[which].shareHashes = keccak256(abi.encode(shareHashes[which]));
            own[which].state = SecretState.Dealt;
        }
        ++_sittings[roundId].dealt;
        emit SecretsCommitted(roundId, msg.sender, commitments, shareHashes, sealed_);
    }

    /// @inheritdoc IBeacon
    function reveal(uint256 roundId, uint8 which, uint256 secret) external override onlyListed(roundId) {
        _requireStage(roundId, which, Stage.Reveal);
        Dealing storage own = _unsettled(roundId, which, msg.sender);
        if (secret >= Shamir.Q || own.commitment != commitmentOf(roundId, which, msg.sender, secret)) {
            revert WrongSecret(roundId, which, msg.sender);
        }
        _settle(roundId, which, own, secret, SecretState.Revealed);
        emit SecretRevealed(roundId, which, msg.sender, secret);
    }

    /// @inheritdoc IBeacon
    function postShare(
        uint256 roundId,
        uint8 which,
        address dealer,
        bytes32[] calldata shareHashes,
        uint256 index,
        uint256 share
    ) external override onlyListed(roundId) {
        // Checks
        _callerAs(VALIDATOR);
        _requireStage(roundId, which, Stage.Rebuild);
        Dealing storage dealt = _unsettled(roundId, which, dealer);
        if (keccak256(abi.encode(shareHashes)) != dealt.shareHashes) revert WrongShareHashes(roundId, which, dealer);
        if (index >= shareHashes.length || shareHashes[index] != shareHashOf(roundId, which, dealer, index, share)) {
            revert WrongShare(dealer, index);
        }
        if ((dealt.posted >> index) & 1 == 1) revert AlreadyPosted(dealer, index);
        // Effects
        dealt.posted |= SafeCast.toUint128(1 << index);
        ++dealt.shares;
        _shares[roundId][dealer][which].push(Share(1 + index, share));
        emit SharePosted(roundId, which, dealer, index, share);
        if (dealt.shares < thresholdOf(roundId)) return;
        bytes32 offence = _rebuild(roundId, which, dealer, dealt);
        // Interactions
        _slash(roundId, dealer, offence);
    }

    /// @inheritdoc IBeacon
    function start(uint256 roundId, uint32 until, uint96 penalty, address[] memory validators)
        external
        override
        onlyPower(ROUNDS_ROLE)
    {
        uint256 blocks_ = until - block.number;
        if (blocks_ < 3) revert StagesTooShort(blocks_, 3);
        Sitting storage sitting = _sittings[roundId];
        Value storage first = _values[roundId][0];
        sitting.penalty = penalty;
        sitting.commitUntil = SafeCast.toUint32(block.number + blocks_ / 3);
        first.revealUntil = SafeCast.toUint32(block.number + (2 * blocks_) / 3);
        bytes32[] memory keys;
        (validators, keys) = _list(roundId, validators, penalty);
        uint8 threshold = SafeCast.toUint8(thresholdOf(roundId));
        emit BeaconStarted(roundId, validators, keys, threshold, sitting.commitUntil, first.revealUntil, penalty);
    }

    /// @inheritdoc IBeacon
    function askSecond(uint256 roundId, uint32 until) external override onlyPower(ROUNDS_ROLE) {
        // rounded up, so that revealing has a block in a phase of one
        uint32 revealUntil = SafeCast.toUint32(block.number + (until - block.number + 1) / 2);
        _values[roundId][1].revealUntil = revealUntil;
        emit SecondAsked(roundId, revealUntil);
    }

    /// @inheritdoc IBeacon
    function close(uint256 roundId, uint8 which) external override onlyPower(ROUNDS_ROLE) {
        // Effects
        Value storage closing = _valueAt(roundId, which);
        address[] memory validators = _validators[roundId];
        uint256[] memory secrets = new uint256[](closing.known);
        address[] memory silent = new address[](_sittings[roundId].dealt - closing.settled);
        (uint256 known, uint256 lost) = (0, 0);
        for (uint256 i = 0; i < validators.length; ++i) {
            Dealing storage dealt = _dealings[roundId][validators[i]][which];
            if (_counts(dealt.state)) secrets[known++] = dealt.secret;
            if (dealt.state != SecretState.Dealt) continue;
            dealt.state = SecretState.Lost;
            silent[lost++] = validators[i];
            emit SecretLost(roundId, which, validators[i]);
        }
        closing.closed = true;
        if (hasEnough(roundId, which)) {
            closing.value = keccak256(abi.encode(block.chainid, address(this), roundId, which, secrets));
            emit BeaconFixed(roundId, which, closing.value, secrets);
        } else {
            emit BeaconFailed(roundId, which, known, thresholdOf(roundId));
        }
        // Interactions
        for (uint256 i = 0; i < lost; ++i) {
            _slash(roundId, silent[i], "beacon: secret lost");
        }
    }

    /// @dev Takes those that can pay on the round's list: the others would choose between two values for nothing.
    function _list(uint256 roundId, address[] memory validators, uint96 penalty)
        private
        returns (address[] memory listed, bytes32[] memory keys)
    {
        uint96[] memory stakes = vault.activeOf(validators);
        for (uint256 i = 0; i < validators.length; ++i) {
            if (stakes[i] < penalty) continue;
            _validators[roundId].push(validators[i]);
            _listed[roundId][validators[i]] = true;
        }
        listed = _validators[roundId];
        keys = new bytes32[](listed.length);
        for (uint256 i = 0; i < listed.length; ++i) {
            keys[i] = keyOf[listed[i]];
        }
    }

    /// @dev Settles a secret of which enough shares were posted; what its dealer did.
    function _rebuild(uint256 roundId, uint8 which, address dealer, Dealing storage dealt) private returns (bytes32) {
        Share[] memory shares = _shares[roundId][dealer][which];
        uint256[] memory points = new uint256[](shares.length);
        uint256[] memory values = new uint256[](shares.length);
        for (uint256 i = 0; i < shares.length; ++i) {
            (points[i], values[i]) = (shares[i].point, shares[i].value);
        }
        uint256 secret = Shamir.atZero(points, values);
        if (dealt.commitment != commitmentOf(roundId, which, dealer, secret)) {
            _settle(roundId, which, dealt, 0, SecretState.False);
            emit FalselyDealt(roundId, which, dealer);
            return "beacon: falsely dealt";
        }
        _settle(roundId, which, dealt, secret, SecretState.Rebuilt);
        emit SecretRebuilt(roundId, which, dealer, secret);
        return "beacon: secret kept back";
    }

    function _slash(uint256 roundId, address dealer, bytes32 offence) private {
        // what was there to take stands in the vault's event
        // slither-disable-next-line unused-return
        vault.slash(dealer, _sittings[roundId].penalty, offence);
    }
}
