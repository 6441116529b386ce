#!/usr/bin/env python3
"""Writes kmeans.jsonl: Lloyd's k-means of PyPI scikit-learn from given centres.

KMeans(algorithm="lloyd", n_init=1, tol=0, max_iter=300) in double on unit vectors (NumPy seed
20261121, four decimals before scaling). The last two cases start with a centre that no row is
nearest to: scikit-learn moves it to the row farthest from its own centre. A line holds rows, start,
centres, labels and inertia.

    python3 tests/golden/make_kmeans.py > tests/golden/kmeans.jsonl
"""
import json

import numpy as np
from sklearn.cluster import KMeans


def numbers(matrix):
    return [float(f"{x:.9g}") for x in np.asarray(matrix).ravel()]


def case(rng, count, columns, k, empty):
    centres = rng.normal(size=(max(k // 2, 1), columns))
    rows = centres[rng.integers(len(centres), size=count)] + rng.normal(size=(count, columns))
    rows = np.round(rows, 4)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows.astype(np.float32)
    start = rows[rng.permutation(count)[:k]].copy()
    if empty:
        start[-1] = 40
    model = KMeans(k, init=start.astype(np.float64), n_init=1, tol=0, max_iter=300,
                   algorithm="lloyd").fit(rows.astype(np.float64))
    print(json.dumps({"count": count, "columns": columns, "k": k, "rows": numbers(rows),
                      "start": numbers(start), "centres": numbers(model.cluster_centers_),
                      "labels": model.labels_.tolist(), "inertia": float(model.inertia_)}))


def main():
    rng = np.random.default_rng(20261121)
    for count, columns, k, empty in ((30, 3, 2, False), (60, 5, 7, False), (40, 17, 40, False),
                                     (50, 4, 5, True), (80, 6, 9, True)):
        case(rng, count, columns, k, empty)


if __name__ == "__main__":
    main()
