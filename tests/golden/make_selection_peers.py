#!/usr/bin/env python3
"""Writes selection_peers.jsonl: what other people's programs select from the same vectors.

apricot-select 0.6.1 (facility location, naive greedy; similarities are cosines + 1, since apricot
starts from 0 and ours from -1; behind the first 34 picks two items that are nearest to each other
gain alike, and which comes first is rounding) and faiss-cpu 1.15 (IndexFlatIP over unit vectors, as OpenICL's
TopkRetriever builds it, which gives the nearest first).

The first line is the pool and the queries: 150 and 20 random vectors of 12 columns (NumPy seed 7,
three decimals), no two alike. Each further line is a call and what it selects.

    python3 tests/golden/make_selection_peers.py > tests/golden/selection_peers.jsonl
"""
import json

import apricot
import faiss
import numpy as np

POOL, QUERIES, COLUMNS = 150, 20, 12


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main():
    rng = np.random.default_rng(7)
    pool = np.round(rng.normal(size=(POOL, COLUMNS)), 3)
    queries = np.round(rng.normal(size=(QUERIES, COLUMNS)), 3)
    print(json.dumps({"pool": pool.ravel().tolist(), "queries": queries.ravel().tolist()}))
    similar = unit(pool) @ unit(pool).T + 1
    for budget in (1, 5, 20, 34):
        model = apricot.FacilityLocationSelection(budget, metric="precomputed", optimizer="naive")
        picks = model.fit(similar).ranking
        print(json.dumps({"call": "facility-location", "budget": budget,
                          "picks": [int(p) for p in picks]}))
    index = faiss.IndexFlatIP(COLUMNS)
    index.add(unit(pool).astype(np.float32))
    for k in (1, 8, 40):
        _, rows = index.search(unit(queries).astype(np.float32), k)
        print(json.dumps({"call": f"knn(k={k})", "rows": rows.tolist()}))


main()
