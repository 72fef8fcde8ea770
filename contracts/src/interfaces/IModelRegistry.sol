// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Content} from "./Content.sol";
import {IGoverned} from "./IGoverned.sol";

/// @dev Power of a contract to put a model in force.
bytes32 constant MODEL_WRITER_ROLE = keccak256("MODEL_WRITER_ROLE");

/// @notice A version of the global model: a Content, flat so that it fills three storage slots.
/// @param roundId The round that made it; zero for the genesis model.
/// @param blockNumber When it came in force.
struct Model {
    bytes32 cid;
    bytes32 digest;
    uint8 codec;
    uint64 roundId;
    uint32 blockNumber;
}

/// @title The global model and all its predecessors. Nothing is ever overwritten.
interface IModelRegistry is IGoverned {
    /// @notice A version came in force. The history is rebuilt from these events alone.
    event ModelRegistered(
        uint256 indexed version, uint256 indexed roundId, bytes32 indexed digest, bytes32 cid, uint8 codec
    );

    /// @notice Rounds come in order, each with one model at most.
    error RoundNotAfter(uint256 roundId, uint256 lastRoundId);
    error UnknownVersion(uint256 version, uint256 versions);

    /// @notice Puts the model of a round in force. MODEL_WRITER_ROLE only.
    function register(uint64 roundId, Content calldata content) external;

    /// @notice The model in force.
    function current() external view returns (Model memory);

    /// @notice A version; 0 is the genesis model.
    function modelAt(uint256 version) external view returns (Model memory);

    /// @notice Number of versions, the genesis model included.
    function versions() external view returns (uint256);
}
