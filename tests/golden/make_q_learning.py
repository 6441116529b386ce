"""Writes q_learning.json: forty updates of a Q network by PyTorch.

    python tests/golden/make_q_learning.py > tests/golden/q_learning.json

PyPI torch, float64 on the CPU, one thread, seed 20261121. The file holds the start (`weights` in the
order of icl_q_weights), eight `transitions` between choices of one to five actions, and `values`: for each
update the values of the first transition's choice, stopping last, after it.

The network is that of Zhang et al. 2022: inputs less their running mean over the root of their running
variance plus 1e-5, 7-16-16-1 with leaky ReLU, a learned vector for stopping. Loss: mean |Q - target|
+ 0.2 mean(logsumexp Q - Q); target: reward plus the best value of the next choice by a copy of the
weights that is renewed every 10 updates; torch.optim.AdamW(lr 3e-3, weight_decay 1e-3), gradients clipped
to norm 1. Dropout is off, since its draws are nobody else's. All eight transitions make every batch; the
running norm sees their choices before each update and serves both copies.
"""
import json

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(20261121)
torch.set_default_dtype(torch.float64)

SHAPES = [(16, 7), (16,), (16, 16), (16,), (16,), (1,), (5,)]
UPDATES, RENEW = 40, 10


def choice():
    actions = int(torch.randint(1, 6, ()))
    return {"state": torch.randn(2) * 3 + 1, "actions": torch.randn(actions, 5) * 2 - 0.5}


def transition(i):
    here = choice()
    action = int(torch.randint(0, len(here["actions"]) + 1, ()))
    return {"choice": here, "action": action, "reward": float(torch.randn(())) * 0.3,
            "next": choice() if i % 3 else None}


class Norm:
    def __init__(self):
        self.rows = torch.zeros(0, 7)

    def add(self, rows):
        self.rows = torch.cat([self.rows, rows.detach()])

    def __call__(self, rows):
        return (rows - self.rows.mean(0)) / torch.sqrt(self.rows.var(0, unbiased=False) + 1e-5)


def inputs(weights, c):
    actions = torch.cat([c["actions"], weights[6][None]])
    return torch.cat([c["state"].expand(len(actions), 2), actions], 1)


def values(weights, norm, c):
    x = norm(inputs(weights, c))
    x = F.leaky_relu(F.linear(x, weights[0], weights[1]))
    x = F.leaky_relu(F.linear(x, weights[2], weights[3]))
    return x @ weights[4] + weights[5]


def loss(weights, target, norm, transitions):
    errors, held = [], []
    for t in transitions:
        q = values(weights, norm, t["choice"])
        after = t["reward"]
        if t["next"] is not None:
            after = after + values(target, norm, t["next"]).max().detach()
        errors.append((q[t["action"]] - after).abs())
        held.append(torch.logsumexp(q, 0) - q[t["action"]])
    return torch.stack(errors).mean() + 0.2 * torch.stack(held).mean()


def plain(value):
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def main():
    weights = [torch.randn(shape) * 0.4 for shape in SHAPES]
    start = torch.cat([w.flatten() for w in weights]).tolist()
    transitions = [transition(i) for i in range(8)]
    weights = [w.requires_grad_() for w in weights]
    optimizer = torch.optim.AdamW(weights, lr=3e-3, weight_decay=1e-3)
    norm, curve = Norm(), []
    for update in range(UPDATES):
        if update % RENEW == 0:
            target = [w.detach().clone() for w in weights]
        for t in transitions:
            norm.add(inputs(weights, t["choice"]))
        optimizer.zero_grad()
        loss(weights, target, norm, transitions).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        with torch.no_grad():
            curve.append(values(weights, norm, transitions[0]["choice"]).tolist())
    print(json.dumps({"weights": start, "transitions": [plain(t) for t in transitions],
                      "values": curve}))


main()
