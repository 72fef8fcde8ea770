// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Makes many calls in one transaction. Plays the contract that holds powers, and members that others call through.
contract Relay {
    struct Errand {
        address target;
        bytes data;
    }

    error ErrandFailed(uint256 index, bytes reason);

    /// @notice What each call answered; the first that reverts ends it.
    function forward(Errand[] calldata errands) external returns (bytes[] memory answers) {
        answers = new bytes[](errands.length);
        for (uint256 i = 0; i < errands.length; ++i) {
            // slither-disable-next-line calls-loop,low-level-calls
            (bool done, bytes memory answer) = errands[i].target.call(errands[i].data);
            if (!done) revert ErrandFailed(i, answer);
            answers[i] = answer;
        }
    }
}
