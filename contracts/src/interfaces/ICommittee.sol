// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAudits} from "./IAudits.sol";
import {IBeacon} from "./IBeacon.sol";
import {IDataRegistry} from "./IDataRegistry.sol";
import {IGoverned} from "./IGoverned.sol";
import {IStakeVault} from "./IStakeVault.sol";
import {IStarkVerifier} from "./IStarkVerifier.sol";

/// @notice How updates are shared, set by vote; a round keeps those that it was opened with.
/// @param aggregators Seats m of the committee, 2 .. 16.
/// @param threshold Shares t that give an update, 2 .. aggregators; fewer tell nothing.
/// @param maxBucket Highest norm bucket, 0 .. 10: updates stay below 2^maxBucket units of 2^-6 in norm.
/// @param penalty Lost for a sum that was not proven in time, once a round, in the token's smallest unit; the stake that a seat needs.
struct SharingParameters {
    uint8 aggregators;
    uint8 threshold;
    uint8 maxBucket;
    uint96 penalty;
}

/// @notice What a hospital commits to and proves of its shares.
/// @param digests Of the share for each seat.
/// @param bucket The least b with squared norm of the update below 4^b, in units of 2^-6.
/// @param proof See IStarkVerifier.
struct Release {
    bytes32[] digests;
    uint8 bucket;
    bytes proof;
}

/// @title The committee of a round: shares of updates, complaints about them, proven sums of them, and who was silent.
/// @notice Updates are never opened. Each hospital proves that its digests belong to Shamir shares of its weight times its update.
/// In phase Share seats complain of shares that they did not get; the hospital shows that one share, or does not count. Then the
/// survivors are fixed and dealt to groups of three to five (fewer than six: one group), and every seat submits the sum of its
/// shares over each group, with a proof that it is just that. So no sum is wrong, however many seats lie; any `threshold` of them
/// give the total, and with fewer there is none.
/// @dev Seat a evaluates at a + 1. Field elements are below P = 2^31 - 2^27 + 1; a digest is eight of 4 bytes, a sum one for each slot
/// (36, or 72 with two halves), big-endian. Public inputs of a release proof: digest of the state (8), of the model (8), of each share
/// (8 m), weight, low = bucket == 0 ? 0 : 4^(bucket - 1), high = 4^bucket.
/// Digest of a share: h = (4, 0, .., 0); for every eight elements e of share and salt, h = compress(h | e). Public inputs of the proof
/// of a sum: digests of the group's shares for that seat, in the order of the survivors, then that of a share of zeros with a salt of
/// zeros, five in all (40); digest of the sum with a salt of zeros (8).
/// Weight: n_i if rows * B < P / 2, else max(1, (2 n_i K + rows) / (2 rows)), rows those of all selected hospitals, B = 2^(10 +
/// maxBucket), K = P / 2 / B - 130: no sum wraps around.
interface ICommittee is IGoverned {
    event SharingSet(SharingParameters parameters, IStarkVerifier[2] releaseVerifiers, IStarkVerifier[2] sumVerifiers);
    /// @notice The round's committee; seats in the order of their points.
    event SeatsFixed(uint256 indexed roundId, address[] seats, uint8 threshold, uint8 maxBucket);
    /// @notice Rows of all selected hospitals, from which weights follow.
    event RowsWeighed(uint256 indexed roundId, uint256 totalRows);
    event SharesCommitted(
        uint256 indexed roundId, address indexed hospital, bytes32[] digests, uint32 weight, uint8 bucket
    );
    /// @notice Complaints are taken up to the block `complainUntil`, answers and confirmations up to `until`.
    event SharesAsked(uint256 indexed roundId, uint32 complainUntil, uint32 until);
    event Complained(uint256 indexed roundId, address indexed hospital, uint8 indexed seat);
    /// @notice So many complaints that the hospital does not count, whatever its shares are.
    event HospitalLeftOut(uint256 indexed roundId, address indexed hospital, uint256 complaints);
    /// @notice A complaint was answered: the share and its salt.
    event ShareShown(uint256 indexed roundId, address indexed hospital, uint8 indexed seat, uint32[] elements);
    event SharesConfirmed(uint256 indexed roundId, uint8 indexed seat);
    /// @notice `groups`: of each survivor; `weights`: sum of each group. Sums are taken up to the block `sumUntil`, decoded up to `until`.
    event SurvivorsFixed(
        uint256 indexed roundId, address[] survivors, uint8[] groups, uint32[] weights, uint32 sumUntil, uint32 until
    );
    /// @notice A proven sum.
    event SumSubmitted(uint256 indexed roundId, uint256 indexed group, uint8 indexed seat, bytes sum);
    /// @notice The total of a group.
    event SumDecoded(uint256 indexed roundId, uint256 indexed group, bytes total);
    event AggregatorFailed(uint256 indexed roundId, address indexed aggregator, bytes32 offence);

