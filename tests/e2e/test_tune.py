#!/usr/bin/env python3
"""icl doctor --tune remembers per model what is fastest; what it remembers changes no answer."""
import json
import os
import shutil
import unittest

from program import Case, FAST, MODEL

RUN = ["run", "tiny", *FAST[:-2], "--quiet"] # without --threads


class Tune(Case):
    def settings(self):
        return json.loads(self.read("config/icl/tune.json"))

    def remember(self, **entry):
        os.makedirs(self.path("config/icl"), exist_ok=True)
        self.succeeds(*RUN, "--out", "first")
        self.identity = json.loads(self.read("first/results.json"))["model_identity"]
        entry.setdefault("bytes", os.path.getsize(MODEL))
        self.write("config/icl/tune.json", json.dumps({self.identity: entry}))

    def calls(self, folder):
        return json.loads(self.read(f"{folder}/meter.json"))["calls"]

    def test_measures_and_remembers(self):
        text = self.succeeds("doctor", "--tune").decode()
        for word in ("tokens/s", "of sgemm", "f16", "1024", "fastest:", "tune.json"):
            self.assertIn(word, text)
        entry, = self.settings().values()
        self.assertIn(entry["call_tokens"], (64, 128, 256, 512, 1024))
        self.assertGreaterEqual(entry["threads"], 0)
        self.assertGreater(entry["tokens_per_second"], 0)

    def test_a_run_uses_what_is_remembered_and_gives_the_same_bytes(self):
        self.remember(threads=1, call_tokens=40)
        self.succeeds(*RUN, "--out", "tuned")
        self.assertGreater(self.calls("tuned"), self.calls("first"))
        for name in ("results.json", "samples.jsonl"):
            self.assertEqual(self.read(f"first/{name}"), self.read(f"tuned/{name}"))

    def test_an_option_goes_before_what_is_remembered(self):
        self.remember(threads=1, call_tokens=40)
        self.succeeds(*RUN, "--call-tokens", "512", "--out", "told")
        self.assertEqual(self.calls("told"), self.calls("first"))

    def test_another_model_is_not_affected(self):
        self.remember(threads=1, call_tokens=40)
        shutil.copy(MODEL, self.path("other.gguf"))
        with open(self.path("other.gguf"), "r+b") as f: # a weight differs
            f.seek(-1, os.SEEK_END)
            last = f.read(1)
            f.seek(-1, os.SEEK_END)
            f.write(bytes([last[0] ^ 1]))
        self.succeeds(*RUN, "--model", "other.gguf", "--out", "other")
        self.assertEqual(self.calls("other"), self.calls("first"))

    def test_a_damaged_file_is_passed_over(self):
        self.succeeds(*RUN, "--out", "first")
        os.makedirs(self.path("config/icl"))
        for content in ("", "[1", '{"x": {"bytes": "many"}}', '{"x": 3}'):
            self.write("config/icl/tune.json", content)
            self.succeeds(*RUN, "--out", "again", "--resume")


if __name__ == "__main__":
    unittest.main()
