#!/usr/bin/env python3
"""Exact neighbours of 1,000,000 x 384 floats: build/bench/knn_million against faiss's IndexFlatIP.

    knn_million.py [--pool 1000000] [--queries 1 16 1000] [--rounds 3] [--threads 2]

Both get the same unit vectors from one file and take turns. faiss's clock runs around search alone,
its index is filled before; icl's runs around the whole search of raw vectors, their lengths and
checks included. `ratio` is faiss's median over icl's: above 1 icl is faster. `same` is the share of
queries (of the first 100) with the same ten neighbours. The file (1.5 GB) goes to --work and is
removed; faiss holds another copy. --pool 100000 --rounds 1 is a quick look.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

import faiss
import numpy as np

COLUMNS, K, ROWS_AT_ONCE, SHOWN = 384, 10, 50_000, 100


def write_vectors(path, rows, index, pool, seed):
    """Fills the file with rows of unit vectors and the index with the first `pool` of them."""
    rng = np.random.default_rng(seed)
    queries = []
    with open(path, "wb") as file:
        for first in range(0, rows, ROWS_AT_ONCE):
            block = rng.standard_normal((min(ROWS_AT_ONCE, rows - first), COLUMNS),
                                        dtype=np.float32)
            faiss.normalize_L2(block)
            block.tofile(file)
            in_pool = max(0, min(len(block), pool - first))
            index.add(block[:in_pool])
            queries.append(block[in_pool:].copy())
    return np.concatenate(queries)


def run_icl(args, path, queries):
    out = subprocess.run([args.program, str(args.pool), str(queries), str(args.threads), "1", path],
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def compare(args, index, path, vectors, queries):
    """One case: rounds in turn, and the line of its figures."""
    faiss_seconds, icl_lines = [], []
    for _ in range(args.rounds):
        start = time.perf_counter()
        _, found = index.search(vectors[:queries], K)
        faiss_seconds.append(time.perf_counter() - start)
        icl_lines.append(run_icl(args, path, queries))
    best = statistics.median(line["seconds"] for line in icl_lines)
    ours = np.array(icl_lines[0]["neighbours"]).reshape(-1, K)
    same = np.mean([set(a) == set(b) for a, b in zip(ours, found[:SHOWN])])
    middle = {name: statistics.median(line[name] for line in icl_lines)
              for name in ("sgemm_gflops", "read_gb_per_second", "share_of_sgemm",
                           "share_of_reading")}
    return {"bench": "knn_million", "pool": args.pool, "queries": queries, "columns": COLUMNS,
            "k": K, "threads": args.threads, "rounds": args.rounds,
            "faiss": faiss.__version__, "faiss_seconds": statistics.median(faiss_seconds),
            "icl_seconds": best, "ratio": statistics.median(faiss_seconds) / best,
            "same": float(same), **middle}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/bench/knn_million")
    parser.add_argument("--pool", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 16, 1000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", default="/tmp/icl-bench", help="folder for scratch files")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    if load > 0.3:
        print(f"warning: load average {load:.1f} before the run; figures do not count")
    os.makedirs(args.work, exist_ok=True)
    faiss.omp_set_num_threads(args.threads)
    path = os.path.join(args.work, "vectors.f32")
    index = faiss.IndexFlatIP(COLUMNS)
    try:
        vectors = write_vectors(path, args.pool + max(args.queries), index, args.pool, args.seed)
        for queries in args.queries:
            line = compare(args, index, path, vectors, queries)
            print(json.dumps({**line, "load_before": load}), flush=True)
    finally:
        os.remove(path)


if __name__ == "__main__":
    main()
