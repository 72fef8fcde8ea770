// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Calls of views that answer something for each account of a list, without copying either list element by element: with
/// 500 accounts that copying costs half as much as reading their slots.
library Batch {
    /// @notice The words of the answer, as many for each of `list` as its type has. Reverts as the call does.
    /// @param head Selector, and the words of the arguments: values, and for the list the offset of its place after the last of them.
    function ask(address target, bytes memory head, address[] memory list)
        internal
        view
        returns (uint256[] memory words)
    {
        assembly ("memory-safe") {
            let call_ := mload(0x40)
            let headSize := mload(head)
            let listSize := mul(add(mload(list), 1), 0x20) // with its length
            mcopy(call_, add(head, 0x20), headSize)
            mcopy(add(call_, headSize), list, listSize)
            if iszero(staticcall(gas(), target, call_, add(headSize, listSize), 0, 0)) {
                returndatacopy(call_, 0, returndatasize())
                revert(call_, returndatasize())
            }
            // an offset, the length of the list, its words: the last two are what a list is in memory, but for the length
            let size := sub(returndatasize(), 0x40)
            words := call_
            mstore(words, div(size, 0x20))
            returndatacopy(add(words, 0x20), 0x40, size)
            mstore(0x40, add(add(words, 0x20), size))
        }
    }

    /// @notice Word `i` of an answer that is known to have as many.
    function word(uint256[] memory words, uint256 i) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(add(words, 0x20), shl(5, i)))
        }
    }
}
