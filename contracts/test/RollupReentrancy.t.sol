// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {Rollup} from "../src/Rollup.sol";
import {HOSPITAL, IConsortium} from "../src/interfaces/IConsortium.sol";
import {RollupParameters} from "../src/interfaces/IRollup.sol";
import {StubDataVerifier} from "./StubDataVerifier.sol";
import {RollupBook} from "./RollupBook.sol";
import {RollupDeployment} from "./RollupDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice A token that is a member itself, and while it is moved calls back whatever it was told to.
contract EagerToken is ERC20("eager", "EAGER") {
    Rollup internal rollup;
    bytes[] internal calls;
    /// @notice Calls back that succeeded.
    uint256 public succeeded;

    constructor(address other) {
        _mint(address(this), 10 ** 30);
        _mint(other, 10 ** 30);
    }

    function meet(Rollup rollup_) external {
        rollup = rollup_;
        _approve(address(this), address(rollup_), type(uint256).max);
    }

    function plan(bytes[] calldata calls_) external {
        delete calls;
        for (uint256 i = 0; i < calls_.length; ++i) {
            calls.push(calls_[i]);
        }
    }

    /// @notice Calls the rollup as its member.
    function act(bytes calldata call) external {
        (bool done,) = address(rollup).call(call);
        require(done, "refused");
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (address(rollup) == address(0) || value == 0) return;
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done,) = address(rollup).call(calls[i]);
            if (done) ++succeeded;
        }
    }
}

/// @notice Whoever is paid calls back before the payment is over, and gets nothing more.
contract RollupReentrancyTest is RollupDeployment, RollupBook {
    EagerToken internal eager;

    function setUp() public override {
        super.setUp();
        eager = new EagerToken(operators[0]);
        govern(address(consortium), abi.encodeCall(IConsortium.admit, (address(eager), HOSPITAL)));
        rollup = new Rollup(consortium, eager, new StubDataVerifier(), address(rewards), rules());
        eager.meet(rollup);
        eager.act(abi.encodeCall(rollup.open, (KEY)));
        eager.act(abi.encodeCall(rollup.register, ()));
        vm.prank(operators[0]);
        eager.approve(address(rollup), BOND);
        register(operators[0]);
        skip(2 * TURN);
    }

    function rules() internal pure override returns (RollupParameters memory) {
        return RollupParameters(TURN, FORCE, 1, 32, 1024, BOND, FEE);
    }

    /// @dev Everything that could pay the token out, or bring it in once more.
    function allCalls() internal view returns (bytes[] memory calls) {
        calls = new bytes[](8);
        calls[0] = abi.encodeCall(rollup.claim, ());
        calls[1] = abi.encodeCall(rollup.refund, (2));
        calls[2] = abi.encodeCall(rollup.payBond, (address(eager)));
        calls[3] = abi.encodeCall(rollup.deposit, (0, 5));
        calls[4] = abi.encodeCall(rollup.register, ());
        calls[5] = abi.encodeCall(rollup.freeze, ());
        calls[6] = abi.encodeCall(rollup.escape, (0, book[0], siblingsOf(0)));
        calls[7] = abi.encodeCall(rollup.open, (KEY));
    }

    function test_deposit_calledBack_isOne() public {
        eager.plan(allCalls());
        eager.act(abi.encodeCall(rollup.deposit, (0, 700)));
        vm.assertEq(eager.succeeded(), 0);
        vm.assertEq(rollup.inside(), 700);
        vm.assertEq(eager.balanceOf(address(rollup)), 700 * UNIT + 2 * BOND);
    }

    function test_claim_calledBack_paysOnce() public {
        eager.act(abi.encodeCall(rollup.deposit, (0, 700)));
        while (rollup.inTurn(rollup.turnOf(vm.getBlockNumber())) != operators[0]) skip(1);
        bytes memory batch = bytes.concat(entry(REKEY, 0, 0, KEY), entry(DEPOSIT, 0, 0, amountOf(700)));
        submit(operators[0], bytes.concat(batch, entry(CLOSE, 0, 0, closing(700, 0, 1, 0, 0))), rootOf(1));
        submit(operators[0], entry(WITHDRAW, 0, 0, amountOf(300)), rootOf(2));
        skip(1);
        uint256 before = eager.balanceOf(address(eager));
        bytes[] memory calls = allCalls();
        calls[3] = ""; // a deposit would go through: it is paid for
        eager.plan(calls);
        eager.act(abi.encodeCall(rollup.claim, ()));
        vm.assertEq(eager.balanceOf(address(eager)), before + 300 * UNIT);
        vm.assertEq(eager.succeeded(), 0);
    }

    function test_refundAndBonds_calledBack_payOnce() public {
        eager.act(abi.encodeCall(rollup.deposit, (0, 700)));
        skip(2 * FORCE);
        rollup.freeze();
        uint256 before = eager.balanceOf(address(eager));
        bytes[] memory calls = allCalls();
        (calls[2], calls[6]) = ("", ""); // the bond may go at any time: below; the account is empty, and may be left with nothing
        eager.plan(calls);
        rollup.refund(2);
        vm.assertEq(eager.balanceOf(address(eager)), before + 700 * UNIT);
        vm.assertEq(eager.succeeded(), 0);
        eager.plan(allCalls());
        for (uint256 i = 0; i < 4; ++i) {
            address to = [operators[0], address(eager), address(rewards), address(this)][i];
            try rollup.payBond(to) {} catch {}
        }
        vm.assertEq(eager.balanceOf(address(rollup)), 0);
        vm.assertEq(eager.totalSupply(), 2 * 10 ** 30);
    }
}
