#!/usr/bin/env python3
"""The decoder of train_step.c in PyTorch: same shape, same operations, AdamW.

    train_step.py [--threads 1] [--steps 3]

Prints one JSON line like train_step's.
"""
import argparse
import json
import os
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

LENGTH, BATCH, VOCAB, WIDTH, LAYERS, HEADS, FEED = 512, 8, 4096, 320, 7, 5, 864


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        return F.rms_norm(x, (WIDTH,), self.gain, 1e-5)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList([Norm(), Norm()])
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(WIDTH, FEED, bias=False) for _ in range(2))
        self.down = nn.Linear(FEED, WIDTH, bias=False)

    def heads(self, x, rotate=None):
        x = x.view(BATCH, LENGTH, HEADS, WIDTH // HEADS).transpose(1, 2)
        if rotate is None:
            return x
        a, b = x[..., 0::2], x[..., 1::2]
        cosines, sines = rotate
        return torch.stack((a * cosines - b * sines, b * cosines + a * sines), -1).flatten(-2)

    def forward(self, x, rotate):
        y = self.norms[0](x)
        y = F.scaled_dot_product_attention(self.heads(self.q(y), rotate),
                                           self.heads(self.k(y), rotate),
                                           self.heads(self.v(y)), is_causal=True)
        x = x + self.o(y.transpose(1, 2).reshape(BATCH, LENGTH, WIDTH))
        y = self.norms[1](x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCAB, WIDTH)
        nn.init.normal_(self.tokens.weight, std=0.02)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = Norm()
        width = WIDTH // HEADS
        rates = 10000.0 ** (-torch.arange(0, width, 2) / width)
        angles = torch.arange(LENGTH)[:, None] * rates
        self.rotate = angles.cos(), angles.sin()

    def forward(self, ids):
        x = self.tokens(ids)
        for block in self.blocks:
            x = block(x, self.rotate)
        return F.linear(self.norm(x), self.tokens.weight)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model = Decoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, betas=(0.9, 0.95), weight_decay=0.1)
    ids = torch.arange(BATCH * LENGTH + 1) * 2654435761 % 2**32 % 4093
    x, y = ids[:-1].view(BATCH, LENGTH), ids[1:]
    seconds, processor, losses = [], [], []
    for step in range(args.steps + 1):
        start, before = time.perf_counter(), time.process_time()
        loss = F.cross_entropy(model(x).view(-1, VOCAB), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step > 0:
            seconds.append(time.perf_counter() - start)
            processor.append(time.process_time() - before)
    tokens = BATCH * LENGTH
    wall, used = statistics.median(seconds), statistics.median(processor)
    print(json.dumps({
        "bench": "train_step", "engine": f"torch {torch.__version__}", "threads": args.threads,
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens_per_second": round(tokens / wall),
        "tokens_per_cpu_second": round(tokens / used),
        "first_loss": round(losses[0], 4), "last_loss": round(losses[-1], 4),
        "load": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()
