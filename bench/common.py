"""What the comparisons share: the four cases, the requests, the clock of icl, the result line.

A case is a strategy (which demonstrations) and the label words. `icl plan --requests` writes the
requests of a case as token ids; both sides then score that same file. An example is one query with
all its labels, so "examples per second" counts queries.
"""
import argparse
import hashlib
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import time

from sgemm_peak import sgemm_peak

SHOTS = 8
TEMPLATE = "Text: {{ text }}\nLabel:"
ONE_TOKEN = {"AddToPlaylist": "add", "BookRestaurant": "food", "GetWeather": "weather",
             "PlayMusic": "music", "RateBook": "book", "SearchCreativeWork": "search",
             "SearchScreeningEvent": "movie"}
MULTI_TOKEN = {name: re.sub(r"(?<!^)([A-Z])", r" \1", name).lower() for name in ONE_TOKEN}
STRATEGIES = {"fixed": f"select=random(k={SHOTS}) score=direct calibrate=none",
              "query": f"select=random(k={SHOTS},per_query=true) score=direct calibrate=none"}
CASES = {f"{demos}-{kind}": (STRATEGIES[demos], labels)
         for demos in STRATEGIES
         for kind, labels in (("one", ONE_TOKEN), ("multi", MULTI_TOKEN))}


def arguments(description, peer_seconds):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--icl", default="build/icl", help="the icl program")
    parser.add_argument("--icl-args", default="", help="more options for icl score")
    parser.add_argument("--model", default="models/icl-base.gguf")
    parser.add_argument("--train", default="tasks/snips/train.jsonl", help="pool: text, label")
    parser.add_argument("--test", default="tasks/snips/test.jsonl", help="queries: text, label")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--n", type=int, default=64, help="queries that icl answers, at least")
    parser.add_argument("--peer-seconds", type=float, default=peer_seconds,
                        help="the peer gets as many queries as it answers in about this time")
    parser.add_argument("--n-max", type=int, default=200, help="queries planned per case")
    parser.add_argument("--rounds", type=int, default=2, help="icl and the peer take turns")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", default="/tmp/icl-bench", help="folder for scratch files")
    parser.add_argument("--out", help="also write the result lines to this file")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    return args


