#!/usr/bin/env python3
"""Make the golden files that tests/parity compares icl with.

    make_parity.py --data DIR [--model models/icl-base.gguf] [--out tests/golden]

DIR holds snips/ and clinc150/, each with train.jsonl and test.jsonl, and
text/text_en_valid.jsonl.zst.

The reference is PyPI transformers reading the same GGUF weights (`gguf_file`), which it widens to
float32: one unpadded forward pass over the whole sequence of each request, no key/value cache, then
a log-softmax in float64. Its tokenizer is PyPI tokenizers with the file's vocabulary and merges.
Needs: torch, transformers, tokenizers, gguf, accelerate; the zstd program.

parity_model.jsonl holds one request a line, 500 distinct prompts:
    snips-N/LABEL   8-shot SNIPS prompts: 60 with all seven labels (30 share their demonstrations,
                    30 draw their own), 240 with the true label only (four share theirs)
    clinc-N/LABEL   4 CLINC150 queries with all 150 labels: multi-token, sharing prefixes
    text-N          196 pieces of plain text; every second one has no BOS, as tokens are taken as
                    is, and every 66th nearly fills the window
Everything else starts with the BOS token if the model says add_bos_token = true.

A decision that hangs on less than MARGIN nats (greedy or not, best label of a prompt) cannot be
asked of another float32 engine, so such a prompt is replaced by the next one; the count is printed.

parity_hidden.jsonl holds {"id", "prefix_tokens", "hidden"} for every HIDDEN_EVERYth prompt of
parity_model.jsonl: the last layer's state after the final norm at the prefix's last token.

parity_tokenize.jsonl holds {"text", "tokens"}: the tokenizer's ids, no BOS, no special tokens.
"""
import argparse
import itertools
import json
import os
import random
import subprocess

import gguf
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM

SEED = 20261121
SHOTS = 8
TEXT = os.path.join("text", "text_en_valid.jsonl.zst")
MARGIN = 4e-3
HIDDEN_EVERY = 42
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SNIPS_WORDS = {
    "AddToPlaylist": "add", "BookRestaurant": "food", "GetWeather": "weather",
    "PlayMusic": "music", "RateBook": "book", "SearchCreativeWork": "search",
    "SearchScreeningEvent": "movie",
}


