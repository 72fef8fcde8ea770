// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Members} from "./Members.sol";
import {IConsortium, Power, Proposal, SYSTEM_ROLE} from "./interfaces/IConsortium.sol";

/// @notice See IConsortium.
contract Consortium is Members, AccessControl {
    /// @dev Long enough to be seen, short enough that a proposal is not executed when it is forgotten.
    uint32 public constant MIN_VOTING_PERIOD = 2;
    uint32 public constant MAX_VOTING_PERIOD = 1_000_000;
    /// @dev With none, a call could be made in the block that it is first wanted in.
    uint32 public constant MIN_DELAY = 1;
    uint32 public constant MAX_DELAY = 1_000_000;

    /// @notice Who deployed this contract, and seals it.
    address public immutable deployer;

    /// @inheritdoc IConsortium
    bool public override isSealed;
    /// @inheritdoc IConsortium
    uint32 public override votingPeriod;
    /// @inheritdoc IConsortium
    uint32 public override delay;
    /// @inheritdoc IConsortium
    bool public override isPaused;

    Proposal[] private _proposals;
    /// @dev Version of the voter's record when it voted: a later change of the record voids the vote.
    mapping(uint256 proposalId => mapping(address account => uint32 version)) private _stamps;

    modifier onlyVote() {
        if (msg.sender != address(this)) revert NotTheVote(msg.sender);
        _;
    }

    /// @param accounts Genesis members; at most 279 fit one transaction (EIP-7825), further ones are admitted by vote.
    /// @param roles Their roles, in the same order.
    /// @param votingPeriod_ Blocks that a proposal stays open for.
    /// @param delay_ Blocks that its call waits for.
    constructor(address[] memory accounts, uint8[] memory roles, uint32 votingPeriod_, uint32 delay_)
        Members(accounts, roles)
    {
        deployer = msg.sender;
        _setVotingPeriod(votingPeriod_);
        _setDelay(delay_);
        super._grantRole(DEFAULT_ADMIN_ROLE, address(this));
    }

    /// @inheritdoc IConsortium
    function seal(Power[] calldata powers) external override {
        if (msg.sender != deployer) revert NotDeployer(msg.sender, deployer);
        if (isSealed) revert AlreadySealed();
        isSealed = true;
        for (uint256 i = 0; i < powers.length; ++i) {
            _grantRole(powers[i].role, powers[i].holder);
        }
        emit ConsortiumSealed(deployer);
    }

    /// @inheritdoc IConsortium
    function admit(address account, uint8 roles) external override onlyVote {
        _admit(account, roles);
    }

    /// @inheritdoc IConsortium
    function remove(address account) external override onlyVote {
        _remove(account);
    }

    /// @inheritdoc IConsortium
    function changeRoles(address account, uint8 roles) external override onlyVote {
        _changeRoles(account, roles);
    }

    /// @inheritdoc IConsortium
    function setVotingPeriod(uint32 blocks_) external override onlyVote {
        _setVotingPeriod(blocks_);
    }

    /// @inheritdoc IConsortium
    function setDelay(uint32 blocks_) external override onlyVote {
        _setDelay(blocks_);
    }

    /// @inheritdoc IConsortium
    function setPaused(bool paused) external override onlyVote {
        isPaused = paused;
        emit PausedSet(paused);
    }

    /// @inheritdoc IConsortium
    function propose(address target, bytes calldata data) external override returns (uint256 proposalId) {
        uint32 stamp = _requireVoter(msg.sender);
        if (!isSealed) revert NotSealed();
        _requireTarget(target);
        uint32 deadline = SafeCast.toUint32(block.number + votingPeriod);
        proposalId = _proposals.length;
        _proposals.push(Proposal(target, deadline, 0, false, data));
        _stamps[proposalId][msg.sender] = stamp;
        emit CallProposed(proposalId, msg.sender, target, data, deadline);
        emit VoteCast(proposalId, msg.sender);
    }

    /// @inheritdoc IConsortium
    function vote(uint256 proposalId) external override {
        uint32 stamp = _requireVoter(msg.sender);
        _requireOpen(proposalId);
        if (_stamps[proposalId][msg.sender] == stamp) revert AlreadyVoted(proposalId, msg.sender);
        _stamps[proposalId][msg.sender] = stamp;
        emit VoteCast(proposalId, msg.sender);
    }

    /// @inheritdoc IConsortium
    function queue(uint256 proposalId) external override {
        _requireVoter(msg.sender);
        Proposal storage chosen = _requireOpen(proposalId);
        if (_setsPause(chosen.target, chosen.data)) revert NeedsNoQueue(proposalId);
        if (chosen.readyBlock != 0) revert AlreadyQueued(proposalId);
        _requireMajority(proposalId);
        chosen.readyBlock = SafeCast.toUint32(block.number + delay);
        chosen.deadline = SafeCast.toUint32(block.number + delay + votingPeriod);
        emit ProposalQueued(proposalId, msg.sender, chosen.readyBlock, chosen.deadline);
    }

    /// @inheritdoc IConsortium
    function execute(uint256 proposalId) external override {
        // Checks
        _requireVoter(msg.sender);
        Proposal storage chosen = _requireOpen(proposalId);
        _requireTarget(chosen.target); // it may have lost its place in the system meanwhile
        bytes memory data = chosen.data;
        if (_setsPause(chosen.target, data)) _requireTwoThirds(proposalId);
        else _requireDue(proposalId, chosen.readyBlock);
        // Effects
        chosen.executed = true;
        emit ProposalExecuted(proposalId, msg.sender);
        // Interactions
        // what the call returns is for nobody: the vote was for its effect
        // slither-disable-next-line unused-return
        Address.functionCall(chosen.target, data);
    }

    /// @inheritdoc IConsortium
    function isParticipant(address account) external view override returns (bool) {
        return rolesOf(account) != 0 || hasRole(SYSTEM_ROLE, account);
    }

    /// @inheritdoc IConsortium
    function proposal(uint256 proposalId) external view override returns (Proposal memory) {
        if (proposalId >= _proposals.length) revert UnknownProposal(proposalId);
        return _proposals[proposalId];
    }

    /// @inheritdoc IConsortium
    function proposals() external view override returns (uint256) {
        return _proposals.length;
    }

    /// @inheritdoc IConsortium
    function votesFor(uint256 proposalId) public view override returns (uint256) {
        return _countStamped(_stamps[proposalId]);
    }

    /// @dev Powers go to contracts; the power over powers is this contract's alone and cannot be passed on.
    function _grantRole(bytes32 role, address account) internal override returns (bool) {
        if (role == DEFAULT_ADMIN_ROLE) revert AdminIsTheVote();
        if (account.code.length == 0) revert NotAContract(account);
        return super._grantRole(role, account);
    }

    function _revokeRole(bytes32 role, address account) internal override returns (bool) {
        if (role == DEFAULT_ADMIN_ROLE) revert AdminIsTheVote();
        return super._revokeRole(role, account);
    }

    function _setVotingPeriod(uint32 blocks_) private {
        if (blocks_ < MIN_VOTING_PERIOD || blocks_ > MAX_VOTING_PERIOD) {
            revert OutOfRange("votingPeriod", blocks_, MIN_VOTING_PERIOD, MAX_VOTING_PERIOD);
        }
        votingPeriod = blocks_;
        emit VotingPeriodSet(blocks_);
    }

    function _setDelay(uint32 blocks_) private {
        if (blocks_ < MIN_DELAY || blocks_ > MAX_DELAY) revert OutOfRange("delay", blocks_, MIN_DELAY, MAX_DELAY);
        delay = blocks_;
        emit DelaySet(blocks_);
    }

    /// @dev It waits no longer, and is still wanted.
    function _requireDue(uint256 proposalId, uint32 readyBlock) private view {
        if (readyBlock == 0) revert NotQueued(proposalId);
        if (block.number < readyBlock) revert StillDelayed(proposalId, readyBlock, block.number);
        _requireMajority(proposalId);
    }

    function _requireMajority(uint256 proposalId) private view {
        uint256 votes = votesFor(proposalId);
        if (votes * 2 <= voters) revert NoMajority(proposalId, votes, voters);
    }

    function _requireTwoThirds(uint256 proposalId) private view {
        uint256 votes = votesFor(proposalId);
        if (votes * 3 < uint256(voters) * 2) revert NoTwoThirds(proposalId, votes, voters);
    }

    /// @dev Whether the call can reach `setPaused` and nothing else: what it says after the selector is the callee's affair.
    function _setsPause(address target, bytes memory data) private view returns (bool) {
        // casting is safe: what is shorter than a selector is padded, and reaches no function
        // forge-lint: disable-next-line(unsafe-typecast)
        return target == address(this) && bytes4(data) == IConsortium.setPaused.selector;
    }

    function _requireTarget(address target) private view {
        if (target != address(this) && !hasRole(SYSTEM_ROLE, target)) revert NotASystemContract(target);
    }

    function _requireOpen(uint256 proposalId) private view returns (Proposal storage chosen) {
        if (proposalId >= _proposals.length) revert UnknownProposal(proposalId);
        chosen = _proposals[proposalId];
        if (chosen.executed) revert AlreadyExecuted(proposalId);
        if (block.number > chosen.deadline) revert ProposalExpired(proposalId, chosen.deadline);
    }
}
