// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title For measuring gas, not part of the system: a model's bytes on the chain, against its CID in the registry.
/// @notice A model larger than a transaction carries is stored in pieces, one call each; reading gives the pieces back in order.
interface IModelOnChain {
    /// @notice Appends a piece of the model.
    function append(bytes calldata piece) external;

    /// @notice Number of pieces.
    function pieces() external view returns (uint256);

    /// @notice A piece as it was appended.
    function read(uint256 index) external view returns (bytes memory);
}

/// @notice Plain storage: 32 bytes a slot, 22,100 gas each.
contract ModelInStorage is IModelOnChain {
    bytes[] private _pieces;

    /// @inheritdoc IModelOnChain
    function append(bytes calldata piece) external override {
        _pieces.push(piece);
    }

    /// @inheritdoc IModelOnChain
    function pieces() external view override returns (uint256) {
        return _pieces.length;
    }

    /// @inheritdoc IModelOnChain
    function read(uint256 index) external view override returns (bytes memory) {
        return _pieces[index];
    }
}

/// @notice The code of contracts made for it: 200 gas a byte, the cheapest storage that the EVM has ("SSTORE2").
contract ModelInCode is IModelOnChain {
    /// @dev EIP-170, less the leading STOP byte that keeps the data from being run.
    uint256 public constant MAX_PIECE_BYTES = 24_575;

    address[] private _holders;

    error PieceTooLarge(uint256 got, uint256 limit);
    error CreationFailed();

    /// @inheritdoc IModelOnChain
    function append(bytes calldata piece) external override {
        if (piece.length > MAX_PIECE_BYTES) revert PieceTooLarge(piece.length, MAX_PIECE_BYTES);
        // PUSH2 length, DUP1, PUSH1 10, RETURNDATASIZE (zero), CODECOPY, RETURNDATASIZE, RETURN: returns what follows these 10 bytes
        // casting is safe: at most 24,576
        // forge-lint: disable-next-line(unsafe-typecast)
        bytes memory creation = abi.encodePacked(hex"61", uint16(piece.length + 1), hex"80600a3d393df3", hex"00", piece);
        address holder;
        assembly ("memory-safe") {
            holder := create(0, add(creation, 32), mload(creation))
        }
        if (holder == address(0)) revert CreationFailed();
        _holders.push(holder);
    }

    /// @inheritdoc IModelOnChain
    function pieces() external view override returns (uint256) {
        return _holders.length;
    }

    /// @inheritdoc IModelOnChain
    function read(uint256 index) external view override returns (bytes memory piece) {
        bytes memory code = _holders[index].code;
        piece = new bytes(code.length - 1);
        for (uint256 i = 0; i < piece.length; ++i) {
            piece[i] = code[i + 1];
        }
    }
}
