#!/usr/bin/env python3
"""Writes docs/methods.md from the methods' own cards.

    build/icl methods --json | scripts/docs_methods.py > docs/methods.md

tests/docs/test_docs.py compares the committed file with what this makes.
"""
import json
import sys

HEAD = """# Methods

What a strategy line may name, by stage: `select=knn(k=8) order=nearest-last score=direct calibrate=batch`;
then what a recipe of training may name, sources and starts (see [train.md](train.md)).
`icl methods` prints the same. Made from the methods' cards by `scripts/docs_methods.py`; do not edit.
"""


def cell(text):
    return text.replace("|", "\\|")


def method_lines(method):
    yield f"### {method['name']}"
    yield ""
    yield method["summary"]
    yield ""
    yield f"- Paper: {method['paper']}"
    yield f"- Needs: {method['needs']}"
    yield f"- Questions to the model: {method['cost']}"
    if method["options"]:
        yield ""
        yield "| option | type | default | range | meaning |"
        yield "|---|---|---|---|---|"
        for option in method["options"]:
            yield "| " + " | ".join(cell(option[key]) for key in
                                    ("name", "type", "default", "range", "help")) + " |"
    yield ""


def page(methods):
    lines, stage = [HEAD], None
    for method in methods:
        if method["stage"] != stage:
            stage = method["stage"]
            lines += [f"## {stage}", ""]
        lines += method_lines(method)
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(json.load(sys.stdin)))
