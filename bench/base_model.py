#!/usr/bin/env python3
"""What a small model can do in context: accuracy by set, shots and seed, beside what needs no
language model at all (class centroids, a vote of the nearest neighbours).

    python3 bench/base_model.py --data DIR --models models/icl-base.gguf other.gguf --out lines.jsonl
    python3 bench/base_model.py --table lines.jsonl

DIR holds a folder for each set with train.jsonl and test.jsonl (fields text, label). A seed draws a
pool of 600 from the training file and, the same for all seeds, 300 test items; inputs are not cut.
Every line is one run, as it is and with calibrate=batch; the table gives means over seeds with 95 %
intervals from a bootstrap over seeds and items. The centroids want the package
sentence-transformers and --encoder-folder.
"""
import argparse
import collections
import json
import os
import random
import shutil
import subprocess
import sys

from draws import WORDS
from lines import interval, read, write

SETS = {name: WORDS[name] for name in ("sst2", "agnews", "trec", "snips", "tweet_sentiment")}
# Words that no training sequence shows as a label (`labels: held:` of the recipe).
HELD = ["garden", "silver", "thunder", "marble", "violin", "lantern", "harbor"]
POOL, QUERIES = 600, 300
FIXED, NEAREST, NO_SHOTS = "select=balanced(k={k})", "select=knn(k={k})", "select=random(k=0)"
CALIBRATIONS = ["none", "batch"]


def draw(folder, name, seed):
    """Pool and queries: [{id, text, label}]."""
    train, test = (read(os.path.join(folder, name, part + ".jsonl")) for part in ("train", "test"))
    pool = random.Random(f"{name}/{seed}").sample(train, min(POOL, len(train)))
    queries = random.Random(name).sample(test, min(QUERIES, len(test)))
    return ([{"id": f"p{i}", "text": r["text"], "label": r["label"]} for i, r in enumerate(pool)],
            [{"id": f"q{i}", "text": r["text"], "label": r["label"]} for i, r in enumerate(queries)])


def shifted(rows, labels):
    """Every label replaced by the next one."""
    names = list(labels)
    return [dict(row, label=names[(names.index(row["label"]) + 1) % len(names)]) for row in rows]


def run(args, model, name, words, variant, strategy, seed, pool, queries):
    """Runs of icl on the same answers: the samples by calibration."""
    template, labels = SETS[name]
    place = os.path.join(args.work, f"{name}-{seed}-{variant}")
    os.makedirs(place, exist_ok=True)
    write(os.path.join(place, "train.jsonl"), pool)
    write(os.path.join(place, "test.jsonl"), queries)
    task = {"name": name, "data": {"train": "train.jsonl", "test": "test.jsonl"},
            "template": template, "labels": dict(zip(labels, words))}
    with open(os.path.join(place, "task.yaml"), "w", encoding="utf-8") as out:
        json.dump(task, out)  # JSON is YAML
    out = os.path.join(place, "out")
    shutil.rmtree(out, ignore_errors=True)
    strategy += f" order={'given' if 'balanced' in strategy else 'nearest-last'} score=direct"
    samples = {}
    for calibration in CALIBRATIONS:
        command = [args.icl, "run", os.path.join(place, "task.yaml"), "--model", model,
                   "--strategy", f"{strategy} calibrate={calibration}", "--seed", str(seed),
                   "--no-zero-shot", "--no-eta", "--quiet", "--threads", str(args.threads), "--out",
                   out] + (["--resume"] if samples else [])
        subprocess.run(command, check=True)
        samples[calibration] = read(os.path.join(out, "samples.jsonl"))
    return samples


def vote(sample, labels_of):
    """The label of most demonstrations; of equally many, the one whose nearest is nearest."""
    counts, last = collections.Counter(), {}
    for place, demo in enumerate(sample["demonstrations"]):
        counts[labels_of[demo]] += 1
        last[labels_of[demo]] = place
    return max(counts, key=lambda label: (counts[label], last[label]))


class Centroids:
    def __init__(self, folder):
        from sentence_transformers import SentenceTransformer
        self.encoder, self.known = SentenceTransformer(folder, device="cpu"), {}

    def vector(self, text):
        if text not in self.known:
            self.known[text] = self.encoder.encode(text)
        return self.known[text]

    def predict(self, sample, pool, text):
        import numpy
        by_label = collections.defaultdict(list)
        for demo in sample["demonstrations"]:
            by_label[pool[demo]["label"]].append(self.vector(pool[demo]["text"]))
        query, best = self.vector(text), None
        for label, vectors in sorted(by_label.items()):
            centre = numpy.mean(vectors, axis=0)
            score = float(query @ centre / numpy.linalg.norm(centre))
            if best is None or score > best[0]:
                best = (score, label)
        return best[1]


