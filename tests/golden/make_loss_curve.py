"""Writes loss_curve.tsv: fifty training steps of three small transformers by PyTorch.

    python tests/golden/make_loss_curve.py > tests/golden/loss_curve.tsv

PyPI torch, float32 on the CPU, one thread. Start weights, tokens and weights of tokens are hashes of
a name and a counter (`hashed`), which tests/learn/test_loss_curve.c computes as well, so the file
holds only what PyTorch answered: a line is case, step, loss, norm of the gradient before clipping
and learning rate.

Every step has two micro-batches of two rows of 32 tokens, in which a token has one of three
successors. The loss is the weighted mean of the negative log-likelihood in nats, with weights 0, 0.5 and
1; gradients are the mean over micro-batches, clipped by clip_grad_norm_, and torch.optim.AdamW steps
(decay on matrices alone).

llama  RMSNorm, SwiGLU, rotary positions (neighbouring pairs), 4 heads on 2 key heads, tied table;
       warm-up and cosine
gpt2   LayerNorm, GELU (tanh), learned positions, biases, own output table; falling line
lora   the llama, frozen, with adapters of rank 4 and alpha 8 on all linear maps; constant
"""
import math

import torch
import torch.nn.functional as F

VOCAB, WIDTH, LAYERS, HEADS, HEAD_WIDTH, FEED = 64, 32, 2, 4, 8, 48
LENGTH, ROWS, MICRO, STEPS = 32, 2, 2, 50
WEIGHT_CHOICES = [0.0, 0.5, 1.0]


def hashed(name, index):
    """A 32-bit hash: FNV-1a of the name, then lowbias32 (Wellons) of it and the counter."""
    x = 0x811C9DC5
    for byte in name.encode():
        x = (x ^ byte) * 0x01000193 & 0xFFFFFFFF
    x = x + index & 0xFFFFFFFF
    x = (x ^ x >> 16) * 0x7FEB352D & 0xFFFFFFFF
    x = (x ^ x >> 15) * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


def uniform(name, count):
    """Numbers in [-0.5, 0.5) with 24 bits, exact in float32."""
    return torch.tensor([(hashed(name, i) >> 8) / 2**24 - 0.5 for i in range(count)])


def start(name, shape):
    """Linear maps are [out, in], as in torch: the order of numbers is GGUF's."""
    values = uniform(name, math.prod(shape)).reshape(shape)
    if name.endswith(".lora_b"):
        return torch.zeros(shape)
    if name.endswith("norm.weight"):
        return 1.0 + 0.25 * values
    return (1.0 if name.endswith(".lora_a") else 0.25) * values


