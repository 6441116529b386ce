#!/usr/bin/env python3
"""Makes openicl.jsonl: what the TopK and MDL retrievers of PyPI openicl 0.1.8 choose.

    pip download --no-deps openicl==0.1.8
    make_openicl.py openicl-0.1.8-py3-none-any.whl > tests/golden/openicl.jsonl
                                                    (torch 2.15.0, faiss-cpu 1.15, numpy 2.4.6)

The wheel's BaseRetriever, TopkRetriever, MDLRetriever and entropy run unchanged; they are taken out
of their modules because the imports need much more. What they import is stood in for: texts are
words of a made-up vocabulary and a word is a token; the encoder looks unit vectors up (seed
20261121, four decimals, scaled); the language model has random logits, another row for every
prefix.

The first line is the pool and the queries. Each further line is a retriever. For MDL it holds, for
every query and every ordered subset that was tried, OpenICL's loss of each label (`loss`: mean over
the tokens behind the demonstrations, of query and label together, where the first two do not count
and one of these two stands in the divisor; its tokeniser sees one line break more than the prompt
has) and the nats of the label's tokens alone (`label_nats`). Enough subsets are tried that none of
the `candidates` is missing, so the choice does not hang on the random numbers.
"""
import ast
import copy
import functools
import itertools
import json
import logging
import sys
import typing
import zipfile
import zlib
from types import SimpleNamespace

import faiss
import numpy as np
import torch

POOL, QUERIES, COLUMNS, SEED, TRIES = 12, 8, 6, 20261121, 80
LABELS = ["red", "blue sky", "a green old tree"]
END = "<end>"


def classes(wheel):
    scope = {"np": np, "torch": torch, "faiss": faiss, "copy": copy, "Dataset": tuple,
             "DatasetReader": SimpleNamespace(_check_dataset_reader=lambda reader: reader),
             "PromptTemplate": object, "Accelerator": object, "logger": logging.getLogger(),
             "tqdm": SimpleNamespace(tqdm=lambda rows, **_: rows), "DatasetEncoder": encode_rows,
             "DataCollatorWithPaddingAndCuda": lambda **_: None,
             "DataLoader": lambda rows, **_: rows, "SentenceTransformer": Encoder,
             "AutoTokenizer": SimpleNamespace(from_pretrained=lambda _: Tokenizer()),
             "AutoModelForCausalLM": SimpleNamespace(from_pretrained=lambda _: Model())}
    scope.update({name: getattr(typing, name) for name in ("List", "Union", "Optional", "Tuple",
                                                           "Dict")})
    for module, name in (("utils/calculate", "entropy"),
                         ("icl_retriever/icl_base_retriever", "BaseRetriever"),
                         ("icl_retriever/icl_topk_retriever", "TopkRetriever"),
                         ("icl_retriever/icl_mdl_retriever", "MDLRetriever")):
        tree = ast.parse(zipfile.ZipFile(wheel).read(f"openicl/{module}.py").decode())
        found = [node for node in tree.body if getattr(node, "name", None) == name]
        exec(compile(ast.Module(body=found, type_ignores=[]), module, "exec"), scope)
    return scope["TopkRetriever"], scope["MDLRetriever"]


class Tokenizer:
    ids = {END: 0}
    eos_token, eos_token_id = END, 0

    def encode(self, text):
        return [self.ids.setdefault(word, len(self.ids))
                for word in text.replace("\n", " <line> ").split()]

    def __call__(self, texts, padding=False, **_):
        if not padding:
            return {"input_ids": self.encode(texts)}
        rows = [torch.tensor(self.encode(text)) for text in texts]
        return {"input_ids": torch.nn.utils.rnn.pad_sequence(rows, True, self.eos_token_id)}

    def batch_decode(self, rows, **_):
        return rows


def encode_rows(texts, tokenizer):
    del tokenizer
    return [{"input_ids": [text], "metadata": [{"id": i}]} for i, text in enumerate(texts)]


class Encoder:
    vectors = {}

    def __init__(self, name):
        del name

    def to(self, _):
        return self

    def eval(self):
        pass

    def get_sentence_embedding_dimension(self):
        return COLUMNS

    def encode(self, texts, **_):
        return np.stack([self.vectors[text] for text in texts]).astype(np.float32)


