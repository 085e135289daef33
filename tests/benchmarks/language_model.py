"""How much faster does the lab train its language models than a plain loop, on this machine, now?

    python tests/benchmarks/language_model.py [--long]

Both read the same stream of real reviews (25,002 words in the vocabulary, 100 dimensions, 256
units, 32 columns, 40 words a piece) with the same optimizer:

    stock   packed sequences, a full softmax over the vocabulary, default float handling, torch's
            default threads, one process
    lab     the notebook's `read_stream`, one process of one thread per core

It measures the LSTM in three rounds, or with --long all three cells in five, prints a table and
writes build/bench_language.json.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path

import engine
import pandas as pd
import torch
import torch.nn.functional as F
from rounds import LONG_ROUNDS, ROUNDS, Rounds, in_words, verdict
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from lab.base import files, machine
from lab.datasets import token_stream
from lab.exercises import solutions
from lab.notebooks import lesson

COLUMNS, STEPS = 32, 40
run_alone = partial(engine.run_alone, script=Path(__file__))


def real_stream(batches):
    """Return `batches` pieces of a stream of packaged reviews."""
    stream = token_stream.make_stream(engine.real_reviews()[0], seed=0)
    stream = stream[: COLUMNS * STEPS * batches + 1]
    return list(token_stream.stream_batches(stream, COLUMNS, STEPS))


class Stock(nn.Module):
    """Embedding, packed recurrent layer, a plain linear layer to the whole vocabulary."""

    def __init__(self, cell, words):
        super().__init__()
        self.embedding = nn.Embedding(words, engine.DIMENSION)
        self.recurrent = getattr(nn, cell)(engine.DIMENSION, 256)
        self.linear = nn.Linear(256, words)

    def forward(self, batch, state):
        """Return the mean loss of a piece, and the state after it."""
        lengths = torch.full((COLUMNS,), len(batch.text))
        packed = pack_padded_sequence(self.embedding(batch.text), lengths)
        output, state = self.recurrent(packed, state)
        return F.cross_entropy(self.linear(output.data), batch.target.flatten()), state


def train_stock(model, batches, optimizer):
    """Train on pieces of a stream as the stock recipe does."""
    state = None
    for batch in batches:
        loss, state = model(batch, state)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        state = solutions.detached(state)


def measure(cell, recipe, steps):
    """Train on `steps` pieces after one to warm up; return tokens per second."""
    if recipe == "lab":
        machine.prepare_torch()
    batches = real_stream(steps + 1)
    torch.manual_seed(0)
    if recipe == "lab":
        model = lesson.LanguageModel(lesson.CELLS[cell](25_002, engine.DIMENSION, 256))
        train = lesson.read_stream
    else:
        model, train = Stock(cell, 25_002), train_stock
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    train(model, batches[:1], optimizer)
    start = time.perf_counter()
    train(model, batches[1:], optimizer)
    seconds = time.perf_counter() - start
    tokens = sum(batch.target.numel() for batch in batches[1:])
    return tokens / seconds


def variants_of(cell, steps):
    """Return what is measured of a cell: tokens a second by both recipes."""
    jobs = [(cell, "lab", str(steps))] * machine.available_cores()
    return {
        "stock": lambda: sum(run_alone((cell, "stock", "6"))),
        "lab": lambda: sum(run_alone(*jobs)),
    }


def row(one):
    """Return the row of a cell in the table."""
    return {
        "stock tokens/s": round(one.figure("stock")),
        "lab tokens/s": round(one.figure("lab")),
        "speed-up": in_words(one.ratio("lab", "stock")),
    }


def main():
    """Measure, print, write build/bench_language.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="all cells, more rounds")
    parser.add_argument("--measure", nargs=3, metavar=("CELL", "RECIPE", "STEPS"))
    arguments = parser.parse_args()
    if arguments.measure:
        cell, recipe, steps = arguments.measure
        print(measure(cell, recipe, int(steps)))
        return
    cells, steps, rounds = ("LSTM",), 60, ROUNDS
    if arguments.long:
        cells, steps, rounds = tuple(lesson.CELLS), 150, LONG_ROUNDS
    real_stream(1)  # fill the cache before the clock runs
    measured = {cell: Rounds(variants_of(cell, steps), rounds) for cell in cells}
    table = pd.DataFrame({f"{c}-256 LM": row(one) for c, one in measured.items()}).T
    print(table.to_string())
    said = verdict(list(measured.values()))
    print(said)
    figures = {"networks": table.to_dict("index"), "others": said, "rounds": rounds}
    path = engine.ROOT / "build" / "bench_language.json"
    files.write_atomically(path, json.dumps(figures, indent=1).encode("utf-8"))


if __name__ == "__main__":
    main()
