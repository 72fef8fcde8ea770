// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

/// @dev Roles of a member: a bit mask. Who holds AUDITOR alone reads, and does not vote.
uint8 constant HOSPITAL = 1;
uint8 constant AGGREGATOR = 2;
uint8 constant VALIDATOR = 4;
uint8 constant AUDITOR = 8;
uint8 constant VOTING_ROLES = HOSPITAL | AGGREGATOR | VALIDATOR;

/// @dev Power of a contract: it belongs to the system (may hold and move tokens, may be the target of a vote).
bytes32 constant SYSTEM_ROLE = keccak256("SYSTEM_ROLE");

/// @dev Power of a contract: it leads rounds, and tells the beacon and the audits of their phases.
bytes32 constant ROUNDS_ROLE = keccak256("ROUNDS_ROLE");

/// @notice A member's record, one storage slot.
/// @param roles Bit mask; zero: not a member.
/// @param position 1 + index in `members()`.
/// @param version `version()` of the consortium when this record was last written.
struct Member {
    uint8 roles;
    uint16 position;
    uint32 version;
}

/// @notice A call that the consortium makes once its members want it.
/// @param target The consortium or a contract of the system.
/// @param deadline Last block in which it can be voted on and queued; once queued, in which it can be executed.
/// @param readyBlock First block in which it can be executed; zero: not queued.
/// @param executed Whether the call was made.
/// @param data Calldata.
struct Proposal {
    address target;
    uint32 deadline;
    uint32 readyBlock;
    bool executed;
    bytes data;
}

/// @notice A power given to a contract at sealing.
struct Power {
    bytes32 role;
    address holder;
}

/// @title Membership and government of a permissioned consortium.
/// @notice Everything that can change after deployment changes by a call of the consortium, and the consortium calls only what
/// a strict majority of its current voting members voted for. Every such call waits in a queue, so that nobody is surprised by
/// it; a pause alone does not wait, and needs two thirds. Powers of contracts (OpenZeppelin's roles) are granted once by
/// `seal`, afterwards by `grantRole` and `revokeRole` through a vote; keys never hold a power.
/// @dev Deployment, in this order: Consortium(members, roles, period, delay), UtilityToken(consortium, holders, amounts),
/// StakeVault(consortium, token, delay), ModelRegistry(consortium, genesis model), DataRegistry(consortium, vault),
/// Beacon(consortium, vault), Audits(consortium, vault, registry, data, beacon, verifiers, training parameters),
/// Committee(consortium, vault, data, audits, beacon, verifiers, sharing parameters), Reputation(consortium, parameters),
/// Selection(consortium, vault, reputation, audits, parameters), Validators(consortium, vault, reputation, parameters),
/// Contributions(consortium, committee, validators), Rewards(consortium, token, parameters), Settlement(consortium, reputation,
/// rewards, contributions, selection, validators, audits, beacon, committee), RoundManager(consortium, Parts, parameters),
/// PrivacyLedger(consortium), ConsentRegistry(consortium), and at last, by the deployer, `seal` with SYSTEM_ROLE for all of them but
/// the consortium, the privacy ledger and the consent registry, which no vote can touch; FREEZER_ROLE, MODEL_WRITER_ROLE and ROUNDS_ROLE for the round manager; SLASHER_ROLE
/// for beacon, audits, committee and validators; EVIDENCE_ROLE for settlement, selection and validators; PAYER_ROLE for
/// settlement. Powers that a later contract brings are granted to it by vote.
interface IConsortium is IAccessControl {
    /// @notice A member was admitted, at genesis or by vote.
    event MemberAdmitted(address indexed member, uint8 roles, uint32 version);
    /// @notice A member was removed; what it holds of tokens and stake stays where it is, frozen.
    event MemberRemoved(address indexed member, uint8 roles, uint32 version);
    /// @notice A member's roles were replaced.
    event RolesChanged(address indexed member, uint8 previousRoles, uint8 roles, uint32 version);
    /// @notice The contracts of the system were wired; the deployer has no power from here on.
    event ConsortiumSealed(address indexed deployer);
    /// @notice The voting period of coming proposals was set.
    event VotingPeriodSet(uint32 blocks_);
    /// @notice The time lock of coming calls was set.
    event DelaySet(uint32 blocks_);
    /// @notice The members paused the system, or ended a pause.
    event PausedSet(bool paused);
    /// @notice A call was proposed; its proposer's vote is cast with it.
    event CallProposed(
        uint256 indexed proposalId, address indexed proposer, address indexed target, bytes data, uint32 deadline
    );
    /// @notice A member voted for a proposal.
    event VoteCast(uint256 indexed proposalId, address indexed member);
    /// @notice The consortium will make the proposed call, in one of the blocks from `readyBlock` to `deadline`.
    event ProposalQueued(uint256 indexed proposalId, address indexed member, uint32 readyBlock, uint32 deadline);
    /// @notice The consortium made the proposed call.
    event ProposalExecuted(uint256 indexed proposalId, address indexed executor);

