// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Entries} from "./Entries.sol";
import {Governed} from "./Governed.sol";
import {RollupExits} from "./RollupExits.sol";
import {RollupQueue} from "./RollupQueue.sol";
import {Sequencers} from "./Sequencers.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IDataVerifier} from "./interfaces/IDataVerifier.sol";
import {IRollup, RollupParameters} from "./interfaces/IRollup.sol";
import {IStarkVerifier} from "./interfaces/IStarkVerifier.sol";

/// @notice See IRollup.
contract Rollup is RollupExits {
    using Entries for uint256;

    /// @dev A third of a year of 12-second blocks: longer, and a promise is none.
    uint256 public constant MAX_BLOCKS = 1_000_000;

    /// @inheritdoc IRollup
    IDataVerifier public immutable override verifier;

    /// @param pot_ The contract that rewards are paid from: it gets what of a lost bond is nobody's fee.
    constructor(
        IConsortium consortium_,
        IERC20 token_,
        IDataVerifier verifier_,
        address pot_,
        RollupParameters memory given
    )
        Governed(consortium_)
        RollupQueue(token_, given.force, given.run, given.accounts)
        Sequencers(pot_, given.turn, given.bond, given.fee)
        RollupExits(given.delay)
    {
        _requireRange("turn", given.turn, 1, MAX_BLOCKS);
        // so that a whole turn lies in every wait
        _requireRange("force", given.force, 2 * uint256(given.turn), MAX_BLOCKS);
        _requireRange("delay", given.delay, 1, MAX_BLOCKS);
        _requireRange("run", given.run, 1, Entries.ACCOUNTS);
        _requireRange("accounts", given.accounts, 1, Entries.ACCOUNTS);
        _requireRange("fee", given.fee, 0, given.bond);
        verifier = verifier_;
    }

    /// @inheritdoc IRollup
    // the product shows that the data are whole entries
    // slither-disable-next-line divide-before-multiply
    function submit(bytes calldata data, bytes32 newRoot, bytes calldata proof) external override whenRunning {
        // Checks
        // slither-disable-next-line tx-origin
        if (msg.sender != tx.origin || msg.sender.code.length != 0) revert NotDirect(msg.sender);
        uint256 count = data.length / Entries.BYTES;
        if (count == 0 || count * Entries.BYTES != data.length) revert WrongLength(data.length, type(uint32).max);
        uint256 number = _takeTurn();
        bytes32 oldRoot = root;
        verifier.verify(proof, _proofDomain(number), _publicInputs(oldRoot, newRoot), data);
        // Effects
        root = newRoot;
        (uint256 place, uint256 exited) = _takeItems(data);
        inside = SafeCast.toUint32(inside - exited - _takeLists(data, place));
        emit BatchSettled(number, oldRoot, newRoot, count, keccak256(data));
    }

    /// @inheritdoc IRollup
    function parameters() external view override returns (RollupParameters memory) {
        return RollupParameters(_turn, _force, _delay, _run, _accounts, _bond, _fee);
    }

    /// @inheritdoc IRollup
    function domain() public view override returns (uint256[4] memory words) {
        uint256 hash = uint256(keccak256(abi.encodePacked("bfl_ref/rollup/1", block.chainid, address(this))));
        for (uint256 i = 0; i < 4; ++i) {
            words[i] = (hash >> (224 - 32 * i)) & 0x3fffffff;
        }
    }

    /// @dev Takes the queue's items that the data begin with. Returns where they end, and the units of those that exit.
    // kinds and digests are compared, no balances
    // slither-disable-next-line incorrect-equality
    function _takeItems(bytes calldata data) private returns (uint256 place, uint256 exited) {
        (uint256 number, uint256 last) = (taken, queued);
        while (place < data.length) {
            uint256 entry = Entries.read(data, place);
            uint256 kind = entry.kind();
            if (kind < Entries.DEPOSIT || kind > Entries.EXIT) break;
            bytes32 digest = ++number > last ? bytes32(0) : _digestOf(number);
            uint256 count = uint256(digest) & type(uint16).max;
            uint256 end = place + count * Entries.BYTES;
            if (count == 0 || end > data.length || _hash(data[place:end], entry, count) != digest) {
                revert NotNextInQueue(place / Entries.BYTES, number);
            }
            if (kind == Entries.EXIT) exited += _exit(entry, place);
            place = end;
        }
        // casting is safe: not above `queued`
        // forge-lint: disable-next-line(unsafe-typecast)
        taken = uint32(number);
    }

    /// @dev The digest under which the queue has these entries. An EXIT is queued without its amounts, which the proof states.
    function _hash(bytes calldata entries, uint256 first, uint256 count) private pure returns (bytes32) {
        if (first.kind() != Entries.EXIT) return Entries.digest(keccak256(entries), count);
        return Entries.digest(keccak256(first.header().toBytes()), 1);
    }

    function _exit(uint256 entry, uint256 place) private returns (uint256 amount) {
        if (!entry.isCanonical()) revert MalformedEntry(place / Entries.BYTES);
        amount = entry.element(0) + entry.element(1);
        _release(entry.to(), amount);
    }

    /// @dev Releases what the signed lists from `place` on withdraw, and keeps the closing values behind them. Returns the units.
    // kinds are compared, no balances
    // slither-disable-next-line incorrect-equality
    function _takeLists(bytes calldata data, uint256 place) private returns (uint256 withdrawn) {
        (uint256 entry, uint256 limit) = (0, opened);
        unchecked {
            // offsets within the data, and fewer than 2^32 amounts below 2^31
            (entry, place) = Entries.skipQuiet(data, place);
            while (entry.kind() == Entries.WITHDRAW) {
                _release(entry.from(), entry.element(0));
                withdrawn += entry.element(0);
                (entry, place) = Entries.skipQuiet(data, place + Entries.BYTES);
            }
            for (; place < data.length; place += Entries.BYTES) {
                entry = Entries.read(data, place);
                if (entry.kind() != Entries.CLOSE || !entry.isCanonical()) {
                    revert MalformedEntry(place / Entries.BYTES);
                }
                if (entry.from() >= limit) revert UnknownAccount(entry.from());
                _close(entry);
            }
        }
    }

    function _proofDomain(uint256 number) private view returns (IStarkVerifier.Domain memory) {
        return IStarkVerifier.Domain(block.chainid, address(this), number, address(0));
    }

    function _publicInputs(bytes32 oldRoot, bytes32 newRoot) private view returns (uint256[] memory inputs) {
        inputs = new uint256[](20);
        uint256[4] memory words = domain();
        for (uint256 i = 0; i < 8; ++i) {
            inputs[i] = uint32(uint256(oldRoot) >> (224 - 32 * i));
            inputs[8 + i] = uint32(uint256(newRoot) >> (224 - 32 * i));
            if (i < 4) inputs[16 + i] = words[i];
        }
    }
}
