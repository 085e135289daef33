"""How much faster does the lab train its language models than a plain loop, on this machine, now?

    python tests/benchmarks/language_model.py [--long]

Both read the same stream of real reviews (25,002 words in the vocabulary, 100 dimensions, 256
units, 32 columns, 40 words a piece) with the same optimizer:

    stock   packed sequences, a full softmax over the vocabulary, default float handling, torch's
            default threads, one process
    lab     the notebook's `read_stream`, one process of one thread per core

It measures the LSTM in three rounds, or with --long all three cells in five. It also gives both
the same time to learn from the same stream, 20 seconds or with --long two minutes, and compares
their perplexity on the same held-out reviews: an LSTM of the lab with 256 units on GloVe vectors,
and the LSTM of PyTorch's own example, two layers of 200 units, the output tied to the embedding,
trained by the stock loop.

It prints a table and writes build/bench_language.json. `share of peak` counts as useful what
`engine.py` counts, and for the softmax 6 operations per weight that a token's group needs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import engine
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from rounds import LONG_ROUNDS, ROUNDS, Rounds, in_words, verdict
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import utils
from lab.base import files, machine
from lab.datasets import token_stream
from lab.exercises import solutions
from lab.experiments.settings import Settings
from lab.notebooks import lesson

COLUMNS, STEPS = 32, 40
HELD_OUT = 100_000  # words at the end of the stream
CELLS = {"RNN": "RNN-256", "LSTM": "LSTM-256", "GRU": "GRU-256"}


def real_stream(batches: int) -> list[token_stream.StreamBatch]:
    """Return `batches` pieces of a stream of packaged reviews."""
    stream = token_stream.make_stream(engine.real_reviews()[0], seed=0)
    stream = stream[: COLUMNS * STEPS * batches + 1]
    return list(token_stream.stream_batches(stream, COLUMNS, STEPS))


class Stock(nn.Module):
    """Embedding, packed recurrent layer, a plain linear layer to the whole vocabulary."""

    def __init__(self, cell: str, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, engine.DIMENSION)
        self.recurrent = getattr(nn, cell)(engine.DIMENSION, 256)
        self.linear = nn.Linear(256, words)

    def loss(self, batch: token_stream.StreamBatch, state: object) -> tuple[torch.Tensor, object]:
        """Return the mean loss of a piece, and the state after it."""
        lengths = torch.full((COLUMNS,), len(batch.text))
        packed = pack_padded_sequence(self.embedding(batch.text), lengths)
        output, state = self.recurrent(packed, state)
        return F.cross_entropy(self.linear(output.data), batch.target.flatten()), state


class StockTied(Stock):
    """Two layers of 200 units, dropout 0.2, output weights tied to the embedding."""

    def __init__(self, words: int) -> None:
        super().__init__("LSTM", words)
        self.embedding = nn.Embedding(words, 200)
        self.recurrent = nn.LSTM(200, 200, num_layers=2, dropout=0.2)
        self.linear = nn.Linear(200, words)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.linear.weight = self.embedding.weight


def train_step(model: nn.Module, loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Move the weights once."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def loss_of(
    model: nn.Module, batch: token_stream.StreamBatch, state: object
) -> tuple[torch.Tensor, object]:
    """Return the mean loss of a piece, and the state after it, by either recipe."""
    if isinstance(model, Stock):
        return model.loss(batch, state)
    log_probability, state = model.log_probability(*batch, state)
    return -log_probability.mean(), state


def equal_time(recipe: str, seconds: float) -> dict[str, float]:
    """Train for `seconds` on the stream; return words read and perplexity on the held-out end."""
    if recipe == "lab":
        machine.prepare_torch()
        torch.set_num_threads(machine.available_cores())
    reviews, vocab = engine.real_reviews()
    stream = token_stream.make_stream(reviews, seed=0)
    batches = list(token_stream.stream_batches(stream[:-HELD_OUT], COLUMNS, STEPS))
    held_out = list(token_stream.stream_batches(stream[-HELD_OUT:], COLUMNS, STEPS))
    torch.manual_seed(0)
    if recipe == "lab":
        vectors = utils.load_vectors(vocab).matrix
        settings = Settings("LSTM-256 LM", "LSTM", 256, 1, 6e-3, 0, 1, COLUMNS, STEPS)
        model = lesson.LanguageModel(lesson.build_model(settings, vectors))
        optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    else:
        model = StockTied(len(vocab))
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    state, words, end = None, 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        batch = batches[words // (COLUMNS * STEPS) % (len(batches) - 1)]
        loss, state = loss_of(model, batch, state)
        train_step(model, loss, optimizer)
        state = solutions.detached(state)
        words += batch.target.numel()
    model.eval()
    state, nats = None, []
    with torch.no_grad():
        for batch in held_out:
            loss, state = loss_of(model, batch, state)
            nats += [loss.item()] * batch.target.numel()
    return {"words": words, "perplexity": float(np.exp(np.mean(nats)))}


def measure(cell: str, recipe: str, steps: int) -> dict[str, float]:
    """Train on `steps` pieces after one to warm up; return tokens per second."""
    if recipe == "lab":
        machine.prepare_torch()
    batches = real_stream(steps + 1)
    torch.manual_seed(0)
    if recipe == "lab":
        reader = lesson.CELLS[cell](25_002, engine.DIMENSION, 256)
        model = lesson.LanguageModel(reader)
    else:
        model = Stock(cell, 25_002)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def train(some: list[token_stream.StreamBatch]) -> None:
        if recipe == "lab":
            lesson.read_stream(model, some, optimizer)
            return
        state = None
        for batch in some:
            loss, state = model.loss(batch, state)
            train_step(model, loss, optimizer)
            state = solutions.detached(state)

    train(batches[:1])
    start = time.perf_counter()
    train(batches[1:])
    tokens = sum(batch.target.numel() for batch in batches[1:])
    figures = {"tokens_per_second": tokens / (time.perf_counter() - start)}
    if recipe == "lab":
        targets = torch.cat([batch.target.flatten() for batch in batches])
        figures["flops"] = softmax_flops(model.output, targets.numpy())
    return figures


def softmax_flops(output: nn.AdaptiveLogSoftmaxWithLoss, targets: np.ndarray) -> float:
    """Return the useful operations of one training step in the softmax, per token."""
    flops = 6.0 * output.head.weight.numel()
    for group, low, high in zip(output.tail, output.cutoffs, output.cutoffs[1:]):
        share = np.mean((targets >= low) & (targets < high))
        flops += 6.0 * share * sum(weight.numel() for weight in group.parameters())
    return flops


def variants_of(cell: str, steps: int) -> dict[str, Callable[[], float]]:
    """Return what is measured of a cell: tokens a second by both recipes, and the peak."""
    cores = machine.available_cores()
    jobs, peaks = [(cell, "lab", str(steps))] * cores, [(CELLS[cell], "peak", "0")] * cores
    return {
        "stock": lambda: run_alone((cell, "stock", "6"))[0]["tokens_per_second"],
        "lab": lambda: sum(run["tokens_per_second"] for run in run_alone(*jobs)),
        "peak": lambda: sum(run["flops"] for run in engine.run_alone(*peaks)),
    }


def row(cell: str, one: Rounds) -> dict[str, object]:
    """Return the row of a cell in the table."""
    (run,) = run_alone((cell, "lab", "2"))
    useful = engine.flops_per_token(CELLS[cell]) + run["flops"]
    return {
        "stock tokens/s": round(one.figure("stock")),
        "lab tokens/s": round(one.figure("lab")),
        "speed-up": in_words(one.ratio("lab", "stock")),
        "MFLOP a token": round(useful / 1e6, 1),
        "share of peak": round(one.figure("lab") * useful / one.figure("peak"), 2),
    }


def main() -> None:
    """Measure, print, write build/bench_language.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="all cells, more rounds")
    parser.add_argument("--measure", nargs=3, metavar=("CELL", "RECIPE", "STEPS"))
    arguments = parser.parse_args()
    if arguments.measure:
        cell, recipe, steps = arguments.measure
        if cell == "equal":
            print(json.dumps(equal_time(recipe, float(steps))))
        else:
            print(json.dumps(measure(cell, recipe, int(steps))))
        return
    cells, steps, rounds, seconds = ("LSTM",), 60, ROUNDS, 20
    if arguments.long:
        cells, steps, rounds, seconds = tuple(CELLS), 150, LONG_ROUNDS, 120
    real_stream(1)  # fill the cache before the clock runs
    measured = {cell: Rounds(variants_of(cell, steps), rounds) for cell in cells}
    table = pd.DataFrame({f"{CELLS[c]} LM": row(c, one) for c, one in measured.items()}).T
    print(table.to_string())
    said = verdict(list(measured.values()))
    print(said)
    (stock,) = run_alone(("equal", "stock", str(seconds)))
    (lab,) = run_alone(("equal", "lab", str(seconds)))
    same_time = pd.DataFrame({"stock 2 x 200 tied": stock, "lab LSTM-256": lab}).T
    print(f"after {seconds} s:\n{same_time.round(1).to_string()}")
    figures = {"networks": table.to_dict("index"), "others": said, "rounds": rounds}
    figures["equal_time"] = same_time.to_dict("index")
    path = engine.ROOT / "build" / "bench_language.json"
    files.write_atomically(path, json.dumps(figures, indent=1).encode("utf-8"))


def run_alone(*jobs: tuple[str, ...]) -> list[dict[str, float]]:
    """Run measurements in fresh processes, all of `jobs` at the same time."""
    return engine.run_alone(*jobs, script=Path(__file__))


if __name__ == "__main__":
    main()
