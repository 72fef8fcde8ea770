// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A file kept off chain: where it is, and what it says.
/// @param cid SHA-256 digest inside the file's CIDv1; with `codec` it is the whole CID.
/// @param digest The protocol's own digest of what the file holds (of a model: Poseidon2, salt zero).
/// @param codec Multicodec of the CID: 0x55 raw (one block) or 0x70 dag-pb (several).
struct Content {
    bytes32 cid;
    bytes32 digest;
    uint8 codec;
}

/// @notice `cid` or `digest` is zero, or `codec` is neither 0x55 nor 0x70.
error InvalidContent(bytes32 cid, bytes32 digest, uint8 codec);

using {check} for Content global;

/// @dev Reverts with InvalidContent unless all three fields can be a file's.
function check(Content memory content) pure {
    if (content.cid == 0 || content.digest == 0 || (content.codec != 0x55 && content.codec != 0x70)) {
        revert InvalidContent(content.cid, content.digest, content.codec);
    }
}
