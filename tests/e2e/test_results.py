#!/usr/bin/env python3
"""What icl run, plan, methods and tasks print and write: the contract of --json, files that depend
on the inputs alone, plans that agree with runs."""
import json
import os
import pty
import re
import subprocess
import unittest

from program import BIN, Case, FAST, MODEL, TINY

NUMBER = (int, float)
CONTRACT = {
    "task": str, "strategy": str, "model": str, "model_identity": str, "spec_hash": str,
    "seed": int, "n": int, "labels": int, "pool": int, "shots": int,
    "pool_repeats": int, "pool_relabelled": int, "queries_undecided": int, "accuracy": NUMBER,
    "accuracy_ci95": list, "macro_f1": NUMBER, "ece": NUMBER, "brier": NUMBER,
    "log_loss": NUMBER, "label_bias": NUMBER, "uncalibrated": dict, "majority_accuracy": NUMBER, "zero_shot_accuracy": NUMBER, "zero_shot_accuracy_ci95": list,
    "calibration_fell_back": bool, "joins_merged": int, "demonstrations_dropped": int,
    "queries_with_drops": int, "meter": dict}
UNCALIBRATED = ("accuracy", "macro_f1", "ece", "brier", "log_loss", "label_bias")
METER = {
    "requests": int, "requests_cached": int, "tokens_asked": int, "tokens_trie": int,
    "tokens_evaluated": int, "logits_rows": int, "rows_padding": int, "visible_cells": int,
    "calls": int, "seconds": NUMBER, "tokens_per_second": NUMBER, "eta_trie": NUMBER,
    "eta_machine": NUMBER, "peak_bytes": int}
FILES = ("results.json", "samples.jsonl", "report.html")


class Json(Case):
    def test_one_object_with_every_key_of_the_contract(self):
        text = self.succeeds("run", "tiny", "--strategy", "select=bm25(k=4)", "--json")
        self.assertEqual(text.count(b"\n"), 1)
        got = json.loads(text)
        for key, kind in CONTRACT.items():
            self.assertIsInstance(got[key], kind, key)
        self.assertEqual(got["uncalibrated"], {key: got[key] for key in UNCALIBRATED})
        for key, kind in METER.items():
            self.assertIsInstance(got["meter"][key], kind, key)
        self.assertEqual((got["n"], got["labels"], got["pool"], got["shots"]), (10, 2, 20, 4))
        low, high = got["accuracy_ci95"]
        self.assertLess(low, got["accuracy"])
        self.assertLess(got["accuracy"], high)
        self.assertEqual(len(got["spec_hash"]), 32)
        meter = got["meter"]
        self.assertEqual(meter["tokens_trie"], meter["tokens_evaluated"])
        self.assertEqual(meter["eta_trie"], 1.0)
        self.assertGreater(meter["eta_machine"], 0)
        self.assertGreater(meter["tokens_asked"], meter["tokens_trie"])

    def test_choices_left_to_the_pools_order_are_said(self):
        texts = ["fine food", "poor food", "fine food", "fine food", "a good play", "a bad play"]
        labels = ["positive", "negative", "positive", "negative", "positive", "negative"]
        train = self.write("train.jsonl", "".join(
            json.dumps({"text": t, "label": v}) + "\n" for t, v in zip(texts, labels)))
        test = self.write("test.jsonl", '{"text": "a good play"}\n{"text": "unheard of"}\n')
        said = [b"2 of 6 pool items repeat the text of another, 1 of them with another label",
                b"for 1 of 2 queries all pool items score the same, so the first of the file are "
                b"shown"]
        arguments = ["tiny", "--train", train, "--test", test, "--no-eta", "--threads", "1",
                     "--strategy", "select=bm25(k=2) calibrate=none"]
        for verb in ("run", "plan"):
            done = self.icl(verb, *arguments)
            self.assertEqual(done.stderr.splitlines(),
                             [f"icl {verb}: ".encode() + line for line in said])
            got = json.loads(self.succeeds(verb, *arguments, "--json", *(
                ["--out", "other"] if verb == "run" else [])))
            self.assertEqual((got["pool_repeats"], got["pool_relabelled"],
                              got["queries_undecided"]), (2, 1, 1))
        self.succeeds("run", *arguments, "--out", "quiet", "--quiet")

    def test_without_the_measurement_eta_machine_is_null(self):
        got = json.loads(self.succeeds("run", "tiny", *FAST, "--json"))
        self.assertIsNone(got["meter"]["eta_machine"])

    def test_unlabelled_queries_have_no_metrics(self):
        test = self.write("open.jsonl", '{"text": "A fine day."}\n{"text": "A bad day."}\n')
        arguments = ["run", "tiny", "--test", test, *FAST]
        got = json.loads(self.succeeds(*arguments, "--json"))
        self.assertEqual(got["n"], 2)
        for key in ("accuracy_ci95", "majority_accuracy", "zero_shot_accuracy", *UNCALIBRATED):
            self.assertIsNone(got[key], key)
        self.assertEqual(got["uncalibrated"], dict.fromkeys(UNCALIBRATED))
        self.assertIn("no labels", self.succeeds(*arguments).decode())
        sample = json.loads(self.read("icl-out/tiny/samples.jsonl").splitlines()[0])
        self.assertIsNone(sample["gold"])
        self.assertIsNone(sample["correct"])
        self.assertIn(sample["predicted"], ("positive", "negative"))


