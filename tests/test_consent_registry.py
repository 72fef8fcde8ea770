"""The consent contract through its client, on the embedded chain and on anvil: the answers, the refusals, the gas."""

from dataclasses import replace

import pytest
from consent_cases import FROM, RECIPIENT, UNTIL, Clinic, open_clinic, patient

from bfl_ref.chain import errors
from bfl_ref.chain.compile import compile_contracts, system_sources
from bfl_ref.chain.events import (
    AccessAllowed,
    AccessDenied,
    ConsentGranted,
    ConsentWithdrawn,
    RecordEnrolled,
    RecordErased,
    StatusListPosted,
)
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.records import ConsentState, Content, Denial
from bfl_ref.chain.transactions import transact
from bfl_ref.consent import (
    ConsentRegistry,
    StatusList,
    consent_id,
    fetch,
    publish,
    sign,
    verify,
    withdrawal_message,
)
from bfl_ref.consent.status_list import MalformedStatusList
from bfl_ref.store import FolderStore, cid_of


@pytest.fixture(params=["embedded", "anvil"])
def clinic(request):
    with open_chain(request.param) as node:
        yield open_clinic(node)


@pytest.fixture
def embedded():
    with open_chain() as node:
        yield open_clinic(node)


def withdrawal(clinic: Clinic, terms, i: int = 0) -> bytes:
    message = withdrawal_message(clinic.registry.id_of(terms), clinic.registry.domain)
    return bytes(patient(i).sign_message(message).signature)


def test_consent_leads_to_a_yes_and_its_withdrawal_to_a_no(clinic):
    registry = clinic.registry
    terms = clinic.terms()
    consent = registry.id_of(terms)
    assert consent == consent_id(terms, registry.domain)  # eth-account's digest is the contract's
    assert registry.state_of(consent) is ConsentState.NONE
    clinic.enrol(terms)
    credential = sign(terms, registry.domain, patient(0))
    signature = bytes.fromhex(credential["proof"]["proofValue"][2:])
    assert (
        registry.grant(verify(credential, registry.domain, FROM), signature, sender=clinic.hospital)
        == consent
    )
    assert registry.state_of(consent) is ConsentState.GRANTED

    yes = clinic.ask(terms)
    assert isinstance(yes, AccessAllowed) and yes.request_id == registry.requests() == 1
    assert (yes.consent_id, yes.grantee, yes.resource) == (consent, clinic.researcher.address, terms.resource)
    assert (yes.custodian, yes.purpose, yes.recipient) == (clinic.hospital.address, "HRESCH", RECIPIENT)

    registry.withdraw(terms, withdrawal(clinic, terms), sender=clinic.other_hospital)
    no = clinic.ask(terms)
    assert isinstance(no, AccessDenied) and no.reason is Denial.WITHDRAWN and no.request_id == 2
    with pytest.raises(errors.AlreadyWithdrawn):
        registry.grant(terms, signature, sender=clinic.hospital)
    told = registry.history(0, clinic.system.node.web3.eth.block_number)
    kinds = [StatusListPosted, RecordEnrolled, ConsentGranted, AccessAllowed, ConsentWithdrawn, AccessDenied]
    assert [type(event) for event in told] == kinds
    assert told[2].valid_from == FROM and told[2].status_index == terms.status_index


def reasons(clinic: Clinic):
    """(terms, purpose, who asks, status list, expected) of each reason that can be had without waiting."""
    now = clinic.system.node.web3.eth.get_block("latest")["timestamp"]
    good = clinic.granted(0)
    early = clinic.granted(1, valid_from_s=now + 10_000)
    late = clinic.granted(2, valid_until_s=now - 10)
    empty, posted, hers = StatusList(), StatusList().with_revoked(3), clinic.researcher
    revoked = clinic.granted(3)
    clinic.post(posted)
    changed = replace(good, valid_until_s=UNTIL + 1)
    return [
        (good, "HRESCH", hers, posted, Denial.NONE),
        (clinic.terms(9), "HRESCH", hers, posted, Denial.NOT_GRANTED),
        (changed, "HRESCH", hers, posted, Denial.NOT_GRANTED),
        (good, "HRESCH", clinic.hospital, posted, Denial.WRONG_GRANTEE),
        (good, "TREAT", hers, posted, Denial.WRONG_PURPOSE),
        (early, "HRESCH", hers, posted, Denial.NOT_YET_VALID),
        (late, "HRESCH", hers, posted, Denial.EXPIRED),
        (good, "HRESCH", hers, empty, Denial.STATUS_UNPROVEN),
        (revoked, "HRESCH", hers, posted, Denial.REVOKED),
    ]


def test_each_reason_is_foreseen_answered_and_in_the_log(embedded):
    registry = embedded.registry
    cases = reasons(embedded)
    erased = embedded.granted(4)
    registry.erase([erased.resource], sender=embedded.hospital)
    enrolment = registry.enrolment_of(embedded.hospital.address, erased.resource)
    assert enrolment.erased and enrolment.holder == patient(4).address
    cases.append((erased, "HRESCH", embedded.researcher, StatusList().with_revoked(3), Denial.ERASED))
    for terms, purpose, who, status, expected in cases:
        assert registry.decide(terms, who.address, purpose, status.proof(terms.status_index)) is expected
        answer = embedded.ask(terms, purpose, status, sender=who)
        got = answer.reason if isinstance(answer, AccessDenied) else Denial.NONE
        assert got is expected, expected
    log = registry.history(0, embedded.system.node.web3.eth.block_number)
    told = [e.reason for e in log if isinstance(e, AccessDenied)]
    assert set(told) | {Denial.NONE} == set(Denial) - {Denial.WITHDRAWN}
    assert [e.resource for e in log if isinstance(e, RecordErased)] == [erased.resource]


