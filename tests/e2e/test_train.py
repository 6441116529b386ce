#!/usr/bin/env python3
"""icl train: the phase change of induction heads, runs that are killed and go on, and one sentence
for every mistake."""
import json
import os
import random
import re
import time
import unittest
import xml.etree.ElementTree

from program import Case, SOURCE

# Half the context, rows and vocabulary of the shipped recipe: a few seconds.
SMALLER = [("steps: 1000", "steps: 300"), ("context: 64", "context: 32"),
           ("vocabulary=64", "vocabulary=32"), ("period=8-32", "period=4-16"),
           ("period=32", "period=16"), ("period=63, length=64", "period=31, length=32")]

# A llama of a few thousand weights, so that a model comes out.
TINY = """name: tiny
seed: 2
model: {{ layers: 1, width: 32, heads: 2, feed_width: 32, window: 128 }}
tokenizer: {{ vocabulary: 257 }}
phases:
  - name: repeats
    steps: {steps}
    context: 32
    rows: 2
    rate: {{ peak: {rate}, warmup: 2 }}
    loss: {{ text: 1 }}
    mixture: [ {{ source: "repeats(vocabulary=16, period=4-8)" }} ]
evaluate: {{ every: 20, episodes: 4, sets: [ {{ name: all, source: "repeats(period=8)" }} ] }}
checkpoint: {{ every: 5 }}
log: {{ every: 1 }}
"""


class Train(Case):
    def lines(self, name):
        return [json.loads(line) for line in self.read(name).splitlines()]

    def tiny(self, name="tiny.yaml", steps=60, rate="1e-3", change=lambda text: text):
        self.write(name, change(TINY.format(steps=steps, rate=rate)))
        return name

    def train(self, recipe, *words):
        return ["train", recipe, "--threads", "1", "--device", "cpu", *words]


class Induction(Train):
    def test_repeated_tokens_are_suddenly_predicted(self):
        with open(os.path.join(SOURCE, "recipes", "induction-tiny.yaml"), encoding="utf-8") as f:
            recipe = f.read()
        for old, new in SMALLER:
            self.assertIn(old, recipe)
            recipe = recipe.replace(old, new)
        self.write("induction.yaml", recipe)
        out = json.loads(self.succeeds(*self.train("induction.yaml", "--json", "--out", "out")))
        found = {(line["set"], line["step"]): line["loss"] for line in out["evaluations"]}
        self.assertGreater(found["repeat", 0], 4)
        self.assertLess(found["repeat", 300], 1.3)
        # What has not been seen before stays a choice of 32: ln 32 = 3.47 nats.
        self.assertGreater(found["new", 300], 3)
        self.assertEqual(out["steps"], 300)
        for picture in ("curve", "evaluation", "accuracy"):
            xml.etree.ElementTree.fromstring(self.read(f"out/{picture}.svg"))


class Running(Train):
    def test_plan_starts_nothing(self):
        plan = json.loads(self.succeeds(*self.train(self.tiny(), "--plan", "--json")))
        self.assertEqual((plan["steps"], plan["tokens"]), (60, 60 * 64))
        self.assertEqual(plan["total_bytes"], plan["weight_bytes"] + plan["activation_bytes"] +
                         plan["data_bytes"])
        self.assertGreater(plan["seconds_estimated"], 0)
        text = self.succeeds(*self.train("tiny.yaml", "--plan")).decode()
        self.assertIn("60 steps of 64 tokens (2 rows of 32)", text)
        self.assertEqual(os.listdir(self.folder), ["tiny.yaml"])

    def test_the_default_folder_report_and_model(self):
        done = self.icl(*self.train(self.tiny(steps=3)))
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        text = done.stdout.decode()
        self.assertTrue(re.search(r"^all +[\d.]+ -> [\d.]+ ", text, re.MULTILINE), text)
        self.assertIn("model   icl-train/tiny/tiny.gguf", text)
        self.assertIn("![losses](curve.svg)", self.read("icl-train/tiny/report.md").decode())
        task = os.path.join(SOURCE, "tasks", "tiny.yaml")
        self.succeeds("run", task, "--model", "icl-train/tiny/tiny.gguf", "--strategy",
                      "select=random(k=1)", "--limit", "2", "--quiet", "--no-eta", "--threads", "1")

    def test_killed_and_resumed_it_gives_the_same_bytes(self):
        recipe = self.tiny(steps=400)
        self.succeeds(*self.train(recipe, "--quiet", "--out", "whole"))
        whole = [self.read(f"whole/{name}") for name in ("tiny.gguf", "checkpoint.gguf")]
        steps = [line["step"] for line in self.lines("whole/curve.jsonl")]
        self.assertEqual(steps, list(range(1, 401)))
        killed = 0
        for number in range(3):
            process = self.start(*self.train(recipe, "--quiet", "--out", "part", "--resume"))
            while process.poll() is None and not os.path.exists(self.path("part/checkpoint.gguf")):
                time.sleep(0.005)
            time.sleep(random.uniform(0, 0.2))
            process.kill()
            process.communicate()
            killed += process.returncode == -9
        self.assertGreater(killed, 0)
        self.succeeds(*self.train(recipe, "--quiet", "--out", "part", "--resume"))
        part = [self.read(f"part/{name}") for name in ("tiny.gguf", "checkpoint.gguf")]
        self.assertEqual(part, whole)
        self.assertEqual([line["step"] for line in self.lines("part/curve.jsonl")], steps)
        self.assertEqual(self.read("part/evaluation.jsonl"), self.read("whole/evaluation.jsonl"))

    def test_interrupted_it_keeps_a_checkpoint(self):
        recipe = self.tiny(steps=100000, change=lambda text: text.replace("every: 5", "every: 0"))
        process = self.start(*self.train(recipe, "--quiet", "--out", "out"))
        while not os.path.exists(self.path("out/curve.jsonl")):
            time.sleep(0.01)
        time.sleep(0.3)
        process.terminate()
        _, stderr = process.communicate()
        self.assertEqual(process.returncode, 130)
        self.one_sentence(stderr, "train", "--resume")
        self.assertTrue(os.path.exists(self.path("out/checkpoint.gguf")))


