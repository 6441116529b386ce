#!/usr/bin/env python3
"""The include path of each folder of src/ holds its own rank and lower ones, and no more.

A probe is compiled exactly as a file of the folder is, with its source exchanged for one line that
includes a header of another folder. The order below is written out again on purpose: a slip in
cmake/ranks.cmake must not pass.
"""
import json
import os
import re
import shlex
import subprocess
import tempfile
import unittest

SOURCE, BUILD = os.environ["ICL_SOURCE"], os.environ["ICL_BUILD"]
RANKS = ["base", "math", "data", "model index", "engine template learn", "score",
         "select reformat order instruct", "pipeline",
         "train analyze apply vision multimodal", "report"]
RANK = {folder: rank for rank, line in enumerate(RANKS) for folder in line.split()}


def commands():
    """The compile command of one file of each folder of src/, and of every file by path."""
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as f:
        entries = json.load(f)
    return {os.path.relpath(e["file"], SOURCE): shlex.split(e["command"]) for e in entries}


def one_header(folder):
    names = sorted(n for n in os.listdir(os.path.join(SOURCE, "src", folder)) if n.endswith(".h"))
    return f"{folder}/{names[0]}" if names else None


def compiles(command, header, scratch):
    probe = os.path.join(scratch, "probe.c")
    with open(probe, "w", encoding="utf-8") as f:
        f.write(f'#include "{header}"\n')
    arguments, skip = [], False
    for word in command:
        if skip or word in ("-c", "-MD"):
            skip = False
        elif word in ("-o", "-MT", "-MF"):
            skip = True
        elif not word.endswith(".c"):
            arguments.append(word)
    done = subprocess.run(arguments + ["-fsyntax-only", probe], stderr=subprocess.PIPE, cwd=BUILD)
    return done.returncode == 0, done.stderr.decode()


class Ranks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.commands = commands()
        cls.folders = {}
        for path, command in sorted(cls.commands.items()):
            if path.startswith("src/"):
                cls.folders.setdefault(path.split("/")[1], command)
        cls.headers = {folder: one_header(folder) for folder in os.listdir(
            os.path.join(SOURCE, "src"))}

    def test_ranks__lower_ranks_can_be_included_and_no_others(self):
        self.assertIn("base", self.folders)
        with tempfile.TemporaryDirectory() as scratch:
            for folder, command in self.folders.items():
                for other, header in self.headers.items():
                    if header is None:
                        continue
                    allowed = other == folder or RANK[other] < RANK[folder]
                    done, message = compiles(command, header, scratch)
                    with self.subTest(folder=folder, includes=header):
                        self.assertEqual(done, allowed, message)

    def test_ranks__public_headers_follow_the_folder_that_implements_them(self):
        with tempfile.TemporaryDirectory() as scratch:
            self.assertTrue(compiles(self.folders["base"], "icl/status.h", scratch)[0])
            self.assertFalse(compiles(self.folders["base"], "icl/dataset.h", scratch)[0])
            self.assertTrue(compiles(self.folders["data"], "icl/dataset.h", scratch)[0])

    def test_ranks__the_program_sees_public_headers_and_its_own(self):
        for path, command in self.commands.items():
            if path.startswith("cli/"):
                seen = {w[2:] for w in command if w.startswith("-I")}
                self.assertEqual(seen, {f"{SOURCE}/cli", f"{SOURCE}/include"}, path)

    def test_ranks__no_include_climbs_out_of_its_folder(self):
        climbing = re.compile(r'^\s*#\s*include\s*["<](\.|/)')
        for root in ("src", "cli", "include"):
            for folder, _, names in os.walk(os.path.join(SOURCE, root)):
                for name in names:
                    if not name.endswith((".c", ".h", ".def")):
                        continue
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as lines:
                        for number, line in enumerate(lines, 1):
                            self.assertIsNone(climbing.match(line), f"{path}:{number}")

    def test_ranks__llama_headers_stay_in_the_model_folder(self):
        engine = re.compile(r'^\s*#\s*include\s*[<"](llama|ggml|gguf)')
        allowed = {"src/model/model_llama.c", "src/model/model_llama.h", "src/model/model_llama_encoder.c",
                   "src/model/model_llama_library.c", "src/model/exact_device.c", "src/model/exact_attention.c",
                   "src/model/exact_matmul.c", "src/model/exact_kernels.h"}
        for folder, _, names in os.walk(os.path.join(SOURCE, "src")):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as lines:
                    found = {match.group(1) for match in map(engine.match, lines) if match}
                if os.path.basename(folder) == "learn":
                    found -= {"ggml", "gguf"} # graphs and files of tensors, but no language model
                if found:
                    self.assertIn(os.path.relpath(path, SOURCE), allowed)


if __name__ == "__main__":
    unittest.main()
