#!/usr/bin/env python3
"""kill -9 at random moments of a run, then --resume: the files are those of an undisturbed run,
byte for byte, and no finished request is evaluated twice. ICL_KILLS sets the number of kills
(12)."""
import contextlib
import json
import os
import random
import shutil
import sqlite3
import time
import unittest

from program import Case, FAST

KILLS = int(os.environ.get("ICL_KILLS", "12"))
FILES = ("results.json", "samples.jsonl", "report.html")
# Small calls, so that answers become durable many times during a run.
WORK = ["run", "snips", *FAST, "--quiet", "--limit", "10", "--call-tokens", "24"]
# Most of its time goes into choosing demonstrations.
ASKING = [*WORK, "--limit", "2", "--strategy", "select=mutual-information(k=2, sets=3, inputs=6)"]


class KillResume(Case):
    work = WORK

    def setUp(self):
        super().setUp()
        start = time.monotonic()
        self.succeeds(*self.work, "--out", "whole")
        self.seconds = time.monotonic() - start
        self.whole = [self.read(f"whole/{name}") for name in FILES]
        self.requests = json.loads(self.read("whole/meter.json"))["requests"]
        self.assertEqual(self.durable("whole"), self.requests)
        seed = random.randrange(1 << 32)
        print(f"a run takes {self.seconds:.2f} s, moments are drawn with seed {seed}", flush=True)
        self.random = random.Random(seed)

    def durable(self, folder):
        """Answers in the journal, read from a copy so that the run finds its files as they fell."""
        copy = self.path("copy")
        shutil.rmtree(copy, ignore_errors=True)
        if not os.path.exists(self.path(f"{folder}/journal.sqlite")):
            return 0
        shutil.copytree(self.path(folder), copy)
        with contextlib.closing(sqlite3.connect(os.path.join(copy, "journal.sqlite"))) as journal:
            self.assertEqual(journal.execute("PRAGMA integrity_check").fetchone()[0], "ok")
            if not journal.execute("SELECT 1 FROM sqlite_master WHERE name='answer'").fetchone():
                return 0
            return journal.execute("SELECT count(*) FROM answer").fetchone()[0]

    def kill_after(self, folder, seconds):
        """Whether the run was still at work."""
        process = self.start(*self.work, "--out", folder, "--resume")
        time.sleep(seconds)
        process.kill()
        process.communicate()
        return process.returncode == -9

    def resume(self, folder, before):
        self.succeeds(*self.work, "--out", folder, "--resume")
        self.assertEqual([self.read(f"{folder}/{name}") for name in FILES], self.whole)
        meter = json.loads(self.read(f"{folder}/meter.json"))
        self.assertEqual(meter["requests_cached"], before)
        self.assertEqual(meter["requests"], self.requests - before)
        self.assertEqual(self.durable(folder), self.requests)

    def test_killed_once_at_any_moment(self):
        halfway = 0
        for number in range(KILLS):
            # One moment in each of KILLS equal parts of the run.
            share = (number + self.random.random()) / KILLS
            folder = f"kill-{number}"
            killed = self.kill_after(folder, share * self.seconds)
            before = self.durable(folder)
            with self.subTest(share=share, durable=before):
                self.resume(folder, before)
            halfway += killed and 0 < before < self.requests
        print(f"{KILLS} runs killed, {halfway} of them between the first and the last answer")
        self.assertGreater(halfway, 0)

    def test_killed_again_and_again(self):
        last = 0
        for _ in range(6):
            self.kill_after("out", self.random.uniform(0.3, 0.8) * self.seconds)
            durable = self.durable("out")
            self.assertGreaterEqual(durable, last, "a finished answer was lost")
            last = durable
        self.resume("out", last)


class KillResumeWhileChoosing(KillResume):
    work = ASKING


if __name__ == "__main__":
    unittest.main()
