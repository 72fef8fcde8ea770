// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Content} from "./Content.sol";
import {IAudits} from "./IAudits.sol";
import {IBeacon} from "./IBeacon.sol";
import {ICommittee, Release} from "./ICommittee.sol";
import {IContributions} from "./IContributions.sol";
import {IGoverned} from "./IGoverned.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {IPhases} from "./IPhases.sol";
import {ISelection} from "./ISelection.sol";
import {ISettlement} from "./ISettlement.sol";
import {IStakeVault} from "./IStakeVault.sol";
import {IValidators} from "./IValidators.sol";

/// @notice The contracts that a round is made with.
struct Parts {
    IStakeVault vault;
    IModelRegistry registry;
    IBeacon beacon;
    IAudits audits;
    ICommittee committee;
    ISelection selection;
    IValidators validators;
    IContributions contributions;
    ISettlement settlement;
}

/// @notice What the members set by vote; a round keeps those that it was opened with.
/// @param minStake Active stake that a hospital needs to be selected, in the token's smallest unit.
/// @param minHospitals Hospitals that a round needs, at selection and again after the commitments and after the audits.
/// @param verified Whether training is committed to step by step and audited (IBeacon, IAudits).
/// @param shared Whether updates are shared among a committee and never opened (ICommittee); such a round is verified.
struct RoundParameters {
    uint96 minStake;
    uint8 minHospitals;
    bool verified;
    bool shared;
}

/// @notice A round: what was frozen at its opening (first block) and what was counted since, in three storage slots.
/// @param minStake Of the parameters in force at the opening.
/// @param minHospitals Of the same.
/// @param verified Of the same.
/// @param shared Of the same.
/// @param membersVersion `IConsortium.version()` at the opening: who was admitted or changed later is not part of it.
/// @param modelVersion Version of the model in force, the one that is trained on.
/// @param aggregators Aggregators at the opening.
/// @param validators Validators of the round's committee; two thirds of them decide.
/// @param taskCodec Codec of the CID of the task's description.
/// @param selected Hospitals selected.
/// @param committed Commitments received.
/// @param excluded Hospitals among them whose audits stayed unproven; the others survive.
/// @param submitted Aggregators that submitted a candidate.
/// @param voted Validators whose votes came.
/// @param leading Votes of the candidate that has most.
/// @param taskCid Digest inside the CID of the task's description.
/// @param taskDigest Digest of the hyper-parameters.
struct Round {
    uint96 minStake;
    uint8 minHospitals;
    bool verified;
    bool shared;
    uint24 membersVersion;
    uint24 modelVersion;
    uint16 aggregators;
    uint8 validators;
    uint8 taskCodec;
    uint8 selected;
    uint8 committed;
    uint8 excluded;
    uint16 submitted;
    uint8 voted;
    uint8 leading;
    bytes32 taskCid;
    bytes32 taskDigest;
}

/// @notice What a member did in a round.
/// @param commitment keccak256(abi.encode(chain id, this contract, round, hospital, update digest)); zero: none.
/// @param cid SHA-256 digest inside the CID of its update.
/// @param codec Multicodec of that CID.
/// @param rows Its row count n_i.
/// @param selected Whether it was selected to train.
/// @param submitted Whether it submitted a candidate, as an aggregator.
/// @param votedFor Number of the candidate that it voted for, as a validator; zero: it did not vote.
struct Participation {
    bytes32 commitment;
    bytes32 cid;
    uint8 codec;
    uint32 rows;
    bool selected;
    bool submitted;
    uint16 votedFor;
}

