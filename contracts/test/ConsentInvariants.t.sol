// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {Consent, ConsentState, Denial, StatusProof} from "../src/interfaces/IConsentRegistry.sol";
import {clock, ConsentDeployment} from "./ConsentDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Patients, researchers, hospitals and strangers in any order; a book of its own says what each request must be answered.
contract ConsentHandler is ConsentDeployment {
    struct Entry {
        Consent terms;
        bool granted;
        bool withdrawn;
        bool erased;
        bool revoked;
    }

    uint256 internal constant CONSENTS = 4;
    Entry[CONSENTS] internal book;
    uint256 internal asked;

    /// @notice What went wrong first; empty while nothing did.
    string public broken;
    /// @notice How many requests were allowed and denied.
    uint256[2] public answers;

    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < CONSENTS; ++i) {
            Entry storage entry = book[i];
            entry.terms = terms();
            entry.terms.resource = keccak256(abi.encode("leaf", i / 2)); // two consents for each record
            if (i % 2 == 0) enrol(custodian, entry.terms.resource, patient);
            entry.terms.validFrom = FROM + uint64(100 * i);
            entry.terms.validUntil = FROM + uint64(100 * i) + 500;
            entry.terms.statusIndex = uint32(255 + i);
        }
    }

    function wait(uint16 seconds_) external {
        clock.warp(clock.getBlockTimestamp() + seconds_ % 60);
    }

    function grantOne(uint256 i, uint256 who) external {
        Entry storage entry = book[i % CONSENTS];
        Consent memory one = entry.terms;
        address sender = [patient, hospitals[1], researcher, outsider][who % 4];
        bytes memory signature = sign(who % 8 < 4 ? PATIENT_KEY : PATIENT_KEY + 1, consents.idOf(one));
        bool may = sender == patient || (sender == hospitals[1] && who % 8 < 4);
        bool expected = may && !entry.granted && !entry.withdrawn && !entry.erased;
        vm.prank(sender);
        try consents.grant(one, signature) {
            if (!expected) broken = "granted";
            entry.granted = true;
        } catch {
            if (expected) broken = "not granted";
        }
    }

    function withdrawOne(uint256 i, uint256 who) external {
        Entry storage entry = book[i % CONSENTS];
        Consent memory one = entry.terms;
        address sender = [patient, hospitals[1], researcher, outsider][who % 4];
        bytes memory signature = sign(who % 8 < 4 ? PATIENT_KEY : PATIENT_KEY + 1, withdrawalDigest(consents.idOf(one)));
        bool expected = (sender == patient || (sender == hospitals[1] && who % 8 < 4)) && !entry.withdrawn;
        vm.prank(sender);
        try consents.withdraw(one, signature) {
            if (!expected) broken = "withdrawn";
            entry.withdrawn = true;
        } catch {
            if (expected) broken = "not withdrawn";
        }
    }

    function eraseOne(uint256 i, uint256 who) external {
        if (who % 5 != 0) return; // erasure ends a record: let some live
        bytes32[] memory one = new bytes32[](1);
        one[0] = book[i % CONSENTS].terms.resource;
        vm.prank(custodian);
        try consents.erase(one) {
            for (uint256 j = 0; j < CONSENTS; ++j) {
                if (book[j].terms.resource == one[0]) book[j].erased = true;
            }
        } catch {}
    }

    function revokeOne(uint256 i, uint256 who) external {
        if (who % 5 != 0) return;
        revoke(book[i % CONSENTS].terms.statusIndex);
        book[i % CONSENTS].revoked = true;
    }

    function ask(uint256 i, uint256 who, bool otherPurpose) external {
        Entry storage entry = book[i % CONSENTS];
        Consent memory one = entry.terms;
        StatusProof memory proof = proofOf(one.statusIndex);
        address sender = who % 3 == 0 ? outsider : researcher;
        uint256 time = clock.getBlockTimestamp();
        vm.prank(sender);
        (uint256 requestId, Denial reason) = consents.request(one, otherPurpose ? "TREAT" : "HRESCH", RECIPIENT, proof);
        bool expected = entry.granted && !entry.withdrawn && !entry.erased && !entry.revoked && sender == researcher
            && !otherPurpose && time >= one.validFrom && time < one.validUntil;
        if (expected != (reason == Denial.None)) broken = expected ? "denied" : "allowed";
        if (requestId != ++asked) broken = "number of the request";
        ++answers[reason == Denial.None ? 0 : 1];
    }

    function agrees() external view returns (bool) {
        for (uint256 i = 0; i < CONSENTS; ++i) {
            Entry storage entry = book[i];
            ConsentState expected =
                entry.withdrawn ? ConsentState.Withdrawn : entry.granted ? ConsentState.Granted : ConsentState.None;
            if (consents.stateOf(consents.idOf(entry.terms)) != expected) return false;
            (, bool erased) = consents.enrolmentOf(custodian, entry.terms.resource);
            if (erased != entry.erased) return false;
        }
        return consents.requests() == asked;
    }
}

/// @notice Whatever happens in whatever order: nothing is allowed after withdrawal, revocation or erasure, outside its time, to
/// another or for another purpose; and what may be allowed is.
contract ConsentInvariantsTest {
    ConsentHandler internal handler;
    address[] internal targets;
    bytes4[] internal selectors;

    struct Selectors {
        address target;
        bytes4[] selectors;
    }

    function setUp() public {
        handler = new ConsentHandler();
        handler.setUp();
        targets.push(address(handler));
        selectors.push(ConsentHandler.wait.selector);
        selectors.push(ConsentHandler.grantOne.selector);
        selectors.push(ConsentHandler.grantOne.selector);
        selectors.push(ConsentHandler.withdrawOne.selector);
        selectors.push(ConsentHandler.eraseOne.selector);
        selectors.push(ConsentHandler.revokeOne.selector);
        selectors.push(ConsentHandler.ask.selector);
        selectors.push(ConsentHandler.ask.selector);
        selectors.push(ConsentHandler.ask.selector);
    }

    /// @dev Asked by forge: who is called, and by which functions.
    function targetContracts() external view returns (address[] memory) {
        return targets;
    }

    function targetSelectors() external view returns (Selectors[] memory all) {
        all = new Selectors[](1);
        all[0] = Selectors(address(handler), selectors);
    }

    function invariant_answers_areThoseOfTheBook() public view {
        string memory broken = handler.broken();
        vm.assertTrue(bytes(broken).length == 0, broken);
    }

    function invariant_states_areThoseOfTheBook() public view {
        vm.assertTrue(handler.agrees(), "state");
    }
}