class Model:
    def __init__(self, gpt2, rank):
        self.gpt2, self.rank, self.kv_heads = gpt2, rank, HEADS if gpt2 else 2
        self.weights = {}
        keys = self.kv_heads * HEAD_WIDTH
        self.declare("token_embd.weight", VOCAB, WIDTH)
        if gpt2:
            self.declare("position_embd.weight", LENGTH, WIDTH)
        for i in range(LAYERS):
            self.norm(f"blk.{i}.attn_norm")
            self.map(f"blk.{i}.attn_q", HEADS * HEAD_WIDTH, WIDTH)
            self.map(f"blk.{i}.attn_k", keys, WIDTH)
            self.map(f"blk.{i}.attn_v", keys, WIDTH)
            self.map(f"blk.{i}.attn_output", WIDTH, HEADS * HEAD_WIDTH)
            self.norm(f"blk.{i}.ffn_norm")
            if not gpt2:
                self.map(f"blk.{i}.ffn_gate", FEED, WIDTH)
            self.map(f"blk.{i}.ffn_up", FEED, WIDTH)
            self.map(f"blk.{i}.ffn_down", WIDTH, FEED)
        self.norm("output_norm")
        if gpt2:
            self.declare("output.weight", VOCAB, WIDTH)

    def declare(self, name, *shape):
        self.weights[name] = start(name, shape).requires_grad_(self.rank == 0 or ".lora_" in name)

    def norm(self, name):
        self.declare(name + ".weight", WIDTH)
        if self.gpt2:
            self.declare(name + ".bias", WIDTH)

    def map(self, name, out, width):
        self.declare(name + ".weight", out, width)
        if self.gpt2:
            self.declare(name + ".bias", out)
        if self.rank:
            self.declare(name + ".weight.lora_a", self.rank, width)
            self.declare(name + ".weight.lora_b", out, self.rank)

    def linear(self, name, x):
        y = F.linear(x, self.weights[name + ".weight"], self.weights.get(name + ".bias"))
        if self.rank:
            inner = F.linear(x, self.weights[name + ".weight.lora_a"])
            y = y + 8.0 / self.rank * F.linear(inner, self.weights[name + ".weight.lora_b"])
        return y

    def normalise(self, name, x):
        if self.gpt2:
            weights = self.weights[name + ".weight"], self.weights[name + ".bias"]
            return F.layer_norm(x, (WIDTH,), *weights, eps=1e-5)
        return F.rms_norm(x, (WIDTH,), self.weights[name + ".weight"], eps=1e-5)

    def rotate(self, x):
        """x [rows, length, heads, head width]; pairs of neighbours."""
        if self.gpt2:
            return x
        pairs = torch.arange(0, HEAD_WIDTH, 2, dtype=torch.float64)
        angles = torch.outer(torch.arange(LENGTH, dtype=torch.float64), 1e4 ** (-pairs / HEAD_WIDTH))
        cos, sin = angles.cos().float()[None, :, None], angles.sin().float()[None, :, None]
        even, odd = x[..., 0::2], x[..., 1::2]
        return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)

    def attend(self, name, x):
        q = self.rotate(self.linear(name + "_q", x).unflatten(-1, (HEADS, HEAD_WIDTH)))
        k = self.rotate(self.linear(name + "_k", x).unflatten(-1, (self.kv_heads, HEAD_WIDTH)))
        v = self.linear(name + "_v", x).unflatten(-1, (self.kv_heads, HEAD_WIDTH))
        k, v = (t.repeat_interleave(HEADS // self.kv_heads, 2) for t in (k, v))
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(HEAD_WIDTH)
        future = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
        mixed = scores.masked_fill(future, -math.inf).softmax(-1)
        return self.linear(name + "_output", torch.einsum("bhqk,bkhd->bqhd", mixed, v).flatten(-2))

    def feed_forward(self, name, x):
        up = self.linear(name + "_up", x)
        if self.gpt2:
            return self.linear(name + "_down", F.gelu(up, approximate="tanh"))
        return self.linear(name + "_down", F.silu(self.linear(name + "_gate", x)) * up)

    def logits(self, tokens):
        x = F.embedding(tokens, self.weights["token_embd.weight"])
        if self.gpt2:
            x = x + self.weights["position_embd.weight"]
        for i in range(LAYERS):
            x = x + self.attend(f"blk.{i}.attn", self.normalise(f"blk.{i}.attn_norm", x))
            x = x + self.feed_forward(f"blk.{i}.ffn", self.normalise(f"blk.{i}.ffn_norm", x))
        table = "output.weight" if self.gpt2 else "token_embd.weight"
        return F.linear(self.normalise("output_norm", x), self.weights[table])


def micro_batch(number):
    """Tokens, targets and weights of micro-batch `number`."""
    tokens = torch.zeros(ROWS, LENGTH, dtype=torch.long)
    weights = torch.zeros(ROWS, LENGTH)
    for row in range(ROWS):
        token = 0
        for t in range(LENGTH):
            at = (number * ROWS + row) * LENGTH + t
            token = (3 * token + hashed("tokens", at) % 3) % VOCAB
            tokens[row, t] = token
            if t + 1 < LENGTH:
                weights[row, t] = WEIGHT_CHOICES[hashed("weights", at) % 3]
    return tokens, tokens.roll(-1, 1), weights


def loss_of(model, number):
    tokens, targets, weights = micro_batch(number)
    nll = F.cross_entropy(model.logits(tokens).flatten(0, 1), targets.flatten(), reduction="none")
    return (nll * weights.flatten()).sum() / weights.sum()


def cosine(step, peak=3e-3, end=3e-4, warmup=10):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return end + (peak - end) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (STEPS - 1 - warmup)))


def line(step, peak=3e-3, end=1e-3):
    return peak + (end - peak) * step / (STEPS - 1)


def constant(step):
    return 5e-3


def train(case, model, rate, clip):
    trained = [w for w in model.weights.values() if w.requires_grad]
    groups = [{"params": [w for w in trained if w.dim() > 1], "weight_decay": 0.1}]
    if any(w.dim() == 1 for w in trained):
        groups.append({"params": [w for w in trained if w.dim() == 1], "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.95), eps=1e-8)
    for step in range(STEPS):
        total = 0.0
        for micro in range(MICRO):
            loss = loss_of(model, step * MICRO + micro) / MICRO
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(trained, clip).item()
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.step()
        optimizer.zero_grad()
        print(f"{case}\t{step}\t{total:.9g}\t{norm:.9g}\t{rate(step):.9g}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    train("llama", Model(gpt2=False, rank=0), cosine, clip=0.5)
    train("gpt2", Model(gpt2=True, rank=0), line, clip=1.0)
    train("lora", Model(gpt2=False, rank=4), constant, clip=1.0)
