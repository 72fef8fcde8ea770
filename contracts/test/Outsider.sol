// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IAudits} from "../src/interfaces/IAudits.sol";
import {IBeacon} from "../src/interfaces/IBeacon.sol";
import {Content} from "../src/interfaces/Content.sol";
import {ICommittee, Release} from "../src/interfaces/ICommittee.sol";
import {IConsortium, Power, SYSTEM_ROLE} from "../src/interfaces/IConsortium.sol";
import {IContributions} from "../src/interfaces/IContributions.sol";
import {IDataRegistry} from "../src/interfaces/IDataRegistry.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {IReputation} from "../src/interfaces/IReputation.sol";
import {IRewards} from "../src/interfaces/IRewards.sol";
import {IRoundManager, Parts, RoundParameters} from "../src/interfaces/IRoundManager.sol";
import {IRollup} from "../src/interfaces/IRollup.sol";
import {ISelection} from "../src/interfaces/ISelection.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {IStakeVault, SLASHER_ROLE} from "../src/interfaces/IStakeVault.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {IValidators} from "../src/interfaces/IValidators.sol";
import {vm} from "./Vm.sol";

/// @notice Calls every function that changes state, from accounts that never were members. None may succeed.
contract Outsider {
    struct Call {
        address target;
        bytes data;
    }

    address internal immutable consortium;
    address internal immutable token;
    address internal immutable vault;
    address internal immutable registry;
    address internal immutable manager;
    address internal immutable data;
    address internal immutable beacon;
    address internal immutable audits;
    address internal immutable committee;
    /// @dev Accounts that are, were or may become members, and holders of powers.
    mapping(address account => bool) internal insiders;

    /// @notice Selector of a call that succeeded; zero while there is none.
    bytes4 public broken;

    constructor(
        address consortium_,
        address token_,
        address vault_,
        address registry_,
        address manager_,
        address[] memory insiders_
    ) {
        (consortium, token, vault, registry, manager) = (consortium_, token_, vault_, registry_, manager_);
        (audits, beacon) = (address(IRoundManager(manager).audits()), address(IRoundManager(manager).beacon()));
        committee = address(IRoundManager(manager).committee());
        data = address(IAudits(audits).data());
        for (uint256 i = 0; i < insiders_.length; ++i) {
            insiders[insiders_[i]] = true;
        }
    }

    /// @param who The outsider.
    /// @param id A round or proposal; even: the current round.
    function intrude(address who, uint96 amount, uint8 id, address victim) external {
        if (insiders[who] || IConsortium(consortium).isParticipant(who) || who == address(0) || who == consortium) {
            return;
        }
        Call[30] memory all = calls(who, amount, id, victim);
        for (uint256 i = 0; i < all.length; ++i) {
            attempt(who, all[i]);
        }
        Call[16] memory more = callsOfVerifiedRounds(amount, id, victim);
        for (uint256 i = 0; i < more.length; ++i) {
            attempt(who, more[i]);
        }
        Call[21] memory others = callsOfGovernance(amount, id, victim);
        for (uint256 i = 0; i < others.length; ++i) {
            attempt(who, others[i]);
        }
        Call[13] memory most = callsOfSharedRounds(id, victim);
        for (uint256 i = 0; i < most.length; ++i) {
            attempt(who, most[i]);
        }
    }

    function attempt(address who, Call memory one) internal {
        vm.prank(who);
        (bool done,) = one.target.call(one.data);
        // forge-lint: disable-next-line(unsafe-typecast)
        if (done) broken = bytes4(one.data);
    }

    function callsOfVerifiedRounds(uint96 amount, uint256 id, address victim)
        internal
        view
        returns (Call[16] memory all)
    {
        uint256 roundId = id % 2 == 0 ? IPhases(manager).currentRound() : id;
        Content memory file = Content(keccak256(abi.encode(id)), keccak256(abi.encode(id)), 0x55);
        bytes32[] memory list = new bytes32[](1);
        address[] memory list_ = new address[](1);
        all[0] = Call(data, abi.encodeCall(IDataRegistry.register, (list, 5, 0, file)));
        all[1] = Call(data, abi.encodeCall(IDataRegistry.shrink, (list, 1, file)));
        all[2] = Call(beacon, abi.encodeCall(IBeacon.publishKey, (bytes32(id + 1))));
        all[3] = Call(beacon, commitment(roundId));
        all[4] = Call(beacon, abi.encodeCall(IBeacon.reveal, (roundId, 0, amount)));
        all[5] = Call(beacon, abi.encodeCall(IBeacon.postShare, (roundId, 0, victim, list, 0, amount)));
        all[6] = Call(beacon, abi.encodeCall(IBeacon.start, (roundId, type(uint32).max, amount, list_)));
        all[7] = Call(beacon, abi.encodeCall(IBeacon.askSecond, (roundId, type(uint32).max)));
        all[8] = Call(beacon, abi.encodeCall(IBeacon.close, (roundId, 1)));
        all[9] = Call(audits, abi.encodeCall(IAudits.setTraining, (IAudits(audits).training())));
        all[10] = Call(audits, abi.encodeCall(IAudits.begin, (roundId)));
        all[11] = Call(audits, abi.encodeCall(IAudits.record, (roundId, victim, list)));
        all[12] = Call(audits, abi.encodeCall(IAudits.draw, (roundId, type(uint32).max)));
        all[13] = Call(audits, abi.encodeCall(IAudits.close, (roundId, victim)));
        all[14] = Call(vault, abi.encodeCall(IStakeVault.payFee, (victim, 0)));
        all[15] = Call(manager, abi.encodeCall(IRoundManager.commitStates, (roundId, file, list)));
    }

    function callsOfSharedRounds(uint256 id, address victim) internal view returns (Call[13] memory all) {
        uint256 roundId = id % 2 == 0 ? IPhases(manager).currentRound() : id;
        Content memory file = Content(keccak256(abi.encode(id)), keccak256(abi.encode(id)), 0x55);
        Release memory release = Release(new bytes32[](5), 0, "");
        address[] memory list = new address[](1);
        uint24[9] memory durations;
        IStarkVerifier[2] memory none;
        all[0] = Call(committee, abi.encodeCall(ICommittee.setSharing, (ICommittee(committee).sharing(), none, none)));
        all[1] = Call(committee, abi.encodeCall(ICommittee.complain, (roundId, victim)));
        all[2] = Call(committee, abi.encodeCall(ICommittee.show, (roundId, 0, new uint32[](40))));
        all[3] = Call(committee, abi.encodeCall(ICommittee.confirm, (roundId)));
        all[4] = Call(committee, abi.encodeCall(ICommittee.submitSum, (roundId, 0, new bytes(144), "")));
        all[5] = Call(committee, abi.encodeCall(ICommittee.decode, (roundId, 0, new uint256[](3), new bytes[](3))));
        all[6] = Call(committee, abi.encodeCall(ICommittee.seat, (roundId, durations)));
        all[7] = Call(committee, abi.encodeCall(ICommittee.weigh, (roundId, list)));
        all[8] = Call(committee, abi.encodeCall(ICommittee.record, (roundId, victim, 0, release)));
        all[9] = Call(committee, abi.encodeCall(ICommittee.askShares, (roundId, type(uint32).max)));
        all[10] = Call(committee, abi.encodeCall(ICommittee.fixSurvivors, (roundId, list, type(uint32).max)));
        all[11] = Call(committee, abi.encodeCall(ICommittee.close, (roundId)));
        all[12] = Call(manager, abi.encodeCall(IRoundManager.commitShared, (roundId, file, new bytes32[](1), release)));
    }

    function calls(address who, uint96 amount, uint256 id, address victim) internal view returns (Call[30] memory all) {
        uint256 roundId = id % 2 == 0 ? IPhases(manager).currentRound() : id;
        Content memory file = Content(keccak256(abi.encode(id)), keccak256(abi.encode(id)), 0x55);
        address[] memory list = new address[](1);
        list[0] = victim;
        uint24[9] memory durations;
        for (uint256 i = 0; i < 9; ++i) {
            durations[i] = 1;
        }
        all[0] = Call(consortium, abi.encodeCall(IConsortium.seal, (new Power[](0))));
        all[1] = Call(consortium, abi.encodeCall(IConsortium.admit, (who, 7)));
        all[2] = Call(consortium, abi.encodeCall(IConsortium.remove, (victim)));
        all[3] = Call(consortium, abi.encodeCall(IConsortium.changeRoles, (victim, 1)));
        all[4] = Call(consortium, abi.encodeCall(IConsortium.setVotingPeriod, (100)));
        all[5] = Call(consortium, abi.encodeCall(IConsortium.propose, (consortium, "")));
        all[6] = Call(consortium, abi.encodeCall(IConsortium.vote, (id)));
        all[7] = Call(consortium, abi.encodeCall(IConsortium.execute, (id)));
        all[8] = Call(consortium, abi.encodeCall(IAccessControl.grantRole, (SLASHER_ROLE, vault)));
        all[9] = Call(consortium, abi.encodeCall(IAccessControl.revokeRole, (SYSTEM_ROLE, vault)));
        all[10] = Call(token, abi.encodeCall(IERC20.transfer, (victim, 0)));
        all[11] = Call(token, abi.encodeCall(IERC20.transferFrom, (victim, who, amount)));
        all[12] = Call(token, abi.encodeCall(IERC20.approve, (victim, amount)));
        all[13] = Call(vault, abi.encodeCall(IStakeVault.lock, (amount)));
        all[14] = Call(vault, abi.encodeCall(IStakeVault.withdraw, ()));
        all[15] = Call(vault, abi.encodeCall(IStakeVault.slash, (victim, amount, "")));
        all[16] = Call(vault, abi.encodeCall(IStakeVault.freeze, (list)));
        all[17] = Call(vault, abi.encodeCall(IStakeVault.release, (list)));
        all[18] = Call(vault, abi.encodeCall(IStakeVault.spendTreasury, (victim, 0)));
        all[19] = Call(registry, abi.encodeCall(IModelRegistry.register, (uint64(type(uint64).max), file)));
        all[20] = Call(manager, abi.encodeCall(IRoundManager.open, (file, durations)));
        all[21] = Call(manager, abi.encodeCall(IRoundManager.commitUpdate, (roundId, file, 1)));
        all[22] = Call(manager, abi.encodeCall(IRoundManager.setParameters, (RoundParameters(0, 3, false, false))));
        all[24] = Call(manager, abi.encodeCall(IRoundManager.submitCandidate, (roundId, file)));
        all[25] = Call(manager, abi.encodeCall(IRoundManager.voteModel, (roundId, file, new bytes[](0))));
        all[26] = Call(vault, abi.encodeCall(IStakeVault.setUnlockDelay, (1)));
        all[23] = Call(manager, abi.encodeCall(IPhases.advance, (roundId)));
        all[27] = Call(consortium, abi.encodeCall(IConsortium.queue, (id)));
        all[28] = Call(consortium, abi.encodeCall(IConsortium.setDelay, (uint32(1 + id))));
        all[29] = Call(consortium, abi.encodeCall(IConsortium.setPaused, (id % 2 == 0)));
    }

    function callsOfGovernance(uint96 amount, uint256 id, address victim) internal view returns (Call[21] memory all) {
        uint256 roundId = id % 2 == 0 ? IPhases(manager).currentRound() : id;
        Content memory file = Content(keccak256(abi.encode(id)), keccak256(abi.encode(id)), 0x55);
        address[] memory list = new address[](1);
        list[0] = victim;
        Parts memory parts;
        (parts.selection, parts.validators) = (IRoundManager(manager).selection(), IRoundManager(manager).validators());
        (parts.contributions, parts.settlement) =
        (IRoundManager(manager).contributions(), IRoundManager(manager).settlement());
        address reputation = address(parts.settlement.reputation());
        address rewards = address(parts.settlement.rewards());
        all[0] = Call(reputation, abi.encodeCall(IReputation.record, (roundId, victim, amount, amount)));
        all[1] = Call(reputation, abi.encodeCall(IReputation.noteBucket, (victim, 9)));
        all[2] = Call(reputation, abi.encodeCall(IReputation.noteSelection, (roundId, list, list)));
        all[3] =
            Call(reputation, abi.encodeCall(IReputation.setReputation, (parts.settlement.reputation().reputation())));
        all[4] = Call(address(parts.selection), abi.encodeCall(ISelection.select, (roundId, uint32(id), amount, 0)));
        all[5] = Call(address(parts.selection), abi.encodeCall(ISelection.setTypical, (9)));
        all[6] = Call(address(parts.selection), abi.encodeCall(ISelection.setSelection, (parts.selection.selection())));
        all[7] = Call(address(parts.validators), abi.encodeCall(IValidators.seat, (roundId + 1)));
        all[8] = Call(address(parts.validators), abi.encodeCall(IValidators.reseed, (bytes32(id))));
        all[9] = Call(address(parts.validators), abi.encodeCall(IValidators.report, (roundId, file, "", file, "")));
        all[10] = Call(address(parts.validators), abi.encodeCall(IValidators.setOperator, (victim, victim)));
        all[11] =
            Call(address(parts.validators), abi.encodeCall(IValidators.setValidators, (parts.validators.validators())));
        all[12] = Call(address(parts.contributions), abi.encodeCall(IContributions.askScores, (roundId, uint32(id))));
        all[13] = Call(address(parts.contributions), abi.encodeCall(IContributions.askReveals, (roundId, uint32(id))));
        all[14] =
            Call(address(parts.contributions), abi.encodeCall(IContributions.commitScores, (roundId, bytes32(id))));
        all[15] = Call(
            address(parts.contributions), abi.encodeCall(IContributions.revealScores, (roundId, new int16[](1), 0))
        );
        all[16] = Call(rewards, abi.encodeCall(IRewards.fund, (0)));
        all[17] = Call(
            rewards, abi.encodeCall(IRewards.credit, (roundId, list, new uint256[](1), list, IRollup(address(0))))
        );
        all[18] = Call(rewards, abi.encodeCall(IRewards.claim, ()));
        all[19] = Call(rewards, abi.encodeCall(IRewards.setRewards, (parts.settlement.rewards().rewards())));
        all[20] = Call(address(parts.settlement), abi.encodeCall(ISettlement.settle, (roundId, Phase.Settle, true)));
    }

    function commitment(uint256 roundId) internal pure returns (bytes memory) {
        bytes32[2] memory commitments;
        bytes32[][2] memory hashes;
        return abi.encodeCall(IBeacon.commit, (roundId, commitments, hashes, ""));
    }
}
