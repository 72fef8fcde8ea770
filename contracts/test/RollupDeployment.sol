// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {Rollup} from "../src/Rollup.sol";
import {UtilityToken} from "../src/UtilityToken.sol";
import {SYSTEM_ROLE} from "../src/interfaces/IConsortium.sol";
import {RollupParameters} from "../src/interfaces/IRollup.sol";
import {PUSHER_ROLE} from "../src/interfaces/IRollupQueue.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {Deployment} from "./Deployment.sol";
import {StubDataVerifier} from "./StubDataVerifier.sol";
import {vm} from "./Vm.sol";

/// @notice Cheat code that sets who signed the transaction as well.
interface Origin {
    function prank(address caller, address origin) external;
}

Origin constant origin = Origin(address(vm));

/// @notice The rollup of the default cast, with a verifier that takes any statement for a proof made here. The test contract itself
/// plays the contract that pushes evidence and rewards.
abstract contract RollupDeployment is Deployment {
    uint256 internal constant UNIT = 10 ** 15;
    uint256 internal constant WEALTH = 10 ** 9 * UNIT;
    uint32 internal constant TURN = 10;
    uint32 internal constant FORCE = 40;
    uint32 internal constant EXIT_DELAY = 7;
    uint96 internal constant BOND = 5 * 10 ** 18;
    uint96 internal constant FEE = 10 ** 18;
    uint160 internal constant KEY = uint160(0x0000000100000002000000030000000400000005);

    uint8 internal constant TRANSFER = 1;
    uint8 internal constant LOCK = 2;
    uint8 internal constant UNLOCK = 3;
    uint8 internal constant RECORD = 4;
    uint8 internal constant ACCESS = 5;
    uint8 internal constant WITHDRAW = 6;
    uint8 internal constant ROTATE = 7;
    uint8 internal constant DEPOSIT = 8;
    uint8 internal constant EVIDENCE = 9;
    uint8 internal constant REKEY = 10;
    uint8 internal constant EXIT = 11;
    uint8 internal constant CLOSE = 12;

    Rollup internal rollup;
    /// @dev The token of the rollup, with enough for many units.
    UtilityToken internal coin;

    function setUp() public virtual override {
        super.setUp();
        uint256[] memory amounts = new uint256[](9);
        address[] memory holders = new address[](9);
        for (uint256 i = 0; i < 8; ++i) {
            (holders[i], amounts[i]) = (cast[i], WEALTH);
        }
        govern(address(consortium), abi.encodeCall(IAccessControl.grantRole, (SYSTEM_ROLE, address(this))));
        (holders[8], amounts[8]) = (address(this), WEALTH);
        coin = new UtilityToken(consortium, holders, amounts);
        rollup = new Rollup(consortium, coin, new StubDataVerifier(), address(rewards), rules());
        govern(address(consortium), abi.encodeCall(IAccessControl.grantRole, (SYSTEM_ROLE, address(rollup))));
        govern(address(consortium), abi.encodeCall(IAccessControl.grantRole, (PUSHER_ROLE, address(this))));
        coin.approve(address(rollup), type(uint256).max);
        for (uint256 i = 0; i < 8; ++i) {
            vm.prank(cast[i]);
            coin.approve(address(rollup), type(uint256).max);
        }
    }

    function rules() internal virtual returns (RollupParameters memory) {
        return RollupParameters(TURN, FORCE, EXIT_DELAY, 32, 1024, BOND, FEE);
    }

    // ------------------------------------------------------------------ entries

    /// @param payload Five elements, the first one highest.
    function entry(uint8 kind, uint256 from, uint256 to, uint160 payload) internal pure returns (bytes memory) {
        return abi.encodePacked(uint32(kind + 16 * from + 16_384 * to), payload);
    }

    function amountOf(uint32 amount) internal pure returns (uint160) {
        return two(amount, 0);
    }

    function two(uint32 first, uint32 second) internal pure returns (uint160) {
        return (uint160(first) << 128) | (uint160(second) << 96);
    }

    function closing(uint32 balance, uint32 staked, uint32 nonce, uint32 positive, uint32 negative)
        internal
        pure
        returns (uint160)
    {
        return two(balance, staked) | (uint160(nonce) << 64) | (uint160(positive) << 32) | negative;
    }

    // ------------------------------------------------------------------ calls

    function open(address member) internal returns (uint256 index) {
        vm.prank(member);
        return rollup.open(KEY);
    }

    function deposit(address member, uint256 index, uint32 amount) internal {
        vm.prank(member);
        rollup.deposit(index, amount);
    }

    function register(address member) internal {
        vm.prank(member);
        rollup.register();
    }

    /// @dev The proof that the stand-in takes for the next batch.
    function proofOf(bytes memory batch, bytes32 newRoot) internal view returns (bytes memory) {
        return proofFor(batch, rollup.root(), newRoot, rollup.batches() + 1);
    }

    function proofFor(bytes memory batch, bytes32 oldRoot, bytes32 newRoot, uint256 number)
        internal
        view
        returns (bytes memory)
    {
        IStarkVerifier.Domain memory where = IStarkVerifier.Domain(block.chainid, address(rollup), number, address(0));
        uint256[] memory inputs = new uint256[](20);
        bytes16 words =
            bytes16(keccak256(bytes.concat("bfl_ref/rollup/1", abi.encode(block.chainid), bytes20(address(rollup)))));
        for (uint256 i = 0; i < 8; ++i) {
            inputs[i] = uint32(bytes4(oldRoot << (32 * i)));
            inputs[8 + i] = uint32(bytes4(newRoot << (32 * i)));
            if (i < 4) inputs[16 + i] = uint32(bytes4(words << (32 * i))) & 0x3fffffff;
        }
        return abi.encode(keccak256(abi.encode(where, inputs, keccak256(batch))));
    }

    function submit(address sequencer, bytes memory batch, bytes32 newRoot) internal {
        bytes memory proof = proofOf(batch, newRoot);
        origin.prank(sequencer, sequencer);
        rollup.submit(batch, newRoot, proof);
    }

    /// @dev Some root that is none other's.
    function rootOf(uint256 seed) internal pure returns (bytes32) {
        uint256 mask = 0x3fffffff3fffffff3fffffff3fffffff3fffffff3fffffff3fffffff3fffffff;
        return bytes32(uint256(keccak256(abi.encode("root", seed))) & mask);
    }

    /// @dev A seat for the first operator that counts already.
    function seated() internal returns (address sequencer) {
        sequencer = operators[0];
        register(sequencer);
        skip(TURN);
    }
}
