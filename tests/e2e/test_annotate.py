#!/usr/bin/env python3
"""icl annotate: as a filter and from file to file, stopped and gone on with, and what it refuses."""
import json
import os
import resource
import subprocess
import time
import unittest

from program import Case, SNIPS

ROWS = 24
STRATEGY = ["--strategy", "select=bm25(k=2) order=nearest-last score=direct calibrate=batch"]
WORK = ["annotate", "snips", *STRATEGY, "--threads", "1", "--validation", "30", "--quiet"]
SURE = [*WORK, "--precision", "0.7", "--review", "review.jsonl"]


class Annotate(Case):
    def setUp(self):
        super().setUp()
        with open(os.path.join(SNIPS, "test.jsonl"), encoding="utf-8") as f:
            rows = [json.loads(next(f)) for _ in range(ROWS)]
        self.gold = [row["label"] for row in rows]
        self.bare = [{"text": row["text"], "n": i / 7} for i, row in enumerate(rows)]
        self.rows = "".join(json.dumps(row) + "\n" for row in self.bare).encode()
        self.input = self.write("rows.jsonl", self.rows)

    def parsed(self, text):
        return [json.loads(line) for line in text.splitlines()]

    def filter(self, rows, *arguments):
        return self.succeeds(*WORK, *arguments, input=rows)


class Lines(Annotate):
    def test_a_pipe_and_a_file_give_the_same_whatever_the_chunk(self):
        piped = self.filter(self.rows)
        self.assertEqual(self.filter(self.rows, "--chunk", 5), piped)
        self.assertEqual(self.succeeds(*WORK, "--in", "rows.jsonl", "--chunk", 1,
                                       "--out", "out.jsonl"), b"")
        self.assertEqual(self.read("out.jsonl"), piped)
        self.assertEqual(sorted(os.listdir(self.folder)), ["out.jsonl", "rows.jsonl"])
        lines = self.parsed(piped)
        for line, row in zip(lines, self.bare, strict=True):
            self.assertEqual({name: line[name] for name in row}, row)
            self.assertEqual(set(line) - set(row), {"label", "confidence"})
            self.assertTrue(0 < line["confidence"] <= 1)
        right = sum(line["label"] == gold for line, gold in zip(lines, self.gold))
        self.assertGreater(right, ROWS / 2)

    def test_csv_rows_become_json_lines(self):
        text = "text,label\n" + "".join(f'"{row["text"]}",\n' for row in self.bare[:3])
        first = self.parsed(self.filter(text.encode(), "--format", "csv"))
        self.write("rows.csv", text)
        self.assertEqual(self.parsed(self.filter(b"", "--in", "rows.csv")), first)
        self.assertEqual([line["text"] for line in first], [row["text"] for row in self.bare[:3]])
        self.assertTrue(all(line["label"] for line in first))

    def test_each_row_is_answered_before_the_next_is_read(self):
        process = self.start(*WORK, "--chunk", "1", stdin=subprocess.PIPE)
        for row in self.bare[:3]:
            process.stdin.write(json.dumps(row).encode() + b"\n")
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["text"], row["text"])
        _, stderr = process.communicate(timeout=30)
        self.assertEqual((process.returncode, stderr), (0, b""))

    def test_abstentions_are_listed_least_confident_first(self):
        summary = json.loads(self.succeeds(*SURE, "--in", "rows.jsonl", "--out", "out.jsonl",
                                           "--json"))
        threshold = summary["threshold"]
        self.assertGreaterEqual(threshold["precision_ci95"][0], 0.7)
        lines, review = self.parsed(self.read("out.jsonl")), self.parsed(self.read("review.jsonl"))
        unsure = [line for line in lines if line.get("abstain")]
        self.assertTrue(all(line["confidence"] <= threshold["confidence"] for line in unsure))
        self.assertTrue(all(line["confidence"] >= threshold["confidence"] - 1e-6
                            for line in lines if "abstain" not in line))
        self.assertEqual(review, sorted(unsure, key=lambda line: line["confidence"]))
        self.assertEqual((summary["rows"], summary["abstained"]), (ROWS, len(unsure)))

    def test_a_row_too_long_for_the_window_is_left_to_a_person(self):
        long = {"text": "play a song " * 900, "n": 7.5}
        rows = self.rows.splitlines(keepends=True)
        rows.insert(3, json.dumps(long).encode() + b"\n")
        self.write("long.jsonl", b"".join(rows))
        lines = self.filter(b"".join(rows)).splitlines()
        self.assertEqual(json.loads(lines[3]),
                         {**long, "label": None, "confidence": 0, "abstain": True})
        self.assertEqual(lines[:3] + lines[4:], self.filter(self.rows).splitlines())
        planned = json.loads(self.succeeds(*WORK, "--in", "long.jsonl", "--out", "out.jsonl",
                                           "--plan", "--json"))["plan"]["labelling"]
        summary = json.loads(self.succeeds(*SURE, "--in", "long.jsonl", "--out", "out.jsonl",
                                           "--json"))
        self.assertEqual((planned["rows"], summary["rows"], summary["too_long"]),
                         (ROWS + 1, ROWS + 1, 1))
        self.assertEqual(self.parsed(self.read("review.jsonl"))[0]["text"], long["text"])

    def test_the_cost_is_told_before_and_is_what_it_costs(self):
        arguments = [argument for argument in WORK if argument != "--quiet"]
        plan = self.succeeds(*arguments, "--in", "rows.jsonl", "--plan", "--json")
        self.assertEqual(os.listdir(self.folder), ["rows.jsonl"])
        plan = json.loads(plan)["plan"]
        done = self.icl(*arguments, "--in", "rows.jsonl", "--out", "out.jsonl", "--json")
        summary = json.loads(done.stdout)
        self.assertEqual(summary["plan"], plan)
        self.assertEqual(summary["meter"]["requests"],
                         plan["validation"]["requests"] + plan["labelling"]["requests"])
        self.assertEqual(summary["meter"]["tokens_trie"],
                         plan["validation"]["tokens"] + plan["labelling"]["tokens"])
        told = done.stderr.decode().splitlines()
        for number in (plan["validation"]["tokens"], plan["labelling"]["tokens"]):
            self.assertIn(f"{number} tokens", told[0])
        self.assertIn("accuracy", told[1])
        piped = self.icl(*arguments, "--plan", input=b"").stdout.decode()
        self.assertIn("tokens for every 1,000 rows", piped)


