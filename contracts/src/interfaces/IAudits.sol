// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBeacon} from "./IBeacon.sol";
import {IDataRegistry} from "./IDataRegistry.sol";
import {IGoverned} from "./IGoverned.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {IStakeVault} from "./IStakeVault.sol";
import {IStarkVerifier} from "./IStarkVerifier.sol";

/// @notice How hospitals train and are audited, set by vote; a round keeps those that it was opened with.
/// @param halves Halves of a row: 1 up to 35 features, 2 up to 70.
/// @param epochs Passes over the data, 1 .. 64.
/// @param rate Learning rate * 256, at least 1.
/// @param clip Clip norm * 8, 1 .. 32.
/// @param noise Noise level, 0 (none) .. 4000.
/// @param auditRate Steps audited, per 10,000.
/// @param penalty What a hospital loses whose audit stays unproven, once a round, in the token's smallest unit.
/// @param auditFee Share of that for who closes the audits, at most the penalty.
/// @param beaconPenalty What a beacon secret kept back or dealt falsely costs.
struct TrainingParameters {
    uint8 halves;
    uint8 epochs;
    uint16 rate;
    uint8 clip;
    uint16 noise;
    uint16 auditRate;
    uint96 penalty;
    uint96 auditFee;
    uint96 beaconPenalty;
}

/// @notice One drawn step of one hospital. `step` leads from state `step` to state `step + 1`.
struct Audit {
    address hospital;
    uint32 step;
    bool passed;
}

/// @notice What a hospital committed to in a round: the Merkle root over its steps + 1 state digests.
/// @param outstanding Its audits without a proof.
/// @param excluded Whether its update does not count, since a proof did not come.
/// @param proven Whether a proof of its was accepted.
struct StateCommitment {
    bytes32 root;
    uint32 steps;
    uint32 outstanding;
    bool excluded;
    bool proven;
}

/// @title Random audits of training: what hospitals committed to, which steps are drawn, and who could not prove one.
/// @notice A hospital commits to all states of its training, one digest a step, beginning with the model in force. Once all
/// commitments are in, the beacon's second value draws steps; the hospital proves each with a STARK that the contract itself
/// checks. A false proof reverts and may be tried again until the deadline. Who leaves an audit unproven is slashed once, and its
/// update does not count, whatever becomes of the round.
/// @dev Public inputs of a proof, 46 elements: segment digest (8), state digest before (8) and after (8), seed commitment (8),
/// the first four 32-bit words of r1, each & 0x3fffffff (4), step, rows of the segment, divisor D = clamp((512 rows + rate / 2) /
/// rate, 64, 4096), D / 2, 2^29 / D, 128 (clip - 1), noise scales (noise, noise + 1, noise + 3, noise + 8; zeros for noise 0).
interface IAudits is IGoverned {
    event TrainingSet(TrainingParameters parameters);
    /// @notice A verified round was opened. `start`: digest of the model in force, state 0 of every hospital.
    event AuditsBegun(uint256 indexed roundId, TrainingParameters parameters, bytes32 start, uint32 dataVersion);
    event StatesCommitted(uint256 indexed roundId, address indexed hospital, bytes32 root, bytes32[] states);
    event AuditDrawn(uint256 indexed roundId, uint256 indexed auditId, address indexed hospital, uint32 step);
    /// @notice `audits` of the round's `steps` were drawn; proofs are taken up to the block `until`.
    event AuditsDrawn(uint256 indexed roundId, bytes32 seed, uint256 steps, uint256 audits, uint32 until);
    event AuditPassed(uint256 indexed roundId, uint256 indexed auditId, address indexed hospital, uint32 step);
    event AuditFailed(uint256 indexed roundId, uint256 indexed auditId, address indexed hospital, uint32 step);
    event HospitalExcluded(uint256 indexed roundId, address indexed hospital);

    /// @notice No contract verifies proofs of rows with so many halves.
    error NoVerifier(uint8 halves);
    /// @notice Epochs times segments, and one more.
    error WrongStateCount(uint256 expected, uint256 got);
    /// @notice State 0 is not the model in force.
    error WrongStart(bytes32 expected, bytes32 got);
    error UnknownAudit(uint256 auditId, uint256 audits);
    error NotAudited(uint256 auditId, address hospital, address caller);
    error AlreadyProven(uint256 auditId);
    /// @notice The round's audits are not drawn yet, or closed.
    error AuditsNotOpen(uint256 roundId);
    /// @notice The path does not lead from this state to the hospital's root.
    error BadStatePath(uint256 index);

