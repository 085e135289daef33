"""How much faster is the lab's way of training than the stock recipe, on this machine, now?

    python tests/benchmarks/engine.py [--quick]

Both train the notebook's own networks on the same batches of real reviews (64 reviews, at most 400
words, bucketed by length) with the same optimizer:

    stock   packed sequences, default float handling, torch's default threads, one process
    padded  right-padded batches, subnormal numbers rounded to zero, large memory pages, one process
            of one thread per core, PyTorch's own layers
    lab     the same with the layers of `recurrent.py`

It prints a table and writes build/bench.json. `gemm_share` is the part of the time that perfect
matrix products would need: useful floating-point operations, 6 g H (I + H) per token and layer
(forward 2, backward 4; g = 1, 3, 4 for RNN, GRU, LSTM), over what these cores reach in float32
products of the sizes in use, all cores at once, by torch.mm or by oneDNN, whichever is faster.
Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import utils
from lab import files, imdb, lesson, machine, recurrent

DIMENSION = 100  # of the word vectors, as in the starting report
BATCH, LENGTH = 64, 400
NETWORKS = {
    "RNN-256": ("RNN", 256, 1),
    "RNN-256 x 2": ("RNN", 256, 2),
    "RNN-512": ("RNN", 512, 1),
    "RNN-1024": ("RNN", 1024, 1),
    "LSTM-256": ("LSTM", 256, 1),
    "GRU-256": ("GRU", 256, 1),
}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def flops_per_token(network: str) -> int:
    """Return the useful floating-point operations of one training step, per token."""
    cell, hidden, layers = NETWORKS[network]
    inputs = [DIMENSION] + [hidden] * (layers - 1)
    return sum(6 * GATES[cell] * hidden * (size + hidden) for size in inputs)


def real_reviews() -> tuple[utils.EncodedReviews, utils.Vocab]:
    """Return every fifth of the packaged reviews, and their vocabulary."""
    reviews = imdb.read_packaged()[::5].reset_index(drop=True)
    texts = utils.tokenize_all(reviews["text"].tolist(), ROOT / "data" / "cache")
    rows = np.ones(len(reviews), dtype=bool)
    vocab = utils.build_vocab(texts, rows)
    return utils.encode(texts, reviews["label"].to_numpy(), rows, vocab), vocab


def real_batches(count: int) -> list[utils.Batch]:
    """Return `count` batches of packaged reviews, as a training would see them."""
    batches = list(utils.make_batches(real_reviews()[0], BATCH, LENGTH, seed=0))
    return batches[:count]


def packed_forward(model: nn.Module, text: Tensor, length: Tensor) -> Tensor:
    """Return the logits (B,) as the stock recipe computes them: pack, read, take hidden[-1]."""
    packed = pack_padded_sequence(model.embedding(text), length, enforce_sorted=False)
    _, hidden = model.recurrent(packed)
    hidden = hidden[0] if isinstance(hidden, tuple) else hidden  # the LSTM's is (h, c)
    return model.linear(hidden[-1]).squeeze(1)  # (layers, B, H) -> (B, H) -> (B,)


def measure(network: str, recipe: str, steps: int) -> dict[str, float]:
    """Train for `steps` batches after one to warm up; return tokens per second and seconds."""
    if recipe != "stock":
        machine.prepare_torch(threads=1)
    cell, hidden, layers = NETWORKS[network]
    torch.manual_seed(0)
    model = lesson.CELLS[cell](25_002, DIMENSION, hidden, 1, layers)
    if recipe != "lab":
        model.recurrent = getattr(nn, cell)(DIMENSION, hidden, layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    batches = real_batches(steps + 1)
    if recipe != "stock":

        def train(some: list[utils.Batch]) -> None:
            lesson.train_epoch(model, some, optimizer, 1.0)
    else:

        def train(some: list[utils.Batch]) -> None:
            for batch in some:
                optimizer.zero_grad()
                logits = packed_forward(model, batch.text, batch.text_length)
                F.binary_cross_entropy_with_logits(logits, batch.label).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()

    train(batches[:1])
    start = time.perf_counter()
    train(batches[1:])
    seconds = time.perf_counter() - start
    tokens = sum(int(batch.text_length.sum()) for batch in batches[1:])
    return {"tokens_per_second": tokens / seconds, "seconds": seconds, "tokens": tokens}


def measure_peak(network: str, seconds: float = 1.0) -> dict[str, float]:
    """Return FLOP/s of one thread in float32 products (B, H) x (H, gH) of this network."""
    machine.prepare_torch(threads=1)
    cell, hidden, _ = NETWORKS[network]
    x, weight = torch.randn(BATCH, hidden), torch.randn(GATES[cell] * hidden, hidden)
    out, product = torch.empty(BATCH, len(weight)), recurrent.Product(weight, BATCH)
    best = float("inf")
    for multiply in (lambda: torch.mm(x, weight.T, out=out), lambda: product(x)):
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            for _ in range(10):
                multiply()
            best = min(best, (time.perf_counter() - start) / 10)
    return {"flops": 2 * x.numel() * len(weight) / best}


def run_alone(*jobs: tuple[str, ...], script: Path = Path(__file__)) -> list[dict[str, float]]:
    """Run measurements in fresh processes, all of `jobs` at the same time."""
    command = [sys.executable, str(script.resolve()), "--measure"]
    running = [
        subprocess.Popen([*command, *job], stdout=subprocess.PIPE, text=True) for job in jobs
    ]
    outputs = [process.communicate()[0] for process in running]
    return [json.loads(output.splitlines()[-1]) for output in outputs]


def benchmark(steps: int, stock_steps: int) -> dict[str, object]:
    """Measure all networks; return the figures that go to build/bench.json."""
    cores = machine.available_cores()
    rows = []
    for network in NETWORKS:
        (stock,) = run_alone((network, "stock", str(stock_steps)))
        (padded,) = run_alone((network, "padded", str(steps)))
        (one,) = run_alone((network, "lab", str(steps)))
        all_cores = run_alone(*[(network, "lab", str(steps))] * cores)
        peaks = run_alone(*[(network, "peak", "0")] * cores)
        together = sum(run["tokens_per_second"] for run in all_cores)
        peak = sum(run["flops"] for run in peaks)
        rows.append(
            {
                "network": network,
                "stock tokens/s": stock["tokens_per_second"],
                "padded tokens/s, one core": padded["tokens_per_second"],
                "lab tokens/s, one core": one["tokens_per_second"],
                "lab tokens/s": together,
                "speed-up": together / stock["tokens_per_second"],
                "own layers": one["tokens_per_second"] / padded["tokens_per_second"],
                "peak GFLOP/s": peak / 1e9,
                "share of peak": together * flops_per_token(network) / peak,
            }
        )
        print(f"{network} measured", file=sys.stderr)
    table = pd.DataFrame(rows).set_index("network")
    print(table.round(2).to_string())
    # a sweep gives each network the same number of tokens: times add up
    time_of = {name: (1 / table[name]).sum() for name in table if name.endswith("tokens/s")}
    useful = pd.Series({n: flops_per_token(n) for n in NETWORKS})
    ideal = (useful / (table["peak GFLOP/s"] * 1e9)).sum()
    one_core = (1 / table["lab tokens/s, one core"]).sum()
    padded = (1 / table["padded tokens/s, one core"]).sum()
    return {
        "cores": cores,
        "sweep_speedup": time_of["stock tokens/s"] / time_of["lab tokens/s"],
        "min_speedup": table["speed-up"].min(),
        "gemm_share": ideal / time_of["lab tokens/s"],
        "two_worker_speedup": one_core / time_of["lab tokens/s"],
        "own_layers_speedup": padded / one_core,
        "networks": table.to_dict("index"),
    }


def main() -> None:
    """Measure, print, write build/bench.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps, rougher figures")
    parser.add_argument("--measure", nargs=3, metavar=("NETWORK", "RECIPE", "STEPS"))
    arguments = parser.parse_args()
    if arguments.measure:
        network, recipe, steps = arguments.measure
        one = measure_peak(network) if recipe == "peak" else measure(network, recipe, int(steps))
        print(json.dumps(one))
        return
    real_batches(1)  # fill the cache before the clock runs
    figures = benchmark(steps=4, stock_steps=2) if arguments.quick else benchmark(12, 4)
    path = ROOT / "build" / "bench.json"
    files.write_atomically(path, json.dumps(figures, indent=1).encode("utf-8"))
    print(json.dumps({k: v for k, v in figures.items() if k != "networks"}, indent=1))


if __name__ == "__main__":
    main()
