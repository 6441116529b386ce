#!/usr/bin/env python3
"""icl search: a strategy for the user's own data, within its budget, never from the test file; the
same bytes again, also after Ctrl-C and kill -9."""
import json
import os
import random
import shutil
import time
import unittest

from program import Case, SNIPS

SPACE = """# two that differ, one that is behind
select=bm25(k={2|4}) calibrate={none|batch}
select=random(k=0)
"""
FILES = ("search.json", "leaderboard.md", "report.html")
BUDGET = 9000


class OwnData(Case):
    def setUp(self):
        super().setUp()
        self.space = self.write("space", SPACE)
        with open(os.path.join(SNIPS, "train.jsonl"), encoding="utf-8") as f:
            rows = [json.loads(line) for line in f][:120]
        self.train = self.write("own.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        self.words = ["search", "--train", self.train, "--threads", "1", "--space", self.space]


class Search(OwnData):
    def search(self, *arguments):
        done = self.icl(*self.words, "--json", *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return json.loads(done.stdout)

    def test_ends_with_a_line_that_runs(self):
        done = self.icl(*self.words, "--budget", BUDGET)
        self.assertEqual(done.returncode, 0, done.stderr)
        table = done.stdout.decode()
        best = [line for line in table.splitlines() if line.startswith("best ")][0][4:].strip()
        self.assertIn("bm25", best)
        for part in ("120 queries drawn from 120 training examples, pool of 119, 7 labels",
                     "of a budget of 9000", "twice as much", "on new queries", "leaderboard.md", "95 % interval"):
            self.assertIn(part, table)
        # Where no terminal is, every round says what it will cost and who leads.
        lines = done.stderr.decode().splitlines()
        self.assertRegex(lines[0], r"^round 1: 5 strategies on \d+ queries, for \d+ of the 9000 "
                                   r"tokens left$")
        self.assertRegex(lines[1], r"^round 1: 0\.\d+ leads, \d dropped: select=")
        self.assertNotIn("\x1b", done.stderr.decode())
        self.succeeds("run", "snips", "--limit", 3, "--no-eta", "--threads", 1, "--quiet",
                      "--strategy", best)

    def test_json_is_sound_and_the_files_are_the_same_again(self):
        found = self.search("--budget", BUDGET, "--out", "a")
        rows, rounds = found["leaderboard"], found["rounds"]
        self.assertEqual(found["strategy"], rows[0]["brief"])
        self.assertEqual([row["rank"] for row in rows], [1, 2, 3, 4, 5])
        self.assertEqual(rows[0]["fate"], "leads")
        self.assertEqual(rows[-1]["brief"].split()[0], "select=random(k=0)")
        self.assertLessEqual(found["tokens_spent"], BUDGET)
        self.assertEqual(found["tokens_spent"], sum(r["tokens_planned"] for r in rounds))
        self.assertEqual(found["meter"]["tokens_trie"], found["tokens_spent"])
        self.assertEqual([r["n"] for r in rounds], sorted({r["n"] for r in rounds}))
        self.assertGreaterEqual(found["gain_of_doubling"], 0)
        self.assertLessEqual(found["value_expected"], rows[0]["value"])
        for row in rows[1:]:
            low, high = row["difference_ci95"]
            self.assertLessEqual(low, row["difference"])
            self.assertLessEqual(row["difference"], high)
            if row["difference"] < 0: # resamples of a tie lean either way
                self.assertLess(row["better"], 0.5)
        written = json.loads(self.read("a/search.json"))
        self.assertEqual(written, {k: v for k, v in found.items() if k != "meter"})
        self.search("--budget", BUDGET, "--out", "b")
        for name in FILES:
            self.assertEqual(self.read(f"a/{name}"), self.read(f"b/{name}"))
        self.assertNotEqual(self.search("--budget", BUDGET, "--seed", 1, "--out", "c")["rounds"],
                            rounds)

    def test_never_opens_the_test_file(self):
        task = self.write("own.yaml", "name: own\ndata: { train: own.jsonl, test: gone.jsonl }\n")
        done = self.icl("search", task, *self.words[3:], "--budget", BUDGET, "--quiet")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        self.assertTrue(os.path.exists(self.path("icl-out/search-own/search.json")))

    def test_a_label_without_a_query_is_noted(self):
        rows = self.read("own.jsonl") + b'{"text": "hello", "label": "Greeting"}\n'
        self.write("own.jsonl", rows)
        done = self.icl(*self.words, "--budget", BUDGET)
        self.assertEqual(done.returncode, 0)
        self.assertIn('1 of 8 labels no query has: "Greeting"', done.stdout.decode())
        self.assertIn('"Greeting"', self.read("icl-out/search-own/leaderboard.md").decode())

    def test_what_cannot_run_is_left_out_by_name(self):
        self.write("space", SPACE + "select=bm25(k=170)\n")
        found = self.search("--budget", BUDGET)
        self.assertEqual(found["leaderboard"][-1]["fate"], "left out")
        self.assertIn("170", found["leaderboard"][-1]["reason"])

    def test_refuses_in_one_sentence_and_leaves_nothing(self):
        one = self.write("one.jsonl", '{"text": "a", "label": "x"}\n{"text": "b", "label": "x"}\n')
        unknown = self.write("unknown", "# first\nselect=bm25\nselect={knn|bm52}\n")
        option = self.write("option", "select=bm25(kk=2)\n")
        empty = self.write("empty", "# nothing\n")
        open_pair = self.write("open", "select={knn\n")
        for arguments, parts in (
                (["--budget", 10], ["budget of 10 tokens", "one strategy", "the least is"]),
                (["--budget", 0], ["--budget", '"0"']),
                (["--space", unknown], ["unknown:3: ", '"bm52"', '"bm25"']),
                (["--space", option], ["option:1: ", '"kk"']),
                (["--space", empty], ["empty", "no strategy"]),
                (["--space", open_pair], ["open:1: ", '"{"']),
                (["--space", self.path("none")], ["none"]),
                (["--space", self.folder], [self.folder]),
                (["--train", one], ["one.jsonl", "two labels"]),
                (["--train", self.path("none.jsonl")], ["none.jsonl"]),
                (["--validation", 1], ["--validation", '"1"'])):
            with self.subTest(arguments=arguments):
                self.refused([*self.words, "--quiet", *arguments], *parts)
                self.assertFalse(os.path.exists(self.path("icl-out/search-own/search.json")))
        self.refused(["search"], "task is missing")

    def test_the_least_budget_is_enough(self):
        done = self.icl(*self.words, "--quiet", "--budget", 10)
        least = int(done.stderr.decode().split("the least is ")[1].split(",")[0])
        self.refused([*self.words, "--quiet", "--budget", least - 1], f"the least is {least}")
        self.assertEqual(self.search("--budget", least)["tokens_spent"], least)


class Resume(OwnData):
    """Small calls, so that answers become durable many times."""

    def setUp(self):
        super().setUp()
        self.words += ["--budget", BUDGET, "--call-tokens", 64]
        start = time.monotonic()
        self.succeeds(*self.words, "--quiet", "--out", "whole")
        self.seconds = time.monotonic() - start
        self.whole = [self.read(f"whole/{name}") for name in FILES]

    def expect_whole(self, folder):
        self.succeeds(*self.words, "--quiet", "--out", folder, "--resume")
        self.assertEqual([self.read(f"{folder}/{name}") for name in FILES], self.whole)

    def test_ctrl_c_keeps_answers_and_resume_ends_in_the_same_bytes(self):
        stderr = self.interrupt_at_work("out/journal.sqlite", *self.words, "--quiet", "--out",
                                        "out")
        self.one_sentence(stderr, "search", '"out"', "--resume")
        self.assertFalse(os.path.exists(self.path("out/search.json")))
        self.refused([*self.words, "--out", "out"], '"out"', "--resume")
        self.expect_whole("out")
        meter = json.loads(self.read("out/meter.json"))
        self.assertGreater(meter["requests_cached"], 0)

    def test_killed_at_any_moment(self):
        for number in range(3):
            folder = f"kill-{number}"
            process = self.start(*self.words, "--quiet", "--out", folder, "--resume")
            time.sleep((number + random.random()) / 3 * self.seconds)
            process.kill()
            process.communicate()
            self.expect_whole(folder)
            shutil.rmtree(self.path(folder))


if __name__ == "__main__":
    unittest.main()
