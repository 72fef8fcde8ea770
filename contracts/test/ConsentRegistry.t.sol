// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {Content, InvalidContent} from "../src/interfaces/Content.sol";
import {Consent, ConsentState, Denial, IConsentRegistry, StatusProof} from "../src/interfaces/IConsentRegistry.sol";
import {HOSPITAL, IConsortium} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {clock, ConsentDeployment} from "./ConsentDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice A patient's account that is a contract: it signs for one digest.
contract PatientContract {
    bytes32 internal accepted;

    function accept(bytes32 digest) external {
        accepted = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == accepted ? this.isValidSignature.selector : bytes4(0);
    }
}

contract ConsentRegistryTest is ConsentDeployment {
    function ask(Consent memory one, address who, string memory purpose) internal returns (Denial reason) {
        StatusProof memory proof = proofOf(one.statusIndex);
        Denial foreseen = consents.decide(one, who, purpose, proof);
        vm.prank(who);
        (, reason) = consents.request(one, purpose, RECIPIENT, proof);
        vm.assertEq(uint8(reason), uint8(foreseen));
    }

    function expectAnswer(Consent memory one, address who, string memory purpose, Denial expected) internal {
        uint256 requestId = consents.requests() + 1;
        bytes32 consentId = consents.idOf(one);
        vm.expectEmit(address(consents));
        if (expected == Denial.None) {
            emit IConsentRegistry.AccessAllowed(
                requestId, consentId, who, one.custodian, one.resource, purpose, RECIPIENT
            );
        } else {
            emit IConsentRegistry.AccessDenied(requestId, consentId, who, purpose, expected);
        }
        StatusProof memory proof = proofOf(one.statusIndex);
        vm.prank(who);
        (uint256 gotId, Denial got) = consents.request(one, purpose, RECIPIENT, proof);
        vm.assertEq(gotId, requestId);
        vm.assertEq(uint8(got), uint8(expected));
        vm.assertEq(consents.requests(), requestId);
    }

    function expectGranted(Consent memory one) internal {
        vm.expectEmit(address(consents));
        emit IConsentRegistry.ConsentGranted(
            consents.idOf(one),
            one.holder,
            one.grantee,
            one.custodian,
            one.resource,
            one.purpose,
            one.validFrom,
            one.validUntil,
            one.statusIndex
        );
    }

    function test_idOf_isTheEip712Digest() public view {
        Consent memory one = terms();
        vm.assertEq(consents.idOf(one), digestOf(structHashOf(one), clock.getChainId(), address(consents)));
    }

    function test_grant_relayedThenAsked_isAllowed() public {
        Consent memory one = terms();
        vm.assertEq(uint8(consents.stateOf(consents.idOf(one))), uint8(ConsentState.None));
        bytes memory signature = sign(PATIENT_KEY, consents.idOf(one));
        expectGranted(one);
        vm.prank(hospitals[1]);
        bytes32 consentId = consents.grant(one, signature);
        vm.assertEq(consentId, consents.idOf(one));
        vm.assertEq(uint8(consents.stateOf(consentId)), uint8(ConsentState.Granted));
        expectAnswer(one, researcher, "HRESCH", Denial.None);
    }

    function test_grant_sentByThePatient_needsNoSignature() public {
        Consent memory one = terms();
        expectGranted(one);
        vm.prank(patient);
        consents.grant(one, "");
        expectAnswer(one, researcher, "HRESCH", Denial.None);
    }

    function test_grant_signedByAContract_isAsked() public {
        Consent memory one = terms();
        PatientContract account = new PatientContract();
        one.holder = address(account);
        one.resource = keccak256("its leaf");
        enrol(custodian, one.resource, one.holder);
        bytes32 id = consents.idOf(one);
        bytes memory why = abi.encodeWithSelector(IConsentRegistry.NotSignedByHolder.selector, id, one.holder);
        expectRefused(one, "", hospitals[1], why);
        account.accept(id);
        vm.prank(hospitals[1]);
        vm.assertEq(consents.grant(one, ""), id);
    }

    function expectRefused(Consent memory one, bytes memory signature, address relay, bytes memory why) internal {
        vm.expectRevert(why);
        vm.prank(relay);
        consents.grant(one, signature);
        vm.assertEq(uint8(consents.stateOf(consents.idOf(one))), uint8(ConsentState.None));
    }

    function test_grant_notByTheHolder_reverts() public {
        Consent memory one = terms();
        bytes32 id = consents.idOf(one);
        bytes memory why = abi.encodeWithSelector(IConsentRegistry.NotSignedByHolder.selector, id, patient);
        expectRefused(one, "", hospitals[1], why);
        expectRefused(one, sign(PATIENT_KEY + 1, id), hospitals[1], why);
        expectRefused(one, sign(PATIENT_KEY, withdrawalDigest(id)), hospitals[1], why);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PATIENT_KEY, id);
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        expectRefused(one, abi.encodePacked(r, order - uint256(s), v ^ 7), hospitals[1], why); // the same, turned
    }

    function test_grant_relayedByWhoIsNoHospital_reverts() public {
        Consent memory one = terms();
        bytes memory signature = sign(PATIENT_KEY, consents.idOf(one));
        expectRefused(one, signature, outsider, abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        expectRefused(
            one, signature, operators[0], abi.encodeWithSelector(IGoverned.MissingRole.selector, operators[0], HOSPITAL)
        );
    }

    function test_grant_forElsewhere_reverts() public {
        Consent memory one = terms();
        bytes32 id = consents.idOf(one);
        ConsentRegistry other = new ConsentRegistry(consortium);
        bytes memory foreign = sign(PATIENT_KEY, other.idOf(one));
        expectRefused(
            one, foreign, hospitals[1], abi.encodeWithSelector(IConsentRegistry.NotSignedByHolder.selector, id, patient)
        );
        bytes memory here = sign(PATIENT_KEY, id);
        clock.chainId(5);
        bytes32 there = consents.idOf(one);
        vm.assertTrue(there != id, "the id holds the chain");
        expectRefused(
            one, here, hospitals[1], abi.encodeWithSelector(IConsentRegistry.NotSignedByHolder.selector, there, patient)
        );
    }

    function test_grant_changedTerms_reverts() public {
        bytes memory signature = sign(PATIENT_KEY, consents.idOf(terms()));
        for (uint256 i = 0; i < 8; ++i) {
            Consent memory one = terms();
            if (i == 0) one.grantee = outsider;
            if (i == 1) one.custodian = hospitals[1];
            if (i == 2) one.resource = keccak256("other leaf");
            if (i == 3) one.purpose = "TREAT";
            if (i == 4) one.validFrom -= 1;
            if (i == 5) one.validUntil += 1;
            if (i == 6) one.statusIndex += 1;
            if (i == 7) one.salt = 0;
            bytes32 id = consents.idOf(one);
            expectRefused(
                one,
                signature,
                hospitals[1],
                abi.encodeWithSelector(IConsentRegistry.NotSignedByHolder.selector, id, patient)
            );
        }
    }

    function expectSenseless(Consent memory one, bytes memory why) internal {
        expectRefused(one, "", patient, why);
    }

    function test_grant_senselessTerms_reverts() public {
        Consent memory one = terms();
        one.grantee = address(0);
        expectSenseless(one, abi.encodeWithSelector(IConsentRegistry.NoGrantee.selector, consents.idOf(one)));
        one = terms();
        one.validUntil = FROM;
        expectSenseless(one, abi.encodeWithSelector(IConsentRegistry.EmptyPeriod.selector, FROM, FROM));
        one = terms();
        one.purpose = "";
        expectSenseless(one, abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("purpose"), 0, 1, 16));
        one.purpose = "HRESCHHRESCHHRESC";
        expectSenseless(one, abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("purpose"), 17, 1, 16));
        one = terms();
        one.statusIndex = 131_072;
        expectSenseless(
            one, abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("statusIndex"), 131_072, 0, 131_071)
        );
    }

    function test_grant_ofARecordThatIsNotOnesOwn_reverts() public {
        Consent memory one = terms();
        one.holder = outsider; // consents to the use of the patient's record
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotItsHolder.selector, one.resource, patient, outsider));
        vm.prank(outsider);
        consents.grant(one, "");
        one = terms();
        one.resource = keccak256("never enrolled");
        expectSenseless(one, abi.encodeWithSelector(IConsentRegistry.UnknownRecord.selector, custodian, one.resource));
        one = terms();
        one.custodian = hospitals[1]; // keeps no such record
        expectSenseless(
            one, abi.encodeWithSelector(IConsentRegistry.UnknownRecord.selector, hospitals[1], one.resource)
        );
    }

    function test_enrol_saysWhoseARecordIs() public {
        (bytes32[] memory resources, address[] memory holders) = (new bytes32[](2), new address[](2));
        (resources[0], resources[1]) = (keccak256("1"), keccak256("2"));
        (holders[0], holders[1]) = (patient, outsider);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.RecordEnrolled(custodian, resources[0], patient);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.RecordEnrolled(custodian, resources[1], outsider);
        vm.prank(custodian);
        consents.enrol(resources, holders);
        (address holder, bool erased) = consents.enrolmentOf(custodian, resources[1]);
        vm.assertEq(holder, outsider);
        vm.assertEq(erased, false);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.AlreadyEnrolled.selector, custodian, resources[0]));
        vm.prank(custodian);
        consents.enrol(resources, holders);
        vm.prank(hospitals[1]);
        consents.enrol(resources, holders); // another hospital's records are its own
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.WrongCount.selector, 2, 1));
        vm.prank(custodian);
        consents.enrol(resources, new address[](1));
        resources[0] = keccak256("3");
        holders[0] = address(0);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NoHolder.selector, resources[0]));
        vm.prank(custodian);
        consents.enrol(resources, holders);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        consents.enrol(resources, holders);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, operators[0], HOSPITAL));
        vm.prank(operators[0]);
        consents.enrol(resources, holders);
    }

    function test_grant_twice_reverts() public {
        bytes32 id = granted(terms());
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.AlreadyGranted.selector, id));
        vm.prank(patient);
        consents.grant(terms(), "");
    }

    function test_grantMany_allOrNone() public {
        Consent[] memory many = new Consent[](3);
        bytes[] memory signatures = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            many[i] = terms();
            many[i].salt = bytes32(i);
            signatures[i] = sign(PATIENT_KEY, consents.idOf(many[i]));
        }
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.WrongCount.selector, 3, 2));
        vm.prank(hospitals[1]);
        consents.grantMany(many, new bytes[](2));
        bytes memory good = signatures[2];
        signatures[2] = signatures[1];
        bytes32 last = consents.idOf(many[2]);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotSignedByHolder.selector, last, patient));
        vm.prank(hospitals[1]);
        consents.grantMany(many, signatures);
        vm.assertEq(uint8(consents.stateOf(consents.idOf(many[0]))), uint8(ConsentState.None));
        signatures[2] = good;
        vm.prank(hospitals[1]);
        consents.grantMany(many, signatures);
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(uint8(consents.stateOf(consents.idOf(many[i]))), uint8(ConsentState.Granted));
        }
    }

    function test_withdraw_signedOrSent_endsItForGood() public {
        for (uint256 i = 0; i < 2; ++i) {
            Consent memory one = terms();
            one.salt = bytes32(i);
            bytes32 id = granted(one);
            bytes memory signature = i == 0 ? sign(PATIENT_KEY, withdrawalDigest(id)) : bytes("");
            vm.expectEmit(address(consents));
            emit IConsentRegistry.ConsentWithdrawn(id, patient);
            vm.prank(i == 0 ? hospitals[2] : patient);
            consents.withdraw(one, signature);
            expectAnswer(one, researcher, "HRESCH", Denial.Withdrawn);
            vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.AlreadyWithdrawn.selector, id));
            vm.prank(patient);
            consents.withdraw(one, "");
            vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.AlreadyWithdrawn.selector, id));
            vm.prank(patient);
            consents.grant(one, "");
        }
    }

    function test_withdraw_beforeTheGrant_makesItWorthless() public {
        Consent memory one = terms();
        bytes32 id = consents.idOf(one);
        bytes memory kept = sign(PATIENT_KEY, id);
        vm.prank(patient);
        consents.withdraw(one, "");
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.AlreadyWithdrawn.selector, id));
        vm.prank(hospitals[1]);
        consents.grant(one, kept);
        expectAnswer(one, researcher, "HRESCH", Denial.Withdrawn);
    }

    function test_withdraw_notByTheHolder_reverts() public {
        Consent memory one = terms();
        bytes32 id = granted(one);
        bytes memory why = abi.encodeWithSelector(IConsentRegistry.NotSignedByHolder.selector, id, patient);
        bytes memory grantSignature = sign(PATIENT_KEY, id);
        vm.expectRevert(why);
        vm.prank(hospitals[1]);
        consents.withdraw(one, grantSignature);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        consents.withdraw(one, "");
        ConsentRegistry other = new ConsentRegistry(consortium);
        bytes32 structHash = keccak256(abi.encode(keccak256("Withdrawal(bytes32 consentId)"), id));
        bytes memory foreign = sign(PATIENT_KEY, digestOf(structHash, clock.getChainId(), address(other)));
        vm.expectRevert(why);
        vm.prank(hospitals[1]);
        consents.withdraw(one, foreign);
        expectAnswer(one, researcher, "HRESCH", Denial.None);
    }

    function test_request_eachReason_isNamed() public {
        Consent memory one = terms();
        expectAnswer(one, researcher, "HRESCH", Denial.NotGranted);
        granted(one);
        expectAnswer(one, outsider, "HRESCH", Denial.WrongGrantee);
        expectAnswer(one, custodian, "HRESCH", Denial.WrongGrantee);
        expectAnswer(one, researcher, "TREAT", Denial.WrongPurpose);
        expectAnswer(one, researcher, "HRESCH ", Denial.WrongPurpose);
        Consent memory changed = terms();
        changed.validUntil += 1;
        expectAnswer(changed, researcher, "HRESCH", Denial.NotGranted);
        revoke(one.statusIndex);
        expectAnswer(one, researcher, "HRESCH", Denial.Revoked);
        bytes32[] memory list = new bytes32[](1);
        list[0] = one.resource;
        vm.prank(custodian);
        consents.erase(list);
        expectAnswer(one, researcher, "HRESCH", Denial.Erased);
    }

    function test_request_malformedPurpose_reverts() public {
        StatusProof memory proof = proofOf(0);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("purpose"), 0, 1, 16));
        consents.request(terms(), "", RECIPIENT, proof);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("purpose"), 17, 1, 16));
        consents.request(terms(), "HRESCHHRESCHHRESC", RECIPIENT, proof);
    }

    function test_request_firstAndLastSecond() public {
        Consent memory one = terms();
        one.validFrom = FROM + 10;
        one.validUntil = FROM + 12;
        granted(one);
        for (uint256 t = FROM + 8; t < FROM + 15; ++t) {
            clock.warp(t);
            Denial expected =
                t < one.validFrom ? Denial.NotYetValid : t >= one.validUntil ? Denial.Expired : Denial.None;
            expectAnswer(one, researcher, "HRESCH", expected);
        }
    }

    function test_request_otherStatus_isUnproven() public {
        Consent memory one = terms();
        granted(one);
        StatusProof memory old = proofOf(one.statusIndex);
        StatusProof memory neighbour = proofOf(one.statusIndex + 256);
        revoke(one.statusIndex + 1); // the same word: the old proof is out of date
        expectUnproven(one, old);
        expectUnproven(one, neighbour);
        StatusProof memory proof = proofOf(one.statusIndex);
        proof.word = 0;
        expectUnproven(one, proof);
        StatusProof memory none;
        expectUnproven(one, none);
        one.custodian = hospitals[1]; // has posted no list
        one.salt = bytes32("other");
        enrol(hospitals[1], one.resource, patient);
        granted(one);
        expectUnproven(one, none);
        expectUnproven(one, proofOf(one.statusIndex));
    }

    function expectUnproven(Consent memory one, StatusProof memory proof) internal {
        vm.prank(researcher);
        (, Denial reason) = consents.request(one, "HRESCH", RECIPIENT, proof);
        vm.assertEq(uint8(reason), uint8(Denial.StatusUnproven));
    }

    function test_postStatusList_replacesTheRoot() public {
        Content memory file = content("list");
        vm.assertEq(consents.statusVersionOf(custodian), 1);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.StatusListPosted(custodian, 2, file.cid, file.digest, file.codec);
        vm.prank(custodian);
        consents.postStatusList(file);
        vm.assertEq(consents.statusRootOf(custodian), file.digest);
        vm.assertEq(consents.statusVersionOf(custodian), 2);
        file.digest = 0;
        vm.expectRevert(abi.encodeWithSelector(InvalidContent.selector, file.cid, 0, file.codec));
        vm.prank(custodian);
        consents.postStatusList(file);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        consents.postStatusList(content("list"));
    }

    function test_postConsents_replacesTheRoot_andPathsLeadToIt() public {
        Content memory file = content("consents");
        (bytes32 first, bytes32 second) = (keccak256("first"), keccak256("second"));
        bytes32 left = keccak256(bytes.concat(keccak256(abi.encode(first))));
        bytes32 right = keccak256(bytes.concat(keccak256(abi.encode(second))));
        file.digest = left < right ? keccak256(abi.encode(left, right)) : keccak256(abi.encode(right, left));
        bytes32[] memory path = new bytes32[](1);
        path[0] = right;
        vm.assertTrue(!consents.isPosted(custodian, first, path), "before");
        vm.expectEmit(address(consents));
        emit IConsentRegistry.ConsentsPosted(custodian, 1, file.cid, file.digest, file.codec);
        vm.prank(custodian);
        consents.postConsents(file);
        vm.assertEq(consents.consentsRootOf(custodian), file.digest);
        vm.assertEq(consents.consentsVersionOf(custodian), 1);
        vm.assertTrue(consents.isPosted(custodian, first, path), "posted");
        vm.assertTrue(!consents.isPosted(custodian, second, path), "another path");
        vm.assertTrue(!consents.isPosted(hospitals[1], first, path), "another hospital");
        // posting grants no access
        vm.assertEq(uint8(consents.stateOf(first)), 0);
        file.digest = 0;
        vm.expectRevert(abi.encodeWithSelector(InvalidContent.selector, file.cid, 0, file.codec));
        vm.prank(custodian);
        consents.postConsents(file);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        consents.postConsents(content("consents"));
    }

    function test_erase_isFinalAndTheCustodiansOwn() public {
        bytes32[] memory list = new bytes32[](2);
        (list[0], list[1]) = (terms().resource, keccak256("second"));
        enrol(custodian, list[1], patient);
        enrol(hospitals[1], list[0], patient);
        enrol(hospitals[1], list[1], patient);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        consents.erase(list);
        vm.prank(hospitals[1]);
        consents.erase(list); // another hospital's tombstones touch none of the custodian's records
        granted(terms());
        expectAnswer(terms(), researcher, "HRESCH", Denial.None);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.RecordErased(custodian, list[0]);
        vm.prank(custodian);
        consents.erase(list);
        (address holder, bool erased) = consents.enrolmentOf(custodian, list[1]);
        vm.assertEq(holder, patient);
        vm.assertEq(erased, true);
        expectAnswer(terms(), researcher, "HRESCH", Denial.Erased);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.AlreadyErased.selector, custodian, list[0]));
        vm.prank(custodian);
        consents.erase(list);
        list[0] = keccak256("never enrolled");
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.UnknownRecord.selector, custodian, list[0]));
        vm.prank(custodian);
        consents.erase(list);
        Consent memory late = terms();
        late.salt = bytes32("late");
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.ErasedRecord.selector, custodian, late.resource));
        vm.prank(patient);
        consents.grant(late, "");
    }

    /// @dev Only the holder's signature over exactly these terms, for this contract on this chain, puts them in force.
    function testFuzz_grant_onlySignedTerms(Consent memory one, uint256 key, uint64 chainId, address registry_) public {
        one.purpose = "HRESCH";
        one.custodian = custodian;
        one.grantee = one.grantee == address(0) ? researcher : one.grantee;
        one.statusIndex %= 131_072;
        one.validUntil = one.validUntil == 0 ? 1 : one.validUntil;
        one.validFrom %= one.validUntil;
        uint256 signer = 1000 + key % type(uint128).max; // none of the cast
        one.holder = vm.addr(signer);
        one.resource = keccak256(abi.encode(one.resource));
        enrol(custodian, one.resource, one.holder);
        bytes32 id = consents.idOf(one);
        if (registry_ != address(consents) || chainId != clock.getChainId()) {
            bytes memory foreign = sign(signer, digestOf(structHashOf(one), chainId, registry_));
            vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotSignedByHolder.selector, id, one.holder));
            vm.prank(hospitals[1]);
            consents.grant(one, foreign);
        }
        bytes memory signature = sign(signer, id);
        vm.prank(hospitals[1]);
        vm.assertEq(consents.grant(one, signature), id);
    }

    /// @dev A bit decides about its own consent, and about no other.
    function testFuzz_status_bitByBit(uint32 revoked, uint32 asked) public {
        revoked %= 131_072;
        Consent memory one = terms();
        one.statusIndex = asked % 131_072;
        granted(one);
        revoke(revoked);
        Denial expected = revoked == one.statusIndex ? Denial.Revoked : Denial.None;
        vm.assertEq(uint8(ask(one, researcher, "HRESCH")), uint8(expected));
        one.statusIndex = revoked;
        one.salt = bytes32("same place");
        granted(one);
        vm.assertEq(uint8(ask(one, researcher, "HRESCH")), uint8(Denial.Revoked));
    }
}
