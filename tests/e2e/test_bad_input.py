#!/usr/bin/env python3
"""Every wrong input ends with exit code 2 and one sentence that names file, line and value."""
import json
import os
import struct
import unittest

from program import BIN, Case, FAST, MODEL, WINDOW

GOOD = '{"text": "good day", "label": "positive"}\n{"text": "bad day", "label": "negative"}\n'


def gguf(architecture):
    """A GGUF file without tensors, of an architecture by this name."""
    key, value = b"general.architecture", architecture.encode()
    return (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", len(key)) + key +
            struct.pack("<IQ", 8, len(value)) + value)


class BadModel(Case):
    def run_with(self, path, *parts):
        self.refused(["run", "tiny", "--model", path, *FAST], *parts)
        self.assertFalse(os.path.exists(self.path("icl-out/tiny")), "left something behind")

    def test_missing(self):
        self.run_with("no-such.gguf", "no-such.gguf")

    def test_folder(self):
        self.run_with(self.folder, self.folder)

    def test_empty(self):
        self.run_with(self.write("empty.gguf", b""), "empty.gguf")

    def test_truncated(self):
        with open(MODEL, "rb") as f:
            whole = f.read()
        for share in (0.001, 0.5, 0.99):
            with self.subTest(share=share):
                cut = whole[:int(len(whole) * share)]
                self.run_with(self.write("cut.gguf", cut), "cut.gguf")

    def test_not_a_model(self):
        self.run_with(self.write("text.gguf", "hello, world\n" * 100), "text.gguf", "GGUF")

    def test_unknown_architecture(self):
        self.run_with(self.write("alien.gguf", gguf("alien")), "alien.gguf", "alien")

    def test_missing_encoder(self):
        self.environment["ICL_ENCODER"] = "gone.gguf"
        self.refused(["run", "tiny", "--strategy", "select=knn(k=2)"], "gone.gguf")
        self.refused(["run", "tiny", "--strategy", "select=knn(k=2)", "--encoder", MODEL + "x"],
                     MODEL + "x")

    def test_chat_without_a_chat_template(self):
        self.refused(["run", "tiny", *FAST, "--chat"], "no chat template")

    def test_environment_names_a_missing_model(self):
        self.environment["ICL_MODEL"] = "gone.gguf"
        self.refused(["run", "tiny", *FAST], "gone.gguf")