class Model:
    WORDS = 256

    def to(self, _):
        pass

    @staticmethod
    @functools.lru_cache(maxsize=None)
    def row(prefix):
        key = zlib.crc32(",".join(map(str, prefix)).encode())
        return np.random.default_rng(key).normal(scale=2, size=Model.WORDS)

    def __call__(self, input_ids):
        rows = [[self.row(tuple(ids[:t + 1])) for t in range(len(ids))] for ids in input_ids.tolist()]
        return SimpleNamespace(logits=torch.tensor(np.array(rows)))

    def nats(self, prefix, continuation):
        total = 0.0
        for token in continuation:
            row = self.row(tuple(prefix))
            total += row[token] - np.log(np.exp(row).sum())
            prefix = [*prefix, token]
        return total


def recording(retriever_class):
    class Recording(retriever_class):
        """Notes what was tried for each query."""

        def generate_label_prompt(self, idx, ice, label, *more):
            self.query, self.ice = idx, ice
            return super().generate_label_prompt(idx, ice, label, *more)

        def generate_ice(self, idx_list, ice_template=None):
            self.subset = tuple(map(int, idx_list))
            return super().generate_ice(idx_list, ice_template)

        def cal_ce(self, input_texts, mask_length=None):
            loss = super().cal_ce(input_texts, mask_length)
            self.tried.setdefault(self.query, {})[self.subset] = {
                "loss": loss.tolist(), "label_nats": self.label_nats()}
            return loss

        def label_nats(self):
            prefix = self.tokenizer.encode(self.ice + self.test_ds[self.query]["text"])
            return [self.metric_model.nats(prefix, self.tokenizer.encode(label))
                    for label in LABELS]

    return Recording


def entropy(nats):
    p = np.exp(np.array(nats) - np.logaddexp.reduce(nats))
    return -(p * np.log(p)).sum()


def mdl_line(retriever_class, reader, k, candidates):
    retriever = retriever_class(reader, ice_num=k, candidate_num=candidates, select_time=TRIES,
                                labels=LABELS, seed=SEED)
    retriever.tried = {}
    chosen, queries = retriever.retrieve(), []
    for q in range(QUERIES):
        tried = retriever.tried[q]
        near = sorted({item for subset in tried for item in subset})
        assert len(near) == candidates
        assert set(tried) == set(itertools.permutations(near, k))
        queries.append({
            "chosen": chosen[q],
            "by_label": min(tried, key=lambda subset: entropy(tried[subset]["label_nats"])),
            "tried": [{"subset": subset, **tried[subset]} for subset in sorted(tried)]})
    return {"retriever": "MDL", "k": k, "candidates": candidates, "queries": queries}


def main():
    topk, mdl = classes(sys.argv[1])
    rng = np.random.default_rng(SEED)
    words = [f"w{i}" for i in range(40)]

    def text(name, length):
        return " ".join([name, *rng.choice(words, length)])

    pool = [{"text": text(f"p{i}", 3), "label": LABELS[i % 3]} for i in range(POOL)]
    queries = [{"text": text(f"q{i}", 1 + i % 4), "label": ""} for i in range(QUERIES)]
    vectors = rng.normal(size=(POOL + QUERIES, COLUMNS)).round(4)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    Encoder.vectors = {row["text"]: v for row, v in zip(pool + queries, unit)}
    reader = SimpleNamespace(
        dataset={"train": pool, "test": queries}, input_columns=["text"], output_column="label",
        generate_input_field_corpus=lambda rows: [row["text"] for row in rows])
    print(json.dumps({"pool": vectors[:POOL].ravel().tolist(),
                      "queries": vectors[POOL:].ravel().tolist(), "labels": len(LABELS)}))
    print(json.dumps({"retriever": "TopK", "k": 5, "rows": topk(reader, ice_num=5).retrieve()}))
    for k, candidates in ((1, 4), (2, 3), (3, 3)):
        print(json.dumps(mdl_line(recording(mdl), reader, k, candidates)))


if __name__ == "__main__":
    main()
