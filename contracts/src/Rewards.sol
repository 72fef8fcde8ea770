// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Entries} from "./Entries.sol";
import {Governed} from "./Governed.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IRewards, PAYER_ROLE, RewardParameters} from "./interfaces/IRewards.sol";
import {IRollupQueue} from "./interfaces/IRollupQueue.sol";

/// @notice See IRewards.
contract Rewards is IRewards, Governed {
    using SafeERC20 for IERC20;

    /// @dev Of the token's smallest unit, in a unit of the rollup.
    uint256 private constant UNIT = 10 ** 15;

    /// @dev A round that is being credited. entries, units: what goes to the rollup.
    struct Pay {
        uint256 roundId;
        IRollupQueue rollup;
        bytes entries;
        uint256 units;
    }

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
        address[] calldata services,
        IRollupQueue rollup
    ) external override onlyPower(PAYER_ROLE) {
        // Checks
        if (hospitals.length != contributions.length) {
            revert IConsortium.LengthMismatch(hospitals.length, contributions.length);
        }
        if (_credited[roundId]) revert AlreadyCredited(roundId);
        // Effects
        _credited[roundId] = true;
        Pay memory pay = Pay(roundId, rollup, "", 0);
        uint256 before = pot();
        uint256 toHospitals = _creditShares(pay, Math.min(_parameters.hospitals, before), hospitals, contributions);
        uint256 toServices = _creditServices(pay, before - toHospitals, services);
        emit RewardsCredited(roundId, toHospitals, toServices, before - toHospitals - toServices);
        _push(pay);
    }

    /// @inheritdoc IRewards
    function restore(uint256 roundId, bytes calldata entries, IRollupQueue rollup)
        external
        override
        onlyPower(PAYER_ROLE)
    {
        (uint256 before, uint256 due) = (pot(), owed);
        _oweAll(Pay(roundId, rollup, entries, 0));
        if (owed - due > before) revert PotTooSmall(before, owed - due);
    }

    /// @inheritdoc IRewards
    function claim() external override onlyMember whenNotPaused returns (uint256 amount) {
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

    /// @dev Shares of hospitals in the ratio of their contributions, of `share` at most.
    function _creditShares(
        Pay memory pay,
        uint256 share,
        address[] calldata hospitals,
        uint256[] calldata contributions
    ) private returns (uint256 credited) {
        uint256 all = 0;
        for (uint256 i = 0; i < contributions.length; ++i) {
            all += contributions[i];
        }
        for (uint256 i = 0; i < hospitals.length && all != 0; ++i) {
            credited += _credit(pay, hospitals[i], Math.mulDiv(share, contributions[i], all));
        }
    }

    function _creditServices(Pay memory pay, uint256 left, address[] calldata services)
        private
        returns (uint256 credited)
    {
        uint256 each = services.length == 0 ? 0 : Math.min(_parameters.service, left / services.length);
        for (uint256 i = 0; i < services.length; ++i) {
            credited += _credit(pay, services[i], each);
        }
    }

    /// @dev Returns what the member got: in the rollup whole units only.
    // slither-disable-next-line divide-before-multiply,incorrect-equality
    function _credit(Pay memory pay, address member, uint256 amount) private returns (uint256) {
        uint256 account = address(pay.rollup) == address(0) ? 0 : pay.rollup.accountNumberOf(member);
        if (account == 0) {
            _owe(pay.roundId, member, amount);
            return amount;
        }
        uint256 units = amount / UNIT;
        if (units == 0) return 0;
        pay.units += units;
        pay.entries =
            bytes.concat(pay.entries, Entries.toBytes(Entries.make(Entries.DEPOSIT, account - 1, units << 128)));
        return units * UNIT;
    }

    /// @dev Pays into the rollup; if that takes nothing now, for whatever reason, what is owed is fetched here after all.
    function _push(Pay memory pay) private {
        if (pay.units == 0) return;
        token.forceApprove(address(pay.rollup), pay.units * UNIT);
        try pay.rollup.push(pay.entries) {
            return;
        } catch {
            token.forceApprove(address(pay.rollup), 0);
        }
        _oweAll(pay);
    }

    function _oweAll(Pay memory pay) private {
        for (uint256 place = 0; place < pay.entries.length; place += Entries.BYTES) {
            uint256 entry = Entries.readMemory(pay.entries, place);
            _owe(pay.roundId, pay.rollup.ownerOf(Entries.to(entry)), Entries.element(entry, 0) * UNIT);
        }
    }

    function _owe(uint256 roundId, address member, uint256 amount) private {
        // nothing is owed, nothing is written
        // slither-disable-next-line incorrect-equality
        if (amount == 0) return;
        owedTo[member] += amount;
        owed += amount;
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