def read_jsonl(path):
    if path.endswith(".zst"):
        raw = subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
        return [json.loads(line) for line in raw.decode().split("\n") if line]
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def tokenizer_of(fields):
    """The file's byte-level BPE with GPT-2's split; special tokens inside a text are text."""
    assert fields["model"] == "gpt2" and fields["pre"] == "gpt-2"
    vocab = {token: i for i, token in enumerate(fields["tokens"])}
    merges = [tuple(merge.split(" ")) for merge in fields["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    return tokenizer


class Reference:
    """The model as transformers runs it."""

    def __init__(self, path):
        folder, name = os.path.split(os.path.abspath(path))
        fields = {key.removeprefix("tokenizer.ggml."): field.contents()
                  for key, field in gguf.GGUFReader(path).fields.items()
                  if key.startswith("tokenizer.ggml.")}
        self.model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=name, dtype=torch.float32).eval()
        self.tokenizer = tokenizer_of(fields)
        self.bos = [fields["bos_token_id"]] if fields.get("add_bos_token") else []
        self.window = self.model.config.max_position_embeddings

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    @torch.no_grad()
    def score(self, prefix, continuation):
        """Per-token log-probabilities, the greedy flag, and by how much that flag was decided."""
        ids = torch.tensor([prefix + continuation])
        logits = self.model(ids, logits_to_keep=len(continuation) + 1).logits[0, :-1]
        logprobs = torch.log_softmax(logits.double(), -1)
        picked = logprobs[torch.arange(len(continuation)), torch.tensor(continuation)]
        top2 = logprobs.topk(2, -1).values
        lost = top2[:, 0] - picked
        greedy = bool((lost == 0).all())
        margin = (top2[:, 0] - top2[:, 1]).min() if greedy else lost.max()
        return picked.tolist(), greedy, margin.item()

    @torch.no_grad()
    def hidden(self, prefix):
        states = self.model(torch.tensor([prefix]), output_hidden_states=True).hidden_states
        return states[-1][0, -1].tolist()


def split_pair(reference, context, continuation):
    """Tokenise jointly and require the join to fall on a token boundary."""
    prefix, whole = reference.encode(context), reference.encode(context + continuation)
    assert whole[:len(prefix)] == prefix, (context[-20:], continuation)
    return reference.bos + prefix, whole[len(prefix):]


def few_shot(template, demonstrations, query):
    """Context text; `template` is (form, words of a label, words kept of a text or None)."""
    form, words, cut = template

    def text(row):
        return " ".join(row["text"].split()[:cut])

    blocks = [form.format(x=text(d)) + " " + words(d["label"]) for d in demonstrations]
    return "\n\n".join(blocks + [form.format(x=text(query))])


def prompt_requests(reference, name, context, labels, words):
    requests = []
    for label in labels:
        prefix, continuation = split_pair(reference, context, " " + words(label))
        requests.append((f"{name}/{label}", prefix, continuation))
    return requests


def snips_prompts(reference, folder, rng):
    train, test = (read_jsonl(os.path.join(folder, f)) for f in ("train.jsonl", "test.jsonl"))
    template = ("Text: {x}\nLabel:", SNIPS_WORDS.get, 20)
    rng.shuffle(test)
    number = itertools.count()

    def candidates(sharing, all_labels):
        """`sharing` prompts after each other have the same demonstrations."""
        for i in itertools.count():
            if i % sharing == 0:
                demonstrations = rng.sample(train, SHOTS)
            query = test.pop()
            labels = sorted(SNIPS_WORDS) if all_labels else [query["label"]]
            context = few_shot(template, demonstrations, query)
            yield prompt_requests(reference, f"snips-{next(number)}", context, labels,
                                  SNIPS_WORDS.get)
    yield 30, candidates(len(test), True)
    yield 30, candidates(1, True)
    yield 240, candidates(4, False)


def clinc_prompts(reference, folder, rng):
    train, test = (read_jsonl(os.path.join(folder, f)) for f in ("train.jsonl", "test.jsonl"))
    labels = sorted({row["label"] for row in train})
    assert len(labels) == 150

    def words(label):
        return label.replace("_", " ")

    def candidates():
        for number in itertools.count():
            context = few_shot(("Query: {x}\nIntent:", words, None), rng.sample(train, SHOTS),
                               rng.choice(test))
            yield prompt_requests(reference, f"clinc-{number}", context, labels, words)
    yield 4, candidates()


def text_prompts(reference, path, rng):
    rows = read_jsonl(path)

    def candidates():
        for number in itertools.count():
            text = rng.choice(rows)["text"][:6000]
            bos = reference.bos if number % 2 == 0 else []
            n_prefix = rng.choice((1, 7, 31, 64, 127, 128, 129, 250))
            if number % 66 == 0:
                n_prefix = reference.window - 60
                text = "\n\n".join(row["text"] for row in rng.sample(rows, 3))
            ids = reference.encode(text)
            n_continuation = rng.choice((1, 2, 5, 16, 40))
            if n_prefix + n_continuation > len(ids):
                continue
            yield [(f"text-{number}", bos + ids[:n_prefix],
                    ids[n_prefix:n_prefix + n_continuation])]
    yield 196, candidates()


def measured_prompt(reference, requests):
    """The lines of one prompt, or None when one of its decisions is too close to call."""
    lines = []
    for name, prefix, continuation in requests:
        assert len(prefix) + len(continuation) <= reference.window
        logprobs, greedy, margin = reference.score(prefix, continuation)
        if margin < MARGIN:
            return None
        lines.append({"id": name, "prefix_tokens": prefix, "continuation_tokens": continuation,
                      "token_logprobs": [float(f"{x:.9g}") for x in logprobs],
                      "greedy": greedy})
    totals = sorted((sum(line["token_logprobs"]) for line in lines), reverse=True)
    if len(totals) > 1 and totals[0] - totals[1] < MARGIN:
        return None
    return lines


def write_scores(reference, args):
    rng = random.Random(SEED)
    prompts = close_calls = n_lines = 0
    families = (snips_prompts(reference, os.path.join(args.data, "snips"), rng),
                clinc_prompts(reference, os.path.join(args.data, "clinc150"), rng),
                text_prompts(reference, os.path.join(args.data, TEXT), rng))
    with open(os.path.join(args.out, "parity_model.jsonl"), "w", encoding="utf-8") as out:
        for quota, candidates in itertools.chain(*families):
            while quota > 0:
                lines = measured_prompt(reference, next(candidates))
                if lines is None:
                    close_calls += 1
                    continue
                for line in lines:
                    out.write(json.dumps(line, separators=(",", ":")) + "\n")
                quota -= 1
                prompts += 1
                n_lines += len(lines)
    print(f"{prompts} prompts, {n_lines} requests, {close_calls} prompts replaced as too close")


def write_hidden(reference, args):
    prefixes = {}
    for row in read_jsonl(os.path.join(args.out, "parity_model.jsonl")):
        prefixes.setdefault(row["id"].partition("/")[0], row["prefix_tokens"])
    with open(os.path.join(args.out, "parity_hidden.jsonl"), "w", encoding="utf-8") as out:
        for name in list(prefixes)[::HIDDEN_EVERY]:
            state = [float(f"{x:.7g}") for x in reference.hidden(prefixes[name])]
            out.write(json.dumps({"id": name, "prefix_tokens": prefixes[name], "hidden": state},
                                 separators=(",", ":")) + "\n")


HAND_WRITTEN = [
    " ", "  ", "   x", "x ", "x   ", "\n", "\n\n", "a\n\nb", "\t", " \t \n x", "a\r\nb", "\u00a0x",
    "\u3000", "tab\tseparated\tvalues", "trailing newline\n", "\n leading", "a  b   c    d     e",
    "I'm, you're, he'll, she'd, we've, don't", "I'M YOU'RE DON'T", "it’s ‘quoted’ “text”",
    "0", "12 345", "3.14159", "1,000,000", "2026-11-21T10:45:00Z", "£5.99 + €3 = ?", "50%off",
    "a.b.c", "...", "!?!?", "--", "snake_case_name", "CamelCaseName", "kebab-case-name",
    "https://example.org/a?b=c&d=e#f", "user@example.org", "C:\\dir\\file.txt", "{\"a\": [1, 2]}",
    "<b>bold</b>", "x=1;y=2", "#include <stdio.h>", "naïve café", "Zürich Straße", "Ærøskøbing",
    "nai\u0308ve (combining)", "Ελληνικά", "Русский текст", "עברית", "العربية", "हिन्दी", "ไทย",
    "日本語のテキスト", "中文文本，带标点。", "한국어", "👍", "👩‍👩‍👧‍👦 family", "🇩🇪🇫🇷", "e\u0301\u0327", "Ⅷ ½ ² ³",
    "ﬁ ligature", "𝒳 math", "\u200bzero\u200bwidth", "\ufeffbom", "ǅ titlecase",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "supercalifragilisticexpialidocious", "Text:\nLabel:",
    "Text: play some jazz\nLabel: music\n\nText: rate it\nLabel:", "Label: ", "Label:  music",
]


def write_tokens(reference, args):
    """Hand-written hard cases first, then real text; a string is kept whole."""
    rng = random.Random(SEED)
    rows = read_jsonl(os.path.join(args.data, "snips", "test.jsonl"))
    novels = read_jsonl(os.path.join(args.data, TEXT))
    texts = HAND_WRITTEN + [row["text"] for row in rng.sample(rows, 60)]
    while len(texts) < 200:
        text = rng.choice(novels)["text"]
        start = rng.randrange(len(text))
        texts.append(text[start:start + rng.choice((5, 20, 80, 300))])
    assert len(set(texts)) == 200 and not any("<|" in text for text in texts)
    write_lines(os.path.join(args.out, "parity_tokenize.jsonl"),
                [{"text": text, "tokens": reference.encode(text)} for text in texts])


def arguments(doc):
    """Of the command line; sets the threads."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default=os.path.join(ROOT, "models", "icl-base.gguf"))
    parser.add_argument("--out", default=os.path.join(ROOT, "tests", "golden"))
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    return args


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8") as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    args = arguments(__doc__)
    reference = Reference(args.model)
    write_tokens(reference, args)
    write_scores(reference, args)
    write_hidden(reference, args)


if __name__ == "__main__":
    main()
