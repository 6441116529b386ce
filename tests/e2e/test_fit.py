#!/usr/bin/env python3
"""icl fit: the cost before anything is asked, a file that only its own runs take, a fit that is
killed or interrupted and resumed, and what is refused."""
import json
import os
import shutil
import unittest

from program import Case, SNIPS

POOL, CANDIDATES = 24, 3
PROMPTS = POOL * CANDIDATES
LINE = f"select=epr(candidates={CANDIDATES},positives=1,negatives=1,epochs=3)"
LABELS = 7


class Fit(Case):
    def setUp(self):
        super().setUp()
        with open(os.path.join(SNIPS, "train.jsonl"), encoding="utf-8") as f:
            rows = f.read().splitlines()
        self.write("train.jsonl", "\n".join(rows[:POOL]) + "\n")
        self.write("other.jsonl", "\n".join(rows[POOL:2 * POOL]) + "\n")
        self.write("test.jsonl", rows[0] + "\n" + rows[1] + "\n")

    def data(self, train="train.jsonl"):
        return ["--train", train, "--test", "test.jsonl", "--threads", "1"]

    def fit(self, *more, line=LINE):
        return ["fit", line, *self.data(), "--out", "own.fit", *more]

    def run_with(self, line, *more, train="train.jsonl"):
        return ["run", *self.data(train), "--no-eta", "--no-zero-shot", "--quiet", "--out",
                self.path("out"), "--strategy", line, *more]

    def other_encoder(self):
        """The same weights in a file of other bytes."""
        found = [line.split(None, 1)[1] for line in self.icl("doctor").stdout.decode().splitlines()
                 if line.startswith("encoder ")]
        shutil.copyfile(found[0], self.path("other.gguf"))
        with open(self.path("other.gguf"), "ab") as f:
            f.write(b"x")
        return self.path("other.gguf")

    def test_plan_tells_the_cost_and_asks_nothing(self):
        text = self.succeeds(*self.fit("--plan")).decode()
        self.assertIn(f"prompts         at most {PROMPTS}, each about {LABELS} labels\n", text)
        plan = json.loads(self.succeeds(*self.fit("--plan", "--json")))
        self.assertEqual((plan["prompts_max"], plan["requests"], plan["pool"]), (PROMPTS, 0, POOL))
        self.assertEqual(sorted(os.listdir(self.folder)),
                         ["other.jsonl", "test.jsonl", "train.jsonl"])

    def test_queries_are_not_looked_at(self):
        self.write("test.jsonl", "no row\n")
        self.succeeds(*self.fit("--plan"))

    def test_refuses_in_one_sentence(self):
        self.write("one.jsonl", '{"text": "a", "label": "x"}\n{"text": "b", "label": "x"}\n')
        one = ["--train", "one.jsonl", "--test", "one.jsonl", "--threads", "1"]
        self.write("bare.jsonl", '{"text": "a"}\n')
        self.write("empty.jsonl", '{"text": "a", "label": ""}\n')
        self.write("kept.fit.journal", "")
        os.mkfifo(self.path("pipe.fit"))
        for arguments, *parts in (
                (["fit"], "a method is missing", "select=epr"),
                (["fit", LINE], "a task is missing"),
                (["fit", LINE, *self.data()], "--out FILE is missing"),
                (self.fit(line="select=knn"), '"knn" does not learn'),
                (self.fit(line="select=eprr"), 'did you mean "epr"'),
                (self.fit(line="epr"), "epr"),
                (["fit", LINE, *self.data(), "--out", "none/own.fit"], "none/own.fit"),
                (["fit", LINE, *self.data(), "--out", "."], '"."', "Is a directory"),
                (["fit", LINE, *self.data(), "--out", "pipe.fit"], "pipe.fit", "regular file"),
                (self.fit("--epoch", "3"), "--epoch"),
                (self.fit(line="select=epr(epoch=3)"), '"epoch"', '"epochs"'),
                (["fit", LINE, *self.data("bare.jsonl"), "--out", "own.fit"], "bare.jsonl:1",
                 '"label" is missing'),
                (["fit", LINE, *self.data("empty.jsonl"), "--out", "own.fit"], "empty.jsonl:1",
                 "label is empty"),
                (["fit", LINE, *self.data(), "--out", "kept.fit"], "kept.fit.journal", "--resume"),
                (self.fit(line="select=epr(candidates=3)"), "positives=5", "has 3"),
                (self.fit("--plan", line="select=epr(candidates=3)"), "positives=5", "has 3"),
                (["fit", LINE, *one, "--out", "own.fit"], "one and the same label"),
                (self.run_with("select=epr"), "icl fit", "FILE"),
                (self.run_with("select=epr(file=train.jsonl)"), "not written by icl fit"),
                (self.run_with("select=epr(file=.)"), '"."', "is not a regular file"),
                # Nobody, root included, may read there.
                (self.run_with("select=epr(file=/proc/self/mem)"), "/proc/self/mem"),
                (self.run_with("select=epr(file=absent.fit)"), "absent.fit")):
            with self.subTest(arguments=arguments):
                self.refused(arguments, *parts)
        self.assertFalse(os.path.exists(self.path("own.fit")))
        self.assertFalse(os.path.exists(self.path("own.fit.journal")))

    def test_a_run_uses_the_file_and_refuses_that_of_another_pool(self):
        done = self.icl(*self.fit()) # tells on standard error how far it is
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertIn(f"prompts asked: 0 of {PROMPTS}", done.stderr.decode())
        text = done.stdout.decode()
        self.assertIn("use   --strategy 'select=epr(file=own.fit)'", text)
        self.assertFalse(os.path.exists(self.path("own.fit.journal")))
        use = "select=epr(k=2,file=own.fit)"
        self.succeeds(*self.run_with(use))
        first = json.loads(self.read("out/results.json"))
        shutil.rmtree(self.path("out"))
        self.refused(self.run_with("select=udr(file=own.fit)"), "own.fit", '"epr", not "udr"')
        self.refused(self.run_with(use, "--encoder", self.other_encoder()), "own.fit",
                     "was fitted with sentence encoder")
        self.refused(self.run_with(use, train="other.jsonl"), "own.fit", f"({POOL} items)")
        self.succeeds(*self.run_with("select=epr(k=2,file=own.fit,transfer=true)",
                                     train="other.jsonl"))
        shutil.rmtree(self.path("out"))
        # The hash of a run covers what the file holds, not only its name.
        self.succeeds(*self.fit("--seed", "5", "--quiet"))
        self.succeeds(*self.run_with(use))
        again = json.loads(self.read("out/results.json"))
        self.assertNotEqual(first["spec_hash"], again["spec_hash"])
        # A cut file is refused, and the run leaves nothing.
        shutil.rmtree(self.path("out"))
        self.write("own.fit", self.read("own.fit")[:-100])
        self.refused(self.run_with(use), "own.fit", "cut off or damaged")

    def test_a_method_that_follows_gradients_tells_its_tokens(self):
        line = "select=latent-concept(steps=2,batch=3,tokens=4)"
        text = self.succeeds(*self.fit("--plan", line=line)).decode()
        self.assertNotIn("prompts ", text)
        plan = json.loads(self.succeeds(*self.fit("--plan", "--json", line=line)))
        self.assertIn(f"training        reads {plan['tokens_read']} tokens\n", text)
        self.assertEqual((plan["prompts_max"], plan["tokens_read"] % (2 * 3 + POOL)), (0, 0))
        done = json.loads(self.succeeds(*self.fit("--quiet", "--json", line=line)))
        self.assertEqual((done["requests"], done["tokens_evaluated"]), (0, 0))
        use = "select=latent-concept(k=2,file=own.fit,balanced=true)"
        self.succeeds(*self.run_with(use))
        shutil.rmtree(self.path("out"))
        self.refused(self.run_with(use, train="other.jsonl"), "own.fit", f"({POOL} items)")
        # An order by the same concept, which is the task's and not the pool's.
        order = "select=random(k=3) order=latent-concept"
        self.refused(self.run_with(order), "has to be fitted first")
        use = self.run_with(f"{order}(file=own.fit)", train="other.jsonl")
        self.succeeds(*use)
        first = json.loads(self.read("out/results.json"))
        shutil.rmtree(self.path("out"))
        self.succeeds(*self.fit("--quiet", "--seed", "5", line=line))
        self.succeeds(*use)
        self.assertNotEqual(first["spec_hash"],
                            json.loads(self.read("out/results.json"))["spec_hash"])

    def test_a_policy_is_learned_and_used(self):
        shape = "candidates=6,validation=6,steps=2"
        line = f"select=q-learning({shape},episodes=12,updates=20)"
        done = json.loads(self.succeeds(*self.fit("--quiet", "--json", line=line)))
        self.assertLessEqual(done["requests"], done["prompts_max"] * LABELS)
        self.assertIn("validation_accuracy", done["measures"])
        self.succeeds(*self.run_with(f"select=q-learning(k=3,file=own.fit,{shape})"))

    def test_killed_and_resumed_writes_the_same_file(self):
        self.succeeds(*self.fit("--quiet", "--call-tokens", "24"))
        whole = self.read("own.fit")
        os.unlink(self.path("own.fit"))
        process = self.start_and_await("own.fit.journal",
                                       *self.fit("--quiet", "--call-tokens", "24"))
        process.kill()
        process.communicate()
        self.assertFalse(os.path.exists(self.path("own.fit")))
        report = json.loads(self.succeeds(*self.fit("--resume", "--json", "--call-tokens", "24")))
        self.assertGreater(report["requests_cached"], 0)
        self.assertEqual(report["requests"] + report["requests_cached"], PROMPTS * LABELS)
        self.assertEqual(self.read("own.fit"), whole)

    def test_ctrl_c_ends_within_a_second_and_resumes_to_the_same_bytes(self):
        work = self.fit("--quiet", "--call-tokens", "24")
        stderr = self.interrupt_at_work("own.fit.journal", *work)
        self.one_sentence(stderr, "fit", '"own.fit.journal"', "--resume")
        self.assertFalse(os.path.exists(self.path("own.fit")))
        self.succeeds(*work, "--resume")
        resumed = self.read("own.fit")
        self.succeeds(*work)
        self.assertEqual(self.read("own.fit"), resumed)

    def test_a_pool_of_copies_is_fitted_and_used(self):
        """Candidates, answers and cosines are all equal: then the lowest index decides."""
        self.write("same.jsonl", "".join(
            json.dumps({"text": "the same", "label": "ab"[i % 2]}) + "\n" for i in range(12)))
        same = ["--train", "same.jsonl", "--test", "same.jsonl", "--threads", "1", "--quiet"]
        self.succeeds("fit", LINE, *same, "--out", "own.fit")
        for line in ("select=epr(k=4,file=own.fit)", "select=dpp(k=4)",
                     "select=mmr(k=4,candidates=5)", "select=mdl(k=4,window=3)"):
            with self.subTest(line=line):
                self.succeeds("run", *same, "--no-eta", "--no-zero-shot", "--out", "out",
                              "--strategy", line, "--limit", "2")
                shutil.rmtree(self.path("out"))


if __name__ == "__main__":
    unittest.main()
