// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Governed} from "./Governed.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IRewards, PAYER_ROLE, RewardParameters} from "./interfaces/IRewards.sol";

/// @notice See IRewards.
contract Rewards is IRewards, Governed {
    using SafeERC20 for IERC20;

    /// @inheritdoc IRewards
    IERC20 public immutable override token;
    /// @inheritdoc IRewards
    uint256 public override owed;
    /// @inheritdoc IRewards
    mapping(address member => uint256) public override owedTo;

    RewardParameters private _parameters;
    mapping(uint256 roundId => bool) private _credited;

    constructor(IConsortium consortium_, IERC20 token_, RewardParameters memory parameters) Governed(consortium_) {
        token = token_;
        _setRewards(parameters);
    }

    /// @inheritdoc IRewards
    function fund(uint256 amount) external override onlyMember {
        emit Funded(msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IRewards
    function credit(
        uint256 roundId,
        address[] calldata hospitals,
        uint256[] calldata contributions,
        address[] calldata services
    ) external override onlyPower(PAYER_ROLE) {
        // Checks
        if (hospitals.length != contributions.length) {
            revert IConsortium.LengthMismatch(hospitals.length, contributions.length);
        }
        if (_credited[roundId]) revert AlreadyCredited(roundId);
        // Effects
        _credited[roundId] = true;
        uint256 left = pot();
        uint256 share = Math.min(_parameters.hospitals, left);
        uint256 all = 0;
        for (uint256 i = 0; i < contributions.length; ++i) {
            all += contributions[i];
        }
        uint256 toHospitals = 0;
        for (uint256 i = 0; i < hospitals.length && all != 0; ++i) {
            uint256 amount = Math.mulDiv(share, contributions[i], all);
            _credit(roundId, hospitals[i], amount);
            toHospitals += amount;
        }
        left -= toHospitals;
        uint256 each = services.length == 0 ? 0 : Math.min(_parameters.service, left / services.length);
        for (uint256 i = 0; i < services.length; ++i) {
            _credit(roundId, services[i], each);
        }
        uint256 toServices = each * services.length;
        owed += toHospitals + toServices;
        emit RewardsCredited(roundId, toHospitals, toServices, left - toServices);
    }

    /// @inheritdoc IRewards
    function claim() external override onlyMember returns (uint256 amount) {
        // Checks
        amount = owedTo[msg.sender];
        if (amount == 0) revert NothingOwed(msg.sender);
        // Effects
        owedTo[msg.sender] = 0;
        owed -= amount;
        emit RewardClaimed(msg.sender, amount);
        // Interactions
        token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IRewards
    function setRewards(RewardParameters calldata parameters) external override onlyVote {
        _setRewards(parameters);
    }

    /// @inheritdoc IRewards
    function rewards() external view override returns (RewardParameters memory) {
        return _parameters;
    }

    /// @inheritdoc IRewards
    function pot() public view override returns (uint256) {
        return token.balanceOf(address(this)) - owed;
    }

    function _credit(uint256 roundId, address member, uint256 amount) private {
        if (amount == 0) return;
        owedTo[member] += amount;
        emit RewardCredited(roundId, member, amount);
    }

    function _setRewards(RewardParameters memory parameters) private {
        uint256 most = token.totalSupply();
        _requireRange("hospitals", parameters.hospitals, 0, most);
        _requireRange("service", parameters.service, 0, most);
        _parameters = parameters;
        emit RewardParametersSet(parameters);
    }
}
