#!/usr/bin/env python3
"""icl against lm-evaluation-harness (hf, CPU): same weights, same requests, turn by turn.

    compare_lm_eval.py [--model random-135m.gguf]      (from the root of the repository)

lm-eval runs as its users run it: HFLM over the model in float32, loglikelihood() over
(context, continuation) strings, its cache of one-token continuations on, at the batch size that is
fastest here. The strings are decoded from icl's token ids, and it is checked that lm-eval encodes
them to the same ids again. Its time covers loglikelihood() alone: no start-up, no model load.
"""
import importlib.metadata
import json
import sys
import time

import common
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM


class LmEval:
    def __init__(self, args):
        model, tokenizer = common.reference_model(args)
        self.decode = tokenizer.decode
        self.lm = HFLM(pretrained=model, tokenizer=tokenizer, backend="causal", device="cpu",
                       batch_size=1, logits_cache=True)
        self.checked = set()

    def instances(self, examples):
        made = []
        for i, request in enumerate(common.flat(examples)):
            pair = (self.decode(request["prefix_tokens"]),
                    self.decode(request["continuation_tokens"]))
            if pair not in self.checked:
                ids = self.lm._encode_pair(*pair)
                if list(map(list, ids)) != [request["prefix_tokens"],
                                            request["continuation_tokens"]]:
                    raise SystemExit(f"lm-eval encodes request {i} to other tokens: {pair}")
                self.checked.add(pair)
            made.append(Instance("loglikelihood", {}, pair, i))
        return made

    def time(self, examples, batch_size):
        instances = self.instances(examples)
        self.lm.batch_size_per_gpu = batch_size
        start = time.perf_counter()
        answers = self.lm.loglikelihood(instances, disable_tqdm=True)
        return time.perf_counter() - start, [logprob for logprob, _ in answers]


def forward_rows(examples):
    """lm-eval's forward passes: requests that differ in their last token alone share one."""
    return {tuple(r["prefix_tokens"] + r["continuation_tokens"][:-1])
            for r in common.flat(examples)}


def main():
    args = common.arguments(__doc__.splitlines()[0], peer_seconds=8)
    facts = common.facts_of(args)
    peer = {"name": "lm_eval", "version": importlib.metadata.version("lm_eval")}
    lm_eval = LmEval(args)
    results = []
    for case in args.cases:
        result = common.contest(args, case, peer, lm_eval.time,
                                lambda e: sum(map(len, forward_rows(e))),
                                lambda example: len(forward_rows([example])), facts)
        print(json.dumps(result), flush=True)
        results.append(result)
    common.report(args, results)


if __name__ == "__main__":
    sys.exit(main())
