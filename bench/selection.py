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
import argparse
import collections
import json
import os
import random
import shutil
import subprocess
import sys
import time

from lines import interval, read, write

WORDS = {
    "agnews": ("Article: {{ text }}\nAnswer:",
               {"World": "world", "Sports": "sports", "Business": "business",
                "Technology": "technology"}),
    "trec": ("Question: {{ text }}\nAnswer Type:",
             {"Number": "number", "Location": "place", "Person": "person",
              "Description": "description", "Entity": "entity", "Abbreviation": "letter"}),
    "snips": ("Text: {{ text }}\nLabel:",
              {"AddToPlaylist": "add", "BookRestaurant": "food", "GetWeather": "weather",
               "PlayMusic": "music", "RateBook": "book", "SearchCreativeWork": "search",
               "SearchScreeningEvent": "movie"}),
    "clinc150": ("Query: {{ text }}\nIntent:", None),
    "sst2": ("Review: {{ text }}\nSentiment:", {"negative": "negative", "positive": "positive"}),
    "rte": ("Premise: {{ premise }}\nHypothesis: {{ hypothesis }}\nAnswer:",
            {"entailment": "yes", "not_entailment": "no"}),
    "tweet_sentiment": ("Tweet: {{ text }}\nFeeling:",
                        {"negative": "negative", "neutral": "neutral", "positive": "positive"}),
}
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
    "misconfidence": {"rounds": 2, "candidates": 100}, "infoscore": {"candidates": 100, "n0": 6},
    "lens": {"candidates": 60, "n0": 4, "dev": 16, "beam": 3, "iterations": 2},
    "latent-concept": {"steps": 40, "batch": 8},
    "epr": RETRIEVER, "udr": {"candidates": 10, "rounds": 2},
    "llm-r": {"candidates": 10, "rounds": 2}, "ceil": {"candidates": 15, "sets": 4, "size": 6},
    "q-learning": {"candidates": 15, "validation": 16, "episodes": 20, "updates": 1000,
                   "checks": 2},
}
BASELINE = "random"


def call(method, args, **more):
    options = dict(OPTIONS.get(method, {}), **more)
    return f"{method}(" + ",".join([f"k={args.shots}"] +
                                   [f"{k}={v}" for k, v in options.items()]) + ")"


def place(args, name, seed):
    """The folder of one draw: train.jsonl, test.jsonl, task.yaml."""
    folder = os.path.join(args.work, f"{name}-{seed}")
    if os.path.exists(os.path.join(folder, "task.yaml")):
        return folder
    os.makedirs(folder, exist_ok=True)
    train, test = (read(os.path.join(args.data, name, part + ".jsonl"))
                   for part in ("train", "test"))
    template, words = WORDS[name]
    fields = [f for f in ("text", "premise", "hypothesis") if "{{ " + f in template]
    for key, rows, count, part in ((f"{name}/{seed}", train, args.pool, "train"),
                                   (name, test, args.queries, "test")):
        drawn = random.Random(key).sample(rows, min(count, len(rows)))
        write(os.path.join(folder, part + ".jsonl"),
              [dict({f: " ".join(r[f].split()[:args.words]) for f in fields}, id=f"{part}{i}", label=r["label"])
               for i, r in enumerate(drawn)])
    if words is None:
        words = {r["label"]: r["label"].replace("_", " ") for r in train + test}
    task = {"name": name, "data": {"train": "train.jsonl", "test": "test.jsonl"},
            "fields": {"input": fields if len(fields) > 1 else fields[0], "label": "label"},
            "template": template, "labels": dict(sorted(words.items()))}
    with open(os.path.join(folder, "task.yaml"), "w", encoding="utf-8") as out:
        json.dump(task, out)  # JSON is YAML
    return folder


