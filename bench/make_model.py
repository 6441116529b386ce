#!/usr/bin/env python3
"""Write a llama GGUF of a given shape with random weights, to time engines with.

    make_model.py OUT.gguf [--tokenizer models/icl-base.gguf] [shape...]

The defaults are the shape of SmolLM2-135M. The vocabulary, merges and special tokens are those of
--tokenizer, filled up with unused tokens to --vocab. Same arguments, same bytes. Needs PyPI gguf.
"""
import argparse

import gguf
import numpy as np

SHAPE_135M = {"layers": 30, "embd": 576, "heads": 9, "kv": 3, "ff": 1536, "vocab": 49152}
COPIED_IDS = ("bos", "eos", "padding")
SPREAD = 0.02


def tokenizer_of(path):
    fields = gguf.GGUFReader(path).fields
    return {key.removeprefix("tokenizer.ggml."): field.contents()
            for key, field in fields.items() if key.startswith("tokenizer.ggml.")}


def add_tokenizer(writer, tokenizer, vocab):
    tokens, types = list(tokenizer["tokens"]), list(tokenizer["token_type"])
    if vocab < len(tokens):
        raise SystemExit(f"--vocab {vocab} is less than the tokenizer's {len(tokens)} tokens")
    missing = vocab - len(tokens)
    writer.add_vocab_size(vocab)
    writer.add_tokenizer_model(tokenizer["model"])
    writer.add_tokenizer_pre(tokenizer["pre"])
    writer.add_token_list(tokens + [f"<unused{i}>" for i in range(missing)])
    writer.add_token_types(types + [int(gguf.TokenType.UNUSED)] * missing)
    writer.add_token_merges(tokenizer["merges"])
    for name in COPIED_IDS:
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id",
                          int(tokenizer.get(f"{name}_token_id", 0)))
    writer.add_bool("tokenizer.ggml.add_bos_token", bool(tokenizer.get("add_bos_token", True)))


def add_shape(writer, args):
    writer.add_block_count(args.layers)
    writer.add_context_length(args.context)
    writer.add_embedding_length(args.embd)
    writer.add_feed_forward_length(args.ff)
    writer.add_head_count(args.heads)
    writer.add_head_count_kv(args.kv)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(args.embd // args.heads)
    writer.add_rope_freq_base(1e4)


def tensor_shapes(args):
    """(name, rows, columns) of every matrix; (name, width, None) of every norm."""
    width, kv_width = args.embd, args.kv * (args.embd // args.heads)
    yield "token_embd.weight", args.vocab, width
    yield "output_norm.weight", width, None
    for layer in range(args.layers):
        for name, rows, columns in (
                ("attn_norm", width, None), ("attn_q", width, width), ("attn_k", kv_width, width),
                ("attn_v", kv_width, width), ("attn_output", width, width),
                ("ffn_norm", width, None), ("ffn_gate", args.ff, width),
                ("ffn_up", args.ff, width), ("ffn_down", width, args.ff)):
            yield f"blk.{layer}.{name}.weight", rows, columns


def add_tensors(writer, args):
    rng = np.random.default_rng(args.seed)
    kind = gguf.GGMLQuantizationType[args.type.upper()]
    for name, rows, columns in tensor_shapes(args):
        if columns is None:
            writer.add_tensor(name, np.ones(rows, np.float32))
            continue
        weights = rng.standard_normal((rows, columns), dtype=np.float32) * SPREAD
        writer.add_tensor(name, gguf.quants.quantize(weights, kind), raw_dtype=kind)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--tokenizer", default="models/icl-base.gguf")
    for name, value in SHAPE_135M.items():
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--type", choices=("f32", "f16", "q8_0"), default="f32")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.embd % args.heads or args.heads % args.kv:
        raise SystemExit("--heads must divide --embd, and --kv must divide --heads")
    writer = gguf.GGUFWriter(args.out, "llama")
    add_shape(writer, args)
    add_tokenizer(writer, tokenizer_of(args.tokenizer), args.vocab)
    add_tensors(writer, args)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
