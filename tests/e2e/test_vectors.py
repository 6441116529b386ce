#!/usr/bin/env python3
"""The cache of sentence vectors changes no result: empty, filled, shared, damaged or out of reach."""
import os
import unittest

from program import Case

KNN = ["--strategy", "select=knn(k=4) order=nearest-last score=direct calibrate=batch", "--no-eta",
       "--threads", "1", "--quiet"]
FILES = ("results.json", "samples.jsonl", "report.html")


class Vectors(Case):
    def setUp(self):
        super().setUp()
        self.cache = self.path("cache/vectors.sqlite")

    def files(self, out):
        return [self.read(f"{out}/{name}") for name in FILES]

    def run_into(self, out):
        self.succeeds("run", "tiny", *KNN, "--out", out)
        return self.files(out)

    def test_runs_are_byte_equal_with_and_without_it(self):
        expected = self.run_into("cold")
        self.assertTrue(os.path.exists(self.cache))
        filled = self.read("cache/vectors.sqlite")
        self.assertEqual(self.run_into("warm"), expected)
        self.assertEqual(self.read("cache/vectors.sqlite"), filled) # nothing was made again
        self.write("cache/vectors.sqlite", b"no database at all" * 100)
        self.assertEqual(self.run_into("damaged"), expected)
        self.assertTrue(os.path.exists(self.cache + ".damaged"))
        self.environment["ICL_CACHE"] = "/dev/null/cache"
        self.assertEqual(self.run_into("nowhere"), expected)

    def test_runs_at_the_same_time_share_it(self):
        outs = ("one", "two")
        runs = [self.start("run", "tiny", *KNN, "--out", out) for out in outs]
        for run in runs:
            _, complaint = run.communicate(timeout=200)
            self.assertEqual((run.returncode, complaint), (0, b""))
        self.assertEqual(self.files("one"), self.files("two"))
        self.assertEqual(self.run_into("later"), self.files("one"))

    def test_picks_are_the_same_with_it(self):
        pick = ["select", "--train", self.write("pool.csv", "text\nrain\nsun\nwind\nsnow\n"),
                "--by", "votek(k=2)", "--budget", "2", "--threads", "1"]
        cold = self.succeeds(*pick)
        filled = self.read("cache/vectors.sqlite")
        self.assertEqual(self.succeeds(*pick), cold)
        self.assertEqual(self.read("cache/vectors.sqlite"), filled)


if __name__ == "__main__":
    unittest.main()