def test_nobody_consents_for_another(embedded):
    """An impostor's own key, signature and terms are all in order; the record is the patient's."""
    registry, mine = embedded.registry, embedded.granted(0)
    impostor = embedded.terms(0, holder=patient(1).address)
    with pytest.raises(errors.NotItsHolder) as refused:
        registry.grant(impostor, embedded.signature(impostor, 1), sender=embedded.hospital)
    assert (refused.value.expected, refused.value.got) == (patient(0).address, patient(1).address)
    with pytest.raises(errors.NotSignedByHolder):
        registry.withdraw(mine, withdrawal(embedded, mine, 1), sender=embedded.hospital)
    with pytest.raises(errors.UnknownRecord):
        unknown = embedded.terms(5)
        registry.grant(unknown, embedded.signature(unknown, 5), sender=embedded.hospital)


def test_credential_of_elsewhere_is_refused_by_the_contract(embedded):
    """Replay: the same terms, signed for another contract and for another chain."""
    terms, here = embedded.terms(), embedded.registry.domain
    other = connect_other(embedded)
    for domain in (other.domain, replace(here, chain_id=here.chain_id + 1)):
        foreign = bytes.fromhex(sign(terms, domain, patient(0))["proof"]["proofValue"][2:])
        with pytest.raises(errors.NotSignedByHolder) as refused:
            embedded.registry.grant(terms, foreign, sender=embedded.hospital)
        assert refused.value.holder == patient(0).address
    with pytest.raises(errors.NotMember):
        embedded.registry.grant(terms, embedded.signature(terms), sender=embedded.researcher)


def connect_other(clinic: Clinic) -> ConsentRegistry:
    """Another registry of the same consortium."""
    system, artifact = clinic.system, compile_contracts(system_sources())["ConsentRegistry"]
    factory = system.node.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    constructor = factory.constructor(system.consortium.address)
    address = transact(system.node, constructor, system.node.accounts[9])["contractAddress"]
    contract = system.node.web3.eth.contract(address, abi=artifact.abi, decode_tuples=True)
    return ConsentRegistry(system.node, contract, [artifact.abi], {})


def test_patient_needs_no_hospital(embedded):
    account = embedded.system.node.accounts[5]
    terms = embedded.terms(holder=account.address)
    embedded.enrol(terms)
    embedded.registry.grant(terms, sender=account)
    embedded.registry.withdraw(terms, sender=account)
    assert embedded.registry.state_of(embedded.registry.id_of(terms)) is ConsentState.WITHDRAWN


def test_gas_of_each_call_stays_below_what_is_promised(embedded):
    """Upper bounds a little above what is measured; one consent of a batch costs less than one alone."""
    registry, gas = embedded.registry, embedded.system.gas
    terms = embedded.granted(0)
    embedded.ask(terms)
    embedded.ask(terms, "TREAT")
    registry.withdraw(terms, withdrawal(embedded, terms), sender=embedded.hospital)
    many = [embedded.terms(i) for i in range(1, 21)]
    embedded.enrol(*many)
    signatures = [embedded.signature(each, i) for i, each in enumerate(many, start=1)]
    assert registry.grant_many(many, signatures, sender=embedded.hospital) == tuple(map(registry.id_of, many))
    registry.erase([each.resource for each in many], sender=embedded.hospital)
    used = {name.removeprefix("ConsentRegistry."): entries for name, entries in gas.items()}
    allowed, denied = used["request"]
    assert used["grant"][0] < 77_000 and used["withdraw"][0] < 56_000
    assert allowed < 75_000 and denied < 60_000
    assert used["grantMany"][0] / 20 < 50_000 and used["erase"][0] / 20 < 11_000
    assert used["enrol"][1] / 20 < 29_000
    assert used["postStatusList"][0] < 95_000


def test_status_list_must_be_a_file(embedded):
    with pytest.raises(errors.InvalidContent):
        embedded.registry.post_status_list(Content(cid_of(b"list"), bytes(32)), sender=embedded.hospital)


def test_published_list_comes_back_and_is_the_one_in_force(embedded, tmp_path):
    store, registry = FolderStore(tmp_path), embedded.registry
    status = StatusList().with_revoked(3, 94_567)
    content = publish(registry, store, status, FROM, sender=embedded.hospital)
    assert fetch(store, content) == status
    assert registry.status_root_of(embedded.hospital.address) == content.digest
    told = registry.history(0, embedded.system.node.web3.eth.block_number)
    assert [e.status for e in told if isinstance(e, StatusListPosted)][-1] == content
    terms = embedded.granted(3)
    answer = embedded.ask(terms, status=fetch(store, content))
    assert isinstance(answer, AccessDenied) and answer.reason is Denial.REVOKED
    for wrong in (replace(content, digest=StatusList().root), Content(store.put(b"{}"), status.root)):
        with pytest.raises(MalformedStatusList):
            fetch(store, wrong)
