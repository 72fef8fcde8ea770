// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Entries of the rollup as bytes: see IRollupQueue and IRollup. An entry in a word: its 24 bytes lowest, so the header in the
/// bits from 160, then the payload.
/// @dev Elements are checked all at once, in lanes of 32 bits: below 2^31 an element x is below p exactly if x + 2^31 - p is
/// below 2^31 too; a header, below 2^24 = 16 * 1024 * 1024, likewise with 2^31 - 2^24.
library Entries {
    uint256 internal constant BYTES = 24;
    /// @dev Accounts of the state tree.
    uint256 internal constant ACCOUNTS = 1024;
    uint256 internal constant WITHDRAW = 6;
    uint256 internal constant DEPOSIT = 8;
    uint256 internal constant EVIDENCE = 9;
    uint256 internal constant REKEY = 10;
    uint256 internal constant EXIT = 11;
    uint256 internal constant CLOSE = 12;

    /// @dev Bit b is set if b mod 16 is a kind of a signed list that the contract has nothing to do for: 1 to 5 and 7.
    uint256 private constant QUIET = 0x00be00be00be00be00be00be00be00be00be00be00be00be00be00be00be00be;
    uint256 private constant TOPS = 0x8000000080000000800000008000000080000000800000008000000080000000;
    uint256 private constant ENTRY = 0x7f00000007ffffff07ffffff07ffffff07ffffff07ffffff;
    /// @dev The same for the three words that four entries fill.
    uint256 private constant FIRST = 0x7f00000007ffffff07ffffff07ffffff07ffffff07ffffff7f00000007ffffff;
    uint256 private constant SECOND = 0x07ffffff07ffffff07ffffff07ffffff7f00000007ffffff07ffffff07ffffff;
    uint256 private constant THIRD = 0x07ffffff07ffffff7f00000007ffffff07ffffff07ffffff07ffffff07ffffff;

    /// @notice The entry of the queue that goes to account `index`.
    function make(uint256 kind_, uint256 index, uint256 payload) internal pure returns (uint256 entry) {
        return ((kind_ + 16 * ACCOUNTS * index) << 160) | payload;
    }

    /// @notice Its bytes.
    function toBytes(uint256 entry) internal pure returns (bytes memory) {
        // casting is safe: the rest is zero
        // forge-lint: disable-next-line(unsafe-typecast)
        return abi.encodePacked(uint192(entry));
    }

    /// @notice The entry that begins at byte `offset`; it ends within `data`.
    function read(bytes calldata data, uint256 offset) internal pure returns (uint256 entry) {
        assembly ("memory-safe") {
            entry := shr(64, calldataload(add(data.offset, offset)))
        }
    }

    /// @notice The entry without its payload.
    function header(uint256 entry) internal pure returns (uint256) {
        return (entry >> 160) << 160;
    }

    /// @notice Under which the queue has `count` entries whose bytes hash to `hash`: 240 bits of it, then their number.
    function digest(bytes32 hash, uint256 count) internal pure returns (bytes32) {
        return bytes32((uint256(hash) & ~uint256(0xffff)) | count);
    }

    /// @notice The entry at byte `offset` of bytes in memory.
    function readMemory(bytes memory data, uint256 offset) internal pure returns (uint256 entry) {
        assembly ("memory-safe") {
            entry := shr(64, mload(add(add(data, 32), offset)))
        }
    }

    function kind(uint256 entry) internal pure returns (uint256) {
        return (entry >> 160) & 15;
    }

    function from(uint256 entry) internal pure returns (uint256) {
        return (entry >> 164) & 1023;
    }

    function to(uint256 entry) internal pure returns (uint256) {
        return entry >> 174;
    }

    /// @notice Element `i` of the payload.
    function element(uint256 entry, uint256 i) internal pure returns (uint256) {
        return (entry >> (128 - 32 * i)) & 0xffffffff;
    }

    /// @notice Whether the header is below 2^24 and every element below p.
    function isCanonical(uint256 entry) internal pure returns (bool) {
        return (entry | (entry + ENTRY)) & (TOPS >> 64) == 0;
    }

    /// @notice Whether the five elements of a key are below p.
    function isKey(uint160 key) internal pure returns (bool) {
        return isCanonical(key);
    }

    /// @notice The first entry from byte `offset` on that is not of a kind from 1 to 5 or 7, and where it begins. An entry that is not
    /// canonical is zero; so is the one at the end of `data`, if there is none before. Offsets are multiples of an entry's bytes.
    function skipQuiet(bytes calldata data, uint256 offset) internal pure returns (uint256 entry, uint256 place) {
        // four entries at a time, and one by one to the first that is not quiet; constants are on the stack, where the optimiser leaves
        // them whole
        assembly ("memory-safe") {
            place := add(data.offset, offset)
            let end := add(data.offset, data.length)
            let tops := TOPS
            let quiet := QUIET
            let first := FIRST
            let second := SECOND
            let third := THIRD
            for {} iszero(gt(add(place, 96), end)) { place := add(place, 96) } {
                let a := calldataload(place)
                let b := calldataload(add(place, 32))
                let c := calldataload(add(place, 64))
                // the last byte of each header: kind, and the lowest bits of from
                if iszero(
                    and(
                        and(
                            and(shr(byte(3, a), quiet), shr(byte(27, a), quiet)),
                            and(shr(byte(19, b), quiet), shr(byte(11, c), quiet))
                        ),
                        iszero(and(or(or(or(a, add(a, first)), or(b, add(b, second))), or(c, add(c, third))), tops))
                    )
                ) { break }
            }
            first := shl(64, ENTRY)
            tops := shl(64, tops)
            for {} lt(place, end) { place := add(place, 24) } {
                let word := calldataload(place)
                if and(or(word, add(word, first)), tops) { break }
                if iszero(and(shr(byte(3, word), quiet), 1)) {
                    entry := shr(64, word)
                    break
                }
            }
            place := sub(place, data.offset)
        }
    }
}