class Stopped(Annotate):
    def undisturbed(self):
        self.succeeds(*SURE, "--in", "rows.jsonl", "--out", "whole.jsonl")
        return self.read("whole.jsonl"), self.read("review.jsonl")

    def lines_of(self, name):
        return self.read(name).count(b"\n") if os.path.exists(self.path(name)) else 0

    def kill_behind_lines(self, count):
        """kill -9 once so many lines are finished."""
        process = self.start(*SURE, "--in", "rows.jsonl", "--out", "out.jsonl", "--chunk", "2",
                             "--resume")
        deadline = time.monotonic() + 60
        while self.lines_of("out.jsonl.part") <= count and process.poll() is None:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.002)
        process.kill()
        process.communicate()
        self.assertEqual(process.returncode, -9)

    def test_killed_again_and_again_it_ends_in_the_same_bytes(self):
        whole = self.undisturbed()
        for count in (2, 8, 14):
            self.kill_behind_lines(count)
            self.assertGreater(self.lines_of("out.jsonl.part"), count)
            self.assertFalse(os.path.exists(self.path("out.jsonl")))
        with open(self.path("out.jsonl.part"), "ab") as part:
            part.write(b'{"text":"half a li')
        finished = self.lines_of("out.jsonl.part") - 1
        summary = json.loads(self.succeeds(*SURE, "--in", "rows.jsonl", "--out", "out.jsonl",
                                           "--resume", "--json"))
        self.assertEqual(summary["rows_done_before"], finished)
        self.assertEqual(summary["plan"]["labelling"]["rows"], ROWS - finished)
        self.assertLessEqual(summary["meter"]["requests"], 7 * (ROWS - finished))
        self.assertEqual((self.read("out.jsonl"), self.read("review.jsonl")), whole)
        self.assertEqual(sorted(os.listdir(self.folder)),
                         ["out.jsonl", "review.jsonl", "rows.jsonl", "whole.jsonl"])

    def test_a_row_that_was_too_long_before_the_kill_is_counted_behind_it(self):
        rows = self.rows.splitlines(keepends=True)
        rows.insert(1, json.dumps({"text": "play a song " * 900}).encode() + b"\n")
        self.write("rows.jsonl", b"".join(rows))
        whole = self.undisturbed()
        self.kill_behind_lines(4)
        summary = json.loads(self.succeeds(*SURE, "--in", "rows.jsonl", "--out", "out.jsonl",
                                           "--resume", "--json"))
        self.assertGreaterEqual(summary["rows_done_before"], 4)  # one line more is the head
        self.assertEqual(summary["too_long"], 1)
        self.assertEqual((self.read("out.jsonl"), self.read("review.jsonl")), whole)

    def test_what_was_stopped_is_not_overwritten(self):
        self.kill_behind_lines(4)
        arguments = [*SURE, "--in", "rows.jsonl", "--out", "out.jsonl"]
        self.refused(arguments, '"out.jsonl.part" is of an annotation that was stopped')
        self.write("rows.jsonl", self.rows.replace(b"0.14285714285714285", b"0.5"))
        self.refused([*arguments, "--resume"], "rows.jsonl:2: the row is not the one")
        self.assertGreater(self.lines_of("out.jsonl.part"), 4)

    def test_other_settings_begin_anew(self):
        self.kill_behind_lines(4)
        other = [*WORK, "--seed", "1", "--in", "rows.jsonl"]
        expected = self.succeeds(*other)
        self.succeeds(*other, "--out", "out.jsonl", "--resume")
        self.assertEqual(self.read("out.jsonl"), expected)

    def test_ctrl_c_keeps_what_is_answered(self):
        big = b"".join(self.rows.replace(b'"n"', b'"n%d"' % i) for i in range(40))
        self.write("rows.jsonl", big)
        stderr = self.interrupt_at_work("out.jsonl.journal", *WORK, "--in", "rows.jsonl", "--out",
                                        "out.jsonl")
        self.one_sentence(stderr, "annotate", "interrupted", "out.jsonl.part", "--resume")
        self.assertTrue(os.path.exists(self.path("out.jsonl.part")))

    def test_a_full_disk_is_said_and_gone_on_behind(self):
        whole = self.undisturbed()[0]
        self.refused([*WORK, "--in", "rows.jsonl", "--out", "/dev/full"], "cannot write",
                     "No space left", code=3)
        arguments = [*WORK, "--precision", "0.7", "--in", "rows.jsonl", "--out", "out.jsonl"]

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))
        # The journal is smaller than the limit, the lines are not.
        wide = b"".join(json.dumps(dict(row, pad="x" * 20000)).encode() + b"\n"
                        for row in self.bare)
        self.write("rows.jsonl", wide)
        done = self.icl(*arguments, preexec_fn=limit)
        self.assertEqual(done.returncode, 3, done.stderr.decode())
        self.one_sentence(done.stderr, "annotate", "cannot write labels")
        self.succeeds(*arguments, "--resume")
        labels = [(line["label"], line["confidence"]) for line in self.parsed(whole)]
        self.assertEqual([(line["label"], line["confidence"])
                          for line in self.parsed(self.read("out.jsonl"))], labels)


