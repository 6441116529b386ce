#!/usr/bin/env python3
"""Make tests/golden/score_parity.jsonl: what score methods ask, by transformers on the same weights.

    make_score_parity.py --data DIR [--model models/icl-base.gguf] [--out tests/golden]

DIR holds snips/train.jsonl and snips/test.jsonl. Model, tokenizer and arithmetic are those of
make_parity.py, whose packages this needs: one whole forward pass for each number.

The first line says how prompts are made: template, answer prefix, separator, the words of the
labels (1 to 4 tokens) and a pool of two demonstrations. Every other line is a query; under "01"
and "10", the demonstrations in either order, it holds for each label

    answer        log P(words | demonstrations, query), in nats
    whole         log P of the same sequence from BOS to the end of the words
    whole_tokens  its tokens, BOS included: what OpenICL divides by
    input         log P(query | demonstrations and label, each answer before its input)
    input_tokens
    premise       log P(words | "Label:"), the premise of PMI_DC, without demonstrations
    colon         log P(words | ":")
    content_free  log P(words | demonstrations, "N/A" in place of the query)

A query whose best label hangs on less than MARGIN nats under any rule is left out.
"""
import os
import random

from make_parity import SEED, Reference, arguments, read_jsonl, split_pair, write_lines

QUERIES = 12
MARGIN = 4e-4  # a perplexity moves by the nats of one answer over all tokens
WORDS = {
    "AddToPlaylist": "add to playlist", "BookRestaurant": "book a restaurant",
    "GetWeather": "weather", "PlayMusic": "play music", "RateBook": "rate a book",
    "SearchCreativeWork": "find a work", "SearchScreeningEvent": "film times",
}


def straight(text, label=None):
    return f"Text: {text}\nLabel:" + (f" {WORDS[label]}\n\n" if label else "")


def flipped(label, text=None):
    return f"Label: {WORDS[label]}" + (f"\nText: {text}\n\n" if text else "")


class Asker:
    def __init__(self, reference):
        self.reference = reference
        self.known = {}

    def nats(self, context, continuation):
        """Sum over the continuation and its tokens."""
        key = context, continuation
        if key not in self.known:
            prefix, tokens = split_pair(self.reference, context, continuation)
            self.known[key] = sum(self.reference.score(prefix, tokens)[0]), len(tokens)
        return self.known[key]

    def whole(self, text):
        tokens = self.reference.bos + self.reference.encode(text)
        return sum(self.reference.score(tokens[:1], tokens[1:])[0]), len(tokens)


def answers(asker, shown, text):
    before = "".join(straight(d["text"], d["label"]) for d in shown)
    turned = "".join(flipped(d["label"], d["text"]) for d in shown)
    found = {}
    for label, words in WORDS.items():
        answer = " " + words
        row = {"answer": asker.nats(before + straight(text), answer)[0],
               "premise": asker.nats("Label:", answer)[0],
               "colon": asker.nats(":", answer)[0],
               "content_free": asker.nats(before + straight("N/A"), answer)[0]}
        row["whole"], row["whole_tokens"] = asker.whole(before + straight(text) + answer)
        row["input"], row["input_tokens"] = asker.nats(turned + flipped(label), f"\nText: {text}")
        found[label] = {key: float(f"{x:.9g}") for key, x in row.items()}
    return found


def margin(found):
    """The least lead of a best label over the rules that test_parity_scores.py applies."""
    rules = (lambda a: a["answer"], lambda a: a["whole"] / a["whole_tokens"],
             lambda a: a["input"], lambda a: a["answer"] - a["premise"],
             lambda a: a["answer"] - a["colon"], lambda a: a["answer"] - a["content_free"])
    leads = []
    for rule in rules:
        best, second = sorted(map(rule, found.values()), reverse=True)[:2]
        leads.append(best - second)
    return min(leads)


def main():
    args = arguments(__doc__)
    asker = Asker(Reference(args.model))
    rng = random.Random(SEED)
    train, test = (read_jsonl(os.path.join(args.data, "snips", f"{part}.jsonl"))
                   for part in ("train", "test"))
    pool = rng.sample(train, 2)
    rng.shuffle(test)
    header = {"template": "Text: {{ text }}\nLabel:", "answer_prefix": " ", "separator": "\n\n",
              "words": WORDS, "pool": pool}
    lines, left_out = [header], 0
    while len(lines) <= QUERIES:
        query = test.pop()
        row = {"text": query["text"], "label": query["label"],
               "01": answers(asker, pool, query["text"]),
               "10": answers(asker, pool[::-1], query["text"])}
        if min(margin(row["01"]), margin(row["10"])) < MARGIN:
            left_out += 1
            continue
        lines.append(row)
    write_lines(os.path.join(args.out, "score_parity.jsonl"), lines)
    print(f"{QUERIES} queries, {left_out} left out as too close")


if __name__ == "__main__":
    main()
