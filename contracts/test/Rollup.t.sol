// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entries} from "../src/Entries.sol";
import {Rollup} from "../src/Rollup.sol";
import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {IDataVerifier} from "../src/interfaces/IDataVerifier.sol";
import {AccountState, IRollup, RollupParameters} from "../src/interfaces/IRollup.sol";
import {IRollupQueue} from "../src/interfaces/IRollupQueue.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {BabyBear} from "../src/stark/BabyBear.sol";
import {RollupDeployment, origin} from "./RollupDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Batches: what the contract takes from the queue and from the lists, what it keeps, what it refuses.
contract RollupTest is RollupDeployment {
    address internal sequencer;
    bytes internal enrolment;

    function setUp() public override {
        super.setUp();
        sequencer = seated();
        for (uint256 i = 0; i < 3; ++i) {
            open(hospitals[i]);
            enrolment = bytes.concat(enrolment, entry(REKEY, 0, i, KEY));
        }
    }

    function submitAs(address caller, bytes memory batch, bytes32 newRoot) external {
        submit(caller, batch, newRoot);
    }

    function expectRefusal(bytes memory batch, bytes memory reason) internal {
        vm.expectRevert(reason);
        this.submitAs(sequencer, batch, rootOf(9));
    }

    function test_submit_aBatch_takesTheQueueAndKeepsClosingValues() public {
        deposit(hospitals[0], 0, 5000);
        rollup.push(bytes.concat(entry(EVIDENCE, 0, 1, two(1024, 3)), entry(DEPOSIT, 0, 2, amountOf(70))));
        bytes memory batch = bytes.concat(
            enrolment,
            entry(DEPOSIT, 0, 0, amountOf(5000)),
            entry(EVIDENCE, 0, 1, two(1024, 3)),
            entry(DEPOSIT, 0, 2, amountOf(70))
        );
        batch = bytes.concat(
            batch,
            entry(CLOSE, 0, 0, closing(5000, 0, 1, 0, 0)),
            entry(CLOSE, 1, 0, closing(0, 0, 1, 1024, 3)),
            entry(CLOSE, 2, 0, closing(70, 0, 1, 0, 0))
        );
        bytes32 genesis = rollup.root();
        vm.expectEmit(address(rollup));
        emit IRollup.BatchSettled(1, genesis, rootOf(1), 9, keccak256(batch));
        submit(sequencer, batch, rootOf(1));
        vm.assertEq(rollup.root(), rootOf(1));
        vm.assertEq(rollup.taken(), rollup.queued());
        vm.assertEq(rollup.inside(), 5070);
        AccountState memory state = rollup.accountOf(hospitals[1]);
        vm.assertEq(state.positive, 1024);
        vm.assertEq(state.negative, 3);
        vm.assertEq(state.nonce, 1);
        vm.assertEq(rollup.accounts(0).balance, 5000);

        batch = bytes.concat(
            entry(TRANSFER, 0, 1, amountOf(1000)),
            entry(LOCK, 0, 0, amountOf(500)),
            entry(RECORD, 0, 0, 99),
            entry(WITHDRAW, 0, 0, amountOf(250)),
            entry(ACCESS, 0, 0, 98)
        );
        batch = bytes.concat(
            batch,
            entry(ROTATE, 0, 0, KEY),
            entry(CLOSE, 0, 0, closing(3250, 500, 2, 0, 0)),
            entry(CLOSE, 1, 0, closing(1000, 0, 1, 1024, 3))
        );
        submit(sequencer, batch, rootOf(2));
        vm.assertEq(rollup.inside(), 4820);
        state = rollup.accounts(0);
        vm.assertEq(state.balance, 3250);
        vm.assertEq(state.stake, 500);
        vm.assertEq(state.nonce, 2);
        vm.assertEq(state.owed, 250);
        vm.assertEq(state.claimBlock, vm.getBlockNumber() + EXIT_DELAY);
        address[] memory who = new address[](2);
        (who[0], who[1]) = (hospitals[0], outsider);
        uint256[] memory slots = rollup.slotsOf(who);
        vm.assertEq(uint160(slots[0]), closing(3250, 500, 2, 0, 0));
        vm.assertEq(slots[1], 0);
    }

    /// @dev A forced exit takes what the account had, and what arrives in the same batch stays.
    function test_submit_exit_releasesBalanceAndStake() public {
        deposit(hospitals[0], 0, 700);
        submit(sequencer, bytes.concat(enrolment, entry(DEPOSIT, 0, 0, amountOf(700))), rootOf(1));
        vm.prank(hospitals[0]);
        rollup.exitAccount();
        deposit(hospitals[1], 0, 5);
        bytes memory batch = bytes.concat(
            entry(EXIT, 0, 0, two(600, 100)),
            entry(DEPOSIT, 0, 0, amountOf(5)),
            entry(CLOSE, 0, 0, closing(5, 0, 1, 0, 0))
        );
        submit(sequencer, batch, rootOf(2));
        vm.assertEq(rollup.accounts(0).owed, 700);
        vm.assertEq(rollup.inside(), 5);
    }

    function test_submit_claims_afterTheDelayOnly() public {
        deposit(hospitals[0], 0, 700);
        submit(sequencer, bytes.concat(enrolment, entry(DEPOSIT, 0, 0, amountOf(700))), rootOf(1));
        vm.expectRevert(abi.encodeWithSelector(IRollup.NothingClaimable.selector, hospitals[0]));
        claim(hospitals[0]);
        submit(sequencer, entry(WITHDRAW, 0, 0, amountOf(300)), rootOf(2));
        skip(EXIT_DELAY - 1);
        uint256 at = vm.getBlockNumber() + 1;
        vm.expectRevert(abi.encodeWithSelector(IRollup.StillWaiting.selector, hospitals[0], at, at - 1));
        claim(hospitals[0]);
        submit(sequencer, entry(WITHDRAW, 0, 0, amountOf(50)), rootOf(3));
        skip(EXIT_DELAY);
        vm.expectEmit(address(rollup));
        emit IRollup.UnitsClaimed(hospitals[0], 350);
        claim(hospitals[0]);
        vm.assertEq(coin.balanceOf(hospitals[0]), WEALTH - 350 * UNIT);
        vm.assertEq(rollup.accounts(0).owed, 0);
        vm.assertEq(coin.balanceOf(address(rollup)), 350 * UNIT + BOND);
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.NoAccount.selector, auditor));
        claim(auditor);
    }

    function claim(address owner) internal {
        vm.prank(owner);
        rollup.claim();
    }

    // ------------------------------------------------------------------ refusals

    function test_submit_itemsOutOfOrderOrChanged_reverts() public {
        rollup.push(bytes.concat(entry(EVIDENCE, 0, 0, two(1, 0)), entry(EVIDENCE, 0, 1, two(2, 0))));
        bytes memory other = bytes.concat(entry(REKEY, 0, 1, KEY), entry(REKEY, 0, 0, KEY));
        expectRefusal(other, abi.encodeWithSelector(IRollup.NotNextInQueue.selector, 0, 1));
        other = bytes.concat(entry(REKEY, 0, 0, KEY), entry(REKEY, 0, 1, KEY ^ 1));
        expectRefusal(other, abi.encodeWithSelector(IRollup.NotNextInQueue.selector, 1, 2));
        other = bytes.concat(enrolment, entry(EVIDENCE, 0, 0, two(1, 0)));
        expectRefusal(other, abi.encodeWithSelector(IRollup.NotNextInQueue.selector, 3, 4));
        other = bytes.concat(enrolment, entry(EVIDENCE, 0, 0, two(1, 0)), entry(EVIDENCE, 0, 1, two(3, 0)));
        expectRefusal(other, abi.encodeWithSelector(IRollup.NotNextInQueue.selector, 3, 4));
        other = bytes.concat(enrolment, entry(EVIDENCE, 0, 0, two(1, 0)), entry(EVIDENCE, 0, 1, two(2, 0)));
        expectRefusal(
            bytes.concat(other, entry(DEPOSIT, 0, 0, amountOf(9))),
            abi.encodeWithSelector(IRollup.NotNextInQueue.selector, 5, 5)
        );
        submit(sequencer, other, rootOf(1));
    }

    /// @dev An EXIT is matched without its amounts only where an EXIT was queued, and for the same account.
    function test_submit_exitThatWasNotQueued_reverts() public {
        submit(sequencer, enrolment, rootOf(1));
        vm.prank(hospitals[1]);
        rollup.exitAccount();
        bytes memory reason = abi.encodeWithSelector(IRollup.NotNextInQueue.selector, 0, 4);
        expectRefusal(entry(EXIT, 0, 0, two(1, 1)), reason);
        expectRefusal(entry(EXIT, 1, 1, two(1, 1)), reason);
        expectRefusal(entry(DEPOSIT, 0, 1, 0), reason);
        expectRefusal(
            entry(EXIT, 0, 1, two(uint32(BabyBear.P), 0)),
            abi.encodeWithSelector(IRollupQueue.MalformedEntry.selector, 0)
        );
        vm.expectPartialRevert(bytes4(keccak256("Panic(uint256)"))); // more than is inside: no proof says so
        this.submitAs(sequencer, entry(EXIT, 0, 1, two(1, 1)), rootOf(2));
        submit(sequencer, entry(EXIT, 0, 1, 0), rootOf(2));
    }

    function test_submit_queueKindsBehindLists_revert() public {
        submit(sequencer, enrolment, rootOf(1));
        deposit(hospitals[0], 0, 5);
        bytes memory taking = entry(DEPOSIT, 0, 0, amountOf(5));
        bytes memory quiet = entry(ACCESS, 0, 0, 1);
        bytes memory closed = entry(CLOSE, 0, 0, 0);
        bytes memory reason = abi.encodeWithSelector(IRollupQueue.MalformedEntry.selector, 1);
        expectRefusal(bytes.concat(quiet, taking), reason);
        expectRefusal(bytes.concat(closed, taking), reason);
        expectRefusal(bytes.concat(closed, quiet), reason);
        expectRefusal(bytes.concat(closed, entry(WITHDRAW, 0, 0, amountOf(1))), reason);
        expectRefusal(bytes.concat(quiet, entry(13, 0, 0, 0)), reason);
        expectRefusal(bytes.concat(quiet, entry(0, 0, 0, 0)), reason);
        expectRefusal(
            bytes.concat(taking, closed, entry(CLOSE, 3, 0, 0)),
            abi.encodeWithSelector(IRollupQueue.UnknownAccount.selector, 3)
        );
        submit(sequencer, bytes.concat(taking, quiet, closed), rootOf(2));
    }

    function test_submit_wrongLength_reverts() public {
        expectRefusal("", abi.encodeWithSelector(IRollupQueue.WrongLength.selector, 0, type(uint32).max));
        expectRefusal(
            bytes.concat(enrolment, hex"00"),
            abi.encodeWithSelector(IRollupQueue.WrongLength.selector, 73, type(uint32).max)
        );
    }

    /// @dev Proofs of another batch, root, place or data: what the verifier is asked is what the contract knows.
    function test_submit_proofOfSomethingElse_reverts() public {
        bytes32 genesis = rollup.root();
        bytes[4] memory proofs = [
            proofFor(enrolment, genesis, rootOf(1), 2),
            proofFor(enrolment, rootOf(5), rootOf(1), 1),
            proofFor(enrolment, genesis, rootOf(2), 1),
            proofFor(bytes.concat(enrolment, enrolment), genesis, rootOf(1), 1)
        ];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(IStarkVerifier.OodMismatch.selector);
            origin.prank(sequencer, sequencer);
            rollup.submit(enrolment, rootOf(1), proofs[i]);
        }
        bytes memory right = proofFor(enrolment, genesis, rootOf(1), 1);
        origin.prank(sequencer, sequencer);
        rollup.submit(enrolment, rootOf(1), right);
        vm.expectRevert(IStarkVerifier.OodMismatch.selector);
        origin.prank(sequencer, sequencer);
        rollup.submit(enrolment, rootOf(1), right);
    }

    /// @dev The data must be found in the transaction's calldata: neither a contract in between nor code of the sender's own.
    function test_submit_throughAContract_reverts() public {
        bytes memory proof = proofOf(enrolment, rootOf(1));
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotDirect.selector, sequencer));
        origin.prank(sequencer, outsider);
        rollup.submit(enrolment, rootOf(1), proof);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotDirect.selector, address(this)));
        origin.prank(address(this), address(this));
        rollup.submit(enrolment, rootOf(1), proof);
    }

    function test_constructor_parametersOutOfRange_revert() public {
        expectRange(RollupParameters(0, 40, 7, 32, 1024, 5, 1), "turn", 0, 1, 1_000_000);
        expectRange(RollupParameters(10, 19, 7, 32, 1024, 5, 1), "force", 19, 20, 1_000_000);
        expectRange(RollupParameters(10, 1_000_001, 7, 32, 1024, 5, 1), "force", 1_000_001, 20, 1_000_000);
        expectRange(RollupParameters(10, 40, 0, 32, 1024, 5, 1), "delay", 0, 1, 1_000_000);
        expectRange(RollupParameters(10, 40, 7, 0, 1024, 5, 1), "run", 0, 1, 1024);
        expectRange(RollupParameters(10, 40, 7, 1025, 1024, 5, 1), "run", 1025, 1, 1024);
        expectRange(RollupParameters(10, 40, 7, 32, 0, 5, 1), "accounts", 0, 1, 1024);
        expectRange(RollupParameters(10, 40, 7, 32, 1025, 5, 1), "accounts", 1025, 1, 1024);
        expectRange(RollupParameters(10, 40, 7, 32, 1024, 5, 6), "fee", 6, 0, 5);
        RollupParameters memory got = rollup.parameters();
        vm.assertEq(keccak256(abi.encode(got)), keccak256(abi.encode(rules())));
    }

    function expectRange(RollupParameters memory wrong, bytes32 name, uint256 got, uint256 low, uint256 high) internal {
        IDataVerifier verifier = rollup.verifier();
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, name, got, low, high));
        new Rollup(consortium, coin, verifier, address(rewards), wrong);
    }

    // ------------------------------------------------------------------ the walk

    function skipped(bytes calldata batch, uint256 offset) external pure returns (uint256 entry_, uint256 place) {
        return Entries.skipQuiet(batch, offset);
    }

    /// @dev Where it stops, and that it knows what is there.
    function expectSkipped(bytes memory batch, uint256 offset) internal view {
        (uint256 entry_, uint256 place) = this.skipped(batch, offset);
        (uint256 expected, uint256 at) = skippedPlainly(batch, offset);
        vm.assertEq(place, at);
        vm.assertEq(entry_, expected);
    }

    /// @dev The same, an element at a time.
    function skippedPlainly(bytes memory batch, uint256 offset) internal pure returns (uint256 entry_, uint256) {
        for (; offset < batch.length; offset += 24) {
            uint256[6] memory elements;
            for (uint256 i = 0; i < 24; ++i) {
                elements[i / 4] = elements[i / 4] * 256 + uint8(batch[offset + i]);
            }
            bool quiet = elements[0] % 16 > 0 && elements[0] % 16 < 8 && elements[0] % 16 != 6;
            bool canonical = elements[0] < 2 ** 24;
            for (uint256 i = 1; i < 6; ++i) {
                canonical = canonical && elements[i] < BabyBear.P;
            }
            if (quiet && canonical) continue;
            for (uint256 i = 0; i < 6 && canonical; ++i) {
                entry_ = (entry_ << 32) | elements[i];
            }
            return (entry_, offset);
        }
        return (0, offset);
    }

    /// @dev One element of one entry is anything, all others are in order: found at that entry or, if it is in order too, nowhere.
    function testFuzz_skipQuiet_oneOddElement_asPlainly(uint8 count, uint16 where, uint32 odd, uint8 start)
        public
        view
    {
        uint256 length = 1 + count % 23;
        bytes memory batch = "";
        for (uint256 i = 0; i < length; ++i) {
            uint8 kind = [TRANSFER, LOCK, UNLOCK, RECORD, ACCESS, ROTATE][i % 6];
            batch = bytes.concat(batch, entry(kind, 1023 - i, i, uint160(0x7800000078000000780000007800000078000000)));
        }
        uint256 offset = 24 * (start % (length + 1));
        expectSkipped(batch, offset);
        uint256 place = 4 * (where % (6 * length));
        if (where & 0x8000 != 0) odd = odd % 4 + uint32(BabyBear.P) - 2;
        else if (where & 0x4000 != 0) odd = (odd % 32) + (2 ** 24 - 16);
        for (uint256 i = 0; i < 4; ++i) {
            batch[place + i] = bytes4(odd)[i];
        }
        expectSkipped(batch, offset);
    }

    function testFuzz_skipQuiet_anyKinds_asPlainly(uint256 kinds, uint8 count, uint8 start) public view {
        uint256 length = 1 + count % 32;
        bytes memory batch = "";
        for (uint256 i = 0; i < length; ++i) {
            batch = bytes.concat(batch, entry(uint8(kinds >> (8 * i)) % (i % 3 == 0 ? 16 : 6), i, i, uint160(i)));
        }
        uint256 offset = 24 * (start % (length + 1));
        expectSkipped(batch, offset);
    }
}
