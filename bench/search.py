#!/usr/bin/env python3
"""What a search finds, against the best of a full grid and against one strategy for all data.

    python3 bench/search.py --data DIR --out lines.jsonl
    python3 bench/search.py --table lines.jsonl

DIR holds a folder for each set with train.jsonl and test.jsonl. A seed draws a training file; the
test items are the same for all seeds. The grid is `icl compare` of the whole space on the test
items. The search has a quarter of the tokens that the grid took and sees the training file alone;
its choice is judged by the grid's answers. Every line is one set and seed, and lines that are there
already are not run again. Regret, in points, is what the choice lacks on the test items:

    raw           to the best of the grid on the same items, which owes some of it to luck
    cross-fitted  to the strategy that is best on one half of the items, both judged on the other
                  half; both ways, mean of 500 random halvings
    steady        to the one strategy with the best mean over all seeds of a set, on the same items
    luck          raw regret of the best itself, were its accuracy here the true one and the items
                  drawn anew: 500 bootstraps over items

Differences to the fixed strategy are paired, with 95 % intervals from a bootstrap over seeds and
items.
"""
import json
import os
import random
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
HALVINGS = BOOTSTRAPS = 500


def printed(args, *words):
    """The object that a command prints."""
    return json.loads(icl(args, *words, "--json"))


def fresh(folder, name):
    path = os.path.join(folder, name)
    shutil.rmtree(path, ignore_errors=True)
    return path


def judge(args, folder, strategies, seed):
    """Right or wrong for each strategy and test item, from the answers of the grid."""
    out = fresh(folder, "out")
    os.makedirs(out)
    shutil.copy(os.path.join(folder, "grid", "journal.sqlite"), out)
    answers = {}
    for strategy in strategies:
        run(args, folder, strategy, seed)
        answers[strategy] = correct(folder)
    return answers


def line(args, name, seed, _):
    folder = place(args, name, seed)
    task, space = os.path.join(folder, "task.yaml"), args.space
    if space is None:
        space = os.path.join(folder, "space")
        with open(space, "w", encoding="utf-8") as out:
            out.write(SPACE)
    grid = printed(args, "compare", task, "--strategies", space, "--seeds", 1, "--seed", seed,
                   "--out", fresh(folder, "grid"))
    tokens = grid["tasks"][0]["tokens_trie"]
    found = printed(args, "search", task, "--space", space, "--budget", tokens // args.share,
                    "--seed", seed, "--out", fresh(folder, "search"))
    winner, strategies = found["leaderboard"][0], [s["strategy"] for s in grid["strategies"]]
    answers = judge(args, folder, strategies + [FIXED], seed)
    return {"set": name, "seed": seed, "train": args.pool, "choice": winner["strategy"],
            "brief": found["strategy"], "correct_fixed": answers.pop(FIXED), "correct": answers,
            "validation": winner["n"], "validation_value": winner["value"],
            "rounds": found["rounds"], "gain_of_doubling": found["gain_of_doubling"],
            "tokens_grid": tokens, "tokens_search": found["tokens_spent"],
            "seconds_grid": grid["meter"]["seconds"], "seconds_search": found["meter"]["seconds"]}


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def cross_fitted(entry, rng):
    """Mean value, less the choice's, of the best of one half on the other half."""
    items, sum_of_regrets = list(range(len(entry["correct_fixed"]))), 0
    for _ in range(HALVINGS):
        rng.shuffle(items)
        middle = len(items) // 2
        for fit, held in ((items[:middle], items[middle:]), (items[middle:], items[:middle])):
            values = {s: sum(a[i] for i in fit) for s, a in entry["correct"].items()}
            best, choice = entry["correct"][max(values, key=values.get)], \
                entry["correct"][entry["choice"]]
            sum_of_regrets += mean(best[i] - choice[i] for i in held)
    return sum_of_regrets / (2 * HALVINGS)


def luck(entry, rng):
    """Mean value of the best on items drawn anew, less that of the best on these items."""
    items, values = len(entry["correct_fixed"]), {s: sum(a) for s, a in entry["correct"].items()}
    best, sum_of_regrets = max(values, key=values.get), 0
    for _ in range(BOOTSTRAPS):
        drawn = rng.choices(range(items), k=items)
        anew = {s: sum(a[i] for i in drawn) for s, a in entry["correct"].items()}
        sum_of_regrets += (max(anew.values()) - anew[best]) / items
    return sum_of_regrets / BOOTSTRAPS


def figures(entries):
    """Means over the seeds of a set; regrets in points."""
    values = [{s: mean(a) for s, a in e["correct"].items()} for e in entries]
    rng = random.Random(0)
    choice, best = mean(v[e["choice"]] for e, v in zip(entries, values)), \
        mean(max(v.values()) for v in values)
    steady = max(mean(v[s] for v in values) for s in values[0])
    return {"best": best, "steady": steady, "choice": choice,
            "middle": mean(x for v in values for x in v.values()),
            "claimed": mean(e["validation_value"] for e in entries),
            "regrets": (100 * (best - choice), 100 * mean(cross_fitted(e, rng) for e in entries),
                        100 * (steady - choice), 100 * mean(luck(e, rng) for e in entries))}


def table(args):
    lines = read(args.table)
    print("| set | seeds, items | best of the grid | best for all seeds | choice | by the search "
          "itself | mean of the grid | regret: raw | cross-fitted | steady | luck | choice less the "
          "fixed one | tokens / grid's | choices |\n|" + "---|" * 14)
    regrets = []
    for name in [s for s in WORDS if any(e["set"] == s for e in lines)]:
        mine = [e for e in lines if e["set"] == name]
        f = figures(mine)
        regrets.append(f["regrets"])
        pairs = [[a - b for a, b in zip(e["correct"][e["choice"]], e["correct_fixed"])]
                 for e in mine]
        middle, low, high = interval(pairs)
        share = sum(e["tokens_search"] for e in mine) / sum(e["tokens_grid"] for e in mine)
        print(f"| {name} | {len(mine)}, {len(pairs[0])} | {f['best']:.3f} | {f['steady']:.3f} | "
              f"{f['choice']:.3f} | {f['claimed']:.3f} | {f['middle']:.3f} | "
              + " | ".join(f"{r:.1f}" for r in f["regrets"])
              + f" | {middle:+.3f} [{low:+.3f}, {high:+.3f}] | {share:.2f} | "
              + "; ".join(f"`{e['brief']}`" for e in mine) + " |")
    raw, crossed, steady, lucky = (mean(column) for column in zip(*regrets))
    print(f"\nMean regret over {len(regrets)} sets: {raw:.2f} points raw, {crossed:.2f} "
          f"cross-fitted, {steady:.2f} steady; {lucky:.2f} luck.")


def parser():
    made = options(__doc__, "/tmp/icl-search", SETS, pool=400, queries=300, words=24, seeds=5)
    made.add_argument("--space", help="a file of strategies in place of those above")
    made.add_argument("--share", type=int, default=4, help="a budget of 1/N of the grid's tokens")
    return made


def measure_all(args):
    measure(args, line)


if __name__ == "__main__":
    main(parser(), measure_all, table)
