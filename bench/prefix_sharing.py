#!/usr/bin/env python3
"""icl's planner against schedules written by hand, on one shape, in one run.

    make_model.py M.gguf --layers 6 --ff 1536 --vocab 20480 --type f16
    prefix_sharing.py --model M.gguf [--llama PREFIX]

64 queries of 20 tokens and four two-token labels each, behind a shared prefix of 600 tokens.
handwritten.c (compiled here against the libllama that icl was built with) tries six chunk sizes with
flash attention on and off; its best is the mark. icl and the hand-written schedules take turns; both
times are without model load. The sums of all log-probabilities must agree. Standard library only.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys

import common

PREFIX, QUERIES, QUERY, LABELS = 600, 64, 20, 4
HERE = os.path.dirname(os.path.abspath(__file__))


def token_at(part, query, place):
    """The same formula as in handwritten.c."""
    return 300 + (part * 7919 + query * 613 + place * 37) % 9000


def examples():
    prefix = [token_at(0, 0, i) for i in range(PREFIX)]
    return [[{"id": f"{q}/{label}",
              "prefix_tokens": prefix + [token_at(1, q, i) for i in range(QUERY)],
              "continuation_tokens": [token_at(2, q, label), token_at(3, q, label)]}
             for label in range(LABELS)] for q in range(QUERIES)]


def compile_handwritten(args):
    program = os.path.join(args.work, "handwritten")
    lib = os.path.join(args.llama, "lib")
    subprocess.run(
        ["cc", "-std=c17", "-O2", "-D_POSIX_C_SOURCE=200809L", "-I", f"{args.llama}/include",
         os.path.join(HERE, "handwritten.c"), "-o", program, f"-L{lib}", f"-Wl,-rpath,{lib}",
         "-Wl,--start-group", "-lllama", "-lggml", "-lggml-blas", "-lggml-cpu", "-lggml-base",
         "-Wl,--end-group", "-lopenblas", "-lstdc++", "-lgomp", "-lpthread", "-lm", "-ldl"],
        check=True)
    return program


def bundled_llama():
    cache = os.environ.get("ICL_CACHE", os.path.expanduser("~/.cache/icl"))
    found = sorted(glob.glob(os.path.join(cache, "llama-*")))
    return found[-1] if found else "/usr"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--icl", default="build/icl")
    parser.add_argument("--icl-args", default="", help="more options for icl score")
    parser.add_argument("--model", required=True)
    parser.add_argument("--llama", default=bundled_llama(), help="prefix of libllama")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", default="/tmp/icl-bench", help="folder for scratch files")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    program, icl, queries = compile_handwritten(args), common.Icl(args), examples()
    own, rival = [], {}
    for _ in range(args.rounds):
        done = subprocess.run([program, args.model, str(args.threads)], check=True,
                              stdout=subprocess.PIPE)
        for line in done.stdout.splitlines():
            row = json.loads(line)
            rival.setdefault((row["chunk"], row["flash"]), []).append(row["seconds"])
        seconds, _, logprobs = icl.score(queries)
        own.append(seconds)
    print(f"{'chunk':>5} {'flash':>5} {'seconds':>8}")
    for (chunk, flash), seconds in rival.items():
        print(f"{chunk:>5} {str(flash):>5} {min(seconds):>8.3f}")
    chunk, flash = min(rival, key=lambda key: min(rival[key]))
    best = min(rival[chunk, flash])
    print(json.dumps({
        "bench": "prefix_sharing", "model": os.path.basename(args.model),
        "model_sha256": common.file_hash(args.model), "threads": args.threads,
        "rounds": args.rounds, "icl": icl.version(), "icl_args": args.icl_args,
        "icl_seconds": round(min(own), 4), "icl_median": round(statistics.median(own), 4),
        "handwritten_seconds": best, "handwritten_chunk": chunk, "handwritten_flash": flash,
        "ratio": round(min(own) / best, 3),
        "logprob_sums": [round(sum(logprobs), 3), row["logprob_sum"]],
        "machine": common.machine(args.threads)}))


if __name__ == "__main__":
    sys.exit(main())
