#!/usr/bin/env python3
"""icl compare: strategies on the same queries and seeds, the same bytes however often they are
interrupted, and mistakes refused before the model is asked."""
import json
import os
import re
import unittest
import xml.etree.ElementTree

from program import Case, SNIPS, TINY

# No sentence encoder, which takes longer to start than these comparisons take.
STRATEGIES = """# three
select={bm25(k=4)|random(k=4)} calibrate=batch
select=random(k=0)   # without demonstrations
"""
FILES = ("compare.json", "compare.md", "compare.svg", "report.html")


class Compare(Case):
    def setUp(self):
        super().setUp()
        self.strategies = self.write("strategies.txt", STRATEGIES)

    def work(self, *more, task="tiny"):
        return ["compare", task, "--strategies", self.strategies, "--threads", "1", *more]

    def files(self, folder):
        return [self.read(f"{folder}/{name}") for name in FILES]

    def compared(self, *more):
        return json.loads(self.succeeds(*self.work("--json", *more)))

    def test_table_names_figures_pairs_and_cost(self):
        table = self.succeeds(*self.work("--seeds", 2)).decode()
        for part in ("3 strategies, seeds 0 to 1", "   1  select=bm25 calibrate=batch",
                     "   3  select=random(k=0) calibrate=none",
                     "tiny: 10 queries, 2 labels, pool of 20, majority class 0.500",
                     "   2 - 3 ", "p (Holm)", "tokens, one after another", "evaluated  ",
                     "icl-out/compare/compare.md"):
            self.assertIn(part, table)
        for line in table.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_object_holds_what_runs_of_their_own_say(self):
        found = self.compared("--seeds", 2, "--seed", 4)
        self.assertEqual((found["seeds"], found["against"]), ([4, 5], None))
        task = found["tasks"][0]
        self.assertEqual((task["task"], task["metric"], task["n"]), ("tiny", "accuracy", 10))
        for strategy, figures in zip(found["strategies"], task["strategies"]):
            self.assertEqual(strategy["number"], figures["strategy"])
            for seed, value in zip(found["seeds"], figures["by_seed"]):
                run = json.loads(self.succeeds(
                    "run", "tiny", "--strategy", strategy["strategy"], "--seed", seed, "--json",
                    "--no-eta", "--no-zero-shot", "--threads", "1"))
                self.assertEqual(value, run["accuracy"])
            self.assertAlmostEqual(figures["value"], sum(figures["by_seed"]) / 2)
            low, high = figures["ci95"]
            self.assertTrue(0 <= low <= figures["value"] <= high <= 1)
        for pair in task["pairs"]:
            first, second = (task["strategies"][pair[key] - 1] for key in ("first", "second"))
            self.assertAlmostEqual(pair["difference"], first["value"] - second["value"])
            self.assertAlmostEqual(pair["difference"],
                                   (pair["first_only"] - pair["second_only"]) / 20)
            self.assertTrue(0 < pair["p"] <= pair["p_holm"] <= 1)
        self.assertEqual(len(task["pairs"]), 3)
        self.assertEqual(task["tokens_apart"],
                         sum(figures["tokens_trie"] for figures in task["strategies"]))
        self.assertLess(task["tokens_trie"], task["tokens_apart"])
        self.assertEqual(task["tokens_trie"], found["meter"]["tokens_trie"])

    def test_several_tasks_against_one_strategy(self):
        found = json.loads(self.succeeds(
            "compare", "tiny", "snips", "--strategies", self.strategies, "--threads", "1",
            "--seeds", "1", "--against", "3", "--limit", "8", "--json"))
        self.assertEqual(found["against"], 3)
        self.assertEqual([(task["task"], task["n"]) for task in found["tasks"]],
                         [("tiny", 8), ("snips", 8)])
        for task in found["tasks"]:
            self.assertEqual([(pair["first"], pair["second"]) for pair in task["pairs"]],
                             [(1, 3), (2, 3)])
        picture = xml.etree.ElementTree.fromstring(self.read("icl-out/compare/compare.svg"))
        text = self.read("icl-out/compare/compare.svg").decode()
        self.assertEqual(len(re.findall('class="dot', text)), 6)
        self.assertNotIn("<script", text)
        self.assertTrue(picture.tag.endswith("svg"))

    def test_the_same_inputs_give_the_same_bytes(self):
        self.succeeds(*self.work("--seeds", 2, "--out", "a", "--quiet"))
        self.succeeds(*self.work("--seeds", 2, "--out", "b", "--quiet", "--call-tokens", 32))
        self.assertEqual(self.files("a"), self.files("b"))
        object_of = json.loads(self.read("a/compare.json"))
        self.assertNotIn("seconds", json.dumps(object_of))
        # Everything is answered already.
        self.succeeds(*self.work("--seeds", 2, "--out", "a", "--quiet", "--resume"))
        self.assertEqual(self.files("a"), self.files("b"))
        self.assertEqual(json.loads(self.read("a/meter.json"))["tokens_evaluated"], 0)

    def test_ctrl_c_keeps_answers_and_resume_ends_in_the_same_bytes(self):
        work = self.work("--limit", 25, "--seeds", 2, "--call-tokens", 32, "--quiet", task="snips")
        stderr = self.interrupt_at_work("out/journal.sqlite", *work, "--out", "out")
        self.one_sentence(stderr, "compare", '"out"', "--resume")
        self.assertFalse(os.path.exists(self.path("out/compare.json")))
        self.refused([*work, "--out", "out"], '"out" holds an earlier run', "--resume")
        self.succeeds(*work, "--out", "out", "--resume")
        self.succeeds(*work, "--out", "whole")
        self.assertEqual(self.files("out"), self.files("whole"))
        cached = json.loads(self.read("out/meter.json"))["requests_cached"]
        self.assertGreater(cached, json.loads(self.read("whole/meter.json"))["requests_cached"])

    def test_an_earlier_comparison_makes_room_in_the_default_folder(self):
        self.succeeds(*self.work("--seeds", 1, "--quiet"))
        first = self.files("icl-out/compare")
        self.succeeds(*self.work("--seeds", 2, "--quiet"))
        self.assertNotEqual(self.files("icl-out/compare"), first)
        self.assertFalse([name for name in os.listdir(self.path("icl-out/compare"))
                          if name.endswith("~")])