    error NotMember(address account);
    error AlreadyMember(address account);
    /// @notice No role at all, or a bit that no role has.
    error InvalidRoles(address account, uint8 roles);
    /// @notice The consortium has as many members as it can hold.
    error TooManyMembers(uint256 limit);
    /// @notice The change would leave fewer validators than `required`.
    error TooFewValidators(uint256 remaining, uint256 required);
    /// @notice Lists that belong together differ in length.
    error LengthMismatch(uint256 first, uint256 second);
    /// @notice The account is an auditor only, or no member.
    error NoVote(address account);
    /// @notice Only the consortium, executing a proposal, may call this.
    error NotTheVote(address caller);
    error NotDeployer(address caller, address deployer);
    error AlreadySealed();
    error NotSealed();
    /// @notice A power was to go to an account without code.
    error NotAContract(address account);
    /// @notice The power over powers is the vote's, and stays there.
    error AdminIsTheVote();
    /// @notice A parameter is outside its bounds.
    error OutOfRange(bytes32 parameter, uint256 got, uint256 lowest, uint256 highest);
    error NotASystemContract(address target);
    error UnknownProposal(uint256 proposalId);
    error ProposalExpired(uint256 proposalId, uint32 deadline);
    error AlreadyExecuted(uint256 proposalId);
    error NotQueued(uint256 proposalId);
    error AlreadyQueued(uint256 proposalId);
    /// @notice A pause is executed as soon as it has its votes.
    error NeedsNoQueue(uint256 proposalId);
    /// @notice The call waits, for everybody to see it coming.
    error StillDelayed(uint256 proposalId, uint32 readyBlock, uint256 blockNumber);
    error AlreadyVoted(uint256 proposalId, address member);
    /// @notice Not more than half of the current voting members want the call.
    error NoMajority(uint256 proposalId, uint256 votes, uint256 voters);
    /// @notice Less than two thirds of the current voting members want the pause, or its end.
    error NoTwoThirds(uint256 proposalId, uint256 votes, uint256 voters);

    /// @notice Wires the system: grants `powers`. Once, by the deployer; no vote can be held before.
    function seal(Power[] calldata powers) external;

    /// @notice By vote: admits a member with `roles`.
    function admit(address account, uint8 roles) external;

    /// @notice By vote: removes a member. At least MIN_VALIDATORS validators must remain.
    function remove(address account) external;

    /// @notice By vote: replaces a member's roles. At least MIN_VALIDATORS validators must remain.
    function changeRoles(address account, uint8 roles) external;

    /// @notice By vote: the blocks that coming proposals stay open for.
    function setVotingPeriod(uint32 blocks_) external;

    /// @notice By vote: the blocks that calls queued from now on wait for.
    function setDelay(uint32 blocks_) external;

    /// @notice By vote of two thirds, without a wait: pauses the system or ends a pause. While it is paused no round is opened, no
    /// model voted for, no stake withdrawn and no reward claimed; an open round goes on to its deadlines, and votes are held.
    function setPaused(bool paused) external;

    /// @notice Proposes that the consortium call `target` with `data`, and votes for it. Voting members only.
    function propose(address target, bytes calldata data) external returns (uint256 proposalId);

    /// @notice Votes for a proposal; who is against stays silent. A vote is void once its member's record changes (removal or
    /// other roles), and can then be cast anew by who may vote, until the proposal's deadline.
    function vote(uint256 proposalId) external;

    /// @notice Fixes when the proposed call can be made, if more than half of the current voting members want it: from the block
    /// that is `delay()` away, for a voting period; later changes of either leave it alone. Voting members only.
    function queue(uint256 proposalId) external;

    /// @notice Makes the proposed call if it was queued, its delay is over and more than half of the current voting members want
    /// it still; a pause if two thirds want it, at once. Reverts as the call does; the proposal then stays open until
    /// its deadline. Voting members only.
    function execute(uint256 proposalId) external;

    /// @notice Addresses of all members, in no particular order.
    function members() external view returns (address[] memory);

    /// @notice The record of an account, zeros if it is no member.
    function recordOf(address account) external view returns (Member memory);

    /// @notice The records of several accounts, in their order, zeros for those that are no members.
    function recordsOf(address[] calldata accounts) external view returns (Member[] memory);

    /// @notice Members that hold `role` in a record no newer than `version_`, in the order of `members()`.
    function holding(uint8 role, uint32 version_) external view returns (address[] memory);

    /// @notice The roles of an account, zero if it is no member.
    function rolesOf(address account) external view returns (uint8);

    /// @notice Whether the account may hold and move tokens: a member, or a contract of the system.
    function isParticipant(address account) external view returns (bool);

    /// @notice Counts the changes of membership; a record with a version above a noted one changed since.
    function version() external view returns (uint32);

    /// @notice How many members vote.
    function voters() external view returns (uint16);

    /// @notice How many members hold the validator's role.
    function validators() external view returns (uint16);

    /// @notice How many members hold the aggregator's role.
    function aggregators() external view returns (uint16);

    /// @notice Whether `seal` was called.
    function isSealed() external view returns (bool);

    /// @notice Blocks that a new proposal stays open for.
    function votingPeriod() external view returns (uint32);

    /// @notice Blocks between the queueing of a call and the first block in which it can be made.
    function delay() external view returns (uint32);

    /// @notice Whether the members paused the system.
    function isPaused() external view returns (bool);

    /// @notice A proposal by its number; reverts with UnknownProposal.
    function proposal(uint256 proposalId) external view returns (Proposal memory);

    /// @notice Number of proposals; the next one's number.
    function proposals() external view returns (uint256);

    /// @notice Votes for a proposal that count at this moment.
    function votesFor(uint256 proposalId) external view returns (uint256);
}