/// @title Federated rounds: who takes part, what was committed, which model follows.
/// @notice What each phase does, and when it may be left:
/// Opening - draws the committee of validators (IValidators); its stakes, and those of the aggregators' seats in a shared round, are
/// frozen until the round ends.
/// Select - nothing is awaited; leaving it selects the eligible hospitals (ISelection) and freezes their stakes.
/// Train - nothing on chain; left at its deadline.
/// Commit - every selected hospital commits once; left when all have, or at the deadline without the missing ones.
/// Draw, Prove, Share - nothing is awaited.
/// A verified round awaits more. Select - the committee commits to the beacon's secrets and reveals the first ones, which seed the
/// lottery among the hospitals with data that stand since before the opening. Commit - of states (`commitStates`) instead of an update. Draw - the validators
/// reveal the second secrets; leaving it draws the audits. Prove - drawn steps are proven; leaving it slashes and excludes who
/// left one unproven. Without a beacon value, or with too few hospitals left, it is aborted.
/// A shared round awaits more than that. Commit - of states and shares (`commitShared`). Share - the committee's seats confirm, and
/// hospitals answer complaints; leaving it fixes the survivors. Aggregate - seats submit sums, which are decoded; candidates are
/// taken once all are. Without every sum it is aborted; leaving it slashes who proved none. Finalise - validators commit to
/// scores of the groups; Settle - they reveal them (IContributions); left when all have, or at the deadline.
/// Aggregate - aggregators submit candidates; left when all have, or at the deadline with one at least.
/// Finalise - the committee's signed votes are brought; left when two thirds of the committee chose one candidate (it is then in
/// force), aborted when that has become impossible or at the deadline.
/// Settle - nothing is awaited.
/// Whichever way it ends, its last act is ISettlement.settle: evidence for each party, rewards.
/// Who was not selected and has too little stake is told so by IStakeVault.InsufficientStake.
/// Every member that is named below must have been a member, in its present roles, when the round was opened.
interface IRoundManager is IPhases, IGoverned {
    event RoundOpened(
        uint256 indexed roundId,
        address indexed opener,
        uint256 indexed modelVersion,
        bytes32 modelDigest,
        Content task,
        RoundParameters parameters,
        uint24[9] durations,
        uint32 membersVersion
    );
    /// @notice The hospital trains in this round; its stake is frozen until the round ends.
    event HospitalSelected(uint256 indexed roundId, address indexed hospital, uint96 stake);
    event UpdateCommitted(
        uint256 indexed roundId,
        address indexed hospital,
        bytes32 indexed digest,
        bytes32 cid,
        uint8 codec,
        uint32 rows,
        bytes32 commitment
    );
    /// @notice A selected hospital did not commit in time; the round goes on without it.
    event HospitalDropped(uint256 indexed roundId, address indexed hospital);
    event CandidateSubmitted(
        uint256 indexed roundId, address indexed aggregator, bytes32 indexed digest, bytes32 cid, uint8 codec
    );
    event ModelVoted(uint256 indexed roundId, address indexed validator, bytes32 indexed digest, uint8 votes);
    event ParametersSet(RoundParameters parameters);

    /// @notice The member is not part of the round: admitted, or given other roles, since its opening.
    error NotInRound(uint256 roundId, address member);
    error NotSelected(uint256 roundId, address hospital);
    error AlreadyCommitted(uint256 roundId, address hospital);
    /// @notice This update was committed before, by whomever and in whichever round.
    error ReplayedSubmission(bytes32 digest, uint256 firstRoundId, address firstHospital);
    error NoRows(address hospital);
    error AlreadySubmitted(uint256 roundId, address aggregator);
    /// @notice No aggregator submitted this model (CID and digest together).
    error UnknownCandidate(uint256 roundId, bytes32 cid, bytes32 digest);
    error AlreadyVoted(uint256 roundId, address validator);
    /// @notice The round takes commitments to states only.
    error VerifiedRound(uint256 roundId);
    /// @notice The round takes plain updates only.
    error BasicRound(uint256 roundId);
    /// @notice The round takes states with shares only.
    error SharedRound(uint256 roundId);
    /// @notice The round takes no shares.
    error UnsharedRound(uint256 roundId);
    /// @notice Only verified rounds can be shared.
    error InvalidParameters(bool verified, bool shared);
    /// @notice The update is not the last state (zero: there is none).
    error WrongUpdateDigest(bytes32 expected, bytes32 got);

