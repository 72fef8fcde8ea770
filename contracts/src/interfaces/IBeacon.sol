// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGoverned} from "./IGoverned.sol";
import {IStakeVault} from "./IStakeVault.sol";

/// @notice Where one of a round's two values stands. None: not asked for yet.
enum Stage {
    None,
    Commit,
    Reveal,
    Rebuild,
    Closed
}

/// @notice What is known of a dealt secret. Lost: neither revealed nor rebuilt; False: its shares fit no secret committed to.
enum SecretState {
    None,
    Dealt,
    Revealed,
    Rebuilt,
    False,
    Lost
}

/// @notice One secret of one validator in one round.
/// @param commitment keccak256(abi.encode(chain id, this contract, round, which, validator, secret)).
/// @param shareHashes keccak256(abi.encode(list of share hashes)).
/// @param secret Once it is revealed or rebuilt.
/// @param posted Bit i: the share of the round's i-th validator was posted.
/// @param shares How many were posted.
struct Dealing {
    bytes32 commitment;
    bytes32 shareHashes;
    uint256 secret;
    uint128 posted;
    uint8 shares;
    SecretState state;
}

/// @title Two random values for each round, by its validators: r1 (which = 0) selects and makes the noise, r2 (which = 1) audits.
/// @notice In phase Select every validator commits to two secrets and deals each of them to all validators: shares by a polynomial
/// modulo Q = 2^255 - 19, threshold t = validators / 2 + 1, share i at point 1 + i, encrypted for its receiver. The first secrets are
/// revealed in the same phase, the second in phase Draw. A secret that its dealer keeps back is rebuilt from t shares; its dealer is
/// slashed. A dealer whose shares fit no secret that it committed to, or of whose secret t shares do not come, is slashed and
/// its secret left out. A value is keccak256(abi.encode(chain id, this contract, round, which, secrets that count)), the secrets as
/// uint256[] in the order of `validatorsOf`, and needs t of them.
/// Stages: Commit until all have, or a third of Select has passed; Reveal until all did, or two thirds of Select, or half of Draw, rounded up;
/// Rebuild until the round manager closes the value.
/// @dev Less than t validators that act together cannot see a secret before its dealer reveals it. Each of them can still leave
/// its own secret out, at the price of a slash, by dealing it falsely: one bit of choice each.
interface IBeacon is IGoverned {
    /// @notice A validator's X25519 key, for which shares are encrypted in rounds opened from now on.
    event KeyPublished(address indexed validator, bytes32 key);
    /// @notice The round's validators, in the order of their shares, and their keys (zero: none published).
    event BeaconStarted(
        uint256 indexed roundId,
        address[] validators,
        bytes32[] keys,
        uint8 threshold,
        uint32 commitUntil,
        uint32 revealUntil,
        uint96 penalty
    );
    /// @notice `sealed_`: the shares, each encrypted for its receiver.
    event SecretsCommitted(
        uint256 indexed roundId,
        address indexed validator,
        bytes32[2] commitments,
        bytes32[][2] shareHashes,
        bytes sealed_
    );
    /// @notice The second value was asked for: its secrets may be revealed.
    event SecondAsked(uint256 indexed roundId, uint32 revealUntil);
    event SecretRevealed(uint256 indexed roundId, uint8 indexed which, address indexed validator, uint256 secret);
    event SharePosted(
        uint256 indexed roundId, uint8 indexed which, address indexed dealer, uint256 index, uint256 share
    );
    /// @notice The dealer kept its secret back, and it was rebuilt from its shares.
    event SecretRebuilt(uint256 indexed roundId, uint8 indexed which, address indexed dealer, uint256 secret);
    /// @notice The dealer's own shares do not give the secret that it committed to: left out.
    event FalselyDealt(uint256 indexed roundId, uint8 indexed which, address indexed dealer);
    /// @notice Neither revealed nor rebuilt: left out.
    event SecretLost(uint256 indexed roundId, uint8 indexed which, address indexed dealer);
    /// @notice The value is fixed.
    event BeaconFixed(uint256 indexed roundId, uint8 indexed which, bytes32 value, uint256[] secrets);
    /// @notice Too few secrets: there is no value.
    event BeaconFailed(uint256 indexed roundId, uint8 indexed which, uint256 secrets, uint256 threshold);

