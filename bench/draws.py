"""Runs on draws of data sets: what the scripts share that compare methods.

--data names a folder that holds one for each set, with train.jsonl and test.jsonl. A seed draws a
pool from the training file; the test items are the same for all seeds.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import time

from lines import read, write

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
    "mr": ("Review: {{ text }}\nSentiment:", {"negative": "negative", "positive": "positive"}),
    "sst5": ("Review: {{ text }}\nSentiment:",
             {"very negative": "terrible", "negative": "bad", "neutral": "okay",
              "positive": "good", "very positive": "great"}),
    "mpqa": ("Phrase: {{ text }}\nSentiment:", {"negative": "negative", "positive": "positive"}),
    "mnli": ("Premise: {{ premise }}\nHypothesis: {{ hypothesis }}\nAnswer:",
             {"entailment": "yes", "neutral": "maybe", "contradiction": "no"}),
    "scicite": ("Sentence: {{ text }}\nPurpose:",
                {"background": "background", "method": "method", "result": "result"}),
}


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
              [dict({f: " ".join(r[f].split()[:args.words]) for f in fields}, id=f"{part}{i}",
                    label=r["label"]) for i, r in enumerate(drawn)])
    if words is None:
        words = {r["label"]: r["label"].replace("_", " ") for r in train + test}
    task = {"name": name, "data": {"train": "train.jsonl", "test": "test.jsonl"},
            "fields": {"input": fields if len(fields) > 1 else fields[0], "label": "label"},
            "template": template, "labels": dict(sorted(words.items()))}
    with open(os.path.join(folder, "task.yaml"), "w", encoding="utf-8") as out:
        json.dump(task, out)  # JSON is YAML
    return folder


def icl(args, *words):
    """What a command prints."""
    words = list(map(str, words))
    done = subprocess.run([args.icl, *words, "--threads", str(args.threads)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def seconds(args, *words):
    """What a command takes."""
    started = time.monotonic()
    icl(args, *words, "--quiet")
    return time.monotonic() - started


def run(args, folder, strategy, seed):
    """Runs the strategy on the draw into folder/out; the seconds. The runs of a draw share a
    journal, so what one has asked is free for the next."""
    out = os.path.join(folder, "out")
    shared = ["--resume"] if os.path.exists(os.path.join(out, "journal.sqlite")) else []
    return seconds(args, "run", os.path.join(folder, "task.yaml"), "--strategy", strategy,
                   "--seed", seed, "--no-zero-shot", "--no-eta", "--out", out, *shared)


def output(folder, name):
    """results.json or meter.json of the last run, or its samples."""
    path = os.path.join(folder, "out", name)
    if name.endswith(".jsonl"):
        return read(path)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def correct(folder):
    """Right or wrong for each test item of the last run."""
    return [int(sample["correct"]) for sample in output(folder, "samples.jsonl")]


def measure(args, line, field=None, values=(None,)):
    """Appends line(args, name, seed, value) for all seeds, sets and values that have none yet; a
    line holds its value under `field`."""
    known = set()
    if os.path.exists(args.out):
        known = {(e["set"], e["seed"], e.get(field)) for e in read(args.out)}
    with open(args.out, "a", encoding="utf-8") as out:
        for seed in range(args.seeds):
            for name in args.sets:
                for value in values:
                    if (name, seed, value) not in known:
                        out.write(json.dumps(line(args, name, seed, value)) + "\n")
                        out.flush()


def options(doc, work, sets, pool, queries, words=32, seeds=5):
    """The parser of a script, with its defaults."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--icl", default="build/icl")
    parser.add_argument("--data", help="folder of the sets")
    parser.add_argument("--sets", nargs="+", default=sets, choices=list(WORDS))
    parser.add_argument("--pool", type=int, default=pool, help="labelled examples of a draw")
    parser.add_argument("--queries", type=int, default=queries, help="test items")
    parser.add_argument("--words", type=int, default=words, help="cut inputs to so many words")
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", default=work)
    parser.add_argument("--out", help="append result lines to this file")
    parser.add_argument("--table", help="print the tables of a file of result lines")
    return parser


def main(parser, measure_all, table):
    args = parser.parse_args()
    if args.table:
        table(args)
    elif args.data and args.out:
        measure_all(args)
    else:
        parser.error("--data with --out, or --table, is needed")