    /// @notice Opens a round on the model in force. Validators only, when no round is open.
    /// @param task Digest of the hyper-parameters, CID of the task's description.
    /// @param durations Blocks of each phase, Select first, each 1 .. MAX_PHASE_BLOCKS.
    function open(Content calldata task, uint24[9] calldata durations) external returns (uint256 roundId);

    /// @notice Commits the caller's update. Selected hospitals only, once, in phase Commit.
    /// @dev An update is salted before its digest is taken, so equal digests mean a copy; who finds its digest taken by a copier
    /// that was quicker salts anew and commits again.
    /// @param rows Training rows n_i behind the update, the weight of its aggregation.
    function commitUpdate(uint256 roundId, Content calldata update, uint32 rows) external;

    /// @notice Commits the caller's training, state by state, in a verified round; its rows are those that it registered.
    /// @param update The update's file; its digest is the last state.
    /// @param states Digests of all states, from the model in force on: see IAudits.
    function commitStates(uint256 roundId, Content calldata update, bytes32[] calldata states) external;

    /// @notice Commits the caller's training and the shares of its update, in a shared round; nobody needs the update's file.
    /// @param release See ICommittee.
    function commitShared(uint256 roundId, Content calldata update, bytes32[] calldata states, Release calldata release)
        external;

    /// @notice Submits a candidate for the new model. Aggregators only, once each, in phase Aggregate; in a shared round once all its
    /// sums are decoded.
    function submitCandidate(uint256 roundId, Content calldata model) external;

    /// @notice Brings votes for a candidate: EIP-712 signatures of validators of the round's committee (IValidators), which recomputed
    /// it. Voting members only, any number at a time, each validator's once, in phase Finalise. The vote that completes two thirds
    /// puts the model in force. Reverts with NotInCommittee for other signers, NotInRound for those whose record has changed since.
    function voteModel(uint256 roundId, Content calldata model, bytes[] calldata signatures) external;

    /// @notice By vote: the parameters of coming rounds.
    function setParameters(RoundParameters calldata parameters_) external;

    /// @notice The parameters of coming rounds.
    function parameters() external view returns (RoundParameters memory);

    /// @notice A round's record.
    function roundOf(uint256 roundId) external view returns (Round memory);

    /// @notice The hospitals selected in a round, in order of selection.
    function hospitalsOf(uint256 roundId) external view returns (address[] memory);

    /// @notice What a member did in a round.
    function participationOf(uint256 roundId, address member) external view returns (Participation memory);

    /// @notice A candidate's number, in the order of submissions from 1 on, and the votes for it. Zero: nobody submitted this model.
    function candidateOf(uint256 roundId, Content calldata model) external view returns (uint16 number, uint8 votes);

    /// @notice Votes that put a model in force: two thirds of the round's committee, rounded up.
    function quorumOf(uint256 roundId) external view returns (uint256);

    /// @notice keccak256(abi.encode(chain id, this contract, round, hospital, update digest)).
    function commitmentOf(uint256 roundId, address hospital, bytes32 digest) external view returns (bytes32);

    /// @notice Where stakes are kept.
    function vault() external view returns (IStakeVault);

    /// @notice Where models are registered.
    function registry() external view returns (IModelRegistry);

    /// @notice Where random values of verified rounds come from.
    function beacon() external view returns (IBeacon);

    /// @notice Who audits verified rounds.
    function audits() external view returns (IAudits);

    /// @notice Who sums up shared rounds.
    function committee() external view returns (ICommittee);

    /// @notice Who draws the hospitals.
    function selection() external view returns (ISelection);

    /// @notice Who draws the validators.
    function validators() external view returns (IValidators);

    /// @notice Where groups are scored.
    function contributions() external view returns (IContributions);

    /// @notice Who is told that a round ends.
    function settlement() external view returns (ISettlement);
}
