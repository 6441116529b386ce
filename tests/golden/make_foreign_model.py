"""A small random llama GGUF in the manner of another trainer's converter.

Run with PyPI gguf 0.19.0, tokenizers 0.23.3 and numpy 2.4.6:
    python tests/golden/make_foreign_model.py tests/golden/foreign_model.gguf

Unlike our own files: a padding token, keys that we do not know, an output matrix of its own, no
vocabulary size, tensors in another order, and a stored type for each kind of matrix (f16, q8_0,
bf16, f32). Two layers, 64 wide, two queries' heads to a key's, 290 tokens: the bytes and merges of
the pairs most frequent in a rhyme. Numpy seed 20261121.
"""

import sys
from collections import Counter

import gguf
import numpy as np
from tokenizers.pre_tokenizers import ByteLevel

SEED, SPREAD = 20261121, 0.2
LAYERS, WIDTH, HEADS, KV_HEADS, FEED, WINDOW = 2, 64, 4, 2, 96, 128
SPECIALS = ["<|endoftext|>", "<|pad|>"]
MERGES = 32
RHYME = "The house that Jack built. This is the malt that lay in the house that Jack built. " \
        "This is the rat that ate the malt that lay in the house that Jack built."
# Stored types by tensor; the rest is f32.
TYPES = {"token_embd": "F16", "attn_q": "Q8_0", "attn_k": "Q8_0", "attn_v": "BF16",
         "ffn_gate": "F16", "ffn_up": "Q8_0", "output": "Q8_0"}


def merged(word, pair):
    out = []
    for piece in word:
        if out and (out[-1], piece) == pair:
            out[-1] += piece
        else:
            out.append(piece)
    return out


def tokenizer():
    """Tokens and merges, in order of ids and ranks."""
    words = [list(word) for word, _ in ByteLevel(add_prefix_space=False).pre_tokenize_str(RHYME)]
    merges = []
    while len(merges) < MERGES:
        pairs = Counter(pair for word in words for pair in zip(word, word[1:]))
        pair = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(pair)
        words = [merged(word, pair) for word in words]
    tokens = SPECIALS + sorted(ByteLevel.alphabet()) + [a + b for a, b in merges]
    return tokens, [" ".join(pair) for pair in merges]


def add_metadata(writer, tokens, merges):
    writer.add_author("nobody")
    writer.add_block_count(LAYERS)
    writer.add_context_length(WINDOW)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(20000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if t in SPECIALS else gguf.TokenType.NORMAL
                            for t in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_pad_token_id(1)
    writer.add_add_bos_token(True)


def shapes(vocab_count):
    kv_width = KV_HEADS * WIDTH // HEADS
    yield "output_norm", (WIDTH,)
    for layer in range(LAYERS):
        for name, shape in (
                ("ffn_down", (WIDTH, FEED)), ("ffn_up", (FEED, WIDTH)), ("ffn_gate", (FEED, WIDTH)),
                ("attn_output", (WIDTH, WIDTH)), ("attn_v", (kv_width, WIDTH)),
                ("attn_k", (kv_width, WIDTH)), ("attn_q", (WIDTH, WIDTH)),
                ("ffn_norm", (WIDTH,)), ("attn_norm", (WIDTH,))):
            yield f"blk.{layer}.{name}", shape
    yield "output", (vocab_count, WIDTH)
    yield "token_embd", (vocab_count, WIDTH)


def add_tensors(writer, vocab_count):
    rng = np.random.default_rng(SEED)
    for name, shape in shapes(vocab_count):
        values = rng.standard_normal(shape, dtype=np.float32) * SPREAD
        if len(shape) == 1:
            values += 1
        kind = gguf.GGMLQuantizationType[TYPES.get(name.split(".")[-1], "F32")]
        writer.add_tensor(name + ".weight", gguf.quants.quantize(values, kind), raw_dtype=kind)


def main():
    tokens, merges = tokenizer()
    writer = gguf.GGUFWriter(sys.argv[1], "llama")
    add_metadata(writer, tokens, merges)
    add_tensors(writer, len(tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