def plan(args, path, **options):
    """The requests that `icl plan` writes to `path`, grouped by query: a list of lists."""
    command = [args.icl, "plan", "--requests", path, "--model", args.model, "--seed",
               str(args.seed), "--no-zero-shot", "--no-eta"]
    for name, value in options.items():
        command += ["--" + name, str(value)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    examples = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            request = json.loads(line)
            examples.setdefault(tuple(request["prefix_tokens"]), []).append(request)
    return list(examples.values())


def planned_examples(args, case):
    """The requests of a case, each query with all its labels."""
    strategy, labels = CASES[case]
    examples = plan(args, os.path.join(args.work, f"{case}.jsonl"), train=args.train,
                    test=args.test, template=TEMPLATE, strategy=strategy, limit=args.n_max,
                    labels=",".join(f"{k}={v}" for k, v in labels.items()))
    wrong = [len(e) for e in examples if len(e) != len(labels)]
    if wrong:
        raise SystemExit(f"{case}: a query with {wrong[0]} requests instead of {len(labels)}")
    return examples


def flat(examples):
    return [request for example in examples for request in example]


class Icl:
    """icl score as a process; its time is the wall clock less that of a run over two tokens."""

    NOTHING = {"id": "nothing", "prefix_tokens": [300], "continuation_tokens": [301]}

    def __init__(self, args):
        self.args = args
        self.command = [args.icl, "score", "--model", args.model, "--threads", str(args.threads),
                        *shlex.split(args.icl_args)]

    def _run(self, requests):
        text = "".join(json.dumps(r) + "\n" for r in requests).encode()
        start = time.perf_counter()
        done = subprocess.run(self.command, input=text, stdout=subprocess.PIPE, check=True)
        return time.perf_counter() - start, [json.loads(x) for x in done.stdout.splitlines()]

    def score(self, examples):
        """(seconds of scoring, seconds of start-up and model load, log-probabilities)"""
        load, _ = self._run([self.NOTHING])
        whole, answers = self._run(flat(examples))
        return max(whole - load, 1e-9), load, [a["logprob"] for a in answers]

    def version(self):
        done = subprocess.run([self.args.icl, "--version"], stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().strip()


def trie_cost(examples, shape):
    """(tokens, rows, FLOP) that exact scoring of these requests cannot do without."""
    depth_of, rows = {}, set()
    for request in flat(examples):
        tokens = request["prefix_tokens"] + request["continuation_tokens"]
        first_row = len(request["prefix_tokens"]) - 1
        node = 0
        for i, token in enumerate(tokens[:-1]):
            node = hash((node, token))
            depth_of[node] = i + 1
            if i >= first_row:
                rows.add(node)
    attention = 4 * shape["layers"] * shape["embd"] * sum(depth_of.values())
    flop = len(depth_of) * 2 * shape["body"] + len(rows) * 2 * shape["head"] + attention
    return len(depth_of), len(rows), flop


def model_shape(path):
    """Parameters of the body and of the output matrix, layers and width of a llama GGUF."""
    import gguf
    reader = gguf.GGUFReader(path)
    sizes = {t.name: int(t.n_elements) for t in reader.tensors}
    head = sizes.get("output.weight", sizes["token_embd.weight"])
    body = sum(size for name, size in sizes.items() if name.startswith("blk."))
    field = {k: reader.fields[f"llama.{k}"].contents()
             for k in ("block_count", "embedding_length")}
    return {"body": body, "head": head, "layers": field["block_count"],
            "embd": field["embedding_length"]}


def reference_model(args):
    """transformers' reading of the same GGUF in float32, and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    torch.set_num_threads(args.threads)
    folder, name = os.path.split(os.path.abspath(args.model))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    if tokenizer.pad_token is None: # padded batches want one; their masks hide it
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval(), tokenizer


def file_hash(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def machine(threads):
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        name = re.search(r"model name\s*: (.*)", f.read())
    return {"cpu": name.group(1) if name else platform.processor(), "cores": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 2),
            "sgemm_gflops": round(sgemm_peak(2048, 1, threads)[0], 1)}


def best_batch_size(time_of, examples, rows_per_example, sizes=(1, 4, 8)):
    """(size, examples per second) where the peer is fastest on enough examples to fill a batch."""
    probe = examples[:max(1, -(-max(sizes) // rows_per_example))]
    time_of(probe[:1], 1)
    seconds = {size: min(time_of(probe, size) for _ in range(2)) for size in sizes}
    best = min(seconds, key=seconds.get)
    return best, len(probe) / seconds[best]


def contest(args, case, peer, time_peer, tokens_peer, rows_per_example, facts):
    """Run one case. time_peer(examples, batch_size) gives (seconds, label scores or None)."""
    examples = planned_examples(args, case)
    icl = Icl(args)
    batch_size, rate = best_batch_size(lambda e, b: time_peer(e, b)[0], examples,
                                       rows_per_example(examples[0]))
    n_peer = min(len(examples), max(2, int(rate * args.peer_seconds)))
    n = min(len(examples), max(args.n, n_peer))
    few, many = examples[:n_peer], examples[:n]
    seconds = {"peer": [], "icl_few": [], "icl_many": []}
    for _ in range(args.rounds):
        taken, scores = time_peer(few, batch_size)
        seconds["peer"].append(taken)
        taken, load, own = icl.score(few)
        seconds["icl_few"].append(taken)
        seconds["icl_many"].append(icl.score(many)[0] if n > n_peer else taken)
    rates = {"peer": n_peer / statistics.median(seconds["peer"]),
             "icl_few": n_peer / statistics.median(seconds["icl_few"]),
             "icl_many": n / statistics.median(seconds["icl_many"])}
    tokens, rows, flop = trie_cost(many, facts["shape"])
    gflops = flop / statistics.median(seconds["icl_many"]) / 1e9
    return {
        "bench": peer["name"], "case": case, "labels": len(examples[0]), "shots": SHOTS,
        "model": os.path.basename(args.model), "model_sha256": facts["model_sha256"],
        "seed": args.seed, "threads": args.threads, "rounds": args.rounds,
        "n": n, "n_peer": n_peer,
        "peer": {**peer, "batch_size": batch_size, "tokens": tokens_peer(few),
                 "seconds": [round(x, 3) for x in seconds["peer"]],
                 "examples_per_second": round(rates["peer"], 3)},
        "icl": {"version": facts["icl_version"], "args": args.icl_args,
                "load_seconds": round(load, 3), "trie_tokens": tokens, "rows": rows,
                "seconds_n_peer": [round(x, 3) for x in seconds["icl_few"]],
                "seconds_n": [round(x, 3) for x in seconds["icl_many"]],
                "examples_per_second_n_peer": round(rates["icl_few"], 3),
                "examples_per_second": round(rates["icl_many"], 3),
                "share_of_sgemm": round(gflops / facts["machine"]["sgemm_gflops"], 3)},
        "ratio_same_n": round(rates["icl_few"] / rates["peer"], 2),
        "ratio": round(rates["icl_many"] / rates["peer"], 2),
        "agreement": agreement(few, scores, own), "machine": facts["machine"],
    }


def agreement(examples, theirs, ours):
    """How far both sides' label scores agree; None where the peer's score is another quantity."""
    if theirs is None:
        return None
    same, at = 0, 0
    for example in examples:
        a, b = theirs[at:at + len(example)], ours[at:at + len(example)]
        same += a.index(max(a)) == b.index(max(b))
        at += len(example)
    return {"max_abs_diff": max(abs(a - b) for a, b in zip(theirs, ours)),
            "same_label": same / len(examples)}


def facts_of(args):
    facts = {"machine": machine(args.threads), "shape": model_shape(args.model),
             "model_sha256": file_hash(args.model), "icl_version": Icl(args).version()}
    if facts["machine"]["load_before"] > 0.3:
        print("warning: other work runs on this machine, so the figures do not count",
              file=sys.stderr)
    return facts


def report(args, results):
    """The table, and the file of --out; each result line was printed as it was made."""
    print(f"\n{'case':<12} {'n':>4} {'peer n':>6} {'batch':>5} {'peer ex/s':>10} {'icl ex/s':>10}"
          f" {'ratio':>7} {'same n':>7} {'sgemm share':>11}")
    for r in results:
        print(f"{r['case']:<12} {r['n']:>4} {r['n_peer']:>6} {r['peer']['batch_size']:>5}"
              f" {r['peer']['examples_per_second']:>10.2f} {r['icl']['examples_per_second']:>10.2f}"
              f" {r['ratio']:>7.2f} {r['ratio_same_n']:>7.2f} {r['icl']['share_of_sgemm']:>11.3f}")
    if args.out:
        with open(args.out, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(result) + "\n" for result in results)
