#!/usr/bin/env python3
"""Every calibration on the same answers: is the label right, and is the probability?

    python3 bench/calibration.py --data DIR --out lines.jsonl
    python3 bench/calibration.py --table lines.jsonl

DIR holds a folder for each set with train.jsonl and test.jsonl. Draws are those of draws.py: a
seed draws a pool, the test items are the same for all seeds. Demonstrations are fixed for all
queries of a run (select=balanced), so that all calibrations judge the same scores; those of a draw
share a journal, so what one has asked is free for the next. Every line is one run with its
probabilities, and lines that are there already are not run again.

A figure is the mean over seeds of a run's: accuracy, expected calibration error (10 bins of the
highest probability), label bias (half the sum over labels of |mean probability - share|), Brier
score and log loss. Calibration error and bias of a run are the larger the fewer its queries. In
brackets the 95 % interval of the difference to none, from a bootstrap over seeds and items.
"""
import collections
import math
import random
import sys

from draws import WORDS, main, measure, options, output, place, run
from lines import read

CALIBRATIONS = ["none", "contextual", "domain", "batch", "batch(validation=100)", "prototypical",
                "linear(validation=200)", "temperature(of=none)", "temperature", "prior"]
SETS = ["agnews", "trec", "snips", "sst2", "mr", "sst5", "mpqa", "tweet_sentiment", "rte", "mnli",
        "scicite"]
BASELINE = "none"
BINS, DRAWS = 10, 1000


def line(args, name, seed, calibration):
    folder = place(args, name, seed)
    run(args, folder, f"select=balanced(k={args.shots}) order=random score=direct "
        f"calibrate={calibration}", seed)
    cost, samples = output(folder, "meter.json"), output(folder, "samples.jsonl")
    labels = list(samples[0]["probabilities"])
    return {"set": name, "seed": seed, "calibration": calibration, "shots": args.shots,
            "pool": args.pool, "model": output(folder, "results.json")["model_identity"],
            "labels": labels, "gold": [labels.index(s["gold"]) for s in samples],
            "predicted": [labels.index(s["predicted"]) for s in samples],
            "probabilities": [[round(s["probabilities"][y], 9) for y in labels] for s in samples],
            "requests": cost["requests"] + cost["requests_cached"]}


def measure_all(args):
    measure(args, line, "calibration", args.calibrations)


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


def table(args):
    runs, cost = collections.defaultdict(dict), collections.defaultdict(list)
    lines = read(args.table)
    if len({entry["model"] for entry in lines}) > 1:
        sys.exit(f"{args.table}: lines of several models")
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


def parser():
    made = options(__doc__, "/tmp/icl-calibration", SETS, pool=200, queries=200)
    made.add_argument("--calibrations", nargs="+", default=CALIBRATIONS)
    made.add_argument("--shots", type=int, default=8)
    return made


if __name__ == "__main__":
    main(parser(), measure_all, table)