    /// @notice By vote: the parameters of coming rounds.
    function setTraining(TrainingParameters calldata parameters) external;

    /// @notice Proves an audit. The audited hospital only, from the draw to the end of phase Prove.
    /// @param proof See IStarkVerifier; a proof that fails reverts with the verifier's error.
    /// @param before State digest `step`, with its path (`pathOf`).
    /// @param after_ State digest `step + 1`, with its path.
    function prove(
        uint256 roundId,
        uint256 auditId,
        bytes calldata proof,
        bytes32 before,
        bytes32[] calldata pathBefore,
        bytes32 after_,
        bytes32[] calldata pathAfter
    ) external;

    /// @notice Keeps the parameters and the model of a round that is being opened. ROUNDS_ROLE only.
    /// @return beaconPenalty Of the parameters in force.
    function begin(uint256 roundId) external returns (uint96 beaconPenalty);

    /// @notice Takes a hospital's states, epochs * segments + 1 of them. ROUNDS_ROLE only.
    function record(uint256 roundId, address hospital, bytes32[] calldata states) external;

    /// @notice Draws the round's audits from the beacon's second value: steps * auditRate / 10,000 of all hospitals' steps, rounded
    /// up, at most MAX_AUDITS. ROUNDS_ROLE only.
    /// @param until Last block of phase Prove.
    function draw(uint256 roundId, uint32 until) external;

    /// @notice Slashes and excludes every hospital with an unproven audit; pays the fee out of what was slashed to `closer`, if it is
    /// a member and not slashed itself. ROUNDS_ROLE only.
    function close(uint256 roundId, address closer) external;

    /// @notice The parameters of coming rounds.
    function training() external view returns (TrainingParameters memory);

    /// @notice The parameters of a round.
    function trainingOf(uint256 roundId) external view returns (TrainingParameters memory);

    /// @notice Digest of the model that a round trains on.
    function startOf(uint256 roundId) external view returns (bytes32);

    /// @notice Whether a hospital has data that stand since before the round was opened.
    function mayTrain(uint256 roundId, address hospital) external view returns (bool);

    /// @notice `IDataRegistry.version()` at the opening of a round: data with a later version, or without one, may not train in it.
    function dataVersionOf(uint256 roundId) external view returns (uint32);

    /// @notice What a hospital committed to.
    function statesOf(uint256 roundId, address hospital) external view returns (StateCommitment memory);

    /// @notice The hospitals that committed, in order.
    function committedTo(uint256 roundId) external view returns (address[] memory);

    /// @notice The root over `states`, and the path of one of them: what `prove` takes.
    function pathOf(uint256 roundId, address hospital, bytes32[] calldata states, uint256 index)
        external
        view
        returns (bytes32 root, bytes32[] memory path);

    /// @notice An audit by its number in the round.
    function auditOf(uint256 roundId, uint256 auditId) external view returns (Audit memory);

    /// @notice Number of audits drawn in a round.
    function auditsOf(uint256 roundId) external view returns (uint256);

    /// @notice Audits without a proof.
    function outstanding(uint256 roundId) external view returns (uint256);

    /// @notice Hospitals with such an audit.
    function failing(uint256 roundId) external view returns (uint256);

    /// @notice Whether a hospital's update does not count, its audits being closed without its proof.
    function isExcluded(uint256 roundId, address hospital) external view returns (bool);

    /// @notice What the proof of an audit is checked against, for these two states.
    function publicInputs(uint256 roundId, uint256 auditId, bytes32 before, bytes32 after_)
        external
        view
        returns (uint256[] memory);

    /// @notice k distinct numbers below n, every set equally likely over random seeds: the draw by itself.
    function sample(bytes32 seed, uint256 n, uint256 k) external pure returns (uint256[] memory);

    /// @notice The verifier of segment proofs over rows of so many halves; zero if there is none.
    function verifierOf(uint8 halves) external view returns (IStarkVerifier);

    /// @notice Where stakes are kept.
    function vault() external view returns (IStakeVault);

    /// @notice Where models are registered.
    function registry() external view returns (IModelRegistry);

    /// @notice Where data are registered.
    function data() external view returns (IDataRegistry);

    /// @notice Where random values come from.
    function beacon() external view returns (IBeacon);
}
