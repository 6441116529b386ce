#!/usr/bin/env python3
"""report.html of icl run, search and compare: sound and accessible HTML in which a user's text is
text, whole without any other file, and without a complaint of a browser where there is one.
Screenshots stay in <build>/tests/e2e/report."""
import html.parser
import json
import os
import re
import shutil
import subprocess
import unittest

from program import Case, SNIPS

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
SHOTS = os.path.join(os.environ.get("ICL_BUILD", "."), "tests", "e2e", "report")
VOID = {"meta", "br", "img", "input", "link", "hr"}
LABELS = ("<script>alert(1)</script>", "\"quoted' & co\" onload=x", "\u05e9\u05dc\u05d5\u05dd \u202e",
          "very " * 60 + "long")
PLAIN = ["--strategy", "select=bm25(k=2) calibrate=batch", "--no-eta", "--threads", "1", "--quiet"]
STRATEGIES = "select=bm25(k={2|4}) calibrate=none\nselect=random(k=0)\n"


class Page(html.parser.HTMLParser):
    """Elements with their texts; `problems` is what is not as a page should be."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.problems, self.headings, self.counts = [], [], [], {}
        self.elements, self.text = [], ""
        self.feed(text)
        self.close()
        self.problems += [f"<{name}> stays open" for name, *_ in self.open]

    def handle_starttag(self, name, attributes):
        attributes = dict(attributes)
        self.counts[name] = self.counts.get(name, 0) + 1
        self.elements.append((name, attributes))
        self.problems += [f"{key} on <{name}>" for key in attributes if key.startswith("on")]
        if re.fullmatch("h[1-6]", name):
            self.headings.append(int(name[1]))
        if name == "th" and attributes.get("scope") not in ("row", "col"):
            self.problems.append("a header cell of nothing")
        if name not in VOID:
            self.open.append((name, attributes, set()))
            for _, _, inside in self.open[:-1]:
                inside.add(name)

    def handle_startendtag(self, name, attributes):
        self.handle_starttag(name, attributes)
        if name not in VOID:
            self.handle_endtag(name)

    def handle_endtag(self, name):
        if not self.open or self.open[-1][0] != name:
            self.problems.append(f"</{name}> within {[n for n, *_ in self.open]}")
            return
        _, attributes, inside = self.open.pop()
        if name == "table" and "caption" not in inside:
            self.problems.append("a table without a caption")
        if name == "svg" and ("title" not in inside or attributes.get("role") != "img"):
            self.problems.append("a picture without a name")
        if name == "details" and "summary" not in inside:
            self.problems.append("details without a summary")

    def handle_data(self, data):
        if not self.open or self.open[-1][0] != "style":
            self.text += data


class Report(Case):
    def page(self, folder):
        text = self.read(f"{folder}/report.html").decode()
        page = Page(text)
        self.assertEqual(page.problems, [])
        self.assertTrue(text.startswith("<!DOCTYPE html>\n<html lang=\"en\">"))
        self.assertEqual([page.counts.get(name) for name in ("h1", "main", "script", "link", "img")],
                         [1, 1, None, None, None])
        self.assertEqual(page.headings[0], 1)
        for before, after in zip(page.headings, page.headings[1:]):
            self.assertLessEqual(after, before + 1)
        for name, attributes in page.elements:
            for key in ("src", "href"):
                self.assertNotIn(key, attributes, name)
            if attributes.get("class") == "scroll":
                self.assertEqual(attributes["tabindex"], "0")
                self.assertTrue(attributes["aria-label"])
        self.assertNotIn("url(", text)
        self.assertNotIn("://", text.replace("http://www.w3.org/2000/svg", ""))
        return page

    def show(self, folder):
        """Opens the page: the browser has nothing to complain of, in light and dark."""
        browser = next(filter(None, map(shutil.which, BROWSERS)), None)
        if browser is None:
            self.skipTest("the page was not opened: no Chromium is installed")
        os.makedirs(SHOTS, exist_ok=True)
        for scheme, number, width in (("light", 1, 1000), ("dark", 0, 320)):
            shot = os.path.join(SHOTS, f"{folder}-{scheme}.png")
            done = subprocess.run(
                [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                 "--enable-logging=stderr", "--v=0", f"--user-data-dir={self.path('browser')}",
                 f"--blink-settings=preferredColorScheme={number}", f"--window-size={width},3000",
                 f"--screenshot={shot}", "file://" + self.path(f"{folder}/report.html")],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
            self.assertNotIn(b"CONSOLE", done.stderr)
            self.assertGreater(os.path.getsize(shot), 10000)

    def test_run(self):
        self.succeeds("run", "tiny", *PLAIN, "--out", "run")
        page = self.page("run")
        results, meter = (json.loads(self.read(f"run/{name}.json")) for name in ("results", "meter"))
        for part in (results["spec_hash"], results["strategy"], f"{results['accuracy']:.3f}",
                     "zero-shot", "majority class", "Reliability", "2 demonstrations",
                     "bias before", "bias after"):
            self.assertIn(part, page.text)
        digits = re.sub(r"(?<=\d) (?=\d)", "", page.text)
        for name in ("tokens_asked", "tokens_trie"):
            self.assertIn(str(meter[name]), digits)
        self.show("run")

    def test_labels_of_any_kind_are_text(self):
        rows = [{"text": f"{label} {i} <img src=x onerror=alert(1)> &lt; \x01", "label": label,
                 "id": f"<b>{i}\"{label[:9]}"} for i in range(3) for label in LABELS]
        data = self.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        self.succeeds("run", "--train", data, "--test", data, "--strategy", "select=random(k=1)",
                      "--no-eta", "--threads", "1", "--quiet", "--out", "odd")
        page = self.page("odd")
        self.assertEqual(page.counts["figure"], 2)  # nothing was calibrated: one diagram, one bias
        self.assertNotIn("bias before", page.text)
        for label in LABELS[:3]:
            self.assertIn(label, page.text)
        self.assertIn(LABELS[3], [attributes.get("title") for _, attributes in page.elements])
        self.assertIn("<img src=x onerror=alert(1)> &lt; \u2401", page.text)
        self.show("odd")

    def test_queries_without_labels(self):
        test = self.write("open.jsonl", '{"text": "A fine day."}\n')
        self.succeeds("run", "tiny", "--test", test, *PLAIN, "--out", "open")
        self.assertIn("carry no labels", self.page("open").text)

    def test_search(self):
        with open(os.path.join(SNIPS, "train.jsonl"), encoding="utf-8") as f:
            train = self.write("own.jsonl", "".join(f.readlines()[:80]))
        space = self.write("space", STRATEGIES)
        done = self.icl("search", "--train", train, "--space", space, "--budget", 6000, "--threads",
                        "1", "--quiet", "--out", "search")
        self.assertEqual(done.returncode, 0, done.stderr)
        page = self.page("search")
        found = json.loads(self.read("search/search.json"))
        for part in (found["strategy"], "Leaderboard", "less the best", "Rounds"):
            self.assertIn(part, page.text)
        self.show("search")

    def test_compare(self):
        strategies = self.write("strategies", STRATEGIES)
        self.succeeds("compare", "tiny", "--strategies", strategies, "--threads", "1", "--quiet",
                      "--seeds", "1", "--out", "compare")
        page = self.page("compare")
        for part in ("3 strategies compared", "p (Holm)", "1 less 2", "majority class"):
            self.assertIn(part, page.text)
        self.show("compare")


if __name__ == "__main__":
    unittest.main()
