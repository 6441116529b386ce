#!/usr/bin/env python3
"""Every calibration on the same answers: is the label right, and is the probability?

    python3 bench/calibration.py --data DIR --out lines.jsonl
    python3 bench/calibration.py --table lines.jsonl

DIR holds a folder for each set with train.jsonl and test.jsonl. Draws are those of selection.py: a
seed draws a pool, the test items are the same for all seeds. Demonstrations are fixed for all
queries of a run (select=balanced), so that all calibrations judge the same scores; those of a draw
share a journal, so what one has asked is free for the next. Every line is one run with its
probabilities, and lines that are there already are not run again.

A figure is the mean over seeds of a run's: accuracy, expected calibration error (10 bins of the
highest probability), label bias (half the sum over labels of |mean probability - share|), Brier
score and log loss. Calibration error and bias of a run are the larger the fewer its queries. In
brackets the 95 % interval of the difference to none, from a bootstrap over seeds and items.
"""
import argparse
import collections
import json
import math
import os
import random
import sys

from lines import read
from selection import WORDS, icl, place

CALIBRATIONS = ["none", "contextual", "domain", "batch", "batch(validation=100)", "prototypical",
                "linear(validation=200)", "temperature(of=none)", "temperature", "prior"]
SETS = ["agnews", "sst2", "trec", "snips", "tweet_sentiment"]
BASELINE = "none"
BINS, DRAWS = 10, 1000


def run(args, calibration, name, seed):
    folder = place(args, name, seed)
    out = os.path.join(folder, "out")
    shared = ["--resume"] if os.path.exists(os.path.join(out, "journal.sqlite")) else []
    icl(args, "run", os.path.join(folder, "task.yaml"), "--strategy",
        f"select=balanced(k={args.shots}) order=random score=direct calibrate={calibration}",
        "--seed", str(seed), "--no-zero-shot", "--no-eta", "--out", out, *shared)
    with open(os.path.join(out, "meter.json"), encoding="utf-8") as meter:
        cost = json.load(meter)
    with open(os.path.join(out, "results.json"), encoding="utf-8") as results:
        model = json.load(results)["model_identity"]
    samples = read(os.path.join(out, "samples.jsonl"))
    labels = list(samples[0]["probabilities"])
    return {"set": name, "seed": seed, "calibration": calibration, "shots": args.shots,
            "pool": args.pool, "model": model, "labels": labels,
            "gold": [labels.index(s["gold"]) for s in samples],
            "predicted": [labels.index(s["predicted"]) for s in samples],
            "probabilities": [[round(s["probabilities"][y], 9) for y in labels] for s in samples],
            "requests": cost["requests"] + cost["requests_cached"]}


def measure(args):
    known = set()
    if os.path.exists(args.out):
        known = {(e["set"], e["seed"], e["calibration"]) for e in read(args.out)}
    with open(args.out, "a", encoding="utf-8") as out:
        for seed in range(args.seeds):
            for name in args.sets:
                for calibration in args.calibrations:
                    if (name, seed, calibration) not in known:
                        out.write(json.dumps(run(args, calibration, name, seed)) + "\n")
                        out.flush()


class Outcomes:
    """What the figures of a run are made of, query by query."""

    def __init__(self, entry):
        rows, self.gold = entry["probabilities"], entry["gold"]
        self.labels = len(entry["labels"])
        self.rows = rows
        self.right = [int(p == g) for p, g in zip(entry["predicted"], self.gold)]
        self.highest = [max(row) for row in rows]
        self.bin = [max(math.ceil(h * BINS - 1e-12) - 1, 0) for h in self.highest]
        self.brier = [sum((p - (y == g)) ** 2 for y, p in enumerate(row))
                      for row, g in zip(rows, self.gold)]
        self.loss = [-math.log(max(row[g], sys.float_info.epsilon))
                     for row, g in zip(rows, self.gold)]

    def figures(self, items):
        n = len(items)
        error, bias = [0.0] * BINS, [0.0] * self.labels
        for i in items:
            error[min(self.bin[i], BINS - 1)] += self.right[i] - self.highest[i]
            bias[self.gold[i]] -= 1
            for y, p in enumerate(self.rows[i]):
                bias[y] += p
        return {"accuracy": sum(self.right[i] for i in items) / n,
                "ECE": sum(map(abs, error)) / n, "label bias": sum(map(abs, bias)) / (2 * n),
                "Brier": sum(self.brier[i] for i in items) / n,
                "log loss": sum(self.loss[i] for i in items) / n}


