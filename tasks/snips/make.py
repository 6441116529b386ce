"""Draws the shipped sample of SNIPS: python3 make.py SOURCE_FOLDER [OUT_FOLDER]

SOURCE_FOLDER holds train.jsonl (5000 rows) and test.jsonl (700 rows), one {"text", "label"} object
a line, as README.md describes them. Each file is sampled by label in proportion to its counts
(largest remainders), with CPython's random.Random(13): the labels in alphabetical order, sample()
within each, then one shuffle of all. The same source gives the same bytes.
"""
import json
import pathlib
import random
import sys

SEED = 13
SIZES = {"train": 600, "test": 200}


def quotas(counts, total):
    """Rows per label: the floor of the exact share, then one more by the largest remainders."""
    rows = sum(counts.values())
    exact = {label: total * count / rows for label, count in counts.items()}
    quota = {label: int(share) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (quota[label] - exact[label], label))
    for label in by_remainder[: total - sum(quota.values())]:
        quota[label] += 1
    return quota


def sample(rows, total):
    rng = random.Random(SEED)
    groups = {}
    for row in rows:
        groups.setdefault(row["label"], []).append(row)
    quota = quotas({label: len(group) for label, group in groups.items()}, total)
    drawn = [row for label in sorted(groups) for row in rng.sample(groups[label], quota[label])]
    rng.shuffle(drawn)
    return drawn


def main():
    source = pathlib.Path(sys.argv[1])
    out = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).parent)
    for name, size in SIZES.items():
        lines = (source / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        drawn = sample([json.loads(line) for line in lines], size)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in drawn)
        (out / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
