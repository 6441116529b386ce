"""Reference values of metrics and intervals: python3 make_statistics.py > statistics.jsonl

Made with Python 3.11, NumPy, SciPy 1.17.1 and scikit-learn 1.9.1. One JSON object a line, its "kind"
says which test reads it. scikit-learn gives accuracy, macro-F1, confusion, the Brier score and the log
loss, SciPy the Wilson intervals, log-sum-exp, softmax and entropy; the calibration error
is NumPy's histogram of the definition in icl/metrics.h, the bias its difference of means.
"""
import json

import numpy as np
from scipy import special, stats
from sklearn import metrics

rng = np.random.default_rng(7)


def emit(kind, **values):
    print(json.dumps({"kind": kind, **values}))


def calibration_error(correct, confidence):
    bins = np.clip(np.digitize(confidence, np.arange(1, 10) / 10, right=True), 0, 9)
    error = 0.0
    for b in range(10):
        inside = bins == b
        if inside.any():
            error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return error


def predictions(count, label_count, sharpness, labels_used):
    gold = rng.integers(0, labels_used, count)
    logits = rng.normal(size=(count, label_count)) * sharpness
    logits[np.arange(count), gold] += sharpness / 2
    probabilities = special.softmax(logits, axis=1)
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        gold, predicted, labels=range(label_count), zero_division=0)
    emit("predictions", gold=gold.tolist(), predicted=predicted.tolist(),
         probabilities=probabilities.tolist(), label_count=label_count,
         accuracy=metrics.accuracy_score(gold, predicted),
         macro_f1=metrics.f1_score(gold, predicted, average="macro", zero_division=0),
         brier=metrics.brier_score_loss(gold, probabilities, labels=range(label_count),
                                        scale_by_half=False),
         log_loss=metrics.log_loss(gold, probabilities, labels=range(label_count)),
         bias=(probabilities - np.eye(label_count)[gold]).mean(axis=0).tolist(),
         ece=calibration_error(gold == predicted, probabilities.max(axis=1)),
         precision=precision.tolist(), recall=recall.tolist(), f1=f1.tolist(),
         support=support.tolist(),
         confusion=metrics.confusion_matrix(gold, predicted, labels=range(label_count)).tolist())


predictions(40, 3, 2.0, 3)
predictions(60, 7, 0.5, 5)  # two labels never stand in gold
predictions(1, 2, 1.0, 2)
predictions(30, 4, 0.0, 4)  # every probability is 1/4: all answers are label 0

for correct, count in [(0, 1), (1, 1), (0, 200), (200, 200), (77, 100), (1, 3), (499, 1000)]:
    interval = stats.binomtest(correct, count).proportion_ci(0.95, method="wilson")
    emit("wilson", correct=correct, count=count, low=interval.low, high=interval.high)

for values in [[-1.0], [-1.0, -2.0, -3.0], [-1000.0, -1000.5], [700.0, 710.0, -5.0],
               rng.normal(size=50).tolist()]:
    p = special.softmax(values)
    emit("logspace", values=values, logsumexp=float(special.logsumexp(values)),
         log_softmax=special.log_softmax(values).tolist(), softmax=p.tolist(),
         entropy=float(stats.entropy(p)))

values = sorted(rng.normal(size=23).tolist())
emit("quantile", values=values, q=[0.0, 0.025, 0.3, 0.5, 0.975, 1.0],
     expected=np.quantile(values, [0.0, 0.025, 0.3, 0.5, 0.975, 1.0]).tolist())
