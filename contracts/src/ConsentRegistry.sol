// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {Governed} from "./Governed.sol";
import {Content} from "./interfaces/Content.sol";
import {Consent, ConsentState, Denial, IConsentRegistry, StatusProof} from "./interfaces/IConsentRegistry.sol";
import {HOSPITAL, IConsortium} from "./interfaces/IConsortium.sol";

/// @notice See IConsentRegistry.
contract ConsentRegistry is IConsentRegistry, Governed, EIP712 {
    /// @dev Entries of a status list, as Bitstring Status List 1.0 wants at least.
    uint256 public constant STATUS_ENTRIES = 131_072;
    uint256 public constant MAX_PURPOSE_BYTES = 16;

    bytes32 private constant CONSENT_TYPE = keccak256(
        "Consent(address holder,address grantee,address custodian,bytes32 resource,string purpose,uint64 validFrom,uint64 validUntil,uint32 statusIndex,bytes32 salt)"
    );
    bytes32 private constant WITHDRAWAL_TYPE = keccak256("Withdrawal(bytes32 consentId)");

    struct Enrolment {
        address holder;
        bool erased;
    }

    /// @dev What a custodian posts again and again: only the last one counts.
    struct Posted {
        bytes32 root;
        uint64 version;
    }

    /// @inheritdoc IConsentRegistry
    uint256 public override requests;

    mapping(bytes32 consentId => ConsentState) private _states;
    mapping(address custodian => Posted) private _lists;
    mapping(address custodian => Posted) private _consents;
    mapping(address custodian => mapping(bytes32 resource => Enrolment)) private _records;

    constructor(IConsortium consortium_) Governed(consortium_) EIP712("bfl_ref consent", "1") {}

    /// @inheritdoc IConsentRegistry
    function enrol(bytes32[] calldata resources, address[] calldata holders) external override {
        _callerAs(HOSPITAL);
        if (holders.length != resources.length) revert WrongCount(resources.length, holders.length);
        mapping(bytes32 resource => Enrolment) storage own = _records[msg.sender];
        for (uint256 i = 0; i < resources.length; ++i) {
            if (holders[i] == address(0)) revert NoHolder(resources[i]);
            if (own[resources[i]].holder != address(0)) revert AlreadyEnrolled(msg.sender, resources[i]);
            own[resources[i]].holder = holders[i];
            emit RecordEnrolled(msg.sender, resources[i], holders[i]);
        }
    }

    /// @inheritdoc IConsentRegistry
    function grant(Consent calldata terms, bytes calldata signature) external override returns (bytes32) {
        return _grant(terms, signature);
    }

    /// @inheritdoc IConsentRegistry
    function grantMany(Consent[] calldata terms, bytes[] calldata signatures) external override {
        if (signatures.length != terms.length) revert WrongCount(terms.length, signatures.length);
        for (uint256 i = 0; i < terms.length; ++i) {
            _grant(terms[i], signatures[i]);
        }
    }

    /// @inheritdoc IConsentRegistry
    function withdraw(Consent calldata terms, bytes calldata signature) external override returns (bytes32 consentId) {
        consentId = idOf(terms);
        if (_states[consentId] == ConsentState.Withdrawn) revert AlreadyWithdrawn(consentId);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(WITHDRAWAL_TYPE, consentId)));
        _requireHolder(terms.holder, consentId, digest, signature);
        _states[consentId] = ConsentState.Withdrawn;
        emit ConsentWithdrawn(consentId, terms.holder);
    }

    /// @inheritdoc IConsentRegistry
    function request(Consent calldata terms, string calldata purpose, bytes32 recipient, StatusProof calldata status)
        external
        override
        returns (uint256 requestId, Denial reason)
    {
        _requireRange("purpose", bytes(purpose).length, 1, MAX_PURPOSE_BYTES);
        bytes32 consentId = idOf(terms);
        reason = _decide(consentId, terms, msg.sender, purpose, status);
        requestId = ++requests;
        if (reason == Denial.None) {
            emit AccessAllowed(requestId, consentId, msg.sender, terms.custodian, terms.resource, purpose, recipient);
        } else {
            emit AccessDenied(requestId, consentId, msg.sender, purpose, reason);
        }
    }

    /// @inheritdoc IConsentRegistry
    function decide(Consent calldata terms, address caller, string calldata purpose, StatusProof calldata status)
        external
        view
        override
        returns (Denial)
    {
        return _decide(idOf(terms), terms, caller, purpose, status);
    }

    /// @inheritdoc IConsentRegistry
    function postStatusList(Content calldata list) external override {
        _callerAs(HOSPITAL);
        list.check();
        Posted storage own = _lists[msg.sender];
        own.root = list.digest;
        emit StatusListPosted(msg.sender, ++own.version, list.cid, list.digest, list.codec);
    }

    /// @inheritdoc IConsentRegistry
    function postConsents(Content calldata consents) external override {
        _callerAs(HOSPITAL);
        consents.check();
        Posted storage own = _consents[msg.sender];
        own.root = consents.digest;
        emit ConsentsPosted(msg.sender, ++own.version, consents.cid, consents.digest, consents.codec);
    }

    /// @inheritdoc IConsentRegistry
    function erase(bytes32[] calldata resources) external override {
        _callerAs(HOSPITAL);
        mapping(bytes32 resource => Enrolment) storage own = _records[msg.sender];
        for (uint256 i = 0; i < resources.length; ++i) {
            Enrolment memory before = own[resources[i]];
            if (before.holder == address(0)) revert UnknownRecord(msg.sender, resources[i]);
            if (before.erased) revert AlreadyErased(msg.sender, resources[i]);
            own[resources[i]].erased = true;
            emit RecordErased(msg.sender, resources[i]);
        }
    }

    /// @inheritdoc IConsentRegistry
    function stateOf(bytes32 consentId) external view override returns (ConsentState) {
        return _states[consentId];
    }

    /// @inheritdoc IConsentRegistry
    function enrolmentOf(address custodian, bytes32 resource)
        external
        view
        override
        returns (address holder, bool erased)
    {
        Enrolment memory record = _records[custodian][resource];
        return (record.holder, record.erased);
    }

    /// @inheritdoc IConsentRegistry
    function statusRootOf(address custodian) external view override returns (bytes32) {
        return _lists[custodian].root;
    }

    /// @inheritdoc IConsentRegistry
    function statusVersionOf(address custodian) external view override returns (uint64) {
        return _lists[custodian].version;
    }

    /// @inheritdoc IConsentRegistry
    function isPosted(address custodian, bytes32 consentId, bytes32[] calldata path)
        external
        view
        override
        returns (bool)
    {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(consentId))));
        return MerkleProof.verifyCalldata(path, _consents[custodian].root, leaf);
    }

    /// @inheritdoc IConsentRegistry
    function consentsRootOf(address custodian) external view override returns (bytes32) {
        return _consents[custodian].root;
    }

    /// @inheritdoc IConsentRegistry
    function consentsVersionOf(address custodian) external view override returns (uint64) {
        return _consents[custodian].version;
    }

    /// @inheritdoc IConsentRegistry
    function idOf(Consent calldata terms) public view override returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    CONSENT_TYPE,
                    terms.holder,
                    terms.grantee,
                    terms.custodian,
                    terms.resource,
                    keccak256(bytes(terms.purpose)),
                    terms.validFrom,
                    terms.validUntil,
                    terms.statusIndex,
                    terms.salt
                )
            )
        );
    }

    function _grant(Consent calldata terms, bytes calldata signature) private returns (bytes32 consentId) {
        consentId = idOf(terms);
        ConsentState state = _states[consentId];
        if (state == ConsentState.Granted) revert AlreadyGranted(consentId);
        if (state == ConsentState.Withdrawn) revert AlreadyWithdrawn(consentId);
        _requireHolder(terms.holder, consentId, consentId, signature);
        if (terms.grantee == address(0)) revert NoGrantee(consentId);
        if (terms.validUntil <= terms.validFrom) revert EmptyPeriod(terms.validFrom, terms.validUntil);
        _requireRange("purpose", bytes(terms.purpose).length, 1, MAX_PURPOSE_BYTES);
        _requireRange("statusIndex", terms.statusIndex, 0, STATUS_ENTRIES - 1);
        Enrolment memory record = _records[terms.custodian][terms.resource];
        if (record.holder == address(0)) revert UnknownRecord(terms.custodian, terms.resource);
        if (record.holder != terms.holder) revert NotItsHolder(terms.resource, record.holder, terms.holder);
        if (record.erased) revert ErasedRecord(terms.custodian, terms.resource);
        _states[consentId] = ConsentState.Granted;
        emit ConsentGranted(
            consentId,
            terms.holder,
            terms.grantee,
            terms.custodian,
            terms.resource,
            terms.purpose,
            terms.validFrom,
            terms.validUntil,
            terms.statusIndex
        );
    }

    /// @dev The first reason against, in the order of the enumeration.
    function _decide(
        bytes32 consentId,
        Consent calldata terms,
        address caller,
        string calldata purpose,
        StatusProof calldata status
    ) private view returns (Denial) {
        ConsentState state = _states[consentId];
        if (state == ConsentState.None) return Denial.NotGranted;
        if (state == ConsentState.Withdrawn) return Denial.Withdrawn;
        if (_records[terms.custodian][terms.resource].erased) return Denial.Erased;
        if (caller != terms.grantee) return Denial.WrongGrantee;
        if (keccak256(bytes(purpose)) != keccak256(bytes(terms.purpose))) return Denial.WrongPurpose;
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp < terms.validFrom) return Denial.NotYetValid;
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp >= terms.validUntil) return Denial.Expired;
        return _checkStatus(_lists[terms.custodian].root, terms.statusIndex, status);
    }

    /// @dev The leaf names its place, so that no other word of the list can stand for it. No list: root zero, which nothing has.
    function _checkStatus(bytes32 root, uint256 index, StatusProof calldata status) private pure returns (Denial) {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(index / 256, status.word))));
        if (!MerkleProof.verifyCalldata(status.path, root, leaf)) return Denial.StatusUnproven;
        return (uint256(status.word) >> (255 - index % 256)) & 1 == 0 ? Denial.None : Denial.Revoked;
    }

    function _requireHolder(address holder, bytes32 consentId, bytes32 digest, bytes calldata signature) private view {
        if (msg.sender == holder) return;
        _callerAs(HOSPITAL);
        if (!SignatureChecker.isValidSignatureNowCalldata(holder, digest, signature)) {
            revert NotSignedByHolder(consentId, holder);
        }
    }
}