class Mistakes(Train):
    def refuses(self, recipe, *parts, code=2, words=()):
        self.refused(self.train(recipe, "--quiet", *words), *parts, code=code)

    def test_words(self):
        self.refused(["train"], "a recipe is missing")
        self.refused(["train", "a.yaml", "b.yaml"], "b.yaml")
        self.refuses("no.yaml", "no.yaml")
        self.refused(["train", self.tiny(), "--device", "tpu"], "tpu")
        self.refused(["train", "tiny.yaml", "--device", "cuda"], "cuda")

    def test_recipe_by_line(self):
        self.tiny(change=lambda text: text.replace("width: 32,", "width: 33,"))
        self.refuses("tiny.yaml", "tiny.yaml:3:1: heads 2 does not divide width 33")
        self.tiny(change=lambda text: text.replace("    rows", "    row"))
        self.refuses("tiny.yaml", "tiny.yaml:9:5: unknown key \"row\"; did you mean \"rows\"?")
        self.tiny(change=lambda text: text.replace("repeats(v", "repeats(w"))
        self.refuses("tiny.yaml", "tiny.yaml:12:", "wocabulary")

    def test_a_model_that_no_file_can_hold(self):
        """Said before the training, not after it."""
        self.tiny(change=lambda text: text.replace("width: 32,", "width: 36,"))
        self.refuses("tiny.yaml", "type: none", "q8_0 packs 32 numbers together")
        self.tiny(change=lambda text: text.replace("heads: 2,", "heads: 2, norm: layer,"))
        self.refuses("tiny.yaml", "type: none", "a norm other than RMSNorm")

    def test_data(self):
        data = "data: { a: { file: a.jsonl, text: words } }\n"
        self.tiny(change=lambda text: text + data)
        self.refuses("tiny.yaml", "a.jsonl", "--data")
        self.write("a.jsonl", '{"word": "x"}\n')
        self.refuses("tiny.yaml", "a.jsonl", "words", "word", words=["--out", "o"])

    def test_memory_that_will_not_fit(self):
        self.tiny(change=lambda text: text.replace("layers: 1, width: 32",
                                                   "layers: 90, width: 60000"))
        self.refuses("tiny.yaml", "MiB, and", "MiB are free")
        self.tiny(change=lambda text: text.replace("rows: 2", "rows: 1000000"))
        self.refuses("tiny.yaml", "MiB, and", "MiB are free")

    def test_a_loss_that_is_not_finite(self):
        """Weights of 1e30 have no finite loss; what is kept is of before."""
        wild = self.tiny(rate="1e30", change=lambda text: text.replace("every: 5", "every: 1"))
        self.refuses(wild, "step ", "of phase \"repeats\"", code=3, words=["--out", "out"])
        self.assertFalse(os.path.exists(self.path("out/tiny.gguf")))

    def test_a_checkpoint_of_another_shape_or_recipe(self):
        self.succeeds(*self.train(self.tiny(steps=5), "--quiet", "--out", "out"))
        kept = self.read("out/checkpoint.gguf")
        self.refuses("tiny.yaml", "earlier run", words=["--out", "out"])
        self.tiny(steps=5, change=lambda text: text.replace("width: 32,", "width: 64,"))
        self.refuses("tiny.yaml", "token_embd.weight", words=["--out", "out", "--resume"])
        self.tiny(steps=6)
        self.refuses("tiny.yaml", "another recipe", words=["--out", "out", "--resume"])
        self.write("out/checkpoint.gguf", kept[:len(kept) // 2])
        self.tiny(steps=5)
        self.refuses("tiny.yaml", "checkpoint.gguf", words=["--out", "out", "--resume"])

    def test_a_folder_in_use(self):
        process = self.start(*self.train(self.tiny(steps=100000), "--quiet", "--out", "out"))
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        while not os.path.exists(self.path("out/curve.jsonl")):
            time.sleep(0.01)
        self.refuses("tiny.yaml", "in use by another run", words=["--out", "out", "--resume"])


if __name__ == "__main__":
    unittest.main()
