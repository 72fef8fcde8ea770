// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {Content} from "../src/interfaces/Content.sol";
import {Consent, StatusProof} from "../src/interfaces/IConsentRegistry.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

/// @notice Cheat codes of time and chain.
interface Clock {
    function warp(uint256 timestamp) external;
    function chainId(uint256 id) external;
    function getChainId() external view returns (uint256);
    function getBlockTimestamp() external view returns (uint256);
}

Clock constant clock = Clock(address(vm));

/// @notice The registry with a patient who signs and a researcher who asks. Bits of the first hospital's status list are set by
/// `revoke`; the tree over them is built here, apart from the package.
abstract contract ConsentDeployment is Deployment {
    uint256 internal constant PATIENT_KEY = 0xA11CE;
    uint256 internal constant WORDS = 512;
    uint64 internal constant FROM = 1_800_000_000;
    uint64 internal constant UNTIL = 1_900_000_000;
    bytes32 internal constant RECIPIENT = bytes32(uint256(7));

    ConsentRegistry internal consents;
    address internal patient = vm.addr(PATIENT_KEY);
    address internal researcher = address(0xCAFE);
    address internal custodian;
    bytes32[WORDS] internal words;

    function setUp() public virtual override {
        super.setUp();
        consents = new ConsentRegistry(consortium);
        custodian = hospitals[0];
        clock.warp(FROM);
        postList();
        enrol(custodian, terms().resource, patient);
    }

    function enrol(address hospital, bytes32 resource, address holder) internal {
        (bytes32[] memory resources, address[] memory holders) = (new bytes32[](1), new address[](1));
        (resources[0], holders[0]) = (resource, holder);
        vm.prank(hospital);
        consents.enrol(resources, holders);
    }

    function terms() internal view returns (Consent memory) {
        return
            Consent(patient, researcher, custodian, keccak256("leaf"), "HRESCH", FROM, UNTIL, 94_567, bytes32("salt"));
    }

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function granted(Consent memory one) internal returns (bytes32) {
        bytes memory signature = sign(PATIENT_KEY, consents.idOf(one));
        vm.prank(hospitals[1]);
        return consents.grant(one, signature);
    }

    /// @dev EIP-712 by its definition, with nothing of the contract's.
    function digestOf(bytes32 structHash, uint256 chainId, address registry_) internal pure returns (bytes32) {
        bytes32 domainType =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain =
            keccak256(abi.encode(domainType, keccak256("bfl_ref consent"), keccak256("1"), chainId, registry_));
        return keccak256(abi.encodePacked("\x19\x01", domain, structHash));
    }

    function structHashOf(Consent memory one) internal pure returns (bytes32) {
        bytes memory typeString =
            "Consent(address holder,address grantee,address custodian,bytes32 resource,string purpose,uint64 validFrom,uint64 validUntil,uint32 statusIndex,bytes32 salt)";
        return keccak256(
            abi.encode(
                keccak256(typeString),
                one.holder,
                one.grantee,
                one.custodian,
                one.resource,
                keccak256(bytes(one.purpose)),
                one.validFrom,
                one.validUntil,
                one.statusIndex,
                one.salt
            )
        );
    }

    function withdrawalDigest(bytes32 consentId) internal view returns (bytes32) {
        bytes32 structHash = keccak256(abi.encode(keccak256("Withdrawal(bytes32 consentId)"), consentId));
        return digestOf(structHash, clock.getChainId(), address(consents));
    }

    function revoke(uint256 index) internal {
        words[index / 256] |= bytes32(1 << (255 - index % 256));
        postList();
    }

    function postList() internal {
        Content memory file = content("status list");
        file.digest = tree()[1];
        vm.prank(custodian);
        consents.postStatusList(file);
    }

    function proofOf(uint256 index) internal view returns (StatusProof memory proof) {
        bytes32[] memory nodes = tree();
        uint256 node = WORDS + index / 256;
        proof = StatusProof(words[index / 256], new bytes32[](9));
        for (uint256 i = 0; i < 9; ++i) {
            proof.path[i] = nodes[node ^ 1];
            node /= 2;
        }
    }

    /// @dev Node i has the children 2i and 2i + 1; the root is node 1, the leaves are the last 512.
    function tree() internal view returns (bytes32[] memory nodes) {
        nodes = new bytes32[](2 * WORDS);
        for (uint256 i = 0; i < WORDS; ++i) {
            nodes[WORDS + i] = keccak256(bytes.concat(keccak256(abi.encode(i, words[i]))));
        }
        for (uint256 i = WORDS - 1; i > 0; --i) {
            (bytes32 left, bytes32 right) = (nodes[2 * i], nodes[2 * i + 1]);
            nodes[i] = left < right ? keccak256(abi.encode(left, right)) : keccak256(abi.encode(right, left));
        }
    }
}
