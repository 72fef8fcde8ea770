// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Content} from "./Content.sol";
import {IGoverned} from "./IGoverned.sol";
import {IStakeVault} from "./IStakeVault.sol";

/// @title What each hospital trains on, as digests: fixed before a round, and never changed during one.
/// @notice A hospital registers once. Rows come in segments of up to SEGMENT_ROWS, consecutive and evenly filled; a segment's digest
/// is over the salted leaves of its rows, and the leaves are public. Later rows may only leave. What is registered stands still
/// while the hospital's stake is frozen, that is while it trains in a round.
/// @dev Digests are eight BabyBear elements, 4 bytes each, big-endian, every one below p = 2^31 - 2^27 + 1.
interface IDataRegistry is IGoverned {
    /// @notice A hospital registered its data. `leaves`: the file with all public leaves of its rows.
    event DataRegistered(
        address indexed hospital,
        uint32 rows,
        bytes32 seedCommitment,
        bytes32[] segments,
        bytes32 leavesCid,
        bytes32 leavesDigest,
        uint8 leavesCodec
    );
    /// @notice Rows left a hospital's data; auditors compare the two files of leaves.
    event RowsLeft(
        address indexed hospital,
        uint32 before,
        uint32 rows,
        bytes32[] segments,
        bytes32 leavesCid,
        bytes32 leavesDigest,
        uint8 leavesCodec
    );

    error AlreadyRegistered(address hospital);
    error NotRegistered(address hospital);
    /// @notice As many segments as it takes to hold the rows, not more.
    error WrongSegmentCount(uint256 expected, uint256 got);
    /// @notice An element of the digest is not below p.
    error NonCanonicalDigest(bytes32 digest);
    error RowsMayOnlyLeave(uint256 current, uint256 got);
    /// @notice The hospital trains in a round.
    error DataFrozen(address hospital);
    error UnknownSegment(address hospital, uint256 index, uint256 segments);

    /// @notice Registers the caller's data. Hospitals only, once.
    /// @param segments Digests, in order: rows / SEGMENT_ROWS of them, rounded up.
    /// @param rows 1 .. SEGMENT_ROWS * MAX_SEGMENTS.
    /// @param seedCommitment Digest of the seed that all noise of this hospital is made from.
    function register(bytes32[] calldata segments, uint32 rows, bytes32 seedCommitment, Content calldata leaves)
        external;

    /// @notice Replaces the caller's segments by ones over fewer rows. Registered hospitals only.
    function shrink(bytes32[] calldata segments, uint32 rows, Content calldata leaves) external;

    /// @notice Training rows of a hospital; zero if it has not registered.
    function rowsOf(address hospital) external view returns (uint32);

    /// @notice Digests of a hospital's segments, in order.
    function segmentsOf(address hospital) external view returns (bytes32[] memory);

    /// @notice The digest of one segment; reverts with UnknownSegment.
    function segmentOf(address hospital, uint256 index) external view returns (bytes32);

    /// @notice The commitment to a hospital's noise seed; zero if it has not registered.
    function seedCommitmentOf(address hospital) external view returns (bytes32);

    /// @notice Rows in segment `index` when `rows` fill `segments` evenly: rows / segments, and one more in the first rows % segments.
    function segmentRows(uint256 rows, uint256 segments, uint256 index) external pure returns (uint256);

    /// @notice Counts the changes of all data.
    function version() external view returns (uint32);

    /// @notice `version()` after the last change of a hospital's data; zero if it has not registered.
    function versionOf(address hospital) external view returns (uint32);

    /// @notice The same of many, in their order.
    function versionsOf(address[] calldata hospitals) external view returns (uint32[] memory);

    /// @notice Where stakes are kept, and frozen.
    function vault() external view returns (IStakeVault);
}
