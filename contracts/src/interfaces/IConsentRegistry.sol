// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Content} from "./Content.sol";
import {IGoverned} from "./IGoverned.sol";

/// @notice What a patient agrees to, as it is signed (EIP-712, primary type Consent).
/// @param holder The patient's account: a pseudonym, best one for each hospital.
/// @param grantee Who may ask.
/// @param custodian The hospital that keeps the record, and the status list in which this consent has its place.
/// @param resource Salted commitment to the record: of a training row its leaf.
/// @param purpose Code of HL7's PurposeOfUse, e.g. TREAT or HRESCH.
/// @param validFrom First second, Unix time, in which it holds.
/// @param validUntil First second in which it holds no longer.
/// @param statusIndex Place in the custodian's status list.
/// @param salt Tells apart consents of the same terms.
struct Consent {
    address holder;
    address grantee;
    address custodian;
    bytes32 resource;
    string purpose;
    uint64 validFrom;
    uint64 validUntil;
    uint32 statusIndex;
    bytes32 salt;
}

/// @notice 256 consecutive bits of a status list, and their path to its root.
/// @param word Bits 256 * (statusIndex / 256) and following, the first one leftmost.
/// @param path Merkle path of the leaf keccak256(keccak256(abi.encode(statusIndex / 256, word))), pairs sorted.
struct StatusProof {
    bytes32 word;
    bytes32[] path;
}

/// @dev What became of a consent.
enum ConsentState {
    None,
    Granted,
    Withdrawn
}

/// @dev Why access is denied; of several reasons the first.
enum Denial {
    None,
    NotGranted,
    Withdrawn,
    Erased,
    WrongGrantee,
    WrongPurpose,
    NotYetValid,
    Expired,
    StatusUnproven,
    Revoked
}

/// @title Gatekeeper of patients' records: who agreed to what, who asked, and what was answered.
/// @notice A hospital enrols each record with its patient's account: nobody else can consent to its use.
/// A patient's consent comes on chain by the patient's own transaction, or relayed by a hospital with the patient's
/// signature. It ends by its time, by withdrawal (of the patient: sent or signed), by a bit of the custodian's status list, or by
/// the record's erasure; nothing brings it back. Who asks gets an answer as an event, yes or no, and what keeps the record obeys
/// the event.
/// @dev A consent's id is the EIP-712 digest that its holder signs: it holds chain and contract, so a signature for elsewhere
/// fits nothing here. Only the id is stored; the terms are in the log and come again with each request. Time is that of the
/// block, which its proposer can move by seconds. Holds no power in the system. Nothing that names or describes a person may enter:
/// accounts are pseudonyms, resources salted commitments.
interface IConsentRegistry is IGoverned {
    event ConsentGranted(
        bytes32 indexed consentId,
        address indexed holder,
        address indexed grantee,
        address custodian,
        bytes32 resource,
        string purpose,
        uint64 validFrom,
        uint64 validUntil,
        uint32 statusIndex
    );
    event ConsentWithdrawn(bytes32 indexed consentId, address indexed holder);
    /// @notice The custodian may release `resource`, once, sealed for the X25519 key `recipient`.
    event AccessAllowed(
        uint256 indexed requestId,
        bytes32 indexed consentId,
        address indexed grantee,
        address custodian,
        bytes32 resource,
        string purpose,
        bytes32 recipient
    );
    event AccessDenied(
        uint256 indexed requestId, bytes32 indexed consentId, address indexed caller, string purpose, Denial reason
    );
    /// @notice A custodian's status list in force from now on. `statusDigest` is its Merkle root.
    event StatusListPosted(
        address indexed custodian, uint64 version, bytes32 statusCid, bytes32 statusDigest, uint8 statusCodec
    );
    /// @notice The consents that a custodian trains under from now on, all of them, each with its patient's signature in the file.
    /// `consentsDigest` is the root of the tree over their ids.
    event ConsentsPosted(
        address indexed custodian, uint64 version, bytes32 consentsCid, bytes32 consentsDigest, uint8 consentsCodec
    );
    /// @notice From now on `holder` can consent to the use of the custodian's record.
    event RecordEnrolled(address indexed custodian, bytes32 indexed resource, address indexed holder);
    /// @notice Tombstone: the custodian destroyed its copy and the key to all others.
    event RecordErased(address indexed custodian, bytes32 indexed resource);

