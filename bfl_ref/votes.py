"""Validators' votes on their way to the chain: collected, brought in one transaction, and who signed two models reported."""

from collections.abc import Sequence
from contextlib import suppress

from .chain.errors import ContractError
from .chain.records import Content
from .member import Member, Round

Votes = dict[Content, list[tuple[Member, bytes]]]
"""Model -> who signed it, and the signatures."""


def gather(round_: Round, validators: Sequence[Member]) -> Votes:
    """What the validators sign."""
    votes: Votes = {}
    for member in validators:
        for content, signature in member.votes(round_):
            votes.setdefault(content, []).append((member, signature))
    return votes


def bring(round_: Round, votes: Votes) -> dict[str, ContractError]:
    """Every model's signatures in one transaction, sent by the first that signed it; one by one if the contract refuses one.

    Returns whose votes were refused, and why.
    """
    rounds, round_id = round_.system.rounds, round_.round_id
    refused: dict[str, ContractError] = {}
    for content, signed in votes.items():
        try:
            signatures = [signature for _, signature in signed]
            rounds.vote_model(round_id, content, signatures, sender=signed[0][0].account)
            continue
        except ContractError as refusal:
            if len(signed) == 1:
                refused[signed[0][0].account.address] = refusal
                continue
        for member, signature in signed:
            try:
                rounds.vote_model(round_id, content, [signature], sender=member.account)
            except ContractError as refusal:
                refused[member.account.address] = refusal
    return refused


def report_equivocation(round_: Round, votes: Votes, members: Sequence[Member]) -> None:
    """Whoever signed two models is reported by the first other member."""
    first: dict[Member, tuple[Content, bytes]] = {}
    for content, signed in votes.items():
        for member, signature in signed:
            if member not in first:
                first[member] = content, signature
                continue
            reporter = next(m for m in members if m is not member).account
            evidence = *first[member], content, signature
            with suppress(ContractError):  # somebody was quicker, or it is no validator's signature
                round_.system.validators.report(round_.round_id, *evidence, sender=reporter)
