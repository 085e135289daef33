"""What the tasks of memory and of counting show, seed by seed: tables of the stored results.

`make_reference.py` stores them: recall and clipping are of the lab's section 6, the others of
`further/parallel`.
"""

from __future__ import annotations

import pandas as pd

from lab.base import machine
from lab.notebooks import lesson, parallel

RNNS = ("RNN", "RNN, PyTorch's start")
RECALL_WAYS = (  # as the lab does it; then what else might explain that four tokens are too many
    *({"mixed": False}, *({"keep": keep} for keep in (1, 2, 4))),
    *({"keep": 4, "faster": faster} for faster in (3, 10)),
    *({"keep": 4, "units": 128, "names": RNNS, "faster": faster} for faster in (1, 3, 10)),
    *({"keep": 4, "units": u, "names": (name,)} for name, u in (("LSTM", 28), ("GRU", 34))),
    {"keep": 4, "faster": 3, "names": RNNS, "longer": 4},  # four times the updates
)


def recall_of(seed: int, updates: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what the recall task's networks of a seed can tell, and where four starts end."""
    machine.prepare_torch()
    tables = []
    for way in RECALL_WAYS:
        options = {"names": tuple(lesson.RECALLERS), "mixed": True} | way
        budget = updates * options.pop("longer", 1)
        models, table = lesson.recall_experiment(seed, budget, **options)
        for length in (lesson.LONGEST // 2, lesson.LONGEST):
            rows = table["length"] == length
            names = table.loc[rows, "network"]
            table.loc[rows, "probe"] = [lesson.probe(models[n], length, seed + 3) for n in names]
        tables.append(table.assign(budget=budget))
    by_gate = lesson.gates_experiment(seed, updates // 5).groupby("gate", sort=False).last()
    return pd.concat(tables).assign(seed=seed), by_gate.reset_index().assign(seed=seed)


PARITY_CONTROLS = (  # what else might explain who does not count: rates, and texts that grow
    *({"names": ("minGRU x 2", "attention"), "faster": faster} for faster in (0.3, 3.0)),
    {"names": ("minGRU x 2", "attention"), "first": 20},
)
CONTROLLED = 3  # seeds


def without_state_of(seed: int, updates: int) -> tuple[pd.DataFrame, ...]:
    """Return what a seed's networks tell by length, by the clock of their gate, and of parity."""
    machine.prepare_torch()
    tables = []
    for mixed in (True, False):
        models, shares = parallel.layers_experiment(seed, updates, mixed=mixed)
        clocks = parallel.clock_table(models["minGRU x 2"], seed + 1)
        tables.append((shares, clocks.reset_index().assign(mixed=mixed)))
    shares, clocks = map(pd.concat, zip(*tables, strict=True))
    ways = ({}, *(PARITY_CONTROLS if seed < CONTROLLED else ()))
    counted = [parallel.parity_experiment(seed, updates // 2, **way) for way in ways]
    return tuple(table.assign(seed=seed) for table in (shares, clocks, pd.concat(counted)))


def clipping_of(seed: int) -> pd.DataFrame:
    """Return the loss at the end of plain gradient descent, by way and factor of the matrix."""
    machine.prepare_torch()
    rows = [
        (factor, way, lesson.descend_plainly(factor, *settings, seed), seed)
        for way, settings in lesson.WAYS.items()
        for factor in lesson.FACTORS
    ]
    return pd.DataFrame(rows, columns=["factor", "way", "loss", "seed"])
