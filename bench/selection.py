#!/usr/bin/env python3
"""Every selection method on the same draws: accuracy against random, paired, and what it costs.

    python3 bench/selection.py --data DIR --out lines.jsonl
    python3 bench/selection.py --data DIR --out cost.jsonl --alone --sets trec --seeds 1
    python3 bench/selection.py --table lines.jsonl --cost cost.jsonl

DIR holds a folder for each set with train.jsonl and test.jsonl. A seed draws a pool from the
training file; the test items are the same for all seeds and methods. Every line is one run, and
lines that are there already are not run again. Learned methods are fitted first, on the pool. The
methods of a draw share a journal, so what one has asked is free for the next; --alone gives each
its own, for the costs. A
difference is the mean over seeds and items of (method right) - (random right), with a 95 % interval
from a bootstrap over seeds and items.
"""
import collections
import json
import os
import shutil
import subprocess

from draws import WORDS, correct, main, measure, options, output, place, run, seconds
from lines import interval, read

# Options beyond k where the defaults would take minutes a run; the table names them. The order is
# nearest last for all: sets that have no nearest stay in the order of the method.
CORPUS = {"subsets": 60, "dev": 24, "candidates": 60}
RETRIEVER = {"candidates": 15}
OPTIONS = {
    "votek": {"budget": 50}, "votek-full": {"budget": 50}, "diversity": {"budget": 50},
    "facility-location": {"budget": 50}, "least-confidence": {"budget": 50, "batch": 25},
    "adaicl": {"budget": 50}, "mdl": {"window": 5}, "cone": {"candidates": 15},
    "perplexity": {"inputs": 20}, "mutual-information": {"inputs": 20},
    "ids": {"iterations": 2, "tokens": 12},
    "influence": CORPUS, "condacc": CORPUS, "datamodels": CORPUS,
    "misconfidence": {"candidates": 100}, "infoscore": {"candidates": 100, "n0": 6},
    "lens": {"candidates": 60, "n0": 4, "dev": 16, "beam": 3, "iterations": 2},
    "latent-concept": {"steps": 40, "batch": 8},
    "epr": RETRIEVER, "udr": {"candidates": 10, "rounds": 2},
    "llm-r": {"candidates": 10, "rounds": 2}, "ceil": {"candidates": 15, "sets": 4, "size": 6},
    "q-learning": {"candidates": 15, "validation": 16, "episodes": 20, "updates": 1000,
                   "checks": 2},
}
BASELINE = "random"
SETS = ["agnews", "trec", "snips", "clinc150", "sst2", "rte", "tweet_sentiment"]


def call(method, args, **more):
    given = dict(OPTIONS.get(method, {}), **more)
    return f"{method}(" + ",".join([f"k={args.shots}"] +
                                   [f"{k}={v}" for k, v in given.items()]) + ")"


def fit(args, method, task, folder, seed):
    """Makes the file of a learned method; returns its path and the seconds."""
    out = os.path.join(folder, method + ".fit")
    return out, seconds(args, "fit", "select=" + call(method, args), task, "--out", out, "--seed",
                        seed)


def line(args, method, learned, name, seed):
    folder = place(args, name, seed)
    if args.alone:
        shutil.rmtree(os.path.join(folder, "out"), ignore_errors=True)
    more, fit_seconds = {}, 0.0
    if learned:
        task = os.path.join(folder, "task.yaml")
        more["file"], fit_seconds = fit(args, method, task, folder, seed)
    run_seconds = run(args, folder, f"select={call(method, args, **more)} order=nearest-last "
                      "score=direct calibrate=none", seed)
    cost = output(folder, "meter.json")
    return {"set": name, "seed": seed, "method": method, "shots": args.shots, "pool": args.pool,
            "correct": correct(folder), "requests": cost["requests"],
            "tokens_trie": cost["tokens_trie"], "seconds": round(run_seconds, 3),
            "fit_seconds": round(fit_seconds, 3)}


def catalogue(args):
    """[(name, learned)] of all registered methods, the baseline first."""
    text = subprocess.run([args.icl, "methods", "select", "--json"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    found = json.loads(text)
    methods = found["methods"] if isinstance(found, dict) else found
    names = [(m["name"], "trained file" in m["needs"]) for m in methods]
    return sorted(names, key=lambda m: m[0] != BASELINE)


def measure_all(args):
    learned = {name: learns for name, learns in catalogue(args)
               if not args.methods or name in args.methods}
    measure(args, lambda args, name, seed, method: line(args, method, learned[method], name, seed),
            "method", learned)


def table(args):
    runs, cost = collections.defaultdict(dict), collections.defaultdict(list)
    for entry in read(args.table):
        runs[entry["method"], entry["set"]][entry["seed"]] = entry["correct"]
    for entry in read(args.cost) if args.cost else []:
        cost[entry["method"]].append(entry)
    sets = [name for name in WORDS if any(key[1] == name for key in runs)]
    methods = list(dict.fromkeys(key[0] for key in runs))
    print("Accuracy, and in brackets the 95 % interval of the difference to random; * where it "
          "leaves out 0.\n")
    print("| method | " + " | ".join(sets) + " |\n| --- |" + " --- |" * len(sets))
    for method in methods:
        cells = []
        for name in sets:
            mine, base = runs.get((method, name)), runs.get((BASELINE, name), {})
            seeds = sorted(set(mine or {}) & set(base))
            if not seeds:
                cells.append("")
                continue
            right = sum(sum(mine[s]) for s in seeds) / sum(len(mine[s]) for s in seeds)
            _, low, high = interval([[a - b for a, b in zip(mine[s], base[s])] for s in seeds])
            mark = "*" if low > 0 or high < 0 else ""
            cells.append(f"{right:.3f}" + ("" if method == BASELINE else
                                           f"{mark} [{low:+.3f}, {high:+.3f}]"))
        print(f"| {method} | " + " | ".join(cells) + " |")
    print("\n| method | options beyond k | requests | trie tokens | seconds | fit, seconds | runs |\n"
          "| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for method in [m for m in methods if m in cost]:
        mean = {key: sum(e[key] for e in cost[method]) / len(cost[method])
                for key in ("requests", "tokens_trie", "seconds", "fit_seconds")}
        beyond = ", ".join(f"{k}={v}" for k, v in OPTIONS.get(method, {}).items())
        print(f"| {method} | {beyond} | {mean['requests']:.0f} | {mean['tokens_trie']:.0f} | "
              f"{mean['seconds']:.1f} | {mean['fit_seconds']:.1f} | {len(cost[method])} |")
    sizes = {(len(v), len(next(iter(v.values())))) for v in runs.values()}
    print(f"\n(seeds, test items) of the cells: {sorted(sizes)}")


def parser():
    made = options(__doc__, "/tmp/icl-selection", SETS, pool=200, queries=60)
    made.add_argument("--methods", nargs="*", help="these alone, with random")
    made.add_argument("--shots", type=int, default=8)
    made.add_argument("--alone", action="store_true", help="no journal of another method's")
    made.add_argument("--cost", help="lines made with --alone, for the table of costs")
    return made


if __name__ == "__main__":
    main(parser(), measure_all, table)
