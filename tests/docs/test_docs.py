#!/usr/bin/env python3
"""The documentation holds: files it names exist, the table of methods is made from the cards, the
figures of the demo and of the picture are those of the program, every public function is described,
and nothing speaks of one machine.
"""
import importlib.util
import json
import os
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

SOURCE, ICL = os.environ["ICL_SOURCE"], os.environ["ICL_BIN"]
PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md",
         "docs/score.md", "docs/select.md", "docs/train.md", "tasks/README.md",
         "tests/golden/README.md"]
FOLDERS = "bench|cli|cmake|docs|examples|include|models|recipes|scripts|src|tasks|tests"
# The method that CONTRIBUTING.md adds is an example.
NOT_THERE = {"src/order/order_shortest_first.c"}
# Folders of one machine or workplace, at the beginning of a path.
MACHINE_PATH = re.compile(r"(?<![\w./$}])/(?:work|root|home)/[\w.]|/tmp/(?:dl|build)\b")


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as f:
        return f.read()


def exists(path):
    return os.path.exists(os.path.join(SOURCE, path))


def pages():
    folder = os.path.join(SOURCE, "docs", "adr")
    return PAGES + sorted(f"docs/adr/{name}" for name in os.listdir(folder))


def tracked_files():
    """Paths of the repository; none in a copy without git."""
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", SOURCE, "ls-files", "-z"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return [path for path in done.stdout.decode().split("\0") if path and exists(path)]


def icl(*words):
    done = subprocess.run([ICL, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise AssertionError(f"icl {' '.join(words)}: {done.stderr.decode()}")
    return done.stdout.decode()


def trie_of(rows):
    """What the rows ask, and the distinct prefixes that answer it: (tokens asked, in the trie)."""
    paths = [tuple(row["prefix_tokens"] + row["continuation_tokens"][:-1]) for row in rows]
    prefixes = {path[:n] for path in set(paths) for n in range(1, len(path) + 1)}
    return sum(map(len, paths)), len(prefixes)


class Paths(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for page in pages():
            for target in re.findall(r"\]\(([^)#\s]+)", read(page)):
                if not target.startswith(("http://", "https://")):
                    path = os.path.normpath(os.path.join(os.path.dirname(page), target))
                    self.assertTrue(exists(path), f"{page} links to {target}")

    def test_files_named_in_words_exist(self):
        named = re.compile(rf"(?<![\w/.<>-])(?:{FOLDERS})/[\w./-]*\w")
        for page in pages():
            for path in set(named.findall(read(page))) - NOT_THERE:
                beside = os.path.join(os.path.dirname(page), path)
                self.assertTrue(exists(path) or exists(beside), f"{page} names {path}")

    def test_no_file_names_a_machines_folder(self):
        found = []
        for path in tracked_files():
            with open(os.path.join(SOURCE, path), encoding="utf-8", errors="ignore") as f:
                lines = [] if path.endswith(".gguf") else f.readlines()
            found += [f"{path}:{number}: {match.group()}" for number, line in enumerate(lines, 1)
                      for match in MACHINE_PATH.finditer(line)]
        self.assertEqual(found, [])


class Methods(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.methods = json.loads(icl("methods", "--json"))

    def test_the_table_is_made_from_the_cards(self):
        path = os.path.join(SOURCE, "scripts", "docs_methods.py")
        spec = importlib.util.spec_from_file_location("docs_methods", path)
        maker = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(maker)
        self.assertEqual(read("docs/methods.md"), maker.page(self.methods),
                         "run: build/icl methods --json | scripts/docs_methods.py >docs/methods.md")

    def test_every_method_stands_in_the_table_and_the_readme(self):
        table, readme = read("docs/methods.md"), read("README.md")
        self.assertTrue(self.methods)
        for method in self.methods:
            self.assertIn(f"### {method['name']}\n", table)
            self.assertIn(f"`{method['name']}`", readme)


class Readme(unittest.TestCase):
    def test_names_the_command_that_ci_runs(self):
        self.assertIn("exec make test\n", read(".ci/run"))
        self.assertIn("    make test ", read("README.md"))

    def test_every_decision_says_context_options_choice_consequences(self):
        for page in (page for page in pages() if page.startswith("docs/adr/")):
            heads = re.findall(r"^## (.*)$", read(page), re.MULTILINE)
            self.assertEqual(heads, ["Context", "Options", "Choice", "Consequences"], page)


class Headers(unittest.TestCase):
    def test_every_public_function_and_type_is_described(self):
        """Doxygen does not tell: it passes over functions of files that it knows no page of."""
        for folder in ("include/icl", "include/icl/sys"):
            for name in sorted(os.listdir(os.path.join(SOURCE, folder))):
                before = ""
                for line in read(f"{folder}/{name}").splitlines() if name.endswith(".h") else []:
                    if line.startswith(("ICL_API", "typedef")):
                        self.assertTrue(before.endswith("*/"), f"{folder}/{name}: {line}")
                    before = line.rstrip()


class Demo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "requests.jsonl")
            icl("plan", "snips", "--no-eta", "--requests", path)
            with open(path, encoding="utf-8") as f:
                cls.rows = [json.loads(line) for line in f]

    def test_counts_of_the_readme(self):
        asked, trie = trie_of(self.rows)
        spaced = [f"{count:,}".replace(",", " ") for count in (asked, trie)]
        readme = read("README.md")
        for row in (rf"tokens asked +{spaced[0]} +{len(self.rows)} requests\n",
                    rf"in the trie +{spaced[1]} "):
            self.assertTrue(re.search(row, readme), f"README.md has no line {row}")

    def test_counts_of_the_picture(self):
        queries = ("test-69/", "test-149/", "zero-shot/test-69/", "zero-shot/test-149/")
        rows = [row for row in self.rows if row["id"].startswith(queries)]
        asked, trie = trie_of(rows)
        svg = read("docs/trie.svg")
        xml.etree.ElementTree.fromstring(svg)
        counts = [int(c.replace(",", "")) for c in re.findall(r'"count">([\d,]+)<', svg)]
        self.assertEqual(counts[:2], [asked, trie])
        self.assertEqual(sum(counts[2:]), trie, "the boxes add up to the trie")
        self.assertIn(f"{len(rows)} requests", svg)


if __name__ == "__main__":
    unittest.main()