    /// @notice Fewer seats than the threshold could be filled.
    error TooFewAggregators(uint256 needed, uint256 got);
    error NotSeated(uint256 roundId, address member);
    error WrongDigestCount(uint256 expected, uint256 got);
    /// @notice The digest was committed before: shares are salted, so equal digests are copies.
    error CopiedDigest(bytes32 digest);
    error NormAboveBound(uint8 bound, uint8 got);
    /// @notice The round is not in the phase for it.
    error StageNotOpen(uint256 roundId);
    error AlreadyComplained(uint256 roundId, address hospital, uint8 seat);
    /// @notice The hospital did not commit, was excluded, or is left out.
    error NotSurviving(uint256 roundId, address hospital);
    error NoComplaint(uint256 roundId, address hospital, uint8 seat);
    /// @notice The hospital is left out; showing more of its shares would give its update away.
    error TooManyComplaints(uint256 complaints, uint256 threshold);
    error WrongShareLength(uint256 expected, uint256 got);
    error ElementAboveField(uint256 index, uint256 value);
    /// @notice The share shown is not the one that was committed to.
    error WrongShare(bytes32 expected, bytes32 got);
    error AlreadyConfirmed(uint256 roundId, uint8 seat);
    error UnknownGroup(uint256 group, uint256 groups);
    /// @notice Not 4 bytes for each slot, or the element `index` not below p.
    error BadSum(uint256 index, uint256 value);
    error AlreadySummed(uint256 roundId, uint256 group, uint8 seat);
    error AlreadyDecoded(uint256 roundId, uint256 group);
    /// @notice A total is decoded from as many sums as the threshold says, each with its seat.
    error WrongSumCount(uint256 expected, uint256 got);
    /// @notice Seats are given in ascending order, each once.
    error SeatsNotAscending(uint256 before, uint256 seat);
    /// @notice The sum is not what the seat submitted (zero: nothing).
    error WrongSum(uint256 seat, bytes32 expected);
    error NotDecoded(uint256 roundId, uint256 group);

    /// @notice By vote: parameters of coming rounds, with verifiers over rows of one half and of two (zero: there is none).
    /// @param releases Of release proofs for just these seats and this threshold.
    /// @param sums Of proofs of sums.
    function setSharing(
        SharingParameters calldata parameters,
        IStarkVerifier[2] calldata releases,
        IStarkVerifier[2] calldata sums
    ) external;

    /// @notice Says that the caller's seat did not get its share of a hospital that may survive. In the first half of phase Share, once a
    /// hospital, before `confirm`. The complaint that makes `threshold` leaves the hospital out.
    function complain(uint256 roundId, address hospital) external;

    /// @notice Answers a complaint of a seat about the caller: its share and its salt, 40 elements, or 80 with two halves.
    function show(uint256 roundId, uint8 seat_, uint32[] calldata elements) external;

    /// @notice Says that the caller's seat holds a share of every hospital that it did not complain about.
    function confirm(uint256 roundId) external;

    /// @notice Submits the sum of the caller's shares over a group, with its proof (IStarkVerifier; a false one is refused by that
    /// verifier's error). In the first half of phase Aggregate, once a group; before a candidate, since the phase can be over with the
    /// last of them.
    function submitSum(uint256 roundId, uint256 group, bytes calldata sum, bytes calldata proof) external;

    /// @notice Opens a group's total. Members only, in phase Aggregate, from `threshold` submitted sums on: whichever they are, the
    /// total is the same.
    /// @param seats Whose sums these are, ascending.
    function decode(uint256 roundId, uint256 group, uint256[] calldata seats, bytes[] calldata sums) external;

    /// @notice Seats the committee of a round that is being opened: the first aggregators, in the consortium's order, with the
    /// penalty as active stake. Seats that nobody can take stay vacant, the last ones: their shares go nowhere. Phases Share and
    /// Aggregate need two blocks each. ROUNDS_ROLE only.
    function seat(uint256 roundId, uint24[9] calldata durations) external;

    /// @notice Fixes the rows that weights are taken of. ROUNDS_ROLE only.
    function weigh(uint256 roundId, address[] calldata hospitals) external;

