#!/usr/bin/env python3
"""icl score: the contract of a line, bad lines among good ones, bounded memory."""
import json
import math
import os
import subprocess
import unittest

from program import BIN, Case, WINDOW

SCORE = ["score", "--threads", "1"]


def line(**fields):
    return json.dumps(fields) + "\n"


class Score(Case):
    def answers(self, text, *more, code=0):
        if isinstance(text, str):
            text = text.encode()
        done = self.icl(*SCORE, *more, input=text)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        self.assertEqual(done.stderr, b"")
        return [json.loads(x) for x in done.stdout.splitlines()]

    def one(self, **fields):
        return self.answers(line(id=1, **fields))[0]

    def test_fields_of_an_answer(self):
        got = self.one(prefix="The weather is", continuation=" very fine today")
        self.assertEqual(list(got), ["id", "logprob", "token_logprobs", "greedy"])
        self.assertEqual(got["id"], 1)
        self.assertIs(type(got["greedy"]), bool)
        self.assertGreater(len(got["token_logprobs"]), 1)
        self.assertTrue(all(x <= 0 for x in got["token_logprobs"]))
        self.assertTrue(math.isclose(got["logprob"], sum(got["token_logprobs"]), rel_tol=1e-12))

    def test_order_ids_and_extra_fields(self):
        ids = ["z", 3, "", 2.5, "caf\u00e9 \"quoted\"", -1, True, None]
        rows = "".join(line(id=i, note="kept out", prefix="a", continuation=" b") for i in ids)
        self.assertEqual([a["id"] for a in self.answers(rows)], ids)

    def test_tokens_are_taken_as_they_are(self):
        """BOS is id 0 here: text form = token form with it in front."""
        text = self.one(prefix="Hello there", continuation=" world")
        requests = self.tokens_of("Hello there", " world")
        self.assertEqual(requests["prefix_tokens"][0], 0)
        tokens = self.answers(line(id=1, **requests))[0]
        self.assertEqual(text, tokens)
        requests["prefix_tokens"] = requests["prefix_tokens"][1:]
        self.assertNotEqual(text, self.answers(line(id=1, **requests))[0])

    def tokens_of(self, prefix, continuation):
        """Token ids as icl plan makes them."""
        self.write("a.jsonl", line(text=prefix, label="x") + line(text="other", label="y"))
        self.write("b.jsonl", line(text=prefix))
        asked = self.succeeds(
            "plan", "--train", "a.jsonl", "--test", "b.jsonl", "--strategy", "select=random(k=0)",
            "--template", "{{ text }}", "--labels", f"x={continuation.strip()},y=other",
            "--no-zero-shot", "--requests", "-")
        first = json.loads(asked.splitlines()[0])
        return {k: first[k] for k in ("prefix_tokens", "continuation_tokens")}

    def test_a_token_across_the_join_belongs_to_the_continuation(self):
        whole = self.one(prefix="He said hel", continuation="lo to me")
        self.assertTrue(math.isfinite(whole["logprob"]))
        split = self.one(prefix="He said", continuation=" hello to me")
        self.assertEqual(whole["token_logprobs"], split["token_logprobs"])

    def test_empty_prefix_stands_on_bos(self):
        asked = self.tokens_of("", "Hello")
        self.assertEqual(asked["prefix_tokens"], [0])
        self.assertEqual(self.one(prefix="", continuation=" Hello"),
                         self.answers(line(id=1, **asked))[0])

    def test_bad_lines_answer_for_themselves(self):
        good = line(id="good", prefix="One two", continuation=" three")
        long = list(range(1, WINDOW + 76))
        bad = [("not json\n", None, "JSON"),
               ("[1, 2]\n", None, "JSON object"),
               ('{"id": 1, "prefix": "a", "continuation": "\ud800"}\n'.encode(
                   "utf-8", "surrogatepass"), None, "JSON"),
               (b'{"id": 1, "prefix": "\xff", "continuation": "b"}\n', None, "JSON"),
               (b'{"id": 1, "prefix": "a\0b", "continuation": "b"}\n', None, "JSON"),
               (line(prefix="a", continuation="b"), None, "id"),
               (line(id=[1], prefix="a", continuation="b"), None, "id"),
               (line(id="x" * 5000, prefix="a", continuation="b"), None, "id"),
               (line(id=7), 7, "prefix"),
               (line(id=7, prefix="a"), 7, "continuation"),
               (line(id=7, prefix="a", continuation=""), 7, "continuation"),
               (line(id=7, prefix=3, continuation="b"), 7, "prefix"),
               (line(id=7, prefix="a", continuation="b", prefix_tokens=[1]), 7, "both"),
               (line(id=7, prefix_tokens=[], continuation_tokens=[1]), 7, "prefix_tokens"),
               (line(id=7, prefix_tokens=[1], continuation_tokens=[]), 7, "continuation_tokens"),
               (line(id=7, prefix_tokens=[1], continuation_tokens=[-1]), 7, "-1"),
               (line(id=7, prefix_tokens=[1], continuation_tokens=[99999999]), 7, "99999999"),
               (line(id=7, prefix_tokens=[1.5], continuation_tokens=[1]), 7, "prefix_tokens"),
               (line(id=7, prefix_tokens="ab", continuation_tokens=[1]), 7, "prefix_tokens"),
               (line(id=7, prefix_tokens=long, continuation_tokens=[1]), 7, str(len(long)))]
        alone = self.answers(good)[0]
        text = good.encode()
        for row, _, _ in bad:
            text += (row if isinstance(row, bytes) else row.encode()) + good.encode()
        for batch in ("4096", "1", "3"):
            answers = self.answers(text, "--batch-lines", batch, code=1)
            self.assertEqual(len(answers), 2 * len(bad) + 1)
            for number, (row, known, word) in enumerate(bad):
                got = answers[2 * number + 1]
                self.assertEqual(got["id"], known, row)
                self.assertIn(word, got["error"], row)
                self.assertEqual(got.get("line"), None if known else 2 * number + 2, row)
                self.assertEqual(answers[2 * number + 2], alone, row)

    def test_blank_lines_and_a_missing_last_line_break(self):
        row = line(id=1, prefix="a", continuation=" b")
        self.assertEqual(len(self.answers("\n" + row + "  \n\r\n" + row.rstrip())), 2)
        self.assertEqual(self.answers(""), [])

    def test_batches_and_threads_change_no_byte(self):
        rows = "".join(line(id=i, prefix=f"Number {i % 7} and {i}",
                            continuation=" is " + "x" * (i % 5 + 1)) for i in range(60))
        first = self.answers(rows)
        for more in (["--batch-lines", "1"], ["--batch-lines", "7"], ["--threads", "2"],
                     ["--call-tokens", "16"]):
            self.assertEqual(first, self.answers(rows, *more), more)

    def test_a_line_of_100_megabytes_is_bounded(self):
        good = line(id=1, prefix="a", continuation=" b")
        with open(self.path("small.jsonl"), "w", encoding="utf-8") as f:
            f.write(good)
        with open(self.path("large.jsonl"), "w", encoding="utf-8") as f:
            f.write('{"id": 0, "prefix": "')
            for _ in range(100):
                f.write("x" * (1 << 20))
            f.write('", "continuation": " b"}\n' + good)
        small, _ = self.peak_kib("small.jsonl")
        large, answers = self.peak_kib("large.jsonl")
        self.assertLess(large - small, 100 * 1024)
        self.assertEqual(answers[0], {"id": None, "line": 1, "error": answers[0]["error"]})
        self.assertIn("longer", answers[0]["error"])
        self.assertEqual(answers[1]["id"], 1)

    def peak_kib(self, name):
        """Peak memory over one input file, as the kernel counts it, and the answers."""
        environment = dict(self.environment, ASAN_OPTIONS="quarantine_size_mb=1")
        process = os.fork()
        if process == 0:
            os.dup2(os.open(self.path(name), os.O_RDONLY), 0)
            os.dup2(os.open(self.path("answers"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
            os.execve(BIN, [BIN, *SCORE], environment)
        usage = os.wait4(process, 0)[2]
        return usage.ru_maxrss, [json.loads(x) for x in self.read("answers").splitlines()]

    def test_answers_line_by_line_when_asked_to(self):
        process = self.start(*SCORE, "--batch-lines", "1", stdin=subprocess.PIPE)
        for i in range(3):
            process.stdin.write(line(id=i, prefix="a", continuation=" b").encode())
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["id"], i)
        process.stdin.close()
        self.assertEqual(process.wait(timeout=60), 0)
        process.stdout.close()
        process.stderr.close()


if __name__ == "__main__":
    unittest.main()
