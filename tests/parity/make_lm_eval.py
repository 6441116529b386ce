#!/usr/bin/env python3
"""Make tests/golden/lm_eval.jsonl: multiple choice by lm-evaluation-harness on the same weights.

    make_lm_eval.py --data DIR [--model models/icl-base.gguf] [--out tests/golden]

DIR holds snips/train.jsonl and snips/test.jsonl. Needs PyPI lm-eval beside the packages of
make_parity.py. The harness runs a task of its own kind `multiple_choice`: 500 SNIPS requests of at
most 9 words with one of three intents, no demonstrations, the choices the words of the intents; model and
tokenizer are those of make_parity.py, the latter with BOS put first as the model's file says.

The first line says how prompts are made. Every other line is a question: its text, the gold choice,
the harness' log-likelihood of each choice, and whether acc and acc_norm counted it. A question whose
best choice hangs on less than MARGIN nats, or nats per character, is left out.
"""
import json
import os
import random
import tempfile

import lm_eval
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from make_parity import SEED, Reference, arguments, read_jsonl, write_lines

QUESTIONS = 500
WORDS_MAX = 9
MARGIN = 1e-4
CHOICES = {"AddToPlaylist": "add to a playlist", "GetWeather": "weather", "PlayMusic": "play music"}


def harness_model(reference):
    tokenizer = reference.tokenizer
    bos = tokenizer.id_to_token(reference.bos[0])
    tokenizer.post_processor = TemplateProcessing(single=f"{bos} $A",
                                                  special_tokens=[(bos, reference.bos[0])])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=bos, eos_token=bos,
                                   pad_token=bos)
    return HFLM(pretrained=reference.model, tokenizer=fast, backend="causal", batch_size=64,
                device="cpu", add_bos_token=True)


def harness_task(path):
    return ConfigurableTask(config={
        "task": "snips_intents", "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": path}}, "test_split": "test",
        "output_type": "multiple_choice", "doc_to_text": "Text: {{text}}\nLabel:",
        "doc_to_choice": list(CHOICES.values()), "doc_to_target": "gold",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    })


def questions(data):
    rows = [row for part in ("test", "train")
            for row in read_jsonl(os.path.join(data, "snips", f"{part}.jsonl"))]
    rows = [{"text": row["text"], "gold": list(CHOICES).index(row["label"])} for row in rows
            if row["label"] in CHOICES and len(row["text"].split()) <= WORDS_MAX]
    rows = list({row["text"]: row for row in rows}.values())
    random.Random(SEED).shuffle(rows)
    return rows[:QUESTIONS + QUESTIONS // 10]


def close_call(lls):
    per_char = [ll / len(words) for ll, words in zip(lls, CHOICES.values())]
    return any(sorted(v)[-1] - sorted(v)[-2] < MARGIN for v in (lls, per_char))


def main():
    args = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "test.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row) + "\n" for row in questions(args.data))
        found = lm_eval.simple_evaluate(model=harness_model(Reference(args.model)),
                                        tasks=[harness_task(path)], log_samples=True,
                                        bootstrap_iters=0)
    lines = [{"lm_eval": lm_eval.__version__, "template": "Text: {{ text }}\nLabel:",
              "choices": CHOICES}]
    for sample in found["samples"]["snips_intents"]:
        lls = [float(ll) for ll, _ in sample["filtered_resps"]]
        if not close_call(lls) and len(lines) <= QUESTIONS:
            lines.append({"text": sample["doc"]["text"], "gold": sample["doc"]["gold"],
                          "lls": [float(f"{ll:.9g}") for ll in lls],
                          "acc": int(sample["acc"]), "acc_norm": int(sample["acc_norm"])})
    write_lines(os.path.join(args.out, "lm_eval.jsonl"), lines)
    print(f"{len(lines) - 1} questions")


if __name__ == "__main__":
    main()
