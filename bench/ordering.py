#!/usr/bin/env python3
"""What an order is worth: every ordering method on the same demonstrations, beside random orders.

    python3 bench/ordering.py --data DIR --out lines.jsonl
    python3 bench/ordering.py --table lines.jsonl

DIR holds a folder for each set with train.jsonl and test.jsonl. A seed draws a pool and, balanced
over the labels, the demonstrations, the same for all queries and methods; the test items are the
same for all seeds. --draws random orders say what an order is worth on average, how much orders
differ, and what the best of so many would be. A difference is the mean over seeds and items of
(method right) - (mean over the random orders of right), with a 95 % interval from a bootstrap over
seeds and items.
"""
import argparse
import collections
import json
import os
import statistics
import sys

import selection
from lines import interval, read

ORDERS = ["interleaved", "iccl(difficulty=ppl-label)", "iccl(difficulty=ppl-all)", "perplexity",
          "global-e(probes=pool)", "local-e(probes=pool)", "pdo", "pdo(inputs=pool)", "mdl",
          "t-fair", "g-fair", "demo", "position", "pero",
          "search(objective=dev-loss,engine=beam)", "search(objective=dev-loss,engine=annealing)"]


def run(args, order, name, seed):
    folder = selection.place(args, name, seed)
    out = os.path.join(folder, "out")
    shared = ["--resume"] if os.path.exists(os.path.join(out, "journal.sqlite")) else []
    selection.icl(args, "run", os.path.join(folder, "task.yaml"), "--strategy",
                  f"select=balanced(k={args.shots}) order={order} score=direct "
                  f"calibrate={args.calibrate}", "--seed", str(seed), "--no-zero-shot", "--no-eta",
                  "--out", out, *shared)
    return {"set": name, "seed": seed, "order": order, "shots": args.shots,
            "calibrate": args.calibrate,
            "correct": [int(s["correct"]) for s in read(os.path.join(out, "samples.jsonl"))]}


def measure(args):
    known = set()
    if os.path.exists(args.out):
        known = {(e["set"], e["seed"], e["order"]) for e in read(args.out)}
    orders = [f"random(draw={draw})" for draw in range(args.draws)] + (args.orders or ORDERS)
    with open(args.out, "a", encoding="utf-8") as out:
        for seed in range(args.seeds):
            for name in args.sets:
                for order in orders:
                    if (name, seed, order) not in known:
                        out.write(json.dumps(run(args, order, name, seed)) + "\n")
                        out.flush()


def table(path):
    runs, random_runs = collections.defaultdict(dict), collections.defaultdict(list)
    for entry in read(path):
        if entry["order"].startswith("random("):
            random_runs[entry["set"], entry["seed"]].append(entry["correct"])
        else:
            runs[entry["order"], entry["set"]][entry["seed"]] = entry["correct"]
    sets = [name for name in selection.WORDS if any(key[0] == name for key in random_runs)]
    print("| order | " + " | ".join(sets) + " |\n| --- |" + " --- |" * len(sets))
    rows = {"random, mean": [], "its standard deviation": [], "best of the draws": []}
    for name in sets:
        means = [[statistics.mean(one) for one in random_runs[name, seed]]
                 for n, seed in random_runs if n == name]
        rows["random, mean"].append(statistics.mean(map(statistics.mean, means)))
        rows["its standard deviation"].append(statistics.mean(map(statistics.stdev, means)))
        rows["best of the draws"].append(statistics.mean(map(max, means)))
    for title, cells in rows.items():
        print(f"| {title} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")
    for order in dict.fromkeys(key[0] for key in runs):
        cells = []
        for name in sets:
            mine = runs.get((order, name), {})
            seeds = [s for s in sorted(mine) if random_runs[name, s]]
            if not seeds:
                cells.append("")
                continue
            average = {s: [statistics.mean(column) for column in zip(*random_runs[name, s])]
                       for s in seeds}
            right = statistics.mean(statistics.mean(mine[s]) for s in seeds)
            _, low, high = interval([[a - b for a, b in zip(mine[s], average[s])] for s in seeds])
            cells.append(f"{right:.3f}{'*' if low > 0 or high < 0 else ''} "
                         f"[{low:+.3f}, {high:+.3f}]")
        print(f"| {order} | " + " | ".join(cells) + " |")
    print(f"\n(draws) of the random rows: {sorted({len(v) for v in random_runs.values()})}; seeds: "
          f"{sorted({len(v) for v in runs.values()})}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--icl", default="build/icl")
    parser.add_argument("--data", help="folder of the sets")
    parser.add_argument("--sets", nargs="+", choices=list(selection.WORDS),
                        default=["agnews", "trec", "snips", "sst2", "tweet_sentiment"])
    parser.add_argument("--orders", nargs="*", help="these alone, with random")
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--pool", type=int, default=100)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--words", type=int, default=24, help="cut inputs to so many words")
    parser.add_argument("--calibrate", default="none")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", default="/tmp/icl-ordering")
    parser.add_argument("--out", help="append result lines to this file")
    parser.add_argument("--table", help="print the table of a file of result lines")
    args = parser.parse_args()
    if args.table:
        table(args.table)
    elif args.data and args.out:
        measure(args)
    else:
        sys.exit("bench/ordering.py: name --data and --out, or --table")


if __name__ == "__main__":
    main()
