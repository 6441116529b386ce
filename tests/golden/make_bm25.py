#!/usr/bin/env python3
"""Makes bm25_rank.tsv: scores of PyPI rank_bm25 0.2.2 (BM25Okapi, default constants, numpy 2.4.6).

    python3 -m venv venv && venv/bin/pip install rank_bm25==0.2.2 numpy
    venv/bin/python tests/golden/make_bm25.py SNIPS_TRAIN.jsonl > tests/golden/bm25_rank.tsv

Documents are the first 60 utterances of the file that split alike at white space and into our words
(letters, digits and spaces alone); "please" follows seven in ten of them, so that one word stands in
more than half of the documents and its idf falls below zero. Queries are the next ten, one with a
repeated word and one of unknown words. Lines: "document<TAB>text" and "query<TAB>text<TAB>scores".
"""
import json
import re
import sys

from rank_bm25 import BM25Okapi

DOCUMENTS, QUERIES = 60, 10


def main():
    with open(sys.argv[1], encoding="utf-8") as rows:
        texts = [json.loads(row)["text"] for row in rows]
    texts = [text for text in texts if re.fullmatch(r"[a-z0-9]+( [a-z0-9]+)*", text)]
    documents = [text + " please" if i % 10 < 7 else text
                 for i, text in enumerate(texts[:DOCUMENTS])]
    queries = texts[DOCUMENTS:DOCUMENTS + QUERIES] + ["please play play the music", "zzz qqq"]
    index = BM25Okapi([text.split() for text in documents])
    for text in documents:
        print("document", text, sep="\t")
    for text in queries:
        scores = " ".join(repr(float(score)) for score in index.get_scores(text.split()))
        print("query", text, scores, sep="\t")


if __name__ == "__main__":
    main()
