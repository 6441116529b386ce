#!/usr/bin/env python3
"""Makes dpp_map.jsonl: what the DPP retriever of PyPI openicl 0.1.8 chooses.

    pip download --no-deps openicl==0.1.8
    make_dpp.py openicl-0.1.8-py3-none-any.whl > tests/golden/dpp_map.jsonl      (numpy 2.4.6)

The wheel's fast_map_dpp and DPPRetriever.get_kernel run unchanged; they are taken out of the module
because its imports need much more. Each line: random vectors (seed 20261121, four decimals), lambda
(their scale_factor) and the places of the chosen ones, most relevant first. Their greedy search may
choose an item twice where nothing is left to choose, so no line asks for more items than the
vectors have columns.
"""
import ast
import json
import math
import sys
import zipfile
from types import SimpleNamespace

import numpy as np

MODULE, ITEMS, COLUMNS, CHOSEN = "openicl/icl_retriever/icl_dpp_retriever.py", 24, 8, 6


def functions(wheel):
    tree = ast.parse(zipfile.ZipFile(wheel).read(MODULE).decode())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
             and node.name in ("get_kernel", "fast_map_dpp")]
    scope = {"np": np, "math": math}
    exec(compile(ast.Module(body=found, type_ignores=[]), MODULE, "exec"), scope)
    return scope["get_kernel"], scope["fast_map_dpp"]


def main():
    get_kernel, fast_map_dpp = functions(sys.argv[1])
    rng = np.random.default_rng(20261121)
    for scale in (0.05, 0.1, 0.3, 1.0) * 3:
        vectors = rng.normal(size=(ITEMS, COLUMNS)).round(4)
        query = rng.normal(size=(1, COLUMNS)).round(4)
        retriever = SimpleNamespace(
            scale_factor=scale, index=SimpleNamespace(index=SimpleNamespace(
                reconstruct=lambda i: vectors[i])))
        _, relevance, kernel = get_kernel(retriever, query, range(ITEMS))
        chosen = [int(i) for i in fast_map_dpp(kernel, CHOSEN)]
        chosen.sort(key=lambda i: -relevance[i])
        print(json.dumps({"lambda": scale, "query": query[0].tolist(), "vectors": vectors.tolist(),
                          "chosen": chosen}))


if __name__ == "__main__":
    main()
