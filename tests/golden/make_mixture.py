#!/usr/bin/env python3
"""Writes mixture.jsonl: Gaussian mixtures of PyPI scikit-learn from given clusters.

GaussianMixture(covariance_type="full", reg_covar=1e-6) started with the responsibilities of the
given labels instead of its own k-means, on rows of NumPy seed 20261121 (four decimals). The third
case has rows on a curved surface, as log-probabilities that sum to one have. A line holds rows,
labels, tolerance, and what the fit ends with: weights, means, covariances, rounds, log-likelihood
(mean nats per row) and responsibilities.

    python3 tests/golden/make_mixture.py > tests/golden/mixture.jsonl
"""
import json

import numpy as np
from sklearn.mixture import GaussianMixture


class Started(GaussianMixture):
    def _initialize_parameters(self, X, random_state, xp=None):
        self._initialize(X, np.eye(self.n_components)[self.labels])


def numbers(matrix):
    return [float(f"{x:.12g}") for x in np.asarray(matrix).ravel()]


def case(rows, labels, k, rounds_max, tolerance):
    model = Started(k, tol=tolerance, max_iter=rounds_max)
    model.labels = labels
    model.fit(rows)
    print(json.dumps({
        "count": len(rows), "columns": rows.shape[1], "k": k, "rounds_max": rounds_max,
        "tolerance": tolerance, "rows": numbers(rows), "labels": labels.tolist(),
        "weights": numbers(model.weights_), "means": numbers(model.means_),
        "covariances": numbers(model.covariances_), "rounds": model.n_iter_,
        "converged": bool(model.converged_), "log_likelihood": model.score(rows),
        "responsibilities": numbers(model.predict_proba(rows))}))


def blobs(rng, count, columns, k, apart):
    centres = apart * rng.normal(size=(k, columns))
    shapes = rng.normal(size=(k, columns, columns))
    of = rng.integers(k, size=count)
    rows = centres[of] + np.einsum("nij,nj->ni", shapes[of], rng.normal(size=(count, columns)))
    return np.round(rows, 4)


def main():
    rng = np.random.default_rng(20261121)
    case(blobs(rng, 80, 2, 2, 4), rng.integers(2, size=80), 2, 100, 1e-3)
    case(blobs(rng, 60, 3, 3, 2), rng.integers(3, size=60), 3, 100, 1e-6)
    logits = blobs(rng, 120, 4, 4, 2) / 2
    logs = np.round(logits - np.log(np.exp(logits).sum(1, keepdims=True)), 4)
    case(logs, logs.argmax(1), 4, 5, 1e-3)
    case(blobs(rng, 30, 1, 2, 5), rng.integers(2, size=30), 2, 100, 1e-3)


if __name__ == "__main__":
    main()
