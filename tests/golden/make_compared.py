#!/usr/bin/env python3
"""Make compared.jsonl: kNN prompting and hidden calibration of small cases, by numpy in float64.

    make_compared.py > tests/golden/compared.jsonl

A line holds a case: `labels` of the anchors; `anchor_nats` and `row_nats`, log-probabilities over
VOCABULARY outcomes, peaked for some and flat for others; `anchor_states` and `row_states`. Of every
row: `divergences` KL(anchor || row) to every anchor; `kept`, the same over the anchor's KEPT likeliest
outcomes and the rest as one; `votes` by label of the NEIGHBOURS nearest; `distances` to the labels' mean
states.
"""
import json

import numpy as np

SEED = 20261121
CASES, LABELS, ANCHORS, ROWS, VOCABULARY, KEPT, NEIGHBOURS, WIDTH = 4, 3, 12, 5, 40, 6, 3, 7


def distributions(rng, count, sharpness):
    logits = (rng.normal(size=(count, VOCABULARY)) * sharpness).astype(np.float32).astype(np.float64)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def divergence(p, q):
    return float((np.exp(p) * (p - q)).sum())


def coarse(p, q):
    kept = np.argsort(-p, kind="stable")[:KEPT]
    ends = [np.append(np.exp(x[kept]), 1 - np.exp(x[kept]).sum()) for x in (p, q)]
    return float((ends[0] * np.log(ends[0] / ends[1])).sum())


def votes(distances, labels):
    nearest = np.argsort(distances, kind="stable")[:NEIGHBOURS]
    return np.bincount(labels[nearest], minlength=LABELS).tolist()


def case(rng, sharpness):
    labels = rng.permutation(np.arange(ANCHORS) % LABELS)
    anchors, rows = distributions(rng, ANCHORS, sharpness), distributions(rng, ROWS, sharpness)
    states = rng.normal(size=(ANCHORS, WIDTH)).round(4)
    row_states = rng.normal(size=(ROWS, WIDTH)).round(4)
    centroids = np.stack([states[labels == y].mean(0) for y in range(LABELS)])
    all_kl = [[divergence(a, q) for a in anchors] for q in rows]
    return {
        "labels": labels.tolist(), "anchor_nats": anchors.tolist(), "row_nats": rows.tolist(),
        "divergences": all_kl, "kept": [[coarse(a, q) for a in anchors] for q in rows],
        "votes": [votes(np.array(line), labels) for line in all_kl],
        "anchor_states": states.tolist(), "row_states": row_states.tolist(),
        "distances": [np.linalg.norm(centroids - h, axis=1).tolist() for h in row_states],
    }


def main():
    rng = np.random.default_rng(SEED)
    for sharpness in np.linspace(0.5, 4, CASES):
        print(json.dumps(case(rng, sharpness), separators=(",", ":")))


if __name__ == "__main__":
    main()