    /// @notice Neither sent nor signed by the holder.
    error NotSignedByHolder(bytes32 consentId, address holder);
    error AlreadyGranted(bytes32 consentId);
    error AlreadyWithdrawn(bytes32 consentId);
    /// @notice A period that ends before it begins, or at once.
    error EmptyPeriod(uint64 validFrom, uint64 validUntil);
    error NoGrantee(bytes32 consentId);
    /// @notice The record is another patient's.
    error NotItsHolder(bytes32 resource, address expected, address got);
    error NoHolder(bytes32 resource);
    error UnknownRecord(address custodian, bytes32 resource);
    error AlreadyEnrolled(address custodian, bytes32 resource);
    error ErasedRecord(address custodian, bytes32 resource);
    error AlreadyErased(address custodian, bytes32 resource);
    /// @notice As many signatures as consents, as many holders as records.
    error WrongCount(uint256 expected, uint256 got);

    /// @notice Says whose the caller's records are, for good. Hospitals only, each record once.
    function enrol(bytes32[] calldata resources, address[] calldata holders) external;

    /// @notice Puts a consent in force. The holder needs no signature; else hospitals only, with the holder's signature.
    function grant(Consent calldata terms, bytes calldata signature) external returns (bytes32 consentId);

    /// @notice Several consents, all or none. Hospitals only, or the holder of all of them.
    function grantMany(Consent[] calldata terms, bytes[] calldata signatures) external;

    /// @notice Ends a consent for good, granted or not: who signed one that was never sent can make it worthless.
    /// @param signature Of the holder over the typed data Withdrawal(bytes32 consentId), relayed by a hospital; may be empty if
    /// the holder sends it.
    function withdraw(Consent calldata terms, bytes calldata signature) external returns (bytes32 consentId);

    /// @notice Asks for a record. Anybody; never reverts because the answer is no.
    /// @param purpose What the caller wants it for: 1 to MAX_PURPOSE_BYTES bytes.
    /// @param recipient X25519 key that the record is to be sealed for.
    function request(Consent calldata terms, string calldata purpose, bytes32 recipient, StatusProof calldata status)
        external
        returns (uint256 requestId, Denial reason);

    /// @notice What `request` would answer to `caller` now.
    function decide(Consent calldata terms, address caller, string calldata purpose, StatusProof calldata status)
        external
        view
        returns (Denial);

    /// @notice Replaces the caller's status list. Hospitals only.
    function postStatusList(Content calldata list) external;

    /// @notice Replaces the consents that the caller trains under: thousands at once, by the root of the tree over their ids (leaf
    /// keccak256(keccak256(abi.encode(id))), pairs sorted). Whether they are signed and in force, auditors check from the file: nobody
    /// gets a record on their account. Hospitals only.
    function postConsents(Content calldata consents) external;

    /// @notice Tombstones for records of which the caller is the custodian. Hospitals only.
    function erase(bytes32[] calldata resources) external;

    /// @notice The digest that the holder signs.
    function idOf(Consent calldata terms) external view returns (bytes32);

    function stateOf(bytes32 consentId) external view returns (ConsentState);

    /// @notice Whose a custodian's record is (zero: not enrolled), and whether its tombstone stands.
    function enrolmentOf(address custodian, bytes32 resource) external view returns (address holder, bool erased);

    /// @notice Merkle root of a custodian's status list; zero if it has posted none.
    function statusRootOf(address custodian) external view returns (bytes32);

    /// @notice How many lists a custodian has posted.
    function statusVersionOf(address custodian) external view returns (uint64);

    /// @notice Whether a consent is among those that a custodian posted last. `path`: of its leaf, up to the root.
    function isPosted(address custodian, bytes32 consentId, bytes32[] calldata path) external view returns (bool);

    /// @notice Root over the consents that a custodian posted last; zero if it has posted none.
    function consentsRootOf(address custodian) external view returns (bytes32);

    /// @notice How often a custodian has posted consents.
    function consentsVersionOf(address custodian) external view returns (uint64);

    /// @notice Number of the last request.
    function requests() external view returns (uint256);
}
