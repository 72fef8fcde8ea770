// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title For measuring gas, not part of the system: the records of a round as a first draft would keep them.
/// @notice The same facts as RoundManager keeps of `open` and `commitUpdate`, one storage slot for every field and CIDs as text. Nothing
/// is checked here, so what it costs above the round manager is storage alone, and the round manager's checks come on top there.
contract NaiveRounds {
    struct Round {
        uint256 phase;
        uint256 deadline;
        uint256[9] durations;
        uint256 minStake;
        uint256 minHospitals;
        uint256 membersVersion;
        uint256 modelVersion;
        uint256 aggregators;
        uint256 validators;
        uint256 committed;
        string taskCid;
        bytes32 taskDigest;
    }

    struct Participation {
        bytes32 commitment;
        string cid;
        uint256 rows;
        bool committed;
    }

    uint256 public currentRound;
    mapping(uint256 roundId => Round) private _rounds;
    mapping(uint256 roundId => mapping(address hospital => Participation)) private _participations;
    mapping(bytes32 digest => uint256 roundId) private _originRounds;
    mapping(bytes32 digest => address hospital) private _originHospitals;

    /// @param numbers minStake, minHospitals, membersVersion, modelVersion, aggregators, validators.
    function open(
        string calldata taskCid,
        bytes32 taskDigest,
        uint256[9] calldata durations,
        uint256[6] calldata numbers
    ) external {
        Round storage round = _rounds[++currentRound];
        round.phase = 1;
        round.deadline = block.number + durations[0];
        round.durations = durations;
        round.minStake = numbers[0];
        round.minHospitals = numbers[1];
        round.membersVersion = numbers[2];
        round.modelVersion = numbers[3];
        round.aggregators = numbers[4];
        round.validators = numbers[5];
        round.taskCid = taskCid;
        round.taskDigest = taskDigest;
    }

    function commitUpdate(uint256 roundId, string calldata cid, bytes32 digest, uint256 rows) external {
        Participation storage own = _participations[roundId][msg.sender];
        own.commitment = keccak256(abi.encode(block.chainid, address(this), roundId, msg.sender, digest));
        own.cid = cid;
        own.rows = rows;
        own.committed = true;
        _originRounds[digest] = roundId;
        _originHospitals[digest] = msg.sender;
        ++_rounds[roundId].committed;
    }
}
