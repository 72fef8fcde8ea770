// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Phase} from "../src/interfaces/IPhases.sol";
import {Stake} from "../src/interfaces/IStakeVault.sol";
import {SharedDeployment} from "./SharedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Plays shared rounds from phase Share on in any order of calls, honest and not; what comes before is played honestly. Votes,
/// scores, rewards and members that leave: GovernanceHandler.
contract SharedHandler is SharedDeployment {
    /// @notice What went wrong; empty while the contracts keep their word.
    string public broken;
    /// @notice How often each kind of event came about.
    uint256 public finalised;
    uint256 public aborted;
    uint256 public shown;
    uint256 public leftOut;
    uint256 public decoded;
    uint256 public slashed;

    /// @dev Shares of a hospital that were shown in a round.
    mapping(uint256 roundId => mapping(address hospital => uint256)) internal shares;

    function setUp() public virtual override {
        if (address(consortium) == address(0)) super.setUp();
    }

    // ------------------------------------------------------------------ actions

    function passBlocks(uint8 blocks_) external {
        skip(blocks_ % 3);
    }

    /// @dev A new round if there is none, up to phase Share.
    function open() public virtual {
        if (isOpen()) return;
        for (uint256 i = 0; i < 7; ++i) {
            if (vault.stakeOf(cast[i]).active < 110) try this.stakeAs(cast[i], 20) {} catch {}
        }
        openRound();
        this.play(Phase.Share);
    }

    function complainAs(uint256 seat, uint256 which) external {
        uint256 roundId = manager.currentRound();
        address hospital = hospitals[which % 4];
        bool before = isLeftOut(roundId, hospital);
        try this.complainFrom(roundId, seat % 5, hospital) {
            note(manager.phaseOf(roundId) == Phase.Share, "a complaint out of time");
            if (isLeftOut(roundId, hospital)) ++leftOut;
            note(!before, "a complaint about one left out");
        } catch {}
    }

    function showAs(uint256 seat, uint256 which) external {
        uint256 roundId = manager.currentRound();
        address hospital = hospitals[which % 4];
        bool before = isLeftOut(roundId, hospital);
        try this.showFrom(roundId, hospital, seat % 5) {
            ++shown;
            note(!before, "one left out showed a share");
            note(++shares[roundId][hospital] < 3, "three shares of a hospital were shown");
        } catch {}
    }

    function confirmAs(uint256 seat) external {
        try this.confirmFrom(manager.currentRound(), seat % 5) {} catch {}
    }

    /// @param how One in eight lies.
    function submitAs(uint256 seat, uint8 how) public {
        uint256 roundId = manager.currentRound();
        try this.submitFrom(roundId, seat % 5, how % 8 == 0) {
            note(how % 8 != 0, "a wrong sum was taken");
            note(committee.survivorsOf(roundId).length >= 3, "a sum over fewer than three");
        } catch {}
    }

    /// @dev By any three seats, whether they submitted or not.
    function decodeAs(uint256 skipped, uint256 other) public {
        uint256 roundId = manager.currentRound();
        uint256[] memory seats = new uint256[](3);
        uint256 present = 0;
        uint256 found = 0;
        for (uint256 a = 0; a < 5; ++a) {
            if (committee.sumHashOf(roundId, 0, a) != 0) ++present;
            if (a != skipped % 5 && a != other % 5 && found < 3) seats[found++] = a;
        }
        try this.decodeFrom(roundId, seats) {
            ++decoded;
            note(present >= 3, "decoded from fewer than the threshold");
            for (uint256 k = 0; k < 3; ++k) {
                note(committee.sumHashOf(roundId, 0, seats[k]) != 0, "decoded from a sum that was not proven");
            }
        } catch {}
    }

    function candidateAs(uint256 seat) public {
        uint256 roundId = manager.currentRound();
        try this.candidateFrom(roundId, dealers[seat % 5]) {
            note(committee.isDecoded(roundId, 0), "a candidate without a sum");
        } catch {}
    }

    /// @dev All do their part of Share and Aggregate, but for who lies.
    function workAll(uint8 liar) external {
        if (manager.phaseOf(manager.currentRound()) == Phase.Share) {
            for (uint256 a = 0; a < 5; ++a) {
                this.confirmAs(a);
                for (uint256 i = 0; i < 4; ++i) {
                    this.showAs(a, i);
                }
            }
        }
        if (manager.phaseOf(manager.currentRound()) != Phase.Aggregate) return;
        for (uint256 a = 0; a < 5; ++a) {
            submitAs(a, a == liar % 20 ? 0 : 1);
        }
        for (uint256 skipped = 0; skipped < 5; ++skipped) {
            decodeAs(skipped, skipped + 1);
        }
        for (uint256 a = 0; a < 5; ++a) {
            candidateAs(a);
        }
    }

    function advanceAs() external virtual {
        uint256 roundId = manager.currentRound();
        Phase from = manager.phaseOf(roundId);
        if (from < Phase.Share || from >= Phase.Finalised) return;
        uint256[7] memory held;
        for (uint256 i = 0; i < 7; ++i) {
            held[i] = stakes(cast[i]);
        }
        bool over = vm.getBlockNumber() > manager.deadlineOf(roundId);
        vm.prank(operators[0]);
        try manager.advance(roundId) {
            if (manager.phaseOf(roundId) == Phase.Aborted) ++aborted;
            settle(roundId, from, held);
            if (manager.phaseOf(roundId) != Phase.Finalise) return;
            this.play(Phase.Finalised);
            ++finalised;
        } catch {
            note(!over, "stalled after its deadline");
        }
    }

    /// @dev Leaving Aggregate costs who proved no sum exactly that; leaving another phase costs nobody.
    function settle(uint256 roundId, Phase from, uint256[7] memory held) internal {
        for (uint256 i = 0; i < 7; ++i) {
            uint256 due = 0;
            if (from == Phase.Aggregate && i != 2 && i != 3) {
                uint256 a = i < 2 ? i : i - 2;
                if (committee.sumHashOf(roundId, 0, a) == 0) due = SUM_PENALTY;
            }
            uint256 loss = held[i] - stakes(cast[i]);
            note(loss == due || (loss < due && stakes(cast[i]) == 0), "slashed otherwise than for its fault");
            slashed += loss;
        }
    }

    // ------------------------------------------------------------------ calls that may fail

    function play(Phase until) external {
        uint256 roundId = manager.currentRound();
        while (manager.phaseOf(roundId) < until) {
            work(roundId);
            advance(roundId);
        }
    }

    function stakeAs(address member, uint96 amount) external {
        stake(member, amount);
    }

    function complainFrom(uint256 roundId, uint256 seat, address hospital) external {
        complain(roundId, seat, hospital);
    }

    function showFrom(uint256 roundId, address hospital, uint256 seat) external {
        show(roundId, hospital, seat);
    }

    function confirmFrom(uint256 roundId, uint256 seat) external {
        confirm(roundId, seat);
    }

    function submitFrom(uint256 roundId, uint256 seat, bool lies) external {
        if (lies) submitLie(roundId, 0, seat);
        else submitSum(roundId, 0, seat);
    }

    function decodeFrom(uint256 roundId, uint256[] memory seats) external {
        decode(roundId, 0, seats, sumsOf(roundId, 0, seats));
    }

    function candidateFrom(uint256 roundId, address aggregator) external {
        submit(roundId, aggregator, "model");
    }

    // ------------------------------------------------------------------ reads

    function balances() external view returns (uint256 all, uint256 staked, uint256 inVault, uint256 treasury) {
        all = token.balanceOf(address(vault));
        for (uint256 i = 0; i < cast.length; ++i) {
            staked += stakes(cast[i]);
            all += token.balanceOf(cast[i]);
        }
        return (all, staked, token.balanceOf(address(vault)), vault.treasury());
    }

    function stakes(address member) internal view returns (uint256) {
        Stake memory own = vault.stakeOf(member);
        return uint256(own.active) + own.unlocking;
    }

    function isOpen() public view returns (bool) {
        Phase phase = manager.phaseOf(manager.currentRound());
        return phase != Phase.Idle && phase < Phase.Finalised;
    }

    function isLeftOut(uint256 roundId, address hospital) internal view returns (bool) {
        (uint16 complaints,) = committee.complaintsOf(roundId, hospital);
        uint256 count = 0;
        for (uint256 a = 0; a < 5; ++a) {
            count += (complaints >> a) & 1;
        }
        return count >= 3;
    }

    function note(bool kept, string memory what) internal {
        if (!kept) broken = what;
    }
}