class BadData(Case):
    def setUp(self):
        super().setUp()
        self.train = self.write("train.jsonl", GOOD * 5)
        self.test = self.write("test.jsonl", GOOD)

    def refuse(self, *parts, more=(), train=None, test=None):
        self.refused(["run", "--train", train or self.train, "--test", test or self.test,
                      "--strategy", "select=random(k=2)", "--no-eta", "--threads", "1", *more],
                     *parts)

    def refuse_train(self, content, *parts, more=()):
        self.refuse("bad.jsonl", *parts, train=self.write("bad.jsonl", content), more=more)

    def test_missing_file(self):
        self.refuse("nowhere.jsonl", train="nowhere.jsonl")

    def test_unknown_label(self):
        self.refuse_train(GOOD + '{"text": "so so", "label": "neutral"}\n', ":3", "neutral",
                          more=["--labels", "positive=good,negative=bad"])

    def test_unknown_label_of_a_query(self):
        self.refuse("odd.jsonl:2", "neutral",
                    test=self.write("odd.jsonl", '{"text": "a", "label": "positive"}\n'
                                                 '{"text": "b", "label": "neutral"}\n'))

    def test_label_missing_from_the_verbalizer(self):
        self.refused(["run", "tiny", "--labels", "positive=good", *FAST], "--labels", "negative")

    def test_verbalizer_syntax(self):
        self.refuse("positive", more=["--labels", "positive"])

    def test_empty_pool(self):
        self.refuse_train("")
        self.refuse_train("\n\n")

    def test_k_larger_than_the_pool(self):
        for method in ("random", "balanced", "bm25"):
            self.refused(["run", "tiny", "--strategy", f"select={method}(k=21)"], "21", "20")

    def test_budget_below_k(self):
        for method in ("votek", "diversity", "facility-location", "adaicl"):
            self.refused(["run", "tiny", "--strategy", f"select={method}(k=8, budget=4)"],
                         "k=8", f"{method}(budget=4)")

    def test_k_larger_than_the_candidates(self):
        for method in ("mmr", "dpp", "misconfidence", "infoscore"):
            self.refused(["run", "tiny", "--strategy", f"select={method}(k=8, candidates=4)"],
                         f'"{method}"', "candidates=4", "k=8")

    def test_pool_without_labels(self):
        self.refuse_train('{"text": "a"}\n', ":1", '"label" is missing')
        self.refuse_train('{"text": "a", "label": ""}\n', ":1", "label is empty")

    def test_query_longer_than_the_window(self):
        text = json.dumps({"id": "long-one", "text": "word " * 5000, "label": "positive"})
        self.refuse("long-one", str(WINDOW), test=self.write("long.jsonl", text + "\n"))

    def test_prompt_longer_than_the_window_when_told_to_refuse(self):
        words = "word " * (WINDOW * 3 // 5)
        rows = "".join(json.dumps({"text": f"{i} {words}", "label": label}) + "\n"
                       for i in range(4) for label in ("positive", "negative"))
        self.refuse(str(WINDOW), more=["--overflow", "error"], train=self.write("wide.jsonl", rows))

    def test_invalid_utf8(self):
        self.refuse_train(GOOD.encode() + b'{"text": "caf\xe9", "label": "positive"}\n', ":3")

    def test_nul_bytes(self):
        self.refuse_train(GOOD.encode() + b'{"text": "a\0b", "label": "positive"}\n', ":3")
        self.refuse_train(GOOD + '{"text": "a\\u0000b", "label": "positive"}\n', ":3")

    def test_duplicate_ids(self):
        row = '{"id": "twin", "text": "a", "label": "positive"}\n'
        self.refuse_train(row + row, ":2", "twin")

    def test_malformed_json(self):
        self.refuse_train(GOOD + '{"text": "a", \n', ":3")

    def test_missing_field(self):
        self.refuse_train(GOOD + '{"txt": "a", "label": "positive"}\n', ":3", "text")

    def test_malformed_csv(self):
        self.refuse("bad.csv:3", train=self.write(
            "bad.csv", 'text,label\ngood,positive\n"bad"x,negative\n'))

    def test_very_long_line(self):
        """A line of 100 MB is refused by its number, and memory stays bounded."""
        path = self.path("bad.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.write(GOOD + '{"text": "')
            for _ in range(100):
                f.write("x" * (1 << 20))
            f.write('", "label": "positive"}\n')
        self.refuse("bad.jsonl:3", train=path)
        self.assertLess(self.peak_kib(path) - self.peak_kib(self.train), 100 * 1024)

    def peak_kib(self, train):
        """Peak memory of a run, as the kernel counts it."""
        environment = dict(self.environment, ASAN_OPTIONS="quarantine_size_mb=1")
        arguments = [BIN, "run", "--train", train, "--test", self.test, "--strategy",
                     "select=random(k=2)", "--no-eta", "--threads", "1", "--quiet"]
        process = os.fork()
        if process == 0:
            os.chdir(self.folder)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os.execve(BIN, arguments, environment)
        return os.wait4(process, 0)[2].ru_maxrss


class BadWords(Case):
    def strategy(self, line, *parts):
        self.refused(["run", "tiny", "--strategy", line], *parts)

    def test_unknown_method(self):
        self.strategy("select=kmn(k=4)", "kmn", "knn")
        self.strategy("order=nearest-lats", "nearest-lats", "nearest-last")

    def test_unknown_part_to_record(self):
        self.refused(["run", "tiny", "--record", "whole,inputs"], "inputs", "input")

    def test_label_without_words(self):
        self.refused(["run", "tiny", "--labels", "negative=,positive=good"], "negative")

    def test_unknown_stage(self):
        self.strategy("selct=knn", "selct", "select")

    def test_unknown_method_option(self):
        self.strategy("select=bm25(kk=4)", "kk", "k")

    def test_value_out_of_range(self):
        self.strategy("select=bm25(b=2)", "b", "2")
        self.strategy("select=random(k=many)", "k", "many")

    def test_open_parenthesis(self):
        self.strategy("select=knn(k=4", "knn(k=4")

    def test_unknown_option(self):
        self.refused(["run", "tiny", "--thread", "2"], "--thread", "--threads")
        self.refused(["score", "--batchlines=3"], "--batchlines", "--batch-lines")
        self.refused(["run", "tiny", "-k", "2"], "-k")

    def test_option_values(self):
        self.refused(["run", "tiny", "--limit", "ten"], "--limit", "ten")
        self.refused(["run", "tiny", "--limit", "-1"], "--limit", "-1")
        self.refused(["run", "tiny", "--seed", "99999999999999999999"], "--seed")
        self.refused(["run", "tiny", "--threads", "0"], "--threads", "0")
        self.refused(["run", "tiny", "--kv", "f8"], "--kv", "f8", "f32")
        self.refused(["run", "tiny", "--model"], "--model")
        self.refused(["run", "tiny", "--json=yes"], "--json")
        self.refused(["run", "tiny", "snips"], "snips")

    def test_input_fields(self):
        self.refused(["run", "tiny", "--text-field", ""], "--text-field")
        self.refused(["run", "tiny", "--text-field", "text,,id"], "--text-field")
        self.refused(["run", "tiny", "--text-field", "text,text"], "--text-field", "text")
        self.refused(["run", "tiny", "--text-field", "txt", *FAST], "train.jsonl:1", "txt")

    def test_unknown_command(self):
        done = self.icl("rum")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertEqual(done.stderr, b'icl: unknown command "rum"; did you mean "icl run"?\n')
        self.assertEqual(self.icl().returncode, 2)

    def test_unknown_task(self):
        self.refused(["run", "snpis"], "snpis", "snips")
        self.refused(["run", "./none.yaml"], "none.yaml")

    def test_half_a_task(self):
        self.refused(["run"], "--train")
        self.refused(["run", "--train", "a.jsonl"], "--test")

    def test_unknown_stage_of_methods(self):
        self.refused(["methods", "selekt"], "selekt", "select")

    def test_task_file_errors(self):
        path = self.write("odd.yaml", "name: odd\ntemplatte: x\n")
        self.refused(["run", path], "odd.yaml:2", "templatte", "template")
        path = self.write("odd.yaml", "name: [\n")
        self.refused(["run", path], "odd.yaml")


class BadTemplate(Case):
    def template(self, text, *parts):
        self.refused(["run", "tiny", "--template", text, *FAST], *parts)

    def scored(self, template, score):
        return ["run", "tiny", "--template", template, "--no-eta", "--threads", "1",
                "--strategy", f"select=bm25(k=2) score={score}"]

    def test_no_final_words_for_a_premise(self):
        self.refused(self.scored("{{ text }}", "pmi-dc"), "score=pmi-dc", "final words")

    def test_no_slot_for_content_free_text(self):
        self.refused(self.scored("Which?\\nLabel:", "direct-plus"), "score=direct-plus",
                     "none of the input fields")

    def test_no_input_for_a_channel(self):
        for score in ("channel", "noisy-channel", "ensemble", "mix"):
            self.refused(self.scored("Which?\\nLabel:", score), f"score={score}", "no input to score")

    def test_syntax_error_has_line_and_column(self):
        self.template("Review: {{ text }}\\nX: {{ text", "2", "4")
        self.template("{% if text %}", "1")

    def test_unknown_name(self):
        self.template("Review: {{ txet }}", "txet")

    def test_unknown_filter(self):
        self.template("{{ text|uper }}", "uper")


if __name__ == "__main__":
    unittest.main()
