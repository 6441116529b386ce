#!/usr/bin/env python3
"""icl run against transformers on the shipped model: what each score method asks and makes of it.

tests/golden/score_parity.jsonl (made by make_score_parity.py) holds, for queries with two
demonstrations in either order, the log-probabilities that a full forward pass gives to texts which
that script writes itself. Here the same prompts come from a task file.
"""
import json
import os
import subprocess
import tempfile
import unittest

SOURCE, BIN = os.environ["ICL_SOURCE"], os.environ["ICL_BIN"]
TOLERANCE = 1e-3

# A label's score from the golden numbers.
RULES = {
    "direct": lambda a: a["answer"],
    "ppl": lambda a: a["whole"] / a["whole_tokens"],
    "channel": lambda a: a["input"] / a["input_tokens"],
    "channel(reduce=sum)": lambda a: a["input"],
    "pmi-dc": lambda a: a["answer"] - a["premise"],
    "pmi": lambda a: a["answer"] - a["colon"],
    "direct-plus(normalise=sum)": lambda a: a["answer"] - a["content_free"],
}


def write_lines(path, rows):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


class ParityScores(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(SOURCE, "tests", "golden", "score_parity.jsonl"),
                  encoding="utf-8") as f:
            cls.how, *cls.golden = map(json.loads, f)

    def samples(self, folder, score):
        """Query by query, with which order of demonstrations it was shown."""
        labels = ",".join(f"{label}={words}" for label, words in self.how["words"].items())
        write_lines(os.path.join(folder, "train.jsonl"), self.how["pool"])
        write_lines(os.path.join(folder, "test.jsonl"),
                    [{"text": row["text"], "label": row["label"]} for row in self.golden])
        out = os.path.join(folder, "out")
        done = subprocess.run(
            [BIN, "run", "--train", "train.jsonl", "--test", "test.jsonl", "--labels", labels,
             "--template", self.how["template"], "--no-zero-shot", "--no-eta", "--quiet",
             "--threads", "1", "--record", "whole,input", "--out", out, "--strategy",
             f"select=bm25(k=2) order=given score={score} calibrate=none"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        with open(os.path.join(out, "samples.jsonl"), encoding="utf-8") as f:
            for row, sample in zip(self.golden, map(json.loads, f)):
                order = "01" if sample["demonstrations"] == ["train-1", "train-2"] else "10"
                yield row[order], sample

    def test_scores_and_choices_equal_the_reference(self):
        worst = 0.0
        for score, rule in RULES.items():
            with self.subTest(score=score), tempfile.TemporaryDirectory() as folder:
                for want, got in self.samples(folder, score):
                    for label, answers in want.items():
                        difference = abs(rule(answers) - got["scores"][label])
                        worst = max(worst, difference)
                        self.assertLessEqual(difference, TOLERANCE, label)
                    self.assertEqual(got["predicted"], max(want, key=lambda y: rule(want[y])))
        print(f"largest difference {worst:.3g} nats")

    def test_parts_and_their_counts_equal_the_reference(self):
        with tempfile.TemporaryDirectory() as folder:
            for want, got in self.samples(folder, "pmi-dc"):
                for label, answers in want.items():
                    words = self.how["words"][label]
                    for part, key in (("answer", "answer"), ("whole", "whole"),
                                      ("input", "input"), ("unconditional", "premise")):
                        (cell,) = got["parts"][part][label]
                        self.assertLessEqual(abs(cell["nats"] - answers[key]), TOLERANCE)
                        if f"{part}_tokens" in answers:
                            self.assertEqual(cell["tokens"], answers[f"{part}_tokens"])
                    (cell,) = got["parts"]["answer"][label]
                    self.assertEqual((cell["chars"], cell["bytes"]),
                                     (len(words), len(words.encode())))


class ParityHarness(unittest.TestCase):
    """lm-evaluation-harness' multiple choice: golden/lm_eval.jsonl, made by make_lm_eval.py."""

    def test_acc_and_acc_norm_choose_alike(self):
        worst = 0.0
        with open(os.path.join(SOURCE, "tests", "golden", "lm_eval.jsonl"), encoding="utf-8") as f:
            how, *golden = map(json.loads, f)
        names, words = list(how["choices"]), list(how["choices"].values())
        labels = ",".join(f"{name}={text}" for name, text in how["choices"].items())
        for normalise, counted in (("sum", "acc"), ("chars", "acc_norm")):
            with self.subTest(normalise=normalise), tempfile.TemporaryDirectory() as folder:
                write_lines(os.path.join(folder, "train.jsonl"),
                            [{"text": "unused", "label": name} for name in names])
                write_lines(os.path.join(folder, "test.jsonl"),
                            [{"text": row["text"], "label": names[row["gold"]]} for row in golden])
                done = subprocess.run(
                    [BIN, "run", "--train", "train.jsonl", "--test", "test.jsonl", "--labels",
                     labels, "--template", how["template"], "--no-eta", "--quiet", "--threads",
                     "1", "--out", "out", "--strategy",
                     f"select=random(k=0) score=direct(normalise={normalise}) calibrate=none"],
                    cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, 0, done.stderr.decode())
                with open(os.path.join(folder, "out", "samples.jsonl"), encoding="utf-8") as f:
                    samples = [json.loads(line) for line in f]
                self.assertEqual(len(samples), len(golden))
                for want, got in zip(golden, samples):
                    self.assertEqual(got["correct"], bool(want[counted]), want["text"])
                    for name, text, ll in zip(names, words, want["lls"]):
                        (cell,) = got["parts"]["answer"][name]
                        worst = max(worst, abs(cell["nats"] - ll))
                        self.assertEqual(cell["chars"], len(text))
        print(f"largest difference {worst:.3g} nats")
        self.assertLessEqual(worst, TOLERANCE)


if __name__ == "__main__":
    unittest.main()
