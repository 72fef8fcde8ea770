// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Member} from "../src/interfaces/IConsortium.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {ValidatorParameters} from "../src/interfaces/IValidators.sol";
import {SharedHandler} from "./SharedHandler.sol";
import {vm} from "./Vm.sol";

/// @notice Plays whole shared rounds with validators that vote, score and lie as they like, members that leave, and claims at any time.
contract GovernanceHandler is SharedHandler {
    uint96 internal constant VOTE_PENALTY = 10;
    uint96 internal constant VOTE_FEE = 4;
    bytes32 internal constant SALT = keccak256("salt");

    /// @notice How often each kind of event came about.
    uint256 public settled;
    uint256 public scored;
    uint256 public claimed;
    uint256 public equivocated;
    uint256 public removed;
    /// @notice All that double votes cost, and what of it was paid to reporters.
    uint256 public forfeited;
    uint256 public fees;

    /// @dev Of a removed member; zero while it is one.
    mapping(address member => uint8) internal rolesBefore;
    mapping(uint256 roundId => mapping(address validator => int16[])) internal said;

    function setUp() public override {
        if (address(consortium) != address(0)) return;
        super.setUp();
        vm.prank(auditor);
        token.approve(address(rewards), 500);
        vm.prank(auditor);
        rewards.fund(500);
    }

    function judging() internal override returns (ValidatorParameters memory) {
        return ValidatorParameters(7, 1, VOTE_PENALTY, VOTE_FEE);
    }

    // ------------------------------------------------------------------ actions

    /// @dev Who left comes back before a round.
    function open() public override {
        if (isOpen()) return;
        for (uint256 i = 0; i < 7; ++i) {
            if (rolesBefore[cast[i]] == 0) continue;
            vm.prank(address(consortium));
            consortium.admit(cast[i], rolesBefore[cast[i]]);
            rolesBefore[cast[i]] = 0;
        }
        super.open();
    }

    function removeAs(uint256 who) external {
        address member = cast[who % 7];
        if (!isOpen() || member == operators[0] || member == operators[1]) return;
        uint8 roles = consortium.rolesOf(member);
        vm.prank(address(consortium));
        try consortium.remove(member) {
            rolesBefore[member] = roles;
            ++removed;
        } catch {}
    }

    /// @param how One in eight is for another model.
    function voteAs(uint256 who, uint8 how) public {
        address judge = cast[who % 7];
        uint256 roundId = manager.currentRound();
        Member memory record = consortium.recordOf(judge);
        bool may = validators.isSeated(roundId, judge) && record.version <= manager.roundOf(roundId).membersVersion;
        try this.voteFrom(roundId, judge, how % 8 == 0 ? "rival" : "model") {
            note(may && record.roles != 0, "a vote from outside the committee");
        } catch {}
    }

    function scoreAs(uint256 who, int16 score, bool wrongly) public {
        address judge = cast[who % 7];
        uint256 roundId = manager.currentRound();
        int16[] memory list = new int16[](wrongly ? 2 : 1);
        list[0] = int16(score % 10_001);
        bytes32 commitment = contributions.scoresCommitment(roundId, judge, list, SALT);
        vm.prank(judge);
        try contributions.commitScores(roundId, commitment) {
            note(manager.phaseOf(roundId) == Phase.Finalise, "scores out of time");
            said[roundId][judge] = list;
        } catch {}
    }

    function revealAs(uint256 who) public {
        address judge = cast[who % 7];
        uint256 roundId = manager.currentRound();
        vm.prank(judge);
        try contributions.revealScores(roundId, said[roundId][judge], SALT) {
            note(manager.phaseOf(roundId) == Phase.Settle, "scores out of time");
            note(said[roundId][judge].length == 1, "scores of no group");
        } catch {}
    }

    /// @param back How many rounds ago.
    function reportAs(uint256 who, uint256 reporter, uint8 back) external {
        uint256 roundId = manager.currentRound();
        if (roundId == 0) return;
        roundId -= back % roundId;
        address judge = cast[who % 7];
        uint256 before = stakes(judge);
        uint256 kept = vault.treasury();
        try this.reportFrom(roundId, judge, cast[reporter % 8]) {
            ++equivocated;
            uint256 loss = before - stakes(judge);
            note(loss == VOTE_PENALTY || (loss < VOTE_PENALTY && stakes(judge) == 0), "another penalty");
            note(loss - (vault.treasury() - kept) <= VOTE_FEE, "another fee");
            forfeited += loss;
            fees += loss - (vault.treasury() - kept);
        } catch {}
    }

    function claimAs(uint256 who) external {
        address member = cast[who % 8];
        uint256 due = rewards.owedTo(member);
        uint256 before = token.balanceOf(member);
        vm.prank(member);
        try rewards.claim() returns (uint256 amount) {
            ++claimed;
            note(amount == due && token.balanceOf(member) == before + due, "paid something else");
        } catch {
            note(due == 0 || consortium.rolesOf(member) == 0, "not paid");
        }
    }

    /// @dev Validators commit to scores and vote, or reveal; all but one, who may be nobody.
    function judgeAll(uint8 silent) external {
        for (uint256 i = 0; i < 7; ++i) {
            if (i == silent % 14) continue;
            scoreAs(i, int16(int256(100 * i)), false);
            voteAs(i, 1);
            revealAs(i);
        }
    }

    function advanceAs() external override {
        uint256 roundId = manager.currentRound();
        Phase from = manager.phaseOf(roundId);
        if (!isOpen()) return;
        uint256[7] memory held;
        uint256[2] memory owed = [rewards.owedTo(hospitals[2]), rewards.owedTo(hospitals[3])];
        for (uint256 i = 0; i < 7; ++i) {
            held[i] = stakes(cast[i]);
        }
        bool over = vm.getBlockNumber() > manager.deadlineOf(roundId);
        vm.prank(operators[0]);
        try manager.advance(roundId) {
            settle(roundId, from, held);
            if (isOpen()) return;
            if (manager.phaseOf(roundId) == Phase.Aborted) ++aborted;
            else ++finalised;
            ended(roundId, owed);
        } catch {
            note(!over, "stalled after its deadline");
        }
    }

    /// @dev What an end leaves: no stake frozen, evidence, and rewards for hospitals only that survived with a release.
    function ended(uint256 roundId, uint256[2] memory owed) internal {
        for (uint256 i = 0; i < 7; ++i) {
            note(vault.stakeOf(cast[i]).freezes == 0, "a stake stays frozen");
        }
        bool paid = manager.phaseOf(roundId) == Phase.Finalised;
        for (uint256 i = 2; i < 4; ++i) {
            bool survived = false;
            address[] memory survivors = committee.survivorsOf(roundId);
            for (uint256 k = 0; k < survivors.length; ++k) {
                if (survivors[k] == hospitals[i]) survived = committee.digestsOf(roundId, hospitals[i]).length != 0;
            }
            bool more = rewards.owedTo(hospitals[i]) > owed[i - 2];
            note(!more || (paid && survived), "a reward without an accepted release");
            bool selected = manager.participationOf(roundId, hospitals[i]).selected;
            note(!selected || reputation.standingOf(hospitals[i]).written == roundId, "no evidence");
        }
        (bool enough,) = contributions.mediansOf(roundId);
        if (enough && paid) ++scored;
        ++settled;
    }

    // ------------------------------------------------------------------ calls that may fail

    function voteFrom(uint256 roundId, address judge, string calldata name) external {
        voteFor(roundId, judge, name);
    }

    function reportFrom(uint256 roundId, address judge, address reporter) external {
        bytes memory one = signed(judge, roundId, content("model"));
        bytes memory two = signed(judge, roundId, content("rival"));
        vm.prank(reporter);
        validators.report(roundId, content("model"), one, content("rival"), two);
    }

    // ------------------------------------------------------------------ reads

    function books() external view returns (uint256 owed, uint256 sum, uint256 held, uint256 pot) {
        for (uint256 i = 0; i < cast.length; ++i) {
            sum += rewards.owedTo(cast[i]);
        }
        return (rewards.owed(), sum, token.balanceOf(address(rewards)), rewards.pot());
    }
}
