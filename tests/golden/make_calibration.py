#!/usr/bin/env python3
"""Writes calibration.jsonl: what PyPI SciPy and scikit-learn fit to made-up label scores.

Scores are log softmax of normal numbers, gold labels drawn from a distorted softmax of them (NumPy
seed 20261121, six decimals). A line holds label_count, queries and validation as log-probabilities,
gold, and

- temperature: minimiser of the log loss of softmax(s / T) (minimize_scalar, bounded in log T);
- batch_temperature: the same where s = log p - its mean over the validation items;
- linear: scores of the queries by slopes and offsets that minimise the log loss plus
  ridge / 2 * (|slope - 1|^2 + |offset|^2) with ridge 0.5 (minimize, BFGS with the gradient);
- strength: of -5, -4.9, ... 5 the one whose s - strength * mean of the queries' s has most
  validation items right, nearest to 1 among equals; ties within a row go to the lowest label.

The last line is for prototypical calibration: queries in well separated blobs that a shift has put
on one side of every boundary, and the responsibilities of GaussianMixture (20 k-means starts, tol
1e-10) with its components matched by linear_sum_assignment.

    python3 tests/golden/make_calibration.py > tests/golden/calibration.jsonl
"""
import json

import numpy as np
from scipy.optimize import linear_sum_assignment, minimize, minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.mixture import GaussianMixture

RIDGE = 0.5


def numbers(matrix):
    return [float(f"{x:.12g}") for x in np.asarray(matrix).ravel()]


def log_loss(scores, gold):
    return (logsumexp(scores, axis=1) - scores[np.arange(len(gold)), gold]).sum()


def temperature(scores, gold):
    found = minimize_scalar(lambda t: log_loss(scores / np.exp(t), gold), method="bounded",
                            bounds=(-4.6, 4.6), options={"xatol": 1e-12})
    return float(np.exp(found.x))


def linear(scores, gold, queries):
    labels = scores.shape[1]
    start = np.concatenate([np.ones(labels), np.zeros(labels)])
    onehot = np.eye(labels)[gold]

    def loss(parameters):
        mapped = scores * parameters[:labels] + parameters[labels:]
        error = softmax(mapped, axis=1) - onehot
        gradient = np.concatenate([(error * scores).sum(0), error.sum(0)])
        away = parameters - start
        return log_loss(mapped, gold) + RIDGE / 2 * away @ away, gradient + RIDGE * away

    found = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9}).x
    return queries * found[:labels] + found[labels:]


def strength(scores, gold, queries):
    bias = queries.mean(0)
    tries = [step / 10 for step in range(-50, 51)]
    right = [int(((scores - g * bias).argmax(1) == gold).sum()) for g in tries]
    return max(zip(right, [-abs(g - 1) for g in tries], tries))[2]


def case(rng, labels, query_count, item_count):
    def rows(count):
        return np.round(log_softmax(2 * rng.normal(size=(count, labels)) +
                                    np.linspace(0, 2, labels), axis=1), 6)

    queries, items = rows(query_count), rows(item_count)
    truth = softmax(items * rng.uniform(0.2, 1.5, labels) + rng.normal(size=labels), axis=1)
    gold = np.array([rng.choice(labels, p=p) for p in truth])
    assert len(set(gold)) == labels
    queries_p, items_p = log_softmax(queries, axis=1), log_softmax(items, axis=1)
    print(json.dumps({
        "label_count": labels, "queries": numbers(queries), "validation": numbers(items),
        "gold": gold.tolist(), "temperature": temperature(items, gold),
        "batch_temperature": temperature(items - items.mean(0), gold),
        "linear": numbers(linear(items_p, gold, queries_p)),
        "strength": strength(items, gold, queries)}))


def prototypical(rng, labels, query_count):
    of = np.arange(query_count) % labels
    logits = 6 * np.eye(labels)[of] + 0.5 * rng.normal(size=(query_count, labels))
    logits[:, 0] += 9
    rows = np.round(log_softmax(logits, axis=1), 6)
    z = log_softmax(rows, axis=1)
    model = GaussianMixture(labels, n_init=20, tol=1e-10, max_iter=1000, random_state=0).fit(z)
    _, label_of = linear_sum_assignment(model.means_, maximize=True)
    responsibilities = np.empty_like(z)
    responsibilities[:, label_of] = model.predict_proba(z)
    assert (z.argmax(1) == 0).all() and (responsibilities.argmax(1) == of).all()
    print(json.dumps({"label_count": labels, "queries": numbers(rows),
                      "responsibilities": numbers(responsibilities)}))


def main():
    rng = np.random.default_rng(20261121)
    case(rng, 2, 12, 40)
    case(rng, 3, 15, 60)
    case(rng, 5, 20, 90)
    prototypical(rng, 3, 60)


if __name__ == "__main__":
    main()