def measure(args):
    centroids = Centroids(args.encoder_folder) if args.encoder_folder else None
    out = open(args.out, "a", encoding="utf-8") if args.out else sys.stdout
    os.makedirs(args.work, exist_ok=True)

    def line(**fields):
        out.write(json.dumps(fields) + "\n")
        out.flush()

    for seed in range(args.first_seed, args.seeds):
        for name in args.sets:
            labels = list(SETS[name][1])
            pool, queries = draw(args.data, name, seed)
            by_id = {row["id"]: row for row in pool}
            for variant, strategy in variants(args):
                words = HELD[:len(labels)] if variant.startswith("held") else SETS[name][1].values()
                rows = shifted(pool, labels) if variant.startswith("shifted") else pool
                common = {"set": name, "seed": seed, "variant": variant}
                gold = [row["label"] for row in queries]
                for model in args.models:
                    if variant.startswith("shifted"):
                        gold = [row["label"] for row in shifted(queries, labels)]
                    by_calibration = run(args, model, name, words, variant, strategy, seed, rows,
                                         queries)
                    for calibration, samples in by_calibration.items():
                        line(model=os.path.basename(model).removesuffix(".gguf")
                             + ("" if calibration == "none" else f", {calibration}"), **common,
                             correct=[int(s["predicted"] == b) for s, b in zip(samples, gold)])
                if variant.startswith("nearest"):
                    voted = [vote(s, {k: v["label"] for k, v in by_id.items()}) for s in samples]
                    line(model="vote", **common, correct=[int(a == b) for a, b in zip(voted, gold)])
                if variant.startswith("fixed") and centroids:
                    found = [centroids.predict(s, by_id, q["text"])
                             for s, q in zip(samples, queries)]
                    line(model="centroid", **common,
                         correct=[int(a == b) for a, b in zip(found, gold)])


def variants(args):
    found = [("zero-0", NO_SHOTS)] if args.zero_shot else []
    found += [(f"fixed-{k}", FIXED.format(k=k)) for k in args.shots]
    found += [(f"nearest-{k}", NEAREST.format(k=k)) for k in args.nearest]
    if args.mapping:
        found += [("held-8", FIXED.format(k=8)), ("shifted-8", FIXED.format(k=8))]
    return found


def table(path):
    cells = collections.defaultdict(list)
    sets, rows = [], []
    for entry in read(path):
        cells[entry["set"], entry["variant"], entry["model"]].append(entry["correct"])
        if entry["set"] not in sets:
            sets.append(entry["set"])
        if (entry["variant"], entry["model"]) not in rows:
            rows.append((entry["variant"], entry["model"]))
    print("| demonstrations | by | " + " | ".join(sets) + " |")
    print("| --- | --- |" + " --- |" * len(sets))
    for variant, model in sorted(rows, key=lambda row: (row[0].split("-")[0],
                                                        int(row[0].split("-")[1]), row[1])):
        shown = []
        for name in sets:
            runs = cells.get((name, variant, model))
            if runs:
                mean, low, high = interval(runs)
                shown.append(f"{mean:.3f} [{low:.3f}, {high:.3f}]".replace("0.", "."))
            else:
                shown.append("")
        print(f"| {variant} | {model} | " + " | ".join(shown) + " |")
    counts = {(len(runs), len(runs[0])) for runs in cells.values()}
    print(f"\n(seeds, test items): {sorted(counts)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--icl", default="build/icl")
    parser.add_argument("--data", help="folder of the sets")
    parser.add_argument("--models", nargs="+", default=["models/icl-base.gguf"])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--shots", nargs="*", type=int, default=[4, 8, 16])
    parser.add_argument("--nearest", nargs="*", type=int, default=[8])
    parser.add_argument("--zero-shot", action="store_true")
    parser.add_argument("--mapping", action="store_true", help="held-out words, shifted labels")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0, help="to go on with earlier lines")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--encoder-folder", help="all-MiniLM-L6-v2 for sentence-transformers")
    parser.add_argument("--work", default="/tmp/icl-base-model")
    parser.add_argument("--out", help="append result lines to this file")
    parser.add_argument("--table", help="print the table of a file of result lines")
    args = parser.parse_args()
    if args.table:
        table(args.table)
    elif args.data:
        measure(args)
    else:
        parser.error("--data or --table is needed")


if __name__ == "__main__":
    main()
