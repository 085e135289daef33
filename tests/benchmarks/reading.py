"""How long do six networks take to say what they believe after each word of a review?

    python tests/benchmarks/reading.py

The notebook's `beliefs`, on 300 words, by the six networks of the report (100 dimensions, full-size
vocabulary, untrained weights: the time does not depend on them). The reference, in the same run,
asks each network for its prediction of every beginning of the review, one after another.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from lab import config, lesson, machine

WORDS, REPEATS = 300, 5


def seconds(task: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the shortest time that a task took."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Measure, compare, and print one line."""
    machine.prepare_torch()
    vectors = np.random.default_rng(0).normal(size=(25_002, 100)).astype(np.float32)
    models = [
        lesson.build_model(lesson.settings_for(config.get_profile("full"), name, *net), vectors)
        for name, net in lesson.SIX.items()
    ]
    words = torch.randint(2, len(vectors), (WORDS,), generator=torch.Generator().manual_seed(0))

    def predict(model: torch.nn.Module, end: int) -> float:
        return model.predict(words[:end, None], torch.tensor([end])).item()

    word_by_word = seconds(lambda: [lesson.beliefs(model, words) for model in models])
    every_beginning = seconds(
        lambda: [predict(model, end) for model in models for end in range(1, WORDS + 1)], 1
    )
    difference = max(abs(lesson.beliefs(m, words)[-1] - predict(m, WORDS)) for m in models)
    print(
        f"{WORDS} words, {len(models)} networks: {word_by_word:.2f} s; prediction by prediction "
        f"{every_beginning:.1f} s, {every_beginning / word_by_word:.0f} times as long; the last "
        f"values differ by {difference:.1e}"
    )


if __name__ == "__main__":
    main()
