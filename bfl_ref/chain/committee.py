"""Client of the committee that sums up shared updates. Conventions as in `clients`; seats and groups count from 0."""

from collections.abc import Mapping, Sequence

from eth_account.signers.local import LocalAccount

from .records import SharingParameters, from_abi
from .transactions import Call, Client


class Committee(Client):
    """ICommittee: shares, complaints about them, proven sums, and who was silent."""

    def complain(self, round_id: int, hospital: str, *, sender: LocalAccount) -> None:
        """The sender's seat did not get its share of that hospital."""
        self._send(sender, "complain", round_id, hospital)

    def show(self, round_id: int, seat: int, elements: Sequence[int], *, sender: LocalAccount) -> None:
        """elements: the share and its salt, 40 below p, or 80 with two halves. The sender is the hospital."""
        self._send(sender, "show", round_id, seat, [int(element) for element in elements])

    def confirm(self, round_id: int, *, sender: LocalAccount) -> None:
        """The sender's seat holds every share that it did not complain about."""
        self._send(sender, "confirm", round_id)

    def submit_sum(
        self, round_id: int, group: int, total: bytes, proof: bytes, *, sender: LocalAccount
    ) -> None:
        """total: of the sender's shares over a group, 4 bytes big-endian for each slot. A false one is refused by the name
        that the verifier gives.
        """
        self._send(sender, "submitSum", round_id, group, total, proof, rehearsed=False)

    def decode(self, round_id: int, group: int, sums: Mapping[int, bytes], *, sender: LocalAccount) -> None:
        """sums: seat -> what it submitted, of any `threshold` seats."""
        seats = sorted(sums)
        self._send(sender, "decode", round_id, group, seats, [sums[seat] for seat in seats])

    def set_sharing(
        self, parameters: SharingParameters, releases: Sequence[str], sums: Sequence[str]
    ) -> Call:
        """releases, sums: verifiers of release proofs for these seats and this threshold, and of proofs of sums; over rows
        of one half and of two.
        """
        return self._call("setSharing", parameters.to_abi(), list(releases), list(sums))

    def sharing(self) -> SharingParameters:
        """Of coming rounds."""
        return from_abi(SharingParameters, self._view("sharing"))

    def sharing_of(self, round_id: int) -> SharingParameters:
        return from_abi(SharingParameters, self._view("sharingOf", round_id))

    def verifier_of(self, halves: int) -> str:
        """Of release proofs; the zero address if there is none."""
        return self._view("verifierOf", halves)

    def sum_verifier_of(self, halves: int) -> str:
        """Of proofs of sums."""
        return self._view("sumVerifierOf", halves)

    def seats_of(self, round_id: int) -> tuple[str, ...]:
        """Seat a evaluates at a + 1."""
        return tuple(self._view("seatsOf", round_id))

    def seat_of(self, round_id: int, member: str) -> int:
        """Raises NotSeated."""
        return self._view("seatOf", round_id, member)

    def stages_of(self, round_id: int) -> tuple[int, int, int, int]:
        """Last blocks for complaints, answers, sums, decoding; zero before and after their phases."""
        complain_until, show_until, sum_until, decode_until = self._view("stagesOf", round_id)
        return complain_until, show_until, sum_until, decode_until

    def weight_of(self, round_id: int, hospital: str) -> int:
        """By which the hospital's update is multiplied; fixed once its rows are, in phase Train."""
        return self._view("weightOf", round_id, hospital)

    def digests_of(self, round_id: int, hospital: str) -> tuple[bytes, ...]:
        """Of its shares, by seat; none if it did not commit."""
        return tuple(self._view("digestsOf", round_id, hospital))

    def bucket_of(self, round_id: int, hospital: str) -> int:
        return self._view("bucketOf", round_id, hospital)

    def complaints_of(self, round_id: int, hospital: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(seats that complained about it, those of them that it has not answered)."""
        complaints, unanswered = self._view("complaintsOf", round_id, hospital)
        return _seats(complaints), _seats(unanswered)

    def disputed(self, round_id: int) -> int:
        """Hospitals with an unanswered complaint."""
        return self._view("disputed", round_id)

    def are_shares_settled(self, round_id: int) -> bool:
        return self._view("areSharesSettled", round_id)

    def survivors_of(self, round_id: int) -> tuple[str, ...]:
        """The hospitals whose updates count; none before phase Aggregate."""
        return tuple(self._view("survivorsOf", round_id))

    def groups_of(self, round_id: int) -> tuple[int, tuple[int, ...]]:
        """(number of groups, sum of the survivors' weights in each)."""
        count, weights = self._view("groupsOf", round_id)
        return count, tuple(weights)

    def group_of(self, round_id: int, hospital: str) -> int:
        """Raises NotSurviving."""
        return self._view("groupOf", round_id, hospital)

    def sum_hash_of(self, round_id: int, group: int, seat: int) -> bytes:
        """keccak-256 of what a seat submitted; zeros if nothing."""
        return self._view("sumHashOf", round_id, group, seat)

    def is_decoded(self, round_id: int, group: int) -> bool:
        return self._view("isDecoded", round_id, group)

    def is_summed(self, round_id: int) -> bool:
        """All groups are decoded."""
        return self._view("isSummed", round_id)

    def require_summed(self, round_id: int) -> None:
        """Raises NotDecoded for the first group that is not."""
        self._view("requireSummed", round_id)

    def public_inputs(
        self, round_id: int, hospital: str, state: bytes, digests: Sequence[bytes], bucket: int
    ) -> tuple[int, ...]:
        """What a release proof is checked against, for this last state, these digests and this bucket."""
        return tuple(self._view("publicInputs", round_id, hospital, state, list(digests), bucket))

    def sum_inputs(self, round_id: int, group: int, seat: int, total: bytes) -> tuple[int, ...]:
        """What the proof of a seat's sum over a group is checked against, for this sum."""
        return tuple(self._view("sumInputs", round_id, group, seat, total))

    def partition(self, seed: bytes, n: int) -> tuple[int, ...]:
        """The group of each of n survivors, by itself."""
        return tuple(self._view("partition", seed, n))

    def consortium(self) -> str:
        return self._view("consortium")

    def vault(self) -> str:
        return self._view("vault")

    def data(self) -> str:
        return self._view("data")

    def audits(self) -> str:
        return self._view("audits")

    def beacon(self) -> str:
        return self._view("beacon")


def _seats(bits: int) -> tuple[int, ...]:
    return tuple(seat for seat in range(bits.bit_length()) if bits >> seat & 1)
