"""Differential privacy of updates: what the noise is, what it proves, what it cost, and what attacks still find.

    distribution, renyi, accounting    mechanism (a), the protocol's noisy integer steps: epsilon from the noise as drawn
    distributed                        mechanism (c), noise whose sum over the hospitals is enough, under secret sharing
    dpsgd, layers                      mechanism (b), DP-SGD of torch models
    ledger                             one budget a hospital, charged before training, over all rounds and tasks
    settings, training                 public scales, one row a patient, chosen hyper-parameters, seeded runs
    membership, inversion, canaries    attacks, and audits of the claims by attack

Unit: one patient replaced by another; row counts are public. Import the modules: each says against whom its epsilon holds.
"""
