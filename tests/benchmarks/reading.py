"""How long do six networks take to say what they believe after each word of a review?

    python tests/benchmarks/reading.py [--long]

The notebook's `beliefs`, on 100 words (--long: 300), by the six networks of the report (100
dimensions, full-size vocabulary, untrained weights: the time does not depend on them). The
reference, in the same run, asks each network for its prediction of every beginning of the review,
one after another.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from rounds import LONG_ROUNDS, ROUNDS, Rounds, in_words, verdict

from lab import config
from lab.base import machine
from lab.exercises import solutions
from lab.experiments import run_lists
from lab.notebooks import lesson


def seconds(task):
    """Return the time that a task took."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def main():
    """Measure, compare, and print one line."""
    long = "--long" in sys.argv
    length, rounds = (300, LONG_ROUNDS) if long else (100, ROUNDS)
    machine.prepare_torch()
    vectors = np.random.default_rng(0).normal(size=(25_002, 100)).astype(np.float32)
    models = [
        lesson.build_model(run, vectors)
        for run in run_lists.default_list(config.get_profile("full"), lesson.SIX)
    ]
    words = torch.randint(2, len(vectors), (length,), generator=torch.Generator().manual_seed(0))

    def predict(model, end):
        return model.predict(words[:end, None], torch.tensor([end])).item()

    def all_at_once():
        return seconds(lambda: [solutions.beliefs(model, words) for model in models])

    def every_beginning():
        ends = range(1, length + 1)
        return seconds(lambda: [predict(model, end) for model in models for end in ends])

    one = Rounds({"every beginning": every_beginning, "all at once": all_at_once}, rounds)
    print(
        f"{length} words, {len(models)} networks: {one.figure('all at once'):.2f} s; prediction by "
        f"prediction {one.figure('every beginning'):.1f} s, times as long: "
        f"{in_words(one.ratio('every beginning', 'all at once'))}\n{verdict([one])}"
    )


if __name__ == "__main__":
    main()
