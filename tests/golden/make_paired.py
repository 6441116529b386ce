#!/usr/bin/env python3
"""Writes paired.jsonl: tests and intervals of paired differences by public packages.

- mcnemar: statsmodels, mcnemar(exact=True) of tables with these discordant counts.
- clustered: SciPy, permutation_test of paired samples over all 2^n sign flips (at most 12 items),
  items answered under several seeds, statistic the sum.
- holm: statsmodels, multipletests(method="holm").
- bootstrap: SciPy, bootstrap(method="percentile") of mean differences over items, 20000 resamples.
- two_level: NumPy, items and seeds drawn apart, 100000 resamples.

All data are made up (NumPy seed 20261121).

    python3 tests/golden/make_paired.py > tests/golden/paired.jsonl
"""
import json

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests


def mcnemar_cases():
    for first, second in ((0, 0), (1, 0), (0, 5), (3, 9), (10, 10), (25, 8), (150, 201), (40, 700)):
        p = mcnemar([[0, first], [second, 0]], exact=True).pvalue
        yield {"kind": "mcnemar", "first": first, "second": second, "p": float(p)}


def clustered_cases(rng):
    for items, seeds in ((6, 3), (9, 2), (11, 5), (12, 4), (12, 1)):
        differences = rng.integers(-seeds, seeds + 1, size=items)
        p = stats.permutation_test((differences.astype(float), np.zeros(items)),
                                   lambda a, b, axis: np.sum(a - b, axis=axis),
                                   permutation_type="samples", vectorized=True,
                                   n_resamples=np.inf).pvalue
        yield {"kind": "clustered", "differences": differences.tolist(), "p": float(p)}


def holm_cases(rng):
    for p in ([0.04], [0.01, 0.04, 0.03, 0.005], [1.0, 1.0, 0.5], rng.uniform(0, 0.1, 12).tolist(),
              [0.02, 0.02, 0.02]):
        yield {"kind": "holm", "p": p, "adjusted": multipletests(p, method="holm")[1].tolist()}


def bootstrap_cases(rng):
    for items in (40, 200):
        values = rng.integers(-1, 2, size=items).astype(float)
        found = stats.bootstrap((values,), np.mean, n_resamples=20000, method="percentile",
                                rng=np.random.default_rng(1)).confidence_interval
        yield {"kind": "bootstrap", "seeds": 1, "values": values.tolist(), "low": float(found.low),
               "high": float(found.high)}


def two_level_cases(rng):
    for seeds, items in ((5, 60), (3, 120)):
        shift = rng.normal(0, 0.3, size=(seeds, 1)) + rng.normal(0, 0.5, size=(1, items))
        values = np.round(shift + rng.normal(0, 0.4, size=(seeds, items)), 3)
        draw = np.random.default_rng(2)
        means = [np.mean(values[draw.integers(seeds, size=seeds)][:, draw.integers(items, size=items)])
                 for _ in range(100000)]
        low, high = np.quantile(means, (0.025, 0.975))
        yield {"kind": "two_level", "seeds": seeds, "values": values.ravel().tolist(),
               "low": float(low), "high": float(high)}


def main():
    rng = np.random.default_rng(20261121)
    for cases in (mcnemar_cases(), clustered_cases(rng), holm_cases(rng), bootstrap_cases(rng),
                  two_level_cases(rng)):
        for case in cases:
            print(json.dumps(case))


if __name__ == "__main__":
    main()
