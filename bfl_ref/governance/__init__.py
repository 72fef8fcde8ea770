"""The governance of the federation in readable Python: what the contracts compute, to the bit, and whom it pays to do what.

    reputation     verified facts -> evidence that decays -> score        IReputation
    selection      scores, norms, stakes, waiting -> who trains           ISelection
    validators     scores -> pool -> committee                            IValidators
    contributions  group sums on validators' rows -> medians              IContributions
    settlement     facts of a round -> evidence, contributions            ISettlement
    rewards        contributions, services -> tokens                      IRewards
    incentives, shapley, simulation          who gains by what under these rules

Import from the modules: what chain clients need (the parameters' records) loads no training code.
"""