def means(runs, seeds, items):
    found = [runs[seed].figures(items) for seed in seeds]
    return {key: sum(f[key] for f in found) / len(found) for key in found[0]}


def compare(mine, base):
    """Figures of mine, and intervals of their differences to base's, over the seeds of both."""
    rng, seeds = random.Random(0), sorted(set(mine) & set(base))
    count = len(mine[seeds[0]].gold)
    found = means(mine, seeds, range(count))
    differences = collections.defaultdict(list)
    for _ in range(DRAWS):
        items = [rng.randrange(count) for _ in range(count)]
        drawn = [rng.choice(seeds) for _ in seeds]
        a, b = means(mine, drawn, items), means(base, drawn, items)
        for key in found:
            differences[key].append(a[key] - b[key])
    return found, {key: (sorted(d)[int(0.025 * DRAWS)], sorted(d)[int(0.975 * DRAWS)])
                   for key, d in differences.items()}


def table(path):
    runs, cost = collections.defaultdict(dict), collections.defaultdict(list)
    lines = read(path)
    if len({entry["model"] for entry in lines}) > 1:
        sys.exit(f"{path}: lines of several models")
    for entry in lines:
        runs[entry["calibration"], entry["set"]][entry["seed"]] = Outcomes(entry)
        cost[entry["calibration"]].append(entry["requests"])
    sets = [name for name in WORDS if any(key[1] == name for key in runs)]
    calibrations = list(dict.fromkeys(key[0] for key in runs))
    found = {key: compare(mine, runs[BASELINE, key[1]]) for key, mine in runs.items()
             if (BASELINE, key[1]) in runs}
    print("In brackets the 95 % interval of the difference to none; * where it leaves out 0.")
    for figure in ("accuracy", "ECE", "label bias", "Brier", "log loss"):
        print(f"\n| {figure} | " + " | ".join(sets) + " | mean |\n| --- |" +
              " --- |" * (len(sets) + 1))
        for calibration in calibrations:
            cells, values = [], []
            for name in sets:
                value, span = found.get((calibration, name), (None, None))
                if value is None:
                    cells.append("")
                    continue
                low, high = span[figure]
                values.append(value[figure])
                mark = "*" if low > 0 or high < 0 else ""
                cells.append(f"{value[figure]:.3f}" + ("" if calibration == BASELINE else
                                                       f"{mark} [{low:+.3f}, {high:+.3f}]"))
            mean = f"{sum(values) / len(values):.3f}" if len(values) == len(sets) else ""
            print(f"| {calibration} | " + " | ".join(cells) + f" | {mean} |")
    print("\n| calibration | requests a run | runs |\n| --- | ---: | ---: |")
    for calibration in calibrations:
        asked = cost[calibration]
        print(f"| {calibration} | {sum(asked) / len(asked):.0f} | {len(asked)} |")
    sizes = {(len(v), len(next(iter(v.values())).gold)) for v in runs.values()}
    print(f"\n(seeds, test items) of the cells: {sorted(sizes)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--icl", default="build/icl")
    parser.add_argument("--data", help="folder of the sets")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=list(WORDS))
    parser.add_argument("--calibrations", nargs="+", default=CALIBRATIONS)
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--pool", type=int, default=200)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--words", type=int, default=32, help="cut inputs to so many words")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", default="/tmp/icl-calibration")
    parser.add_argument("--out", help="append result lines to this file")
    parser.add_argument("--table", help="print the tables of a file of result lines")
    args = parser.parse_args()
    if args.table:
        table(args.table)
    elif args.data and args.out:
        measure(args)
    else:
        parser.error("--data with --out, or --table, is needed")


if __name__ == "__main__":
    main()
