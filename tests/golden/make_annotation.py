#!/usr/bin/env python3
"""Writes annotation.jsonl: picks of vote-k, its variants, facility location and AdaICL.

Straightforward versions, in plain NumPy, of what the papers and the authors' code do (Su et al.
2023, HKUNLP/icl-selective-annotation; Wu et al. 2023, Shark-NLP/OpenICL; Mavromatis et al. 2023,
amazon-science/adaptive-in-context-learning), with two choices of ours: ties go to the lowest index,
and AdaICL's first items are part of the budget. Every step scans everything; nothing is lazy.

The first line is the pool: 60 random vectors of 6 columns (NumPy seed 20261121, three decimals), of
which items 20 and 21 equal item 3, and how uncertain a made-up model is of each item, whatever it
is shown. Each further line is a call, a budget and the picks. Where random items would fill up, the
list ends before them.

    python3 tests/golden/make_annotation.py > tests/golden/annotation.jsonl
"""
import json

import numpy as np

ITEMS, COLUMNS = 60, 6


def make_pool():
    rng = np.random.default_rng(20261121)
    vectors = np.round(rng.normal(size=(ITEMS, COLUMNS)), 3)
    vectors[20] = vectors[21] = vectors[3]
    nats = np.round(rng.exponential(size=ITEMS), 4)
    assert len(set(nats)) == ITEMS
    return vectors.astype(np.float32).astype(np.float64), nats


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.round(unit @ unit.T, 12)  # so that equal vectors have equal cosines


def neighbours(vectors, k):
    similar = cosines(vectors)
    lists = []
    for i in range(ITEMS):
        others = [j for j in range(ITEMS) if j != i]
        lists.append(sorted(others, key=lambda j: (-similar[i, j], j))[:k])
    return lists


def supporters_of(vectors, k):
    lists = neighbours(vectors, k)
    return [[i for i in range(ITEMS) if u in lists[i]] for u in range(ITEMS)]


def score(u, supporters, chosen, heard, rho):
    return sum(rho ** -heard[i] for i in supporters[u] if i not in chosen)


def first_best(candidates, key):
    """The largest key; of those within rounding of it the first."""
    keys = [key(c) for c in candidates]
    return next(c for c, value in zip(candidates, keys) if value >= max(keys) - 1e-9)


def votek(supporters, budget, rho, heard):
    chosen = []
    while len(chosen) < budget:
        free = [u for u in range(ITEMS) if u not in chosen]
        best = first_best(free, lambda u: score(u, supporters, chosen, heard, rho))
        chosen.append(best)
        for i in supporters[best]:
            heard[i] += 1
    return chosen


def votek_full(vectors, nats, budget, k, rho, first, repo_compat):
    supporters, heard = supporters_of(vectors, k), [0] * ITEMS
    chosen = votek(supporters, first, rho, heard)
    ranked = sorted((u for u in range(ITEMS) if u not in chosen), key=lambda u: -nats[u])
    buckets = budget - first
    width = int(0.9 * ITEMS / buckets)
    for b in range(buckets):
        bucket = ranked[b * width:(b + 1) * width]
        if not bucket:
            break
        best = first_best(bucket, lambda u: score(u, supporters, chosen, heard, rho))
        chosen.append(best)
        if not repo_compat:
            for i in supporters[best]:
                heard[i] += 1
    return chosen


def votek_openicl(vectors, budget, k, overlap):
    supporters = supporters_of(vectors, k)
    ranked = sorted((u for u in range(ITEMS) if supporters[u]),
                    key=lambda u: (-len(supporters[u]), u))
    chosen = []
    for place, u in enumerate(ranked):
        mine = set(supporters[u])
        if all(len(mine & set(supporters[v])) < overlap * len(mine) for v in ranked[:place]):
            chosen.append(u)
    return chosen[:budget]


def facility_location(vectors, budget):
    similar, best, chosen = cosines(vectors), np.full(ITEMS, -1.0), []
    while len(chosen) < budget:
        free = [u for u in range(ITEMS) if u not in chosen]
        chosen.append(first_best(free, lambda u: np.maximum(similar[u] - best, 0).sum()))
        best = np.maximum(best, similar[chosen[-1]])
    return chosen


def covers(supporters, hard, two_hops):
    result = {}
    for u in hard:
        reached = [i for i in supporters[u] if i in hard]
        if two_hops:
            reached += [j for i in reached for j in supporters[i] if j in hard and j != u]
        result[u] = set(reached)
    return result


def adaicl(vectors, nats, budget, plus, rounds):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = unit.mean(axis=0)
    chosen = [int(np.argmin(((unit - mean) ** 2).sum(axis=1)))]  # k-means of one cluster
    supporters = supporters_of(vectors, 15 if plus else 5)
    for r in range(rounds if plus else ITEMS):
        if len(chosen) == budget:
            break
        rest = sorted((u for u in range(ITEMS) if u not in chosen), key=lambda u: -nats[u])
        hard = sorted(rest[:(len(rest) + 1) // 2])
        reach, weights = covers(supporters, hard, not plus), {i: 1.0 for i in hard}
        wanted = budget - len(chosen)
        if plus:
            wanted = -(-wanted // (rounds - r))
        for _ in range(wanted):
            free = [u for u in hard if u not in chosen]
            gain = {u: sum(weights[i] for i in reach[u]) for u in free}
            best = first_best(free, lambda u: gain[u])
            if gain[best] <= 0:
                break
            chosen.append(best)
            for i in reach[best]:
                weights[i] *= 0.1 if plus else 0
    return chosen


def main():
    vectors, nats = make_pool()
    print(json.dumps({"columns": COLUMNS, "vectors": [round(float(x), 3) for x in vectors.ravel()],
                      "nats": list(nats)}))

    def line(call, budget, picks):
        print(json.dumps({"call": call, "budget": budget, "picks": [int(p) for p in picks]}))

    for k, rho in ((5, 10), (15, 10), (5, 2), (5, 1)):
        supporters = supporters_of(vectors, k)
        line(f"votek(neighbours={k},rho={rho})", ITEMS // 2,
             votek(supporters, ITEMS // 2, rho, [0] * ITEMS))
    line("votek", 5, votek(supporters_of(vectors, ITEMS - 1), 5, 10, [0] * ITEMS))
    for compat in (False, True):
        for budget, first in ((20, 4), (16, 10), (30, 10)):
            line(f"votek-full(neighbours=8,first={first},repo_compat={str(compat).lower()})",
                 budget, votek_full(vectors, nats, budget, 8, 10, first, compat))
    for k, overlap in ((3, 1), (3, 0.5), (8, 0.75)):
        line(f"votek-openicl(neighbours={k},overlap={overlap})", 8,
             votek_openicl(vectors, 8, k, overlap))
    line("facility-location", 30, facility_location(vectors, 30))
    line("facility-location(memory_mib=0)", 30, facility_location(vectors, 30))
    for budget in (4, 12, 24):
        line("adaicl(first=1)", budget, adaicl(vectors, nats, budget, False, 0))
        for rounds in (1, 2, 3):
            line(f"adaicl(first=1,variant=plus,rounds={rounds})", budget,
                 adaicl(vectors, nats, budget, True, rounds))


if __name__ == "__main__":
    main()
