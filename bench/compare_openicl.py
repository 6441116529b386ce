#!/usr/bin/env python3
"""icl against OpenICL's perplexity inference: same weights, same prompts, turn by turn.

    compare_openicl.py [--model random-135m.gguf]      (from the root of the repository)

OpenICL's own PPLInferencer runs unchanged (PyPI openicl 0.1.8); a retriever hands it the prompts
that icl planned. For each label it runs every full prompt again, in padded batches, with logits at
all positions. Its score is the mean over the whole prompt, another quantity than icl's, so label
scores are not compared. Its time covers inference() alone: no start-up, no model load.
"""
import importlib.metadata
import json
import logging
import sys
import time

import common
from openicl import DatasetReader, PPLInferencer
from openicl.icl_retriever import BaseRetriever
from datasets import Dataset, DatasetDict


class PlannedPrompts(BaseRetriever):
    """Gives the inferencer finished prompts: text[query][label], no demonstrations to fill in."""

    def __init__(self, texts):
        rows = Dataset.from_dict({"text": [""] * len(texts), "label": [""] * len(texts)})
        super().__init__(DatasetReader(DatasetDict({"train": rows, "test": rows}),
                                       input_columns=["text"], output_column="label"))
        self.texts = texts

    def retrieve(self):
        return [[] for _ in self.texts]

    def generate_ice(self, idx_list, ice_template=None):
        return ""

    def generate_label_prompt(self, idx, ice, label, **_):
        return self.texts[idx][label]


class OpenIcl:
    def __init__(self, args):
        self.model, self.tokenizer = common.reference_model(args)
        self.output = args.work
        self.checked = set()

    def texts(self, examples):
        made = []
        added = len(self.tokenizer("").input_ids)  # the BOS that the tokenizer puts itself
        for example in examples:
            tokens = [r["prefix_tokens"] + r["continuation_tokens"] for r in example]
            texts = [self.tokenizer.decode(ids[added:]) for ids in tokens]
            for text, ids in zip(texts, tokens):
                if text not in self.checked and self.tokenizer(text).input_ids != ids:
                    raise SystemExit(f"the tokenizer encodes a prompt to other tokens: {text}")
                self.checked.add(text)
            made.append(texts)
        return made

    def time(self, examples, batch_size):
        retriever = PlannedPrompts(self.texts(examples))
        inferencer = PPLInferencer(model_name=self.model, tokenizer_name=self.tokenizer,
                                   batch_size=batch_size, labels=list(range(len(examples[0]))),
                                   output_json_filepath=self.output,
                                   output_json_filename="openicl")
        start = time.perf_counter()
        inferencer.inference(retriever)
        return time.perf_counter() - start, None


def all_tokens(examples):
    return sum(len(r["prefix_tokens"]) + len(r["continuation_tokens"])
               for r in common.flat(examples))


def main():
    args = common.arguments(__doc__.splitlines()[0], peer_seconds=8)
    logging.disable(logging.INFO)
    facts = common.facts_of(args)
    peer = {"name": "openicl", "version": importlib.metadata.version("openicl")}
    openicl = OpenIcl(args)
    results = []
    for case in args.cases:
        result = common.contest(args, case, peer, openicl.time, all_tokens, len, facts)
        print(json.dumps(result), flush=True)
        results.append(result)
    common.report(args, results)


if __name__ == "__main__":
    sys.exit(main())
