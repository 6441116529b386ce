#!/usr/bin/env python3
"""What icl's time grows with: 1 to 150 labels, 0 to 64 demonstrations for each query.

    make_model.py M.gguf --layers 4 --embd 384 --heads 6 --kv 6 --ff 1024 --vocab 20480
    cost_curve.py --model M.gguf --train clinc150/train.jsonl --test clinc150/test.jsonl --svg F.svg

The model is random: it costs what a trained one does, and its window has room for 64 demonstrations
of any length. Every point is an `icl score` process over --n queries; its time is the wall clock
less that of a process over two tokens. If the law holds, seconds are a line in the trie's
tokens (R2 near 1), whatever the product of queries and labels. Standard library only.
"""
import argparse
import json
import os
import sys

import common

LABELS = (1, 2, 5, 15, 50, 150)
SHOTS = (0, 4, 16, 64)
COLOURS = ("#0072b2", "#009e73", "#d55e00", "#cc79a7")
WIDTH, HEIGHT, MARGIN = 640, 420, 60


def label_words(path):
    with open(path, encoding="utf-8") as f:
        names = sorted({json.loads(line)["label"] for line in f})
    return ",".join(f"{name}={name.replace('_', ' ')}" for name in names)


def measure(args):
    """One row per point."""
    icl, words, rows = common.Icl(args), label_words(args.train), []
    for shots in SHOTS:
        examples = common.plan(
            args, os.path.join(args.work, f"curve-{shots}.jsonl"), train=args.train,
            test=args.test, template="Query: {{ text }}\nIntent:", labels=words, limit=args.n,
            strategy=f"select=random(k={shots},per_query=true) calibrate=none")
        for count in LABELS:
            part = [example[:count] for example in examples]
            seconds = min(icl.score(part)[0] for _ in range(args.rounds))
            tokens, logits_rows, _ = common.trie_cost(part, {"layers": 0, "embd": 0, "body": 0,
                                                             "head": 0})
            row = {"bench": "cost_curve", "model": os.path.basename(args.model), "shots": shots,
                   "labels": count, "n": len(part), "seed": args.seed, "threads": args.threads,
                   "pair_tokens": sum(len(r["prefix_tokens"]) + len(r["continuation_tokens"])
                                      for r in common.flat(part)),
                   "trie_tokens": tokens, "rows": logits_rows, "seconds": round(seconds, 4)}
            print(json.dumps(row), flush=True)
            rows.append(row)
    return rows


def line_fit(x, y):
    """(slope, R2) of the least-squares line."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    sxx = sum((a - mean_x)**2 for a in x)
    sxy = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y))
    syy = sum((b - mean_y)**2 for b in y)
    return sxy / sxx, sxy * sxy / (sxx * syy)


def svg(rows):
    """Seconds over trie tokens; colour = demonstrations, number = labels."""
    x_max, y_max = (max(r[k] for r in rows) for k in ("trie_tokens", "seconds"))
    inner_w, inner_h = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
             'font-family="sans-serif" font-size="11">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             f'<path d="M{MARGIN} {MARGIN}V{HEIGHT - MARGIN}H{WIDTH - MARGIN}" fill="none" '
             'stroke="black"/>',
             f'<text x="{WIDTH / 2}" y="{HEIGHT - 15}" text-anchor="middle">tokens in the trie '
             f'(axis ends at {x_max})</text>',
             f'<text x="{MARGIN}" y="{MARGIN - 15}">seconds (axis ends at {y_max:.2f}); the number '
             'at a point is its label count</text>']
    for i, shots in enumerate(SHOTS):
        parts.append(f'<text x="{MARGIN + 15}" y="{MARGIN + 15 + 16 * i}" fill="{COLOURS[i]}">'
                     f'{shots} demonstrations</text>')
    for r in rows:
        x = MARGIN + inner_w * r["trie_tokens"] / x_max
        y = HEIGHT - MARGIN - inner_h * r["seconds"] / y_max
        colour = COLOURS[SHOTS.index(r["shots"])]
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
                     f'<text x="{x + 5:.1f}" y="{y - 4:.1f}" fill="{colour}">{r["labels"]}</text>')
    return "\n".join(parts + ["</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--icl", default="build/icl")
    parser.add_argument("--icl-args", default="", help="more options for icl score")
    for name in ("model", "train", "test"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--n", type=int, default=8, help="queries at each point")
    parser.add_argument("--rounds", type=int, default=2, help="runs of a point; the best counts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", default="/tmp/icl-bench", help="folder for scratch files")
    parser.add_argument("--svg", help="write the plot here")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    rows = measure(args)
    seconds = [r["seconds"] for r in rows]
    for name, x in (("trie tokens", [r["trie_tokens"] for r in rows]),
                    ("queries x labels", [r["n"] * r["labels"] for r in rows]),
                    ("tokens of all pairs", [r["pair_tokens"] for r in rows])):
        slope, fit = line_fit(x, seconds)
        print(f"seconds over {name:<20} R2 {fit:.3f}   {1e6 * slope:.1f} us each")
    if args.svg:
        with open(args.svg, "w", encoding="utf-8") as f:
            f.write(svg(rows))


if __name__ == "__main__":
    sys.exit(main())
