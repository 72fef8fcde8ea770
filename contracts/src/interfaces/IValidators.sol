// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Content} from "./Content.sol";
import {IGoverned} from "./IGoverned.sol";
import {IReputation} from "./IReputation.sol";
import {IStakeVault} from "./IStakeVault.sol";

/// @notice What the members set by vote.
/// @param seats Validators of a round, 3 .. 64.
/// @param perOperator Seats that the members of one operator get at most, 1 .. seats.
/// @param penalty Slashed for voting for two models in a round, smallest unit; the stake that a seat needs.
/// @param fee Of that, for who brings the evidence; at most the penalty.
struct ValidatorParameters {
    uint8 seats;
    uint8 perOperator;
    uint96 penalty;
    uint96 fee;
}

/// @title Who signs the model: a committee of each round, drawn by lot among the well reputed.
/// @notice The pool, in the order of `members()`: members that hold the validator's role, stake at least `penalty`, and have at least
/// half of the best score among these, or the third best score (MIN_VALIDATORS) where that is lower: whoever is silent, a pool of
/// three or more never falls below three. Drawn from it without replacement, uniformly: draw t takes the place keccak256(abi.encode(seed, t)) mod (left),
/// whose last one moves there; who would be one too many of its operator is passed over. With equal chances for all of the pool
/// a coalition holds seats as in drawing balls from an urn: the hypergeometric distribution says how often it has two thirds.
/// seed = keccak256(abi.encode(block.chainid, this contract, roundId, last value)), the last beacon value r2 that a round fixed
/// before this one was opened; zero before the first. A round keeps the penalty and the fee that it was opened with.
/// A vote is an EIP-712 signature over Vote(uint256 roundId,bytes32 cid,uint8 codec,bytes32 digest), domain name "bfl_ref",
/// version "1". Two different ones by one validator of a round are evidence of equivocation, whenever they come to light; `failed`
/// is then recorded in the round that was opened last.
interface IValidators is IGoverned {
    event CommitteeDrawn(uint256 indexed roundId, bytes32 seed, address[] pool, address[] committee);
    event OperatorSet(address indexed member, address indexed operator);
    event Equivocated(
        uint256 indexed roundId, address indexed validator, address indexed reporter, bytes32 first, bytes32 second
    );
    event ValidatorsSet(ValidatorParameters parameters);

    error NotInCommittee(uint256 roundId, address account);
    /// @notice Of the pool so many can be seated, counting what each operator may hold.
    error TooFewInPool(uint256 pool, uint256 needed);
    /// @notice Both votes are for the same model.
    error SameVote(bytes32 digest);
    /// @notice The signatures are of two accounts.
    error SignersDiffer(address first, address second);
    error AlreadyReported(uint256 roundId, address validator);

    /// @notice Draws a round's committee. ROUNDS_ROLE only. At least MIN_VALIDATORS (3), else TooFewInPool.
    function seat(uint256 roundId) external returns (address[] memory committee);

    /// @notice Notes the newest beacon value, for committees to come. ROUNDS_ROLE only.
    function reseed(bytes32 value) external;

    /// @notice Slashes a validator of the round that signed two models. Members only; the fee goes to the caller, unless it is the
    /// culprit itself.
    function report(
        uint256 roundId,
        Content calldata first,
        bytes calldata firstSignature,
        Content calldata second,
        bytes calldata secondSignature
    ) external;

    /// @notice By vote: whose node a member runs; zero: its own.
    function setOperator(address member, address operator) external;

    /// @notice By vote: the parameters of coming committees.
    function setValidators(ValidatorParameters calldata parameters) external;

    /// @notice The parameters in force.
    function validators() external view returns (ValidatorParameters memory);

    /// @notice Whose node a member runs: its own, unless a vote said otherwise.
    function operatorOf(address member) external view returns (address);

    /// @notice A round's committee.
    function committeeOf(uint256 roundId) external view returns (address[] memory);

    /// @notice Whether the account is in a round's committee.
    function isSeated(uint256 roundId, address account) external view returns (bool);

    /// @notice Digest that a vote signs (EIP-712).
    function voteDigest(uint256 roundId, Content calldata model) external view returns (bytes32);

    /// @notice Who signed a vote; reverts (OpenZeppelin's ECDSA errors) on what is no signature, with NotInCommittee for others.
    function signerOf(uint256 roundId, Content calldata model, bytes calldata signature) external view returns (address);

    /// @notice The draw alone, for whoever checks it: positions in the pool. operators: of each in the pool.
    function draw(bytes32 seed, address[] calldata operators, uint256 seats, uint256 perOperator)
        external
        pure
        returns (uint256[] memory drawn);

    /// @notice The last beacon value noted.
    function lastValue() external view returns (bytes32);

    /// @notice Where reputations are kept.
    function reputation() external view returns (IReputation);

    /// @notice Where stakes are kept.
    function vault() external view returns (IStakeVault);
}
