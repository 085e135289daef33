"""How fast are the scans of `lab/models/parallel.py` beside `nn.GRU`, on this machine, now?

    python tests/benchmarks/scans.py [--long]

All read texts there and back, 256 units, on one thread as a run of the lab does:

    loop, doubling, chunks   the states of h_t = a_t h_{t-1} + b_t, from a and b
    MinGRU                   the same from words of 50 numbers: one product of matrices, and a scan
    GRU                      torch's `nn.GRU` on the same words

in texts of 50 to 1,600 words and batches of 16, in three rounds; with --long in all batch sizes of
the lab, in five, which takes some gigabytes: doubling keeps every round. All are measured in turn
(see `rounds.py`). It prints a table of words a second, those of the GRU and how many times as many
the others read, and writes build/bench_scans.json.
"""

import argparse
import json
import time

import engine
import pandas as pd
import torch
from rounds import LONG_ROUNDS, ROUNDS, Rounds, in_words, verdict
from torch import nn

from lab import config
from lab.analysis import costs
from lab.base import files, machine
from lab.models import parallel

UNITS = 256
LENGTHS = (50, 100, 200, 400, 800, 1600)
SCANS = {"loop": parallel.loop, "doubling": parallel.doubling, "chunks": parallel.chunks}


def batch_sizes():
    """Return the batch sizes of the lab's profiles, but for the smallest profile."""
    profiles = [one for name, one in config.PROFILES.items() if name != "tiny"]
    return sorted({size for one in profiles for size in (one.batch_size, one.stream_batch_size)})


def variants_of(length, reviews):
    """Return what reads texts of one shape: name -> a function that returns words a second."""
    torch.manual_seed(0)
    layers = {"MinGRU": parallel.MinGRU(50, UNITS), "GRU": nn.GRU(50, UNITS)}
    jobs = costs.scan_jobs(SCANS, layers, (length, reviews, UNITS))

    def speed(job):
        def measured():
            start = time.perf_counter()
            job()
            return length * reviews / (time.perf_counter() - start)

        return measured

    return {name: speed(job) for name, job in jobs.items()}


def measure(length, reviews, rounds):
    """Return the rounds of one shape, after a first reading that is not counted."""
    variants = variants_of(length, reviews)
    for variant in variants.values():
        variant()
    return Rounds(variants, rounds)


def row(one):
    """Return the row of a shape in the table."""
    others = [name for name in one.table if name != "GRU"]
    times = {f"{name} / GRU": in_words(one.ratio(name, "GRU")) for name in others}
    return {"GRU words/s": round(one.figure("GRU"))} | times


def main():
    """Measure, print, write build/bench_scans.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="all batch sizes, more rounds")
    parser.add_argument("--lengths", nargs="+", type=int, default=LENGTHS, metavar="WORDS")
    arguments = parser.parse_args()
    sizes, rounds = batch_sizes()[:1], ROUNDS
    if arguments.long:
        sizes, rounds = batch_sizes(), LONG_ROUNDS
    machine.prepare_torch()
    measured = {
        f"{length} words x {reviews}": measure(length, reviews, rounds)
        for reviews in sizes
        for length in arguments.lengths
    }
    table = pd.DataFrame({shape: row(one) for shape, one in measured.items()}).T
    print(table.to_string())
    said = verdict(list(measured.values()))
    print(said)
    figures = {"shapes": table.to_dict("index"), "others": said, "rounds": rounds}
    path = engine.ROOT / "build" / "bench_scans.json"
    files.write_atomically(path, json.dumps(figures, indent=1).encode("utf-8"))


if __name__ == "__main__":
    main()
