#!/usr/bin/env python3
"""icl score against transformers on the shipped model, request by request.

tests/golden/parity_model.jsonl (made by make_parity.py) holds the reference's per-token
log-probabilities for 500 prompts. Both sides widen the file's q8_0 weights to f32 and icl keeps an
f32 key/value cache, so what is left is rounding. The second half of the file checks that an answer
depends on its own request alone: the order of the others and their number change no byte.
"""
import json
import os
import random
import subprocess
import unittest

SOURCE = os.environ["ICL_SOURCE"]
SCORE = [os.environ["ICL_BIN"], "score", "--model",
         os.path.join(SOURCE, "models", "icl-base.gguf"), "--kv", "f32", "--threads", "1"]
TOLERANCE = 1e-3
SEED = 7
# Sanitizers slow the model down; there every eighth prompt is enough to watch the code. The whole file
# is checked with the release build.
EVERY = 1 if os.environ.get("ICL_SANITIZE", "off") == "off" else 8


def golden_rows():
    with open(os.path.join(SOURCE, "tests", "golden", "parity_model.jsonl"),
              encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    prompts = list(dict.fromkeys(row["id"].partition("/")[0] for row in rows))
    kept = set(prompts[::EVERY])
    return [row for row in rows if row["id"].partition("/")[0] in kept]


def score(rows):
    """The answer lines of one icl process, in input order."""
    asked = "".join(
        json.dumps({key: row[key] for key in ("id", "prefix_tokens", "continuation_tokens")}) + "\n"
        for row in rows)
    done = subprocess.run(SCORE, input=asked.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise AssertionError(f"icl score ended with {done.returncode}: {done.stderr.decode()}")
    lines = done.stdout.splitlines()
    if len(lines) != len(rows):
        raise AssertionError(f"{len(rows)} requests, {len(lines)} answers")
    return lines


class ParityModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.golden = golden_rows()
        cls.lines = score(cls.golden)
        cls.answers = [json.loads(line) for line in cls.lines]
        cls.line_of = {row["id"]: line for row, line in zip(cls.golden, cls.lines)}

    def test_answers_stand_in_input_order(self):
        self.assertEqual([a["id"] for a in self.answers], [g["id"] for g in self.golden])

    def test_token_logprobs_equal_the_reference(self):
        worst, worst_id = 0.0, None
        for want, got in zip(self.golden, self.answers):
            self.assertEqual(len(want["token_logprobs"]), len(got["token_logprobs"]), want["id"])
            for a, b in zip(want["token_logprobs"], got["token_logprobs"]):
                if not abs(a - b) <= worst:
                    worst, worst_id = abs(a - b), want["id"]
        print(f"largest difference {worst:.3g} nats per token, at {worst_id}")
        self.assertLessEqual(worst, TOLERANCE)

    def test_logprob_is_the_sum_over_tokens(self):
        for got in self.answers:
            self.assertAlmostEqual(got["logprob"], sum(got["token_logprobs"]), delta=1e-4)

    def test_greedy_flags_equal_the_reference(self):
        differing = [want["id"] for want, got in zip(self.golden, self.answers)
                     if want["greedy"] is not got["greedy"]]
        self.assertEqual(differing, [])
        self.assertGreater(sum(want["greedy"] for want in self.golden), 50 // EVERY)

    def test_best_label_equals_the_reference(self):
        best = {"want": {}, "got": {}}
        for want, got in zip(self.golden, self.answers):
            prompt, _, label = want["id"].partition("/")
            for side, row in (("want", want), ("got", got)):
                total = sum(row["token_logprobs"])
                best[side].setdefault(prompt, []).append((total, label))
        chosen = {side: {p: max(v)[1] for p, v in prompts.items()}
                  for side, prompts in best.items()}
        self.assertEqual(chosen["got"], chosen["want"])

    def test_order_of_requests_changes_no_byte(self):
        shuffled = self.golden[:]
        random.Random(SEED).shuffle(shuffled)
        for row, line in zip(shuffled, score(shuffled)):
            self.assertEqual(line, self.line_of[row["id"]])

    def test_number_of_requests_changes_no_byte(self):
        rng = random.Random(SEED)
        for size in (1, 1, 1, 1, 2, 3, 5, 8, 13, 40):
            rows = rng.sample(self.golden, size)
            for row, line in zip(rows, score(rows)):
                self.assertEqual(line, self.line_of[row["id"]], f"in a batch of {size}")


if __name__ == "__main__":
    unittest.main()