class Refused(Annotate):
    def refuse(self, arguments, *parts, **options):
        self.refused([*WORK, *arguments], *parts, **options)
        self.assertEqual(os.listdir(self.folder), ["rows.jsonl"])

    def test_wrong_arguments(self):
        self.refused(["annotate"], "a task is missing")
        self.refuse(["--in", "no.jsonl"], 'cannot open "no.jsonl"')
        self.refuse(["--in", "rows.jsonl", "--out", "rows.jsonl"], "are the same file")
        self.refuse(["--in", "rows.jsonl", "--out", "no/out.jsonl"], 'cannot write "no/out.jsonl"')
        self.refuse(["--precision", "95"], '--precision "95" is not a number between 0 and 1')
        self.refuse(["--review", "r.jsonl"], "--review needs --precision")
        self.refuse(["--resume"], "--resume needs --out FILE")
        self.refuse(["--json"], "--json needs --out FILE")

    def test_wrong_rows(self):
        self.refuse([], "standard input: there are no rows to label", input=b"")
        self.refuse([], 'standard input:2: field "text" is missing; the row has "tekst"',
                    input=b'\n{"tekst": "a"}\n')
        self.refuse([], 'standard input:1: the row has a field "label" already',
                    input=b'{"text": "a", "label": "GetWeather"}\n')
        self.write("rows.jsonl", self.rows + b'{"text": 5, "confidence": 1}\n')
        self.refuse(["--in", "rows.jsonl", "--out", "out.jsonl"],
                    f'rows.jsonl:{ROWS + 1}: the row has a field "confidence" already')

    def test_good_rows_before_a_bad_one_are_written(self):
        done = self.icl(*WORK, input=self.rows + b"[]\n")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stdout.splitlines()), ROWS)
        self.one_sentence(done.stderr, "annotate", f"standard input:{ROWS + 1}: ")

    def test_too_little_to_validate_or_to_promise(self):
        with open(os.path.join(SNIPS, "train.jsonl"), encoding="utf-8") as f:
            head = "".join(next(f) for _ in range(20))
        few = self.write("few.jsonl", head)
        self.refused(["annotate", "--train", few, "--quiet", *STRATEGY],
                     "few.jsonl: 20 examples are too few", input=self.rows)
        os.unlink(few)
        self.refused([*WORK, "--precision", "0.999", "--in", "rows.jsonl", "--out", "out.jsonl"],
                     "a precision of 0.999 cannot be promised from 30 validation rows",
                     "the most is 0.")
        self.assertFalse(os.path.exists(self.path("out.jsonl")))


if __name__ == "__main__":
    unittest.main()
