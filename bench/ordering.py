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
import collections
import statistics

from draws import WORDS, correct, main, measure, options, place, run
from lines import interval, read

SETS = ["agnews", "trec", "snips", "sst2", "tweet_sentiment"]
ORDERS = ["interleaved", "iccl(difficulty=ppl-label)", "iccl(difficulty=ppl-all)",
          "iccl(difficulty=rated)", "perplexity", "global-e(probes=pool)", "local-e(probes=pool)",
          "pdo(inputs=content-free)", "pdo(inputs=pool)", "mdl", "latent-concept", "t-fair", "g-fair",
          "demo", "position", "pero",
          "search(objective=dev-loss,engine=beam)", "search(objective=dev-loss,engine=annealing)"]


def line(args, name, seed, order):
    folder = place(args, name, seed)
    run(args, folder, f"select=balanced(k={args.shots}) order={order} score=direct "
        f"calibrate={args.calibrate}", seed)
    return {"set": name, "seed": seed, "order": order, "shots": args.shots,
            "calibrate": args.calibrate, "correct": correct(folder)}


def measure_all(args):
    orders = [f"random(draw={draw})" for draw in range(args.draws)] + (args.orders or ORDERS)
    measure(args, line, "order", orders)


def table(args):
    runs, random_runs = collections.defaultdict(dict), collections.defaultdict(list)
    for entry in read(args.table):
        if entry["order"].startswith("random("):
            random_runs[entry["set"], entry["seed"]].append(entry["correct"])
        else:
            runs[entry["order"], entry["set"]][entry["seed"]] = entry["correct"]
    sets = [name for name in WORDS if any(key[0] == name for key in random_runs)]
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


def parser():
    made = options(__doc__, "/tmp/icl-ordering", SETS, pool=100, queries=60, words=24)
    made.add_argument("--orders", nargs="*", help="these alone, with random")
    made.add_argument("--draws", type=int, default=12)
    made.add_argument("--shots", type=int, default=8)
    made.add_argument("--calibrate", default="none")
    return made


if __name__ == "__main__":
    main(parser(), measure_all, table)
