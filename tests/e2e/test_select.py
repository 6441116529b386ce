#!/usr/bin/env python3
"""icl select: items worth labelling, in one go or in rounds with a person's labels between them."""
import json
import os
import unittest

from program import Case, SNIPS

POOL = 40


class Select(Case):
    def setUp(self):
        super().setUp()
        with open(os.path.join(SNIPS, "train.jsonl"), encoding="utf-8") as f:
            rows = [json.loads(next(f)) for _ in range(POOL)]
        self.gold = {row["text"]: row["label"] for row in rows}
        self.stated = ["--labels", ",".join(f"{name}={name}" for name in
                                            sorted(set(self.gold.values())))]
        self.labelled = self.write("labelled.jsonl", self.lines(rows))
        bare = [{"text": row["text"], "source": {"line": i}} for i, row in enumerate(rows)]
        self.pool = self.write("pool.jsonl", self.lines(bare))

    @staticmethod
    def lines(rows):
        return "".join(json.dumps(row) + "\n" for row in rows)

    def select(self, *arguments):
        return self.succeeds("select", "--threads", "1", *arguments)

    def summary(self, *arguments):
        return json.loads(self.select("--json", *arguments))

    def rows(self, name):
        return [json.loads(line) for line in self.read(name).splitlines()]

    def fill_in(self, name):
        """What a person does."""
        rows = self.rows(name)
        for row in rows:
            row["label"] = self.gold[row["text"]]
        self.write(name, self.lines(rows))

    def test_writes_rows_with_id_rank_and_room_for_a_label(self):
        table = self.select("--train", self.pool, "--budget", 5, "--out", "todo.jsonl").decode()
        for part in ("40 items in the pool", "votek(k=8,budget=5,", "5 of them to label",
                     "questions       none", "todo.jsonl"):
            self.assertIn(part, table)
        rows = self.rows("todo.jsonl")
        self.assertEqual([row["rank"] for row in rows], [1, 2, 3, 4, 5])
        self.assertEqual(len({row["id"] for row in rows}), 5)
        for row in rows:
            self.assertEqual(set(row), {"text", "source", "id", "label", "rank"})
            self.assertEqual(row["id"], f"pool-{row['source']['line'] + 1}")
            self.assertEqual(row["label"], "")

    def test_standard_output_holds_nothing_but_items(self):
        for by in ("votek", "diversity", "facility-location"):
            with self.subTest(by=by):
                text = self.select("--train", self.pool, "--by", by, "--budget", POOL)
                rows = [json.loads(line) for line in text.splitlines()]
                self.assertEqual(len({row["id"] for row in rows}), POOL)
                self.assertEqual(text, self.select("--train", self.pool, "--by", by, "--budget",
                                                   POOL))

    def test_known_labels_are_kept(self):
        found = self.summary("--train", self.labelled, "--budget", 5, "--out", "all.jsonl")
        self.assertEqual((found["picked"], found["labelled"], found["unlabelled"]), (5, POOL, 0))
        for row in self.rows("all.jsonl"):
            self.assertEqual(row["label"], self.gold[row["text"]])

    def test_rounds_go_on_from_a_persons_labels(self):
        by = ["--by", "least-confidence(k=2,batch=4)", "--budget", 10, *self.stated, "--journal",
              "answers.sqlite"]
        common = [*by, "--out", "todo.jsonl"]
        found = self.summary("--train", self.pool, *common)
        self.assertEqual((found["picked"], found["unlabelled"], found["complete"],
                          found["requests"]), (4, 4, False, 0))
        first = [row["id"] for row in self.rows("todo.jsonl")]
        picked = [first]
        for size in (8, 10):
            self.fill_in("todo.jsonl")
            found = self.summary("--train", self.pool, *common, "--labelled", "todo.jsonl")
            self.assertEqual((found["picked"], found["complete"]), (size, size == 10))
            self.assertGreater(found["requests"], 0)
            picked.append([row["id"] for row in self.rows("todo.jsonl")])
            self.assertEqual(picked[-1][:len(picked[-2])], picked[-2])
        # The rounds are those of a pool whose labels were there from the beginning.
        with_labels = [dict(row, id=f"pool-{i + 1}")
                       for i, row in enumerate(self.rows("labelled.jsonl"))]
        os.mkdir(self.path("full"))
        whole = self.write("full/pool.jsonl", self.lines(with_labels))
        found = self.summary("--train", whole, *by, "--out", "whole.jsonl")
        self.assertEqual((found["requests"], found["complete"]), (0, True))
        self.assertEqual([row["id"] for row in self.rows("whole.jsonl")], picked[-1])

    def test_labels_missing_on_standard_output_are_said_beside_it(self):
        done = self.icl("select", "--train", self.pool, "--by", "least-confidence", "--budget", 20,
                        *self.stated)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(done.stdout.splitlines()), 10)
        self.one_sentence(done.stderr, "select", "10 items have to be labelled", "--labelled")

    def test_ctrl_c_ends_within_a_second_and_goes_on_from_the_journal(self):
        work = ["select", "--train", self.labelled, "--by", "least-confidence(k=4,batch=4)",
                "--budget", 20, "--threads", 1, "--call-tokens", 24]
        with_journal = [*work, "--journal", "answers.sqlite", "--quiet"]
        stderr = self.interrupt_at_work("answers.sqlite", *with_journal, "--out", "todo.jsonl")
        self.one_sentence(stderr, "select", '"answers.sqlite"', "goes on")
        self.assertFalse(os.path.exists(self.path("todo.jsonl")))
        again = self.succeeds(*with_journal)
        self.assertEqual(again, self.succeeds(*work, "--quiet"))

    def test_copies_and_one_class_are_no_trouble(self):
        copies = self.write("copies.jsonl", self.lines([{"text": "the same"}] * 12))
        one = self.write("one.jsonl", self.lines(
            [{"text": f"text {i}", "label": "a"} for i in range(12)]))
        for by in ("votek", "diversity", "facility-location", "adaicl(first=3)",
                   "least-confidence(k=2,batch=3)"):
            for pool in (copies, one):
                with self.subTest(by=by, pool=pool):
                    labels = ["--labels", "a=a,b=b"] if pool == copies else []
                    text = self.icl("select", "--train", pool, "--by", by, "--budget", 3,
                                    "--threads", 1, *labels)
                    self.assertEqual((text.returncode, len(text.stdout.splitlines())), (0, 3),
                                     text.stderr)
                    said = b"11 of 12 pool items repeat the text of another"
                    self.assertEqual(said in text.stderr, pool == copies)
        summary = self.summary("--train", copies, "--budget", 3, "--out", "todo.jsonl")
        self.assertEqual((summary["pool_repeats"], summary["pool_relabelled"]), (11, 0))

    def test_refuses_in_one_sentence_and_leaves_the_file_alone(self):
        self.write("todo.jsonl", "mine\n")
        other = self.write("other.jsonl", '{"text": "a", "id": "nobody", "label": "b"}\n')
        one = self.write("one.jsonl", '{"text": "a"}\n')
        for arguments, parts in (
                (["--train", self.pool, "--budget", 41], ["41", "pool.jsonl", "40"]),
                (["--train", one], ["100", "one.jsonl", "has 1"]),
                (["--train", self.pool, "--budget", 0], ["--budget", '"0"']),
                (["--train", self.pool, "--by", "knn"], ['"knn"', "votek", "facility-location"]),
                (["--train", self.pool, "--by", "votk"], ['"votk"', '"votek"']),
                (["--train", self.pool, "--by", "votek(rho=0.5)"], ["rho", "0.5"]),
                (["--train", self.pool, "--budget", 5, "--labelled", other],
                 ["other.jsonl:1", '"nobody"', "pool.jsonl"]),
                (["--train", self.pool, "--budget", 5, "--by", "least-confidence"],
                 ["pool.jsonl:1", "state all labels"]),
                (["--train", self.path("none.jsonl")], ["none.jsonl"]),
                (["--train", self.folder], [self.folder]),
                (["--train", self.pool, "--budget", 5, "--labelled", self.folder], [self.folder]),
                (["--train", self.pool, "--budget", 5, "--out", "."], ['"."', "Is a directory"]),
                (["--train", self.pool, "--by", "least-confidence", *self.stated, "--budget", 5,
                  "--journal", "."], ['journal "."']),
                (["--train", self.pool, "--budge", 5], ["--budge", "--budget"]),
                (["--train", self.pool, "--by", "votek(rhoo=2)"], ['"rhoo"', '"rho"']),
                (["--train", self.pool, "--by", "votek(budget=5)"], ["budget"]),
                ([], ["task is missing"])):
            with self.subTest(arguments=arguments):
                self.refused(["select", "--out", "todo.jsonl", *arguments], *parts)
                self.assertEqual(self.read("todo.jsonl"), b"mine\n")
        self.refused(["select", "--train", self.pool, "--json"], "--json", "--out")
        self.refused(["select", "--train", self.pool, "--budget", 5, "--out", "no/such/file"],
                     "no/such/file")
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(
            ["labelled.jsonl", "pool.jsonl", "todo.jsonl", "other.jsonl", "one.jsonl"]))


if __name__ == "__main__":
    unittest.main()