    error NoKey(address validator);
    /// @notice Select needs 3 blocks, one for each stage.
    error StagesTooShort(uint256 got, uint256 least);
    /// @notice The account is no validator of this round.
    error NotListed(uint256 roundId, address account);
    error WrongStage(Stage expected, Stage got);
    error AlreadyDealt(uint256 roundId, address validator);
    error WrongShareCount(uint256 expected, uint256 got);
    /// @notice The dealer committed to nothing, or its secret is settled.
    error NothingToSettle(uint256 roundId, uint8 which, address dealer);
    /// @notice Not the secret that was committed to, or not below Q.
    error WrongSecret(uint256 roundId, uint8 which, address validator);
    /// @notice Not the list of share hashes that was committed to.
    error WrongShareHashes(uint256 roundId, uint8 which, address dealer);
    error WrongShare(address dealer, uint256 index);
    error AlreadyPosted(address dealer, uint256 index);
    error UnknownValue(uint8 which);
    error NoValue(uint256 roundId, uint8 which);

    /// @notice Publishes the caller's X25519 key, in place of an earlier one. Validators only.
    function publishKey(bytes32 key) external;

    /// @notice Deals the caller's two secrets of a round. Its validators only, once, in stage Commit.
    /// @param commitments See Dealing.
    /// @param shareHashes Of each secret, in the order of `validatorsOf`: keccak256(abi.encode(chain id, this contract, round, which,
    /// dealer, index, share)).
    function commit(
        uint256 roundId,
        bytes32[2] calldata commitments,
        bytes32[][2] calldata shareHashes,
        bytes calldata sealed_
    ) external;

    /// @notice Reveals the caller's secret, in stage Reveal of its value.
    function reveal(uint256 roundId, uint8 which, uint256 secret) external;

    /// @notice Hands in a share of a secret that was kept back, in stage Rebuild. The round's validators only; the t-th share settles it.
    /// @param shareHashes The list that the dealer committed to, for this value.
    /// @param index Whose share it is, in the order of `validatorsOf`.
    function postShare(
        uint256 roundId,
        uint8 which,
        address dealer,
        bytes32[] calldata shareHashes,
        uint256 index,
        uint256 share
    ) external;

    /// @notice Begins a round in phase Select. ROUNDS_ROLE only.
    /// @param until Last block of Select.
    /// @param penalty What each secret that is kept back or dealt falsely costs its dealer.
    /// @param validators The round's committee: at most 128, each once. Those with `penalty` of active stake at this moment take part.
    function start(uint256 roundId, uint32 until, uint96 penalty, address[] calldata validators) external;

    /// @notice Lets the second secrets be revealed. ROUNDS_ROLE only, on entering phase Draw.
    /// @param until Last block of Draw.
    function askSecond(uint256 roundId, uint32 until) external;

    /// @notice Fixes a value, if there are secrets enough, and slashes those whose secrets are lost. ROUNDS_ROLE only.
    function close(uint256 roundId, uint8 which) external;

    /// @notice The key of a validator; zero if it published none.
    function keyOf(address validator) external view returns (bytes32);

    /// @notice The round's validators, in the order of their shares.
    function validatorsOf(uint256 roundId) external view returns (address[] memory);

    /// @notice Shares that rebuild a secret, and secrets that make a value.
    function thresholdOf(uint256 roundId) external view returns (uint256);

    /// @notice Where a value stands in this block.
    function stageOf(uint256 roundId, uint8 which) external view returns (Stage);

    /// @notice Last blocks of a value's stages: Commit (zero for the second) and Reveal (zero: not asked for).
    function stagesOf(uint256 roundId, uint8 which) external view returns (uint32 commitUntil, uint32 revealUntil);

    /// @notice Whether nothing is left to wait for.
    function isDone(uint256 roundId, uint8 which) external view returns (bool);

    /// @notice Whether the secrets known make a value.
    function hasEnough(uint256 roundId, uint8 which) external view returns (bool);

    /// @notice The value; reverts with NoValue before it is fixed.
    function valueOf(uint256 roundId, uint8 which) external view returns (bytes32);

    /// @notice A validator's secret in a round, as far as it is known.
    function dealingOf(uint256 roundId, uint8 which, address dealer) external view returns (Dealing memory);

    /// @notice The commitment to a secret. Ask a node of your own: the secret is in the question.
    function commitmentOf(uint256 roundId, uint8 which, address validator, uint256 secret)
        external
        view
        returns (bytes32);

    /// @notice The hash of a share. Ask a node of your own: the share is in the question.
    function shareHashOf(uint256 roundId, uint8 which, address dealer, uint256 index, uint256 share)
        external
        view
        returns (bytes32);

    /// @notice Where stakes are kept.
    function vault() external view returns (IStakeVault);
}
