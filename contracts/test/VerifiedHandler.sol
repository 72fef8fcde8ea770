// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Audit} from "../src/interfaces/IAudits.sol";
import {SecretState, Stage} from "../src/interfaces/IBeacon.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {Stake} from "../src/interfaces/IStakeVault.sol";
import {VerifiedDeployment} from "./VerifiedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Plays verified rounds in any order of calls, honest and not, and explains every loss of stake by what its owner did.
contract VerifiedHandler is VerifiedDeployment {
    /// @notice What went wrong; empty while the contracts keep their word.
    string public broken;
    /// @notice How often each kind of event came about.
    uint256 public finalised;
    uint256 public excluded;
    uint256 public rebuilt;
    uint256 public lost;
    /// @notice All that audits and beacon took, and what of it was paid to closers.
    uint256 public slashed;
    uint256 public paid;

    /// @dev Who may lose how much in the call that is made.
    mapping(address account => uint256) internal fault;
    mapping(address account => uint256) internal held;

    function setUp() public override {
        if (address(consortium) == address(0)) super.setUp();
    }

    // ------------------------------------------------------------------ actions

    function passBlocks(uint8 blocks_) external {
        skip(blocks_ % 5);
    }

    function topUp(uint256 who) external {
        try this.stakeAs(pick(who), 30) {} catch {}
    }

    function open() external {
        if (manager.phaseOf(manager.currentRound()) != Phase.Idle) {
            if (manager.phaseOf(manager.currentRound()) < Phase.Finalised) return;
        }
        openRound();
    }

    /// @param how Even: honestly.
    function dealAs(uint256 who, uint8 how) external {
        address dealer = dealers[who % 5];
        try this.dealFrom(manager.currentRound(), dealer, how % 2) {} catch {}
    }

    function revealAs(uint256 who, uint8 which) external {
        uint256 roundId = manager.currentRound();
        uint8 value = which % 2;
        Phase phase = manager.phaseOf(roundId);
        try this.revealFrom(roundId, value, dealers[who % 5]) {
            note(value == 0 || phase == Phase.Draw, "a second secret was shown too early");
        } catch {}
    }

    function postAs(uint256 who, uint8 which, uint8 mask, uint8 how) external {
        uint256 roundId = manager.currentRound();
        address dealer = dealers[who % 5];
        bool keptBack = beacon.dealingOf(roundId, which % 2, dealer).state == SecretState.Dealt;
        for (uint256 i = 0; i < 5; ++i) {
            if ((mask >> i) & 1 == 0) continue;
            before();
            fault[dealer] = keptBack ? BEACON_PENALTY : 0;
            try this.postFrom(roundId, which % 2, dealer, i, how % 2) {
                if (beacon.dealingOf(roundId, which % 2, dealer).state == SecretState.Rebuilt) ++rebuilt;
            } catch {}
            settle(address(0));
        }
    }

    function commitAs(uint256 who) external {
        uint256 roundId = manager.currentRound();
        Phase phase = manager.phaseOf(roundId);
        try this.commitFrom(roundId, pick(who)) {
            note(phase == Phase.Commit, "committed out of time");
        } catch {}
    }

    function proveAs(uint256 auditId) external {
        uint256 roundId = manager.currentRound();
        uint256 count = audits.auditsOf(roundId);
        if (count == 0) return;
        try this.proveFrom(roundId, auditId % count) {} catch {}
    }

    /// @dev The phase's work by all but one, who may be nobody; late: only when its time is over.
    function workAll(uint8 silent, bool late) public {
        uint256 roundId = manager.currentRound();
        if (late) skipBeyond(manager.deadlineOf(roundId));
        address quiet = silent % 12 < 7 ? cast[silent % 12] : address(0);
        for (uint256 i = 0; i < 7; ++i) {
            if (cast[i] != quiet) try this.dealFrom(roundId, cast[i], 0) {} catch {}
        }
        if (manager.phaseOf(roundId) == Phase.Select && !late) skip(4);
        for (uint256 i = 0; i < 7; ++i) {
            if (cast[i] == quiet) continue;
            try this.revealFrom(roundId, 0, cast[i]) {} catch {}
            try this.revealFrom(roundId, 1, cast[i]) {} catch {}
            try this.commitFrom(roundId, cast[i]) {} catch {}
            try this.submitFrom(roundId, cast[i]) {} catch {}
            try this.voteFrom(roundId, cast[i]) {} catch {}
        }
        for (uint256 i = 0; i < audits.auditsOf(roundId); ++i) {
            if (audits.auditOf(roundId, i).hospital != quiet) try this.proveFrom(roundId, i) {} catch {}
        }
    }

    function playOn(uint8 silent, uint8 phases) external {
        for (uint256 i = 0; i <= phases % 9; ++i) {
            workAll(silent, false);
            skipBeyond(manager.deadlineOf(manager.currentRound()));
            this.advanceAs(uint256(silent) + 1);
        }
    }

    function advanceAs(uint256 who) external {
        uint256 roundId = manager.currentRound();
        Phase from = manager.phaseOf(roundId);
        address closer = cast[who % 7];
        before();
        blame(roundId, from);
        uint8 committed = manager.roundOf(roundId).committed;
        bool over = vm.getBlockNumber() > manager.deadlineOf(roundId);
        vm.prank(closer);
        try manager.advance(roundId) {
            Phase to = manager.phaseOf(roundId);
            note(uint8(to) == uint8(from) + 1 || to == Phase.Aborted, "a phase was skipped");
            note(from < Phase.Draw || manager.roundOf(roundId).committed == committed, "committed after the draw");
            if (to == Phase.Finalised) ++finalised;
            if (from == Phase.Prove) excluded += manager.roundOf(roundId).excluded;
        } catch {
            note(from == Phase.Idle || from >= Phase.Finalised || !over, "stalled after its deadline");
        }
        settle(closer);
    }

    // ------------------------------------------------------------------ books

    function before() internal {
        for (uint256 i = 0; i < 7; ++i) {
            Stake memory own = vault.stakeOf(cast[i]);
            held[cast[i]] = own.active + own.unlocking;
            fault[cast[i]] = 0;
        }
    }

    /// @dev What leaving a phase may cost: unproven audits, and secrets that were neither revealed nor rebuilt.
    function blame(uint256 roundId, Phase from) internal {
        for (uint256 i = 0; i < audits.auditsOf(roundId) && from == Phase.Prove; ++i) {
            Audit memory audit = audits.auditOf(roundId, i);
            if (!audit.passed) fault[audit.hospital] = PENALTY;
        }
        if (from != Phase.Select && from != Phase.Draw) return;
        for (uint256 i = 0; i < 5; ++i) {
            bool open_ = beacon.dealingOf(roundId, from == Phase.Draw ? 1 : 0, dealers[i]).state == SecretState.Dealt;
            if (open_) fault[dealers[i]] = BEACON_PENALTY;
        }
    }

    /// @dev Every loss is explained by a fault, and a closer is paid no more than was taken.
    function settle(address closer) internal {
        uint256 taken = 0;
        for (uint256 i = 0; i < 7; ++i) {
            Stake memory own = vault.stakeOf(cast[i]);
            uint256 loss = held[cast[i]] - own.active - own.unlocking;
            note(loss <= fault[cast[i]], "slashed without a fault");
            if (loss != 0 && fault[cast[i]] == BEACON_PENALTY) ++lost;
            taken += loss;
        }
        uint256 kept = vault.treasury() - (slashed - paid);
        slashed += taken;
        paid = slashed - vault.treasury();
        note(kept <= taken, "kept more than was taken");
        note(closer == address(0) || taken - kept <= 7 * uint256(FEE), "paid more than the fees");
        note(closer != address(0) || taken == kept, "paid outside a close");
    }

    // ------------------------------------------------------------------ calls that may fail

    function stakeAs(address member, uint96 amount) external {
        stake(member, amount);
    }

    function dealFrom(uint256 roundId, address dealer, uint256 offset) external {
        dealShifted(roundId, dealer, offset);
    }

    function revealFrom(uint256 roundId, uint8 which, address dealer) external {
        reveal(roundId, which, dealer);
    }

    function postFrom(uint256 roundId, uint8 which, address dealer, uint256 index, uint256 offset) external {
        post(roundId, which, dealer, index, offset);
    }

    function commitFrom(uint256 roundId, address hospital) external {
        commit(roundId, hospital);
    }

    function submitFrom(uint256 roundId, address aggregator) external {
        submit(roundId, aggregator, "model");
    }

    function voteFrom(uint256 roundId, address validator) external {
        voteFor(roundId, validator, "model");
    }

    function proveFrom(uint256 roundId, uint256 auditId) external {
        prove(roundId, auditId);
    }

    // ------------------------------------------------------------------ reads

    /// @notice Whether the second value stands before its time: closed, asked for, or any of its secrets known.
    function secondIsEarly() external view returns (bool) {
        uint256 roundId = manager.currentRound();
        if (manager.phaseOf(roundId) >= Phase.Draw) return false;
        bool shown = beacon.stageOf(roundId, 1) != Stage.None || audits.auditsOf(roundId) != 0;
        for (uint256 i = 0; i < 5; ++i) {
            shown = shown || beacon.dealingOf(roundId, 1, dealers[i]).state > SecretState.Dealt;
        }
        return shown;
    }

    function balances() external view returns (uint256 all, uint256 stakes, uint256 inVault, uint256 treasury) {
        all = token.balanceOf(address(vault));
        for (uint256 i = 0; i < cast.length; ++i) {
            Stake memory own = vault.stakeOf(cast[i]);
            stakes += own.active + own.unlocking;
            all += token.balanceOf(cast[i]);
        }
        return (all, stakes, token.balanceOf(address(vault)), vault.treasury());
    }

    function pick(uint256 seed) internal view returns (address) {
        return cast[seed % 7];
    }

    function note(bool kept, string memory what) internal {
        if (!kept) broken = what;
    }
}