class Refused(Case):
    def setUp(self):
        super().setUp()
        self.strategies = self.write("strategies.txt", STRATEGIES)

    def refuse(self, *parts, task=("tiny",), strategies=None, more=()):
        arguments = ["compare", *task, "--threads", "1", *more]
        if strategies is not None:
            arguments += ["--strategies", self.write("bad.txt", strategies)]
        self.refused(arguments, *parts)
        self.assertFalse(os.path.exists(self.path("icl-out/compare")), "left something behind")

    def test_nothing_to_compare(self):
        self.refuse("--strategies FILE is missing")
        self.refuse("a task is missing", task=(), strategies=STRATEGIES)
        self.refuse("gone.txt", more=["--strategies", "gone.txt"])
        self.refuse("bad.txt", "no strategy", strategies="# none\n")
        self.refuse("bad.txt", "one strategy", strategies="select=random(k=0)\n")
        self.refuse("one strategy", strategies="select=bm25\n\nselect=bm25(k=8)  # the default\n")

    def test_wrong_strategies(self):
        self.refuse("bad.txt:2", 'unknown select method "bm52"', 'mean "bm25"',
                    strategies="select=bm25\nselect=bm52\n")
        self.refuse("bad.txt:1", "k", "-1", strategies="select=bm25(k={4|-1})\n")
        self.refuse("bad.txt:3", "{", strategies="select=bm25\n# a\nselect={bm25|random\n")
        many = "select=random(k={%s}) calibrate={none|batch}\n" % "|".join(map(str, range(51)))
        self.refuse("bad.txt", "102 strategies", "100", strategies=many)

    def test_a_strategy_that_does_not_fit_the_data(self):
        self.refuse("strategy 2, tiny", "500", strategies="select=bm25\nselect=random(k=500)\n")

    def test_numbers(self):
        for option, word in (("--seeds", "0"), ("--seeds", "x"), ("--against", "0")):
            self.refuse(option, f'"{word}"', strategies=STRATEGIES, more=[option, word])
        self.refuse("no strategy 4", strategies=STRATEGIES, more=["--against", "4"])
        self.refuse("2^63", strategies=STRATEGIES, more=["--seed", str(2 ** 63 - 2)])

    def test_queries_without_labels(self):
        bare = self.write("bare.jsonl", '{"text": "a", "label": "positive"}\n{"text": "b"}\n')
        self.refuse("bare.jsonl:2", "no label", strategies=STRATEGIES, more=["--test", bare])
        # Those beyond the limit do not matter.
        self.succeeds("compare", "tiny", "--strategies", self.strategies, "--test", bare, "--limit",
                      "1", "--seeds", "1", "--threads", "1", "--quiet", "--out", "out")

    def test_tasks(self):
        self.refuse("two tasks", "tiny", task=("tiny", os.path.join(TINY, "..", "tiny.yaml")),
                    strategies=STRATEGIES)
        self.refuse("--test", "2 tasks", task=("tiny", "snips"), strategies=STRATEGIES,
                    more=["--test", os.path.join(SNIPS, "test.jsonl")])
        self.refuse("snipes", "snips", task=("tiny", "snipes"), strategies=STRATEGIES)


if __name__ == "__main__":
    unittest.main()