class Files(Case):
    def run_into(self, folder, *more, task="tiny"):
        self.succeeds("run", task, *FAST, "--quiet", "--out", folder, *more)
        return [self.read(f"{folder}/{name}") for name in FILES]

    def test_samples_hold_every_query_with_its_decision(self):
        results, samples, _ = self.run_into("out")
        results = json.loads(results)
        rows = [json.loads(line) for line in samples.splitlines()]
        with open(os.path.join(TINY, "test.jsonl"), encoding="utf-8") as f:
            gold = {row["id"]: row["label"] for row in map(json.loads, f)}
        with open(os.path.join(TINY, "train.jsonl"), encoding="utf-8") as f:
            pool = {json.loads(line)["id"] for line in f}
        self.assertEqual({row["id"]: row["gold"] for row in rows}, gold)
        for row in rows:
            self.assertEqual(list(row), ["id", "gold", "predicted", "correct", "logprobs", "scores",
                                         "probabilities", "demonstrations", "prompt_hash",
                                         "parts"])
            self.assertEqual(row["predicted"], max(row["scores"], key=row["scores"].get))
            self.assertEqual(row["correct"], row["predicted"] == row["gold"])
            self.assertAlmostEqual(sum(row["probabilities"].values()), 1)
            self.assertLessEqual(max(row["logprobs"].values()), 0)
            self.assertEqual(len(set(row["demonstrations"])), 4)
            self.assertLessEqual(set(row["demonstrations"]), pool)
        correct = sum(row["correct"] for row in rows)
        self.assertEqual(results["accuracy"], correct / len(rows))
        self.assertEqual(sum(c["correct"] for c in results["classes"]), correct)
        self.assertEqual(sum(c["gold"] for c in results["classes"]), len(rows))

    def test_calibration_is_judged_before_and_after(self):
        results, samples, _ = self.run_into("out", "--strategy",
                                            "select=balanced(k=4) calibrate=batch")
        results = json.loads(results)
        rows = [json.loads(line) for line in samples.splitlines()]
        right = sum(max(row["logprobs"], key=row["logprobs"].get) == row["gold"] for row in rows)
        self.assertEqual(results["uncalibrated"]["accuracy"], right / len(rows))
        self.assertNotEqual(results["uncalibrated"]["ece"], results["ece"])
        for suffix, total in (("", results["label_bias"]),
                              ("_uncalibrated", results["uncalibrated"]["label_bias"])):
            biases = [c["bias" + suffix] for c in results["classes"]]
            self.assertAlmostEqual(sum(biases), 0)
            self.assertAlmostEqual(sum(map(abs, biases)) / 2, total)
        first = results["classes"][0]
        share = sum(row["probabilities"][first["label"]] for row in rows) - first["gold"]
        self.assertAlmostEqual(first["bias"], share / len(rows))

    def test_recorded_parts_give_the_scores_of_other_methods(self):
        rules = {"ppl": lambda part: part["whole"]["nats"] / part["whole"]["tokens"],
                 "channel(reduce=sum)": lambda part: part["input"]["nats"],
                 "direct(normalise=chars)": lambda part: part["answer"]["nats"] /
                                                         part["answer"]["chars"],
                 'pmi(text="")': lambda part: part["answer"]["nats"] -
                                              part["unconditional"]["nats"]}
        shown = "select=bm25(k=4) calibrate=none score="
        _, recorded, _ = self.run_into("all", "--record", "whole,input,unconditional", "--strategy",
                                    shown + "direct")
        for number, (score, rule) in enumerate(rules.items()):
            _, alone, _ = self.run_into(f"alone{number}", "--strategy", shown + score)
            for row, want in zip(recorded.splitlines(), alone.splitlines()):
                row, want = json.loads(row), json.loads(want)
                for label, value in want["scores"].items():
                    part = {name: names[label][0] for name, names in row["parts"].items()}
                    self.assertAlmostEqual(rule(part), value, places=9, msg=score)

    def test_same_seed_same_bytes(self):
        strategy = ["--strategy", "select=random(k=4,per_query=true) order=random"]
        first = self.run_into("a", *strategy, "--seed", 3)
        self.assertEqual(first, self.run_into("b", *strategy, "--seed", 3))
        self.assertNotEqual(first, self.run_into("c", *strategy, "--seed", 4))

    def test_threads_call_size_and_cache_change_no_byte(self):
        first = self.run_into("a", "--limit", 6, task="snips")
        for number, more in enumerate((["--threads", 2], ["--call-tokens", 64],
                                       ["--call-tokens", 33, "--threads", 2],
                                       ["--cache-mib", 6])):
            with self.subTest(more=more):
                self.assertEqual(first, self.run_into(f"b{number}", "--limit", 6, *more,
                                                      task="snips"))

    def test_a_small_cache_changes_no_byte_of_texts_that_the_model_writes(self):
        written = ["--limit", 4, "--strategy",
                   "select=balanced(k=3) order=global-e(inputs=4,tokens=12)"]
        first = self.run_into("a", *written, task="snips")
        self.assertEqual(first, self.run_into("b", *written, "--cache-mib", 2, task="snips"))
        # There is no room for all that would be kept from token to token.
        evaluated = [json.loads(self.read(f"{name}/meter.json"))["tokens_evaluated"]
                     for name in "ab"]
        self.assertGreater(evaluated[1], evaluated[0])

    def test_default_folder_starts_afresh(self):
        for _ in range(2):
            self.succeeds("run", "tiny", *FAST, "--quiet")
            meter = json.loads(self.read("icl-out/tiny/meter.json"))
            self.assertEqual(meter["requests_cached"], 0)
        self.assertEqual(sorted(os.listdir(self.path("icl-out/tiny"))),
                         ["journal.sqlite", "meter.json", "report.html", "results.json",
                          "samples.jsonl"])

    def test_a_refused_run_keeps_the_earlier_one(self):
        self.succeeds("run", "tiny", *FAST, "--quiet")
        names = os.listdir(self.path("icl-out/tiny"))
        before = {name: self.read(f"icl-out/tiny/{name}") for name in names}
        for line in ("select=kmn", "select=random(k=99)"):
            self.refused(["run", "tiny", "--strategy", line])
        self.assertEqual(sorted(os.listdir(self.path("icl-out/tiny"))), sorted(names))
        for name in names:
            self.assertEqual(self.read(f"icl-out/tiny/{name}"), before[name])

    def test_a_given_folder_is_not_overwritten(self):
        before = self.run_into("out")
        self.refused(["run", "tiny", *FAST, "--out", "out"], '"out"', "--resume")
        self.succeeds("run", "tiny", *FAST, "--quiet", "--out", "out", "--resume")
        self.assertEqual(before, [self.read(f"out/{name}") for name in FILES])
        meter = json.loads(self.read("out/meter.json"))
        self.assertEqual(meter["tokens_evaluated"], 0)
        self.assertEqual((meter["requests"], meter["requests_cached"]), (0, 40))

    def test_a_refused_run_leaves_nothing(self):
        self.refused(["run", "tiny", "--strategy", "select=random(k=99)", "--out", "new"], "99")
        self.assertFalse(os.path.exists(self.path("new")))

    def test_one_training_file_and_one_test_file_are_enough(self):
        for kind, sep in (("csv", ","), ("tsv", "\t")):
            rows = f"text{sep}label\nfine{sep}good\nawful{sep}bad\nnice{sep}good\n"
            path = self.write(f"data.{kind}", "\ufeff" + rows)
            text = self.succeeds("run", "--train", path, "--test", path, "--strategy",
                                 "select=random(k=1)", "--template", "X: {{ text }}\\nY:",
                                 "--labels", "good=yes,bad=no|never", "--no-eta", "--out", kind)
            self.assertIn(b"3 queries, 2 labels, pool of 3", text)

    def test_table_fits_eighty_columns(self):
        text = self.succeeds("run", "tiny", *FAST).decode()
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80, line)
        for word in ("accuracy", "95 % interval", "majority class", "zero-shot", "macro-F1", "ECE",
                     "tokens asked", "in the trie", "evaluated", "memory",
                     "icl-out/tiny/results.json", "icl-out/tiny/samples.jsonl"):
            self.assertIn(word, text)

    def test_show_prompt(self):
        text = self.succeeds("run", "tiny", *FAST, "--show-prompt").decode()
        self.assertIn("|Sent|iment|:", text)

    def test_show_prompt_is_what_the_score_asks(self):
        text = self.succeeds("run", "tiny", "--strategy", "select=random(k=1) score=channel",
                             "--no-eta", "--threads", "1", "--show-prompt").decode()
        shown = text[:text.index("scored after them")]
        self.assertIn("-- for input/negative", shown)
        self.assertTrue(shown.rindex("|Sent|iment|:| negative|") > shown.rindex("|Re|view|:|"))

    def test_demonstrations_of_several_tasks_bring_their_instructions(self):
        asked = {"good": "Is the review good or bad?", "bad": "Is the review good or bad?",
                 "place": "A person or a place?", "person": "A person or a place?"}
        rows = [("great film", "good"), ("dull film", "bad"), ("who wrote it", "person"),
                ("where is it", "place")]
        train = self.write("train.jsonl", "".join(
            json.dumps({"text": text, "question": asked[label], "label": label}) + "\n"
            for text, label in rows))
        test = self.write("test.jsonl", json.dumps(
            {"text": "where was it", "question": asked["place"], "label": "place"}) + "\n")
        text = self.succeeds("run", "--train", train, "--test", test, "--no-eta", "--threads", "1",
                             "--template", "{{ question }}\\nText: {{ text }}\\nAnswer:",
                             "--strategy", "select=random(k=4) calibrate=none", "--show-prompt")
        prompt = text.decode().split("-- ")[0].replace("|", "")
        for shown, label in rows:
            self.assertIn(f"{asked[label]}\nText: {shown}\nAnswer: {label}\n", prompt)
        self.assertTrue(prompt.rstrip().endswith(
            f"{asked['place']}\nText: where was it\nAnswer:"), prompt)


