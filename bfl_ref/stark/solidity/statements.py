"""Which statements contracts verify, with which parameters."""

from ...statements.fibonacci import Fibonacci
from ...statements.membership import Membership
from ...statements.ranges import Ranges
from ..setup import Setup, params_for, setup


def on_chain() -> dict[str, Setup]:
    """The statements that contracts verify, by evaluator name, at 100 proven bits.

    Membership: what costs least gas at under a second of proving. One FRI layer only: 73 final coefficients cost less
    than opening a second one.
    """
    membership, fibonacci, ranges = Membership(), Fibonacci(), Ranges(256, 8)
    return {
        "MembershipEvaluator": setup(membership, params_for(membership, log_blowup=7, folds=(8,))),
        "FibonacciEvaluator": setup(fibonacci, params_for(fibonacci, log_blowup=5)),
        "RangesEvaluator": setup(ranges, params_for(ranges, log_blowup=5)),
    }
