#!/usr/bin/env python3
"""What a search finds, against the best of a full grid and against one strategy for all data.

    python3 bench/search.py --data DIR --out lines.jsonl
    python3 bench/search.py --table lines.jsonl

DIR holds a folder for each set with train.jsonl and test.jsonl. A seed draws a training file; the
test items are the same for all seeds. The grid is `icl compare` of the whole space on the test
items. The search has a quarter of the tokens that the grid took, sees the training file alone, and
its choice is then run on the test items. Every line is one set and seed, and lines that are there
already are not run again. Regret is the best test accuracy in the grid less the choice's, in
points. The best of many on one draw owes some of it to luck, so a second regret takes one strategy
for all seeds of a set, the one with the best mean. Differences to the fixed strategy are paired,
with 95 % intervals from a bootstrap over seeds and items.
"""
import json
import os
import shutil

from draws import WORDS, correct, icl, main, measure, options, place, run
from lines import interval, read

SETS = ["agnews", "trec", "snips", "clinc150", "sst2", "tweet_sentiment"]
FIXED = "select=knn(k=8) order=nearest-last score=direct calibrate=none"
SPACE = """select=random(k=0) calibrate={none|batch|contextual}
select=balanced(k=8) calibrate={none|batch|contextual}
select=knn(k=4) calibrate={none|batch}
select=bm25(k=8) calibrate={none|batch}
select=knn(k=8) calibrate={none|batch|contextual}
select=knn(k=8) order=random calibrate={none|batch}
select={mmr|dpp}(k=8) calibrate={none|batch}
select=knn(k=16) calibrate={none|batch}
"""


def printed(args, *words):
    """The object that a command prints."""
    return json.loads(icl(args, *words, "--json"))


def fresh(folder, name):
    path = os.path.join(folder, name)
    shutil.rmtree(path, ignore_errors=True)
    return path


def judge(args, folder, strategy, seed):
    """Right or wrong for each test item."""
    fresh(folder, "out")
    run(args, folder, strategy, seed)
    return correct(folder)


def line(args, name, seed, _):
    folder = place(args, name, seed)
    task, space = os.path.join(folder, "task.yaml"), args.space
    if space is None:
        space = os.path.join(folder, "space")
        with open(space, "w", encoding="utf-8") as out:
            out.write(SPACE)
    grid = printed(args, "compare", task, "--strategies", space, "--seeds", 1, "--seed", seed,
                   "--out", fresh(folder, "grid"))
    figures = grid["tasks"][0]
    values = {s["strategy"]: f["value"] for s, f in zip(grid["strategies"], figures["strategies"])}
    budget = figures["tokens_trie"] // args.share
    found = printed(args, "search", task, "--space", space, "--budget", budget, "--seed", seed,
                    "--out", fresh(folder, "search"))
    winner = found["leaderboard"][0]
    return {"set": name, "seed": seed, "train": args.pool, "strategies": len(values),
            "choice": found["strategy"], "choice_value": values[winner["strategy"]],
            "best": max(values, key=values.get), "best_value": max(values.values()),
            "values": values,
            "validation": winner["n"], "validation_value": winner["value"],
            "gain_of_doubling": found["gain_of_doubling"],
            "tokens_grid": figures["tokens_trie"], "tokens_search": found["tokens_spent"],
            "seconds_grid": grid["meter"]["seconds"], "seconds_search": found["meter"]["seconds"],
            "correct_choice": judge(args, folder, found["strategy"], seed),
            "correct_fixed": judge(args, folder, FIXED, seed)}


def mean(entries, key):
    return sum(e[key] for e in entries) / len(entries)


def best_for_all(entries):
    """The best mean over seeds that one strategy reaches."""
    return max(sum(e["values"][s] for e in entries) / len(entries) for s in entries[0]["values"])


def table(args):
    lines = read(args.table)
    print("| set | seeds, items | best of the grid | best for all seeds | choice | mean of the "
          "grid | choice less the fixed one | tokens / grid's | choices |\n"
          "|---|---|---|---|---|---|---|---|---|")
    regrets = []
    for name in [s for s in WORDS if any(e["set"] == s for e in lines)]:
        mine = [e for e in lines if e["set"] == name]
        best, steady = mean(mine, "best_value"), best_for_all(mine)
        choice = mean(mine, "choice_value")
        regrets.append((100 * (best - choice), 100 * (steady - choice)))
        everything = [value for e in mine for value in e["values"].values()]
        pairs = [[a - b for a, b in zip(e["correct_choice"], e["correct_fixed"])] for e in mine]
        middle, low, high = interval(pairs)
        share = sum(e["tokens_search"] for e in mine) / sum(e["tokens_grid"] for e in mine)
        print(f"| {name} | {len(mine)}, {len(pairs[0])} | {best:.3f} | {steady:.3f} | "
              f"{choice:.3f} | {sum(everything) / len(everything):.3f} | "
              f"{middle:+.3f} [{low:+.3f}, {high:+.3f}] | "
              f"{share:.2f} | "
              + "; ".join(f"`{e['choice']}`" for e in mine) + " |")
    means = [sum(column) / len(regrets) for column in zip(*regrets)]
    print(f"\nMean regret over {len(regrets)} sets: {means[0]:.2f} points to the best of each "
          f"grid, {means[1]:.2f} to the best strategy for all seeds.")


def parser():
    made = options(__doc__, "/tmp/icl-search", SETS, pool=600, queries=300, seeds=3)
    made.add_argument("--space", help="strategies in place of the built-in ones")
    made.add_argument("--share", type=int, default=4, help="a budget of 1/N of the grid's tokens")
    return made


def measure_all(args):
    measure(args, line)


if __name__ == "__main__":
    main(parser(), measure_all, table)