    /// @notice Takes a hospital's shares of the state `state`. ROUNDS_ROLE only.
    function record(uint256 roundId, address hospital, bytes32 state, Release calldata release) external;

    /// @notice Opens the time for complaints; `until`: last block of phase Share. ROUNDS_ROLE only.
    function askShares(uint256 roundId, uint32 until) external;

    /// @notice Fixes those of `hospitals` that survive, and their groups; `until`: last block of phase Aggregate. ROUNDS_ROLE only.
    function fixSurvivors(uint256 roundId, address[] calldata hospitals, uint32 until) external;

    /// @notice Slashes who proved no sum of some group. ROUNDS_ROLE only.
    function close(uint256 roundId) external;

    /// @notice The parameters of coming rounds.
    function sharing() external view returns (SharingParameters memory);

    /// @notice The parameters of a round.
    function sharingOf(uint256 roundId) external view returns (SharingParameters memory);

    /// @notice The verifier of coming rounds' release proofs over rows of so many halves; zero if there is none.
    function verifierOf(uint8 halves) external view returns (IStarkVerifier);

    /// @notice The same of proofs of sums.
    function sumVerifierOf(uint8 halves) external view returns (IStarkVerifier);

    /// @notice The members of a round's committee, in the order of their seats.
    function seatsOf(uint256 roundId) external view returns (address[] memory);

    /// @notice A member's seat, from 0; reverts with NotSeated.
    function seatOf(uint256 roundId, address member) external view returns (uint8);

    /// @notice Last blocks for complaints, for answers, for sums and for decoding; zero before and after their phases.
    function stagesOf(uint256 roundId)
        external
        view
        returns (uint32 complainUntil, uint32 showUntil, uint32 sumUntil, uint32 decodeUntil);

    /// @notice A hospital's weight a_i, by which its update is multiplied.
    function weightOf(uint256 roundId, address hospital) external view returns (uint32);

    /// @notice Digests of a hospital's shares, by seat.
    function digestsOf(uint256 roundId, address hospital) external view returns (bytes32[] memory);

    /// @notice The norm bucket of a hospital's update.
    function bucketOf(uint256 roundId, address hospital) external view returns (uint8);

    /// @notice Complaints about a hospital, a bit for each seat, and which of them are unanswered.
    function complaintsOf(uint256 roundId, address hospital)
        external
        view
        returns (uint16 complaints, uint16 unanswered);

    /// @notice Hospitals with an unanswered complaint, those that are left out among them.
    function disputed(uint256 roundId) external view returns (uint256);

    /// @notice Whether every seat confirmed, and no complaint can be answered any more.
    function areSharesSettled(uint256 roundId) external view returns (bool);

    /// @notice The hospitals whose updates count.
    function survivorsOf(uint256 roundId) external view returns (address[] memory);

    /// @notice Number of groups, and the sum of the survivors' weights in each.
    function groupsOf(uint256 roundId) external view returns (uint256 count, uint32[] memory weights);

    /// @notice A survivor's group; reverts with NotSurviving.
    function groupOf(uint256 roundId, address hospital) external view returns (uint8);

    /// @notice keccak256 of what a seat submitted; zero: nothing.
    function sumHashOf(uint256 roundId, uint256 group, uint256 seat_) external view returns (bytes32);

    /// @notice Whether a group's total is known.
    function isDecoded(uint256 roundId, uint256 group) external view returns (bool);

    /// @notice Whether the totals of all groups are known.
    function isSummed(uint256 roundId) external view returns (bool);

    /// @notice Returns if all groups are decoded; reverts with NotDecoded.
    function requireSummed(uint256 roundId) external view;

    /// @notice What a release proof is checked against, for this state, these digests and this bucket.
    function publicInputs(uint256 roundId, address hospital, bytes32 state, bytes32[] calldata digests, uint8 bucket)
        external
        view
        returns (uint256[] memory);

    /// @notice What the proof of a seat's sum over a group is checked against, for this sum.
    function sumInputs(uint256 roundId, uint256 group, uint256 seat_, bytes calldata sum)
        external
        view
        returns (uint256[] memory);

    /// @notice The groups of n survivors, by themselves: see bfl_ref/sharing/groups.py.
    function partition(bytes32 seed, uint256 n) external pure returns (uint8[] memory groups);

    function vault() external view returns (IStakeVault);
    function data() external view returns (IDataRegistry);
    function audits() external view returns (IAudits);
    function beacon() external view returns (IBeacon);
}
