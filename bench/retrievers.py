#!/usr/bin/env python3
"""What training adds to the retrievers on their own objective: the model's log P(gold label).

    python3 bench/retrievers.py --data DIR --out lines.jsonl
    python3 bench/retrievers.py --table lines.jsonl

DIR holds a folder for each set with train.jsonl and test.jsonl. A seed draws a pool, on which a
retriever is fitted, and once more with epochs=0, its untrained start. Both then choose for test
items that fitting never saw: epr, udr and llm-r one demonstration, which is what they are trained
to rank, ceil a set of eight. A gain is the mean over seeds and items of log P(gold | chosen) after
training less before, in nats, with a 95 % interval from a bootstrap over seeds and items.
"""
import collections
import os

from draws import WORDS, main, measure, options, output, place, run, seconds
from lines import interval, read

SETS = ["trec", "snips", "agnews"]
METHODS = {"epr": (1, "candidates=15"), "udr": (1, "candidates=10,rounds=2"),
           "llm-r": (1, "candidates=10,rounds=2"), "ceil": (8, "candidates=15,sets=6,size=8")}


def gold_nats(args, method, name, seed, more):
    """log P(gold label) of every test item, with the demonstrations of a fitted retriever."""
    folder = place(args, name, seed)
    k, given = METHODS[method]
    file = os.path.join(folder, method + ".fit")
    if os.path.exists(file):
        os.remove(file)
    call = f"{method}(k={k},{given}{more}"
    seconds(args, "fit", f"select={call})", os.path.join(folder, "task.yaml"), "--out", file,
            "--seed", seed)
    run(args, folder, f"select={method}(k={k},file={file}) order=nearest-last score=direct "
        "calibrate=none", seed)
    return [sample["logprobs"][sample["gold"]] for sample in output(folder, "samples.jsonl")]


def line(args, name, seed, method):
    return {"set": name, "seed": seed, "method": method, "pool": args.pool,
            "start": gold_nats(args, method, name, seed, ",epochs=0"),
            "trained": gold_nats(args, method, name, seed, "")}


def table(args):
    runs = collections.defaultdict(list)
    for entry in read(args.table):
        runs[entry["method"], entry["set"]].append(entry)
    sets = [name for name in WORDS if any(key[1] == name for key in runs)]
    print("| method | " + " | ".join(sets) + " |\n| --- |" + " --- |" * len(sets))
    for method in dict.fromkeys(key[0] for key in runs):
        cells = []
        for name in sets:
            entries = runs.get((method, name))
            if not entries:
                cells.append("")
                continue
            start, trained = (sum(sum(e[key]) / len(e[key]) for e in entries) / len(entries)
                              for key in ("start", "trained"))
            gain, low, high = interval([[b - a for a, b in zip(e["start"], e["trained"])]
                                        for e in entries])
            mark = "*" if low > 0 or high < 0 else ""
            cells.append(f"{start:.2f} to {trained:.2f}: {gain:+.2f}{mark} [{low:+.2f}, "
                         f"{high:+.2f}]")
        print(f"| {method} | " + " | ".join(cells) + " |")
    sizes = {(len(v), len(v[0]["start"]), v[0]["pool"]) for v in runs.values()}
    print(f"\n(seeds, test items, pool) of the cells: {sorted(sizes)}")


def parser():
    made = options(__doc__, "/tmp/icl-retrievers", SETS, pool=300, queries=300)
    made.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    return made


if __name__ == "__main__":
    main(parser(), lambda args: measure(args, line, "method", args.methods), table)
