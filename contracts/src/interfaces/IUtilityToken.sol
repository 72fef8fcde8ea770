// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title The consortium's token: a fixed supply, moved by members and contracts of the system only.
/// @notice Sender, receiver and caller of a transfer, and owner and spender of an allowance, must be participants
/// (`IConsortium.isParticipant`). A removed member's tokens stay where they are until it is admitted again. A `permit` may be
/// handed in by anybody: the member's signature is what counts.
interface IUtilityToken is IERC20, IERC20Permit {
    /// @notice Neither a member nor a contract of the system.
    error NotParticipant(address account);
    /// @notice The supply must fit the 96 bits in which stakes are kept.
    error SupplyTooLarge(uint256 supply, uint256 limit);
}
