"""How much faster is the lab's way of training than the stock recipe, on this machine, now?

    python tests/benchmarks/engine.py [--long]

Both train the notebook's own networks on the same batches of real reviews (64 reviews, at most 400
words, bucketed by length) with the same optimizer:

    stock   packed sequences, default float handling, torch's default threads, one process
    lab     right-padded batches, subnormal numbers rounded to zero, large memory pages, one process
            of one thread per core

It prints a table and writes build/bench.json. All are measured in turn, round after round (see
`rounds.py`): two networks in three rounds, or with --long all six in five, which takes some twenty
minutes. Nothing else should run meanwhile; if it does, that is said.
"""

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
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rounds import LONG_ROUNDS, ROUNDS, Rounds, in_words, spread, verdict

import utils
from lab.base import files, machine
from lab.datasets import imdb
from lab.notebooks import lesson

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
SOME = ("RNN-256", "GRU-256")  # without --long


def real_reviews():
    """Return every fifth of the packaged reviews, and their vocabulary."""
    reviews = imdb.read_packaged()[::5].reset_index(drop=True)
    texts = utils.tokenize_all(reviews["text"].tolist(), ROOT / "data" / "cache")
    rows = np.ones(len(reviews), dtype=bool)
    vocab = utils.build_vocab(texts, rows)
    return utils.encode(texts, reviews["label"].to_numpy(), rows, vocab), vocab


def real_batches(count):
    """Return `count` batches of packaged reviews, as a training would see them."""
    batches = list(utils.make_batches(real_reviews()[0], BATCH, LENGTH, seed=0))
    return batches[:count]


def packed_forward(model, text, length):
    """Return the logits (B,) as the stock recipe computes them: pack, read, take hidden[-1]."""
    packed = pack_padded_sequence(model.embedding(text), length, enforce_sorted=False)
    _, hidden = model.recurrent(packed)
    hidden = hidden[0] if isinstance(hidden, tuple) else hidden  # the LSTM's is (h, c)
    return model.linear(hidden[-1]).squeeze(1)  # (layers, B, H) -> (B, H) -> (B,)


def train_stock(model, batches, optimizer, clip_norm):
    """Train on batches as the stock recipe does."""
    for batch in batches:
        optimizer.zero_grad()
        logits = packed_forward(model, batch.text, batch.text_length)
        F.binary_cross_entropy_with_logits(logits, batch.label).backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()


def measure(network, recipe, steps):
    """Train for `steps` batches after one to warm up; return tokens per second."""
    if recipe != "stock":
        machine.prepare_torch()
    cell, hidden, layers = NETWORKS[network]
    torch.manual_seed(0)
    model = lesson.CELLS[cell](25_002, DIMENSION, hidden, layers)
    if recipe == "stock":  # the notebook's layers may read padded batches alone
        model.recurrent = getattr(nn, cell)(DIMENSION, hidden, layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    batches = real_batches(steps + 1)
    train = train_stock if recipe == "stock" else lesson.train_epoch
    train(model, batches[:1], optimizer, 1.0)
    start = time.perf_counter()
    train(model, batches[1:], optimizer, 1.0)
    seconds = time.perf_counter() - start
    tokens = sum(int(batch.text_length.sum()) for batch in batches[1:])
    return tokens / seconds


def run_alone(*jobs, script=Path(__file__)):
    """Run measurements in fresh processes, all of `jobs` at the same time."""
    command = [sys.executable, str(script.resolve()), "--measure"]
    running = [
        subprocess.Popen([*command, *job], stdout=subprocess.PIPE, text=True) for job in jobs
    ]
    outputs = [process.communicate()[0] for process in running]
    return [float(output.splitlines()[-1]) for output in outputs]


def variants_of(network, steps, stock_steps):
    """Return what is measured of a network: name -> a function that returns tokens a second."""
    cores = machine.available_cores()

    def speed(recipe, count, processes=1):
        jobs = [(network, recipe, str(count))] * processes
        return lambda: sum(run_alone(*jobs))

    return {
        "stock": speed("stock", stock_steps),
        "one core": speed("lab", steps),
        "all cores": speed("lab", steps, cores),
    }


def benchmark(networks, steps, stock_steps, rounds):
    """Measure some networks; return the figures that go to build/bench.json."""
    measured = {}
    for network in networks:
        measured[network] = Rounds(variants_of(network, steps, stock_steps), rounds)
        print(f"{network} measured", file=sys.stderr)
    rows = {
        network: {
            "stock tokens/s": one.figure("stock"),
            "lab tokens/s": one.figure("all cores"),
            "speed-up": in_words(one.ratio("all cores", "stock")),
            "two workers": in_words(one.ratio("all cores", "one core")),
        }
        for network, one in measured.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    print(table.round(2).to_string())
    said = verdict(list(measured.values()))
    print(said)
    # a sweep gives each network the same number of tokens: times add up, round by round
    times = sum(1 / one.table for one in measured.values())
    return {
        "cores": machine.available_cores(),
        "rounds": rounds,
        "others": said,
        "sweep_speedup": in_words(spread(times["stock"] / times["all cores"])),
        "two_worker_speedup": in_words(spread(times["one core"] / times["all cores"])),
        "networks": table.to_dict("index"),
    }


def main():
    """Measure, print, write build/bench.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="all networks, more rounds")
    parser.add_argument("--measure", nargs=3, metavar=("NETWORK", "RECIPE", "STEPS"))
    arguments = parser.parse_args()
    if arguments.measure:
        network, recipe, steps = arguments.measure
        print(measure(network, recipe, int(steps)))
        return
    real_batches(1)  # fill the cache before the clock runs
    if arguments.long:
        figures = benchmark(NETWORKS, 12, 4, LONG_ROUNDS)
    else:
        figures = benchmark(SOME, 4, 2, ROUNDS)
    path = ROOT / "build" / "bench.json"
    files.write_atomically(path, json.dumps(figures, indent=1).encode("utf-8"))
    print(json.dumps({k: v for k, v in figures.items() if k != "networks"}, indent=1))


if __name__ == "__main__":
    main()
