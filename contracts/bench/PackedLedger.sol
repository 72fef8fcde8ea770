// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title For measuring gas, not part of the system: what the rollup's entries do, done directly, as cheaply as a contract can.
/// @notice One slot an account, at its address: balance (bits 128 to 159), stake (96), positive (32), negative (0), owed (160, 48 bits),
/// claim block (208, 40 bits), as the rollup keeps them; its record in a slot beside it, at its address + 2^160. The
/// transaction's own signature and nonce stand for the rollup's; a call is packed bytes: kind (1), then what it needs.
/// transfer: 1, to (20), amount (4). lock 2, unlock 3, withdraw 6: amount (4). record 4, access 5: digest (20).
/// reward: 8, to (20), amount (4). evidence: 9, to (20), positive (4), negative (4). Both by the pusher alone; any number of
/// them, one behind the other, as a round's end would bring them. Tokens stay out of it: who rewards has paid before.
contract PackedLedger {
    /// @dev A field of 32 bits has room for what all kinds together bring in: below 2^29, as in the rollup.
    uint256 private constant DELAY = 100;

    address public immutable pusher;

    error Refused();

    constructor(address pusher_) {
        pusher = pusher_;
    }

    /// @notice The slot of an account.
    function slotOf(address account) external view returns (uint256 slot) {
        assembly ("memory-safe") {
            slot := sload(account)
        }
    }

    /// @notice The last record of an account.
    function recordOf(address account) external view returns (uint256 record) {
        assembly ("memory-safe") {
            record := sload(or(account, shl(160, 1)))
        }
    }

    fallback() external {
        address pusher_ = pusher;
        bytes4 refusal = Refused.selector;
        assembly ("memory-safe") {
            function refuse(with) {
                mstore(0, with)
                revert(0, 4)
            }
            let word := calldataload(0)
            let kind := byte(0, word)
            if gt(kind, 7) {
                if iszero(eq(caller(), pusher_)) { refuse(refusal) }
                let end := calldatasize()
                for { let place := 0 } lt(place, end) {} {
                    word := calldataload(place)
                    let to := and(shr(88, word), 0xffffffffffffffffffffffffffffffffffffffff)
                    switch byte(0, word)
                    case 8 {
                        sstore(to, add(sload(to), shl(128, and(shr(56, word), 0xffffffff))))
                        place := add(place, 25)
                    }
                    case 9 {
                        // positive is added to bits 32 to 63, negative to 0 to 31
                        sstore(to, add(sload(to), and(shr(24, word), 0xffffffffffffffff)))
                        place := add(place, 29)
                    }
                    default { refuse(refusal) }
                }
                stop()
            }
            if eq(kind, 5) {
                calldatacopy(0, 1, 20)
                log1(0, 20, caller())
                stop()
            }
            if eq(kind, 4) {
                sstore(or(caller(), shl(160, 1)), and(shr(88, word), 0xffffffffffffffffffffffffffffffffffffffff))
                stop()
            }
            let own := sload(caller())
            let amount := and(shr(216, word), 0xffffffff)
            if eq(kind, 1) {
                let to := and(shr(88, word), 0xffffffffffffffffffffffffffffffffffffffff)
                amount := and(shr(56, word), 0xffffffff)
                if lt(and(shr(128, own), 0xffffffff), amount) { refuse(refusal) }
                sstore(caller(), sub(own, shl(128, amount)))
                sstore(to, add(sload(to), shl(128, amount)))
                stop()
            }
            if eq(kind, 3) {
                if lt(and(shr(96, own), 0xffffffff), amount) { refuse(refusal) }
                sstore(caller(), add(sub(own, shl(96, amount)), shl(128, amount)))
                stop()
            }
            if lt(and(shr(128, own), 0xffffffff), amount) { refuse(refusal) }
            own := sub(own, shl(128, amount))
            if eq(kind, 2) {
                sstore(caller(), add(own, shl(96, amount)))
                stop()
            }
            if eq(kind, 6) {
                own := and(own, sub(shl(208, 1), 1))
                sstore(caller(), add(add(own, shl(160, amount)), shl(208, add(number(), DELAY))))
                stop()
            }
            refuse(refusal)
        }
    }
}
