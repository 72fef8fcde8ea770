// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governed} from "./Governed.sol";
import {Content} from "./interfaces/Content.sol";
import {HOSPITAL, IConsortium} from "./interfaces/IConsortium.sol";
import {IDataRegistry} from "./interfaces/IDataRegistry.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";

/// @notice See IDataRegistry.
contract DataRegistry is IDataRegistry, Governed {
    uint32 public constant SEGMENT_ROWS = 512;
    uint32 public constant MAX_SEGMENTS = 256;

    /// @dev A digest's eight elements are each below this.
    uint256 internal constant P = 2 ** 31 - 2 ** 27 + 1;

    struct Data {
        uint32 rows;
        uint32 version;
        bytes32 seedCommitment;
        bytes32[] segments;
    }

    /// @inheritdoc IDataRegistry
    IStakeVault public immutable override vault;
    /// @inheritdoc IDataRegistry
    uint32 public override version;

    mapping(address hospital => Data) private _data;

    constructor(IConsortium consortium_, IStakeVault vault_) Governed(consortium_) {
        vault = vault_;
    }

    /// @inheritdoc IDataRegistry
    function register(bytes32[] calldata segments, uint32 rows, bytes32 seedCommitment, Content calldata leaves)
        external
        override
    {
        _callerAs(HOSPITAL);
        Data storage own = _data[msg.sender];
        if (own.rows != 0) revert AlreadyRegistered(msg.sender);
        _requireCanonical(seedCommitment);
        own.seedCommitment = seedCommitment;
        _write(own, segments, rows, leaves);
        emit DataRegistered(msg.sender, rows, seedCommitment, segments, leaves.cid, leaves.digest, leaves.codec);
    }

    /// @inheritdoc IDataRegistry
    function shrink(bytes32[] calldata segments, uint32 rows, Content calldata leaves) external override {
        _callerAs(HOSPITAL);
        Data storage own = _data[msg.sender];
        uint32 before = own.rows;
        if (before == 0) revert NotRegistered(msg.sender);
        if (rows >= before) revert RowsMayOnlyLeave(before, rows);
        _write(own, segments, rows, leaves);
        emit RowsLeft(msg.sender, before, rows, segments, leaves.cid, leaves.digest, leaves.codec);
    }

    /// @inheritdoc IDataRegistry
    function rowsOf(address hospital) external view override returns (uint32) {
        return _data[hospital].rows;
    }

    /// @inheritdoc IDataRegistry
    function segmentsOf(address hospital) external view override returns (bytes32[] memory) {
        return _data[hospital].segments;
    }

    /// @inheritdoc IDataRegistry
    function segmentOf(address hospital, uint256 index) external view override returns (bytes32) {
        bytes32[] storage segments = _data[hospital].segments;
        if (index >= segments.length) revert UnknownSegment(hospital, index, segments.length);
        return segments[index];
    }

    /// @inheritdoc IDataRegistry
    function seedCommitmentOf(address hospital) external view override returns (bytes32) {
        return _data[hospital].seedCommitment;
    }

    /// @inheritdoc IDataRegistry
    function segmentRows(uint256 rows, uint256 segments, uint256 index) external pure override returns (uint256) {
        return rows / segments + (index < rows % segments ? 1 : 0);
    }

    /// @inheritdoc IDataRegistry
    function versionOf(address hospital) external view override returns (uint32) {
        return _data[hospital].version;
    }

    /// @inheritdoc IDataRegistry
    function versionsOf(address[] calldata hospitals) external view override returns (uint32[] memory versions) {
        versions = new uint32[](hospitals.length);
        for (uint256 i = 0; i < hospitals.length; ++i) {
            versions[i] = _data[hospitals[i]].version;
        }
    }

    function _write(Data storage own, bytes32[] calldata segments, uint32 rows, Content calldata leaves) private {
        if (vault.stakeOf(msg.sender).freezes != 0) revert DataFrozen(msg.sender);
        _requireRange("rows", rows, 1, SEGMENT_ROWS * MAX_SEGMENTS);
        uint256 expected = (rows + SEGMENT_ROWS - 1) / SEGMENT_ROWS;
        if (segments.length != expected) revert WrongSegmentCount(expected, segments.length);
        for (uint256 i = 0; i < segments.length; ++i) {
            _requireCanonical(segments[i]);
        }
        leaves.check();
        own.rows = rows;
        own.version = ++version;
        own.segments = segments;
    }

    function _requireCanonical(bytes32 digest) private pure {
        for (uint256 shift = 0; shift < 256; shift += 32) {
            if ((uint256(digest) >> shift) & 0xffffffff >= P) revert NonCanonicalDigest(digest);
        }
    }
}
