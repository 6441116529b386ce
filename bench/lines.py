"""JSON lines, and the mean of runs that share their items."""
import json
import random


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def write(path, rows):
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def interval(runs, draws=2000):
    """Mean over seeds and items, and a 95 % interval from resampling both."""
    rng, items = random.Random(0), len(runs[0])
    mean = sum(map(sum, runs)) / (len(runs) * items)
    means = []
    for _ in range(draws):
        chosen = [rng.randrange(items) for _ in range(items)]
        seeds = [rng.choice(runs) for _ in runs]
        means.append(sum(sum(run[i] for i in chosen) for run in seeds) / (len(seeds) * items))
    means.sort()
    return mean, means[int(0.025 * draws)], means[int(0.975 * draws)]
