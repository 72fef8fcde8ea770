"""Why a proof is refused: one class for each named check of docs/proof-format.md, in their order.

`verify` returns None or raises one of these. They carry the values that disagreed.
"""


class RejectedProof(Exception):
    """A verifier's refusal. Any bytes at all lead to acceptance or to one of the subclasses."""


class BadVersion(RejectedProof):
    """Phase 0: the first byte is not the version that this verifier speaks."""

    def __init__(self, got: int):
        super().__init__(f"expected version 1, got {got}")
        self.got = got


class WrongParameters(RejectedProof):
    """Phase 0: the proof was made with other parameters than the verifier's."""

    def __init__(self, expected: bytes, got: bytes):
        super().__init__(f"expected parameters {expected.hex()}, got {got.hex()}")
        self.expected, self.got = expected, got


class BadPublicInput(RejectedProof):
    """Phase 0: a public input is missing, surplus, or not below p."""


class BadPublicData(RejectedProof):
    """Phase 0: the data are `index` bytes (`value` is then 0), which are not whole rows, or more than a trace can carry.
    Phase 2: element `index` of the data is `value`, not below p.
    """

    def __init__(self, index: int, value: int):
        super().__init__(f"element {index} is {value}, not below p" if value else f"got {index} bytes")
        self.index, self.value = index, value


class BadLength(RejectedProof):
    """Phase 0: the bytes are not as long as the counts in them say."""

    def __init__(self, expected: int, got: int):
        super().__init__(f"expected {expected} bytes, got {got}")
        self.expected, self.got = expected, got


class NonCanonicalElement(RejectedProof):
    """Phase 0: a field element is not below p. `index`: number of the element in the element sections."""

    def __init__(self, index: int, value: int):
        super().__init__(f"element {index} is {value}, not below p")
        self.index, self.value = index, value


class OodMismatch(RejectedProof):
    """Phase 4: constraints and quotient disagree at the out-of-domain point."""


class FinalDegree(RejectedProof):
    """Phase 6: the final polynomial has another number of coefficients than the parameters say."""

    def __init__(self, expected: int, got: int):
        super().__init__(f"expected {expected} final coefficients, got {got}")
        self.expected, self.got = expected, got


class BadGrinding(RejectedProof):
    """Phase 7: the nonce does not give the leading zero bits that the parameters ask for."""

    def __init__(self, expected: int, nonce: int):
        super().__init__(f"nonce {nonce} does not give {expected} leading zero bits")
        self.expected, self.nonce = expected, nonce


class BadMerklePath(RejectedProof):
    """Phase 8: opened leaves do not lead to the committed root, or leaves or nodes are too many or too few."""

    def __init__(self, group: str, why: str):
        super().__init__(f"{group}: {why}")
        self.group = group


class DeepMismatch(RejectedProof):
    """Phase 8: FRI layer 0 at `position` is not the DEEP combination of the opened columns."""

    def __init__(self, position: int):
        super().__init__(f"position {position}")
        self.position = position


class FoldMismatch(RejectedProof):
    """Phase 8: a leaf of FRI layer `layer` does not fold to the value in the layer that follows."""

    def __init__(self, layer: int, position: int):
        super().__init__(f"layer {layer}, leaf {position}")
        self.layer, self.position = layer, position


class FinalMismatch(RejectedProof):
    """Phase 8: the last layer does not fold to the final polynomial."""

    def __init__(self, position: int):
        super().__init__(f"leaf {position} of the last layer")
        self.position = position