class Terminal(Case):
    def shown(self, *arguments):
        """What a run writes to a terminal on standard error."""
        master, slave = pty.openpty()
        process = self.start_on(slave, *arguments)
        os.close(slave)
        text = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError: # the other end is closed
                break
            if not part:
                break
            text += part
        os.close(master)
        self.assertEqual(process.wait(timeout=60), 0)
        return text.decode()

    def start_on(self, terminal, *arguments):
        return subprocess.Popen([BIN, *arguments], stdout=subprocess.DEVNULL, stderr=terminal,
                                cwd=self.folder, env=self.environment)

    def test_progress_is_drawn_and_cleared(self):
        text = self.shown("run", "snips", *FAST, "--limit", "12", "--call-tokens", "32")
        self.assertRegex(text, r"\r\[#*\.*\] +\d+ %  \d+ tokens/s")
        self.assertTrue(text.endswith("\r\x1b[K"), repr(text[-80:]))
        self.assertNotIn("\n", text)

    def test_quiet_and_json_draw_nothing(self):
        self.assertEqual(self.shown("run", "tiny", *FAST, "--quiet"), "")
        self.assertEqual(self.shown("run", "tiny", *FAST, "--json"), "")


class Plan(Case):
    def test_agrees_with_the_run_it_plans(self):
        plan = json.loads(self.succeeds("plan", "snips", *FAST, "--limit", 9, "--json"))
        run = json.loads(self.succeeds("run", "snips", *FAST, "--limit", 9, "--json"))
        for key in ("task", "strategy", "model", "spec_hash", "n"):
            self.assertEqual(plan[key], run[key])
        for key in ("requests", "tokens_asked", "tokens_trie", "tokens_evaluated", "logits_rows",
                    "calls"):
            self.assertEqual(plan[key], run["meter"][key])

    def test_writes_no_files(self):
        self.succeeds("plan", "tiny", *FAST)
        self.assertEqual(os.listdir(self.folder), [])

    def test_text_shows_prompt_tokens_memory_and_time(self):
        text = self.succeeds("plan", "tiny", "--strategy", "select=bm25(k=2)").decode()
        for word in ("|Sent|iment|:", "tokens asked", "in the trie", "to evaluate", "memory",
                     "estimate"):
            self.assertIn(word, text)

    def test_requests_scored_by_the_filter_are_the_run(self):
        """plan --requests | score gives the log-probabilities of the run, bit for bit."""
        self.succeeds("plan", "tiny", *FAST, "--no-zero-shot", "--requests", "r.jsonl")
        asked = self.succeeds("plan", "tiny", *FAST, "--no-zero-shot", "--requests", "-")
        self.assertEqual(asked, self.read("r.jsonl"))
        answers = self.succeeds("score", "--threads", 1, input=asked)
        logprobs = {a["id"]: a["logprob"] for a in map(json.loads, answers.splitlines())}
        self.succeeds("run", "tiny", *FAST, "--no-zero-shot", "--quiet")
        rows = [json.loads(x) for x in self.read("icl-out/tiny/samples.jsonl").splitlines()]
        self.assertEqual(len(logprobs), 2 * len(rows))
        for row in rows:
            for label, logprob in row["logprobs"].items():
                self.assertEqual(logprobs[f"{row['id']}/{label}"], logprob)

    def test_tokens_asked_and_in_the_trie_by_brute_force(self):
        self.succeeds("plan", "snips", *FAST, "--limit", 5, "--requests", "r.jsonl")
        plan = json.loads(self.succeeds("plan", "snips", *FAST, "--limit", 5, "--json"))
        asked, nodes = 0, set()
        for request in map(json.loads, self.read("r.jsonl").splitlines()):
            path = request["prefix_tokens"] + request["continuation_tokens"][:-1]
            asked += len(path)
            nodes.update(tuple(path[:i]) for i in range(1, len(path) + 1))
        self.assertEqual((plan["tokens_asked"], plan["tokens_trie"]), (asked, len(nodes)))


