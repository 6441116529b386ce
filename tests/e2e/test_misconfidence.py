#!/usr/bin/env python3
"""select=misconfidence beside Algorithm 1 of Xu & Zhang 2024 in plain Python over icl score."""
import json
import os
import unittest

from program import Case, SNIPS

POOL, K, REFILLED = 40, 4, 2
WORDS = {"AddToPlaylist": "add", "BookRestaurant": "food", "GetWeather": "weather",
         "PlayMusic": "music", "RateBook": "book", "SearchCreativeWork": "search",
         "SearchScreeningEvent": "movie"}


def shown(row):
    return f"Text: {row['text']}\nLabel: {WORDS[row['label']]}\n\n"


class Misconfidence(Case):
    def setUp(self):
        super().setUp()
        with open(os.path.join(SNIPS, "train.jsonl"), encoding="utf-8") as f:
            self.rows = [json.loads(next(f)) for _ in range(POOL)]
        self.write("pool.jsonl", "".join(json.dumps(row) + "\n" for row in self.rows))

    def chosen(self, **options):
        """Places in the pool, in order of showing."""
        call = ",".join(f"{key}={value}" for key, value in options.items())
        self.succeeds("run", "snips", "--train", "pool.jsonl", "--limit", 1, "--threads", 1,
                      "--strategy", f"select=misconfidence(k={K},{call})", "--seed", 3,
                      "--no-zero-shot", "--no-eta", "--quiet", "--out", call)
        sample = json.loads(self.read(os.path.join(call, "samples.jsonl")))
        return [int(name.removeprefix("pool-")) - 1 for name in sample["demonstrations"]]

    def misconfidence(self, members):
        """log psi of everyone else under these demonstrations."""
        before = "".join(shown(self.rows[i]) for i in members)
        others = [i for i in range(POOL) if i not in members]
        asked = "".join(
            json.dumps({"id": i, "prefix": f"{before}Text: {self.rows[i]['text']}\nLabel:",
                        "continuation": " " + word}) + "\n"
            for i in others for word in WORDS.values())
        told = iter(self.succeeds("score", "--threads", 1, input=asked.encode()).splitlines())
        found = {}
        for i in others:
            nats = {label: json.loads(next(told))["logprob"] for label in WORDS}
            gold = nats.pop(self.rows[i]["label"])
            found[i] = max(nats.values()) - gold
        return found

    def round(self, members, same_class):
        """The first places go to the highest of those outside, one after the other."""
        scores = self.misconfidence(members)
        for place in range(REFILLED):
            free = [i for i in scores if i not in members and
                    (not same_class or self.rows[i]["label"] == self.rows[members[place]]["label"])]
            if free:
                members = [*members[:place], max(free, key=scores.get), *members[place + 1:]]
        return members

    def test_rounds_are_those_of_the_paper(self):
        start = self.chosen(rounds=0)
        for same_class in (False, True):
            expected = start
            for rounds in (1, 2):
                expected = self.round(expected, same_class)
                with self.subTest(same_class=same_class, rounds=rounds):
                    got = self.chosen(rounds=rounds, same_class=str(same_class).lower())
                    self.assertEqual(got, expected)
                    self.assertEqual(got[REFILLED:], start[REFILLED:])


if __name__ == "__main__":
    unittest.main()
