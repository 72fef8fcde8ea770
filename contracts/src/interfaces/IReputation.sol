// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGoverned} from "./IGoverned.sol";

/// @dev Power of a contract: it reports verified facts about members, and notes who was selected.
bytes32 constant EVIDENCE_ROLE = keccak256("EVIDENCE_ROLE");

/// @dev Evidence counts in units of 1 / EVIDENCE_UNIT.
uint256 constant EVIDENCE_UNIT = 1024;

/// @dev Scores, base rate and thresholds: 10,000 is 1.
uint256 constant SCORE_ONE = 10_000;

/// @notice What the members set by vote.
/// @param decay What a round leaves of old evidence, 32-bit fraction: 2^32 would be all of it.
/// @param prior Weight W of having seen nothing, in evidence units.
/// @param base Base rate a: the score of who nothing is known about.
/// @param threshold Score below which a hospital is not selected.
/// @param kept Positive evidence for a deadline met.
/// @param proven Positive evidence for proofs accepted in a round.
/// @param missed Negative evidence for a deadline missed.
/// @param failed Negative evidence for an audit not proven, a false secret, a vote for two models.
/// @param quality Positive evidence for the best contribution; a bad one counts `qualityLoss` times this at most.
/// @param qualityLoss See `quality`.
/// @param qualityFull Contribution score (Contributions) that is the best one.
struct ReputationParameters {
    uint32 decay;
    uint16 prior;
    uint16 base;
    uint16 threshold;
    uint16 kept;
    uint16 proven;
    uint16 missed;
    uint16 failed;
    uint16 quality;
    uint8 qualityLoss;
    uint16 qualityFull;
}

/// @notice What is known of a member, one storage slot.
/// @param positive r, as of round `written`, in evidence units.
/// @param negative s, as of the same.
/// @param written Round in which both were last written.
/// @param since Round of the first lottery that the member was eligible for; zero: none yet.
/// @param selected Round in which it was last selected; zero: never.
/// @param bucket Norm bucket of its last release.
struct Standing {
    uint48 positive;
    uint48 negative;
    uint32 written;
    uint32 since;
    uint32 selected;
    uint8 bucket;
}

/// @title Reputation from verified facts: subjective logic with exponential decay.
/// @notice r and s count what a member did well and badly. A round leaves a fraction `decay` of either. Belief b = r / (r + s + W),
/// disbelief s / (r + s + W), uncertainty u = W / (r + s + W); score = b + a u, 10,000 being 1.
/// Nobody rates anybody: evidence comes from contracts that saw the fact. A new identity has r = s = 0 and score a.
/// In integers: r after n rounds is r * d_n >> 32, d_n = decay^n by squaring, each product shifted right by 32 bits: from d = 2^32
/// and q = decay, for each bit of n from the lowest: if it is set d = d q >> 32; then q = q q >> 32. Each write decays once, from
/// the round of the last write; r and s are held at 2^48 - 1. Score: (10,000 r + a W) / (r + s + W), rounded down.
interface IReputation is IGoverned {
    /// @notice Evidence came in; r and s are those after it.
    event EvidenceRecorded(
        uint256 indexed roundId, address indexed member, uint256 positive, uint256 negative, uint48 r, uint48 s
    );
    /// @notice Hospitals were selected in a round; their waiting starts anew.
    event SelectionNoted(uint256 indexed roundId, address[] selected);
    event ReputationSet(ReputationParameters parameters);

    /// @notice Evidence of a round before the one that was last written.
    error RoundBefore(uint256 roundId, uint256 written);

    /// @notice Adds evidence, in units. EVIDENCE_ROLE only.
    function record(uint256 roundId, address member, uint256 positive, uint256 negative) external;

    /// @notice Notes the norm bucket of a hospital's release. EVIDENCE_ROLE only.
    function noteBucket(address hospital, uint8 bucket) external;

    /// @notice Notes who was selected, and from which round on the newcomers wait. EVIDENCE_ROLE only.
    function noteSelection(uint256 roundId, address[] calldata selected, address[] calldata newcomers) external;

    /// @notice By vote: the parameters from now on. decay, prior at least 1; base 1 .. 10,000; threshold 1 .. base, so that who is new
    /// can be selected; qualityFull 1 .. 10,000.
    function setReputation(ReputationParameters calldata parameters) external;

    /// @notice The parameters in force.
    function reputation() external view returns (ReputationParameters memory);

    /// @notice What is recorded of a member.
    function standingOf(address member) external view returns (Standing memory);

    /// @notice The same of many, in their order.
    function standingsOf(address[] calldata members) external view returns (Standing[] memory);

    /// @notice A member's score in a round, at or after the one last written.
    function scoreOf(address member, uint256 roundId) external view returns (uint256);

    /// @notice Scores of many in a round, in their order.
    function scoresOf(address[] calldata members, uint256 roundId) external view returns (uint256[] memory);

    /// @notice What a lottery has to know of many, in their order, a word for each. From the lowest bit: score in the round (16 bits),
    /// bucket (8), rounds waited (32; ISelection), whether no lottery was noted for it yet (1).
    function prospectsOf(uint256 roundId, address[] calldata members) external view returns (uint256[] memory);

    /// @notice r and s of a member in a round.
    function evidenceOf(address member, uint256 roundId) external view returns (uint256 positive, uint256 negative);
}