class Lists(Case):
    def test_methods_of_every_stage(self):
        cards = json.loads(self.succeeds("methods", "--json"))
        self.assertEqual({card["stage"] for card in cards},
                         {"select", "order", "score", "calibrate", "source", "start"})
        for card in cards:
            self.assertTrue(card["summary"] and card["paper"], card["name"])
            self.succeeds("methods", card["stage"])
        self.assertIn(b"knn", self.succeeds("methods", "select"))
        self.assertNotIn(b"nearest-last", self.succeeds("methods", "select"))

    def test_tasks_names_the_built_in_ones(self):
        text = self.succeeds("tasks").decode()
        self.assertIn("snips", text)
        self.assertIn("tiny.yaml", text)

    def test_doctor_names_what_it_runs_on(self):
        text = self.succeeds("doctor").decode()
        for word in ("sqlite", "openblas", "processor", "memory", os.path.basename(MODEL),
                     "exact      yes", "encoder"):
            self.assertIn(word, text)

    def test_version_and_help(self):
        self.assertRegex(self.succeeds("--version").decode(), r"^icl \d+\.\d+\.\d+\n$")
        verbs = re.findall(r"^  ([a-z]+) ", self.succeeds("help").decode(), re.MULTILINE)
        self.assertEqual(verbs, ["run", "plan", "search", "compare", "annotate", "select", "fit",
                                 "score", "train", "methods", "tasks", "doctor", "help"])
        for verb in verbs:
            text = self.succeeds("help", verb)
            self.assertEqual(text, self.succeeds(verb, "--help"))
            self.assertLessEqual(max(map(len, text.decode().splitlines())), 80, verb)


if __name__ == "__main__":
    unittest.main()
