// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

import {IConsortium} from "./interfaces/IConsortium.sol";
import {IUtilityToken} from "./interfaces/IUtilityToken.sol";

/// @notice See IUtilityToken.
contract UtilityToken is IUtilityToken, ERC20Permit {
    /// @notice Decides who may hold and move tokens.
    IConsortium public immutable consortium;

    /// @param holders Members that the whole supply goes to.
    /// @param amounts Their parts, in the smallest unit, in the same order.
    constructor(IConsortium consortium_, address[] memory holders, uint256[] memory amounts)
        ERC20("bfl_ref utility token", "BFL")
        ERC20Permit("bfl_ref utility token")
    {
        if (holders.length != amounts.length) revert IConsortium.LengthMismatch(holders.length, amounts.length);
        consortium = consortium_;
        for (uint256 i = 0; i < holders.length; ++i) {
            _requireParticipant(holders[i]);
            _mint(holders[i], amounts[i]);
        }
        if (totalSupply() > type(uint96).max) revert SupplyTooLarge(totalSupply(), type(uint96).max);
    }

    /// @inheritdoc IERC20Permit
    function nonces(address owner) public view override(ERC20Permit, IERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }

    /// @dev Minting (from zero) happens in the constructor alone; there is no burning.
    function _update(address from, address to, uint256 value) internal override {
        if (from != address(0)) {
            _requireParticipant(msg.sender);
            _requireParticipant(from);
            _requireParticipant(to);
        }
        super._update(from, to, value);
    }

    function _approve(address owner, address spender, uint256 value, bool emitEvent) internal override {
        _requireParticipant(owner);
        _requireParticipant(spender);
        super._approve(owner, spender, value, emitEvent);
    }

    function _requireParticipant(address account) private view {
        if (!consortium.isParticipant(account)) revert NotParticipant(account);
    }
}
