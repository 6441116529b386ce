#!/usr/bin/env python3
"""The manual page, the shell completion and the help text tell of the same commands and options."""
import os
import re
import shutil
import subprocess
import unittest

from program import BIN, Case, SOURCE

COMMANDS = ["run", "plan", "search", "compare", "annotate", "select", "fit", "score", "train",
            "methods", "tasks", "doctor", "help"]


class Manual(Case):
    def setUp(self):
        super().setUp()
        with open(os.path.join(SOURCE, "man", "icl.1.scd"), encoding="utf-8") as f:
            self.manual = f.read()

    def options(self, command):
        text = self.succeeds("help", command).decode()
        return re.findall(r"^  --([a-z-]+)", text, re.MULTILINE)

    def test_names_every_command_and_option_and_no_other(self):
        known = {option for command in COMMANDS for option in self.options(command)}
        told = set(re.findall(r"\*--([a-z-]+)\*", self.manual)) - {"version"}
        self.assertEqual(told, known)
        self.assertEqual(set(re.findall(r"^\*icl ([a-z]+)\*", self.manual, re.MULTILINE)),
                         set(COMMANDS))

    def test_names_environment_and_exit_codes(self):
        for word in ("ICL_MODEL", "ICL_ENCODER", "ICL_CACHE", "ICL_TASKS", "*0*", "*1*", "*2*",
                     "*3*", "*130*", "results.json", "samples.jsonl", "meter.json",
                     "journal.sqlite"):
            self.assertIn(word, self.manual)

    def test_is_valid_scdoc(self):
        if shutil.which("scdoc") is None:
            self.skipTest("scdoc is not installed")
        done = subprocess.run(["scdoc"], input=self.manual.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


class Completion(Case):
    def complete(self, *words):
        """What bash offers for the last of the words."""
        script = (f"source {SOURCE}/completions/icl.bash; COMP_WORDS=(\"$@\"); "
                  "COMP_CWORD=$(($# - 1)); _icl; printf '%s\\n' \"${COMPREPLY[@]}\"")
        path = os.path.dirname(BIN) + os.pathsep + os.environ["PATH"]
        done = subprocess.run(["bash", "-c", script, "bash", "icl", *words], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(self.environment, PATH=path))
        self.assertEqual(done.stderr, b"")
        return set(done.stdout.decode().split())

    def test_commands(self):
        self.assertEqual(self.complete(""), set(COMMANDS) | {"--help", "--version"})
        self.assertEqual(self.complete("pl"), {"plan"})
        self.assertEqual(self.complete("help", "s"), {"score", "search", "select"})

    def test_options_and_their_values(self):
        self.assertEqual(self.complete("run", "--no"), {"--no-zero-shot", "--no-eta"})
        self.assertEqual(self.complete("score", "--kv", ""), {"f32", "f16"})
        self.assertEqual(self.complete("run", "--overflow", "drop"), {"drop-far", "drop-near"})
        self.write("data.jsonl", "")
        self.assertEqual(self.complete("run", "--train", "da"), {"data.jsonl"})
        self.assertEqual(self.complete("run", "--seed", ""), set())

    def test_operands(self):
        self.write("own.yaml", "")
        self.assertEqual(self.complete("run", ""), {"snips", "tiny", "own.yaml"})
        self.assertEqual(self.complete("select", ""), {"snips", "tiny", "own.yaml"})
        self.assertEqual(self.complete("search", ""), {"snips", "tiny", "own.yaml"})
        self.assertEqual(self.complete("annotate", ""), {"snips", "tiny", "own.yaml"})
        self.assertEqual(self.complete("compare", "tiny", ""), {"snips", "tiny", "own.yaml"})
        self.assertEqual(self.complete("methods", "s"), {"select", "score", "source", "start"})
        self.assertEqual(self.complete("train", ""), {"own.yaml"})


if __name__ == "__main__":
    unittest.main()