def icl(args, *words):
    started = time.monotonic()
    done = subprocess.run([args.icl, *words, "--threads", str(args.threads), "--quiet"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip()}")
    return time.monotonic() - started


def fit(args, method, task, folder, seed):
    """Makes the file of a learned method; returns its path and the seconds."""
    out = os.path.join(folder, method + ".fit")
    return out, icl(args, "fit", "select=" + call(method, args), task, "--out", out, "--seed",
                    str(seed))


def run(args, method, learned, name, seed):
    folder = place(args, name, seed)
    task, out = os.path.join(folder, "task.yaml"), os.path.join(folder, "out")
    if args.alone:
        shutil.rmtree(out, ignore_errors=True)
    shared = ["--resume"] if os.path.exists(os.path.join(out, "journal.sqlite")) else []
    options, fit_seconds = {}, 0.0
    if learned:
        options["file"], fit_seconds = fit(args, method, task, folder, seed)
    seconds = icl(args, "run", task, "--strategy", f"select={call(method, args, **options)} "
                  "order=nearest-last score=direct calibrate=none", "--seed", str(seed),
                  "--no-zero-shot", "--no-eta", "--out", out, *shared)
    with open(os.path.join(out, "meter.json"), encoding="utf-8") as meter:
        cost = json.load(meter)
    return {"set": name, "seed": seed, "method": method, "shots": args.shots, "pool": args.pool,
            "correct": [int(s["correct"]) for s in read(os.path.join(out, "samples.jsonl"))],
            "requests": cost["requests"], "tokens_trie": cost["tokens_trie"],
            "seconds": round(seconds, 3), "fit_seconds": round(fit_seconds, 3)}


def catalogue(args):
    """[(name, learned)] of all registered methods, the baseline first."""
    text = subprocess.run([args.icl, "methods", "select", "--json"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    found = json.loads(text)
    methods = found["methods"] if isinstance(found, dict) else found
    names = [(m["name"], "trained file" in m["needs"]) for m in methods]
    return sorted(names, key=lambda m: m[0] != BASELINE)


def measure(args):
    known = set()
    if os.path.exists(args.out):
        known = {(e["set"], e["seed"], e["method"]) for e in read(args.out)}
    methods = [m for m in catalogue(args) if not args.methods or m[0] in args.methods]
    with open(args.out, "a", encoding="utf-8") as out:
        for seed in range(args.seeds):
            for name in args.sets:
                for method, learned in methods:
                    if (name, seed, method) not in known:
                        out.write(json.dumps(run(args, method, learned, name, seed)) + "\n")
                        out.flush()


def table(path, cost_path):
    runs, cost = collections.defaultdict(dict), collections.defaultdict(list)
    for entry in read(path):
        runs[entry["method"], entry["set"]][entry["seed"]] = entry["correct"]
    for entry in read(cost_path) if cost_path else []:
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
        options = ", ".join(f"{k}={v}" for k, v in OPTIONS.get(method, {}).items())
        print(f"| {method} | {options} | {mean['requests']:.0f} | {mean['tokens_trie']:.0f} | "
              f"{mean['seconds']:.1f} | {mean['fit_seconds']:.1f} | {len(cost[method])} |")
    sizes = {(len(v), len(next(iter(v.values())))) for v in runs.values()}
    print(f"\n(seeds, test items) of the cells: {sorted(sizes)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--icl", default="build/icl")
    parser.add_argument("--data", help="folder of the sets")
    parser.add_argument("--sets", nargs="+", default=list(WORDS), choices=list(WORDS))
    parser.add_argument("--methods", nargs="*", help="these alone, with random")
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--pool", type=int, default=200)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--words", type=int, default=32, help="cut inputs to so many words")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help="no journal of another method's")
    parser.add_argument("--work", default="/tmp/icl-selection")
    parser.add_argument("--out", help="append result lines to this file")
    parser.add_argument("--table", help="print the tables of a file of result lines")
    parser.add_argument("--cost", help="lines made with --alone, for the table of costs")
    args = parser.parse_args()
    if args.table:
        table(args.table, args.cost)
    elif args.data and args.out:
        measure(args)
    else:
        parser.error("--data with --out, or --table, is needed")


if __name__ == "__main__":
    main()
