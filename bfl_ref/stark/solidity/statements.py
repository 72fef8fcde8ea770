"""Which statements contracts verify, with which parameters."""

from functools import cache

from ...statements.fibonacci import Fibonacci
from ...statements.membership import Membership
from ...statements.ranges import Ranges
from ...statements.release import Release
from ...statements.rollup import Rollup
from ...statements.sum_share import SumShare
from ...statements.training import Training
from ..setup import Setup, params_for, setup


def on_chain() -> dict[str, Setup]:
    """The statements that contracts verify, by evaluator name, at 100 proven bits.

    Membership: what costs least gas at under a second of proving. One FRI layer only: 73 final coefficients cost less
    than opening a second one. Training: what costs least gas at some two seconds of proving (wide: four). Release: the same
    as membership, for five aggregators of whom three suffice. Sum: least gas at under a second in one thread; blow-up 128
    would cost 7% more gas in 60% of the time. Rollup: blow-up 32 would cost 8% more gas in half the time and memory, 128
    7% less in twice of both.
    """
    membership, fibonacci, ranges = Membership(), Fibonacci(), Ranges(256, 8)
    return {
        "TrainingEvaluator": training_setup(1),
        "WideTrainingEvaluator": training_setup(2),
        "ReleaseEvaluator": release_setup(1),
        "WideReleaseEvaluator": release_setup(2),
        "SumEvaluator": sum_setup(1),
        "WideSumEvaluator": sum_setup(2),
        "RollupEvaluator": rollup_setup(64),
        "SmallRollupEvaluator": rollup_setup(8),
        "MembershipEvaluator": setup(membership, params_for(membership, log_blowup=7, folds=(8,))),
        "FibonacciEvaluator": setup(fibonacci, params_for(fibonacci, log_blowup=5)),
        "RangesEvaluator": setup(ranges, params_for(ranges, log_blowup=5)),
    }


@cache
def training_setup(halves: int) -> Setup:
    """Of rows of one half (up to 35 features), or of two."""
    air = Training(halves)
    return setup(air, params_for(air, log_blowup={1: 7, 2: 6}[halves], folds=(8, 8)))


@cache
def release_setup(halves: int, aggregators: int = 5, threshold: int = 3) -> Setup:
    """Of models of one half (up to 35 features), or of two."""
    air = Release(halves, aggregators, threshold)
    return setup(air, params_for(air, log_blowup=7, folds=(16,)))


@cache
def sum_setup(halves: int) -> Setup:
    """Of shares of models of one half (up to 35 features), or of two; for every committee."""
    air = SumShare(halves)
    return setup(air, params_for(air, log_blowup=8, folds={1: (8,), 2: (16,)}[halves]))


@cache
def rollup_setup(accounts: int) -> Setup:
    """Of batches that touch up to 4, 8, .. 64 accounts."""
    air = Rollup(accounts)
    return setup(air, params_for(air, log_blowup=6, folds=(8, 8) if accounts <= 16 else (8, 8, 8)))
