// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

import {UtilityToken} from "../src/UtilityToken.sol";
import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {IUtilityToken} from "../src/interfaces/IUtilityToken.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

contract UtilityTokenTest is Deployment {
    bytes32 internal constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    function expectNotParticipant(address account) internal {
        vm.expectRevert(abi.encodeWithSelector(IUtilityToken.NotParticipant.selector, account));
    }

    function permit(uint256 key, address spender, uint256 value) internal {
        address owner = vm.addr(key);
        bytes32 structHash =
            keccak256(abi.encode(PERMIT_TYPEHASH, owner, spender, value, token.nonces(owner), type(uint256).max));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        token.permit(owner, spender, value, type(uint256).max, v, r, s);
    }

    function test_supply_atGenesis_isWithTheMembers() public view {
        vm.assertEq(token.totalSupply(), SUPPLY);
        vm.assertEq(token.balanceOf(hospitals[0]), SUPPLY / 8);
    }

    function test_genesis_holderOutside_reverts() public {
        address[] memory holders = new address[](1);
        holders[0] = outsider;
        expectNotParticipant(outsider);
        new UtilityToken(consortium, holders, new uint256[](1));
    }

    function test_genesis_listsDiffer_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.LengthMismatch.selector, 8, 1));
        new UtilityToken(consortium, cast, new uint256[](1));
    }

    function test_genesis_supplyAbove96Bits_reverts() public {
        uint256[] memory amounts = new uint256[](8);
        amounts[7] = 2 ** 96;
        vm.expectRevert(abi.encodeWithSelector(IUtilityToken.SupplyTooLarge.selector, 2 ** 96, type(uint96).max));
        new UtilityToken(consortium, cast, amounts);
    }

    function test_transfer_betweenMembers_moves() public {
        vm.prank(hospitals[0]);
        token.transfer(operators[0], 10);
        vm.assertEq(token.balanceOf(operators[0]), SUPPLY / 8 + 10);
    }

    function test_transfer_toOutsider_reverts() public {
        expectNotParticipant(outsider);
        vm.prank(hospitals[0]);
        token.transfer(outsider, 1);
    }

    function test_transfer_byOutsider_reverts() public {
        expectNotParticipant(outsider);
        vm.prank(outsider);
        token.transfer(hospitals[0], 0);
    }

    function test_transfer_byRemovedMember_reverts() public {
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (hospitals[3])));
        expectNotParticipant(hospitals[3]);
        vm.prank(hospitals[3]);
        token.transfer(hospitals[0], 1);
    }

    function test_transferFrom_bySpenderRemoved_reverts() public {
        vm.prank(hospitals[0]);
        token.approve(hospitals[3], 5);
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (hospitals[3])));
        expectNotParticipant(hospitals[3]);
        vm.prank(hospitals[3]);
        token.transferFrom(hospitals[0], hospitals[1], 5);
        // an endless allowance is not written down by the transfer: it is refused all the same
        vm.prank(hospitals[0]);
        token.approve(operators[2], type(uint256).max);
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (operators[2])));
        expectNotParticipant(operators[2]);
        vm.prank(operators[2]);
        token.transferFrom(hospitals[0], hospitals[1], 5);
    }

    function test_approve_outsiderOnEitherSide_reverts() public {
        expectNotParticipant(outsider);
        vm.prank(hospitals[0]);
        token.approve(outsider, 1);
        expectNotParticipant(outsider);
        vm.prank(outsider);
        token.approve(hospitals[0], 1);
    }

    function test_permit_signedByMember_setsAllowance() public {
        permit(1, address(vault), 7);
        vm.assertEq(token.allowance(hospitals[0], address(vault)), 7);
        vm.assertEq(token.nonces(hospitals[0]), 1);
    }

    function test_permit_signedByOutsider_reverts() public {
        address stranger = vm.addr(99);
        bytes32 structHash = keccak256(abi.encode(PERMIT_TYPEHASH, stranger, hospitals[0], 1, 0, type(uint256).max));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(99, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
        expectNotParticipant(stranger);
        token.permit(stranger, hospitals[0], 1, type(uint256).max, v, r, s);
    }

    function test_permit_wrongSigner_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(2, bytes32(uint256(1)));
        vm.expectPartialRevert(ERC20Permit.ERC2612InvalidSigner.selector);
        token.permit(hospitals[0], hospitals[1], 1, type(uint256).max, v, r, s);
    }
}
