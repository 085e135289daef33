"""How often the rule for differences between networks is right: the stored table `rules`.

`make_reference.py rules` makes it, from stored runs alone and by simulation; `further/recipes`,
section 4.5, tells it.
"""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd

from lab.analysis.simulation import Network, Population, count_verdicts, experiments
from lab.base import files
from lab.experiments import reference
from lab.notebooks import recipes

SIZES = ((3, 3, 2000), (6, 5, 25_000), (6, 3, 25_000))  # networks, seeds, reviews
SPREADS = {  # points over the seeds, in words -> of most networks, of the last one
    **{f"{points:g}": (points, points) for points in (0.2, 0.4, 1, 2)},
    "0.4, one 2": (0.4, 2),
}


def make_rules(profile: str, count: int, workers: int | None = None) -> None:
    """Store how often the rule for differences is right, a row a regime, in `rules.csv`.

    A row that stands there with as many experiments is not made again, so that what was stopped
    goes on.
    """
    where, key = reference.folder_of(profile), ["networks", "seeds", "reviews", "spread"]
    regimes = [(*size, spread) for size in SIZES for spread in SPREADS]
    rows = {}
    if (where / "rules.csv").exists():
        stored = files.read_table("rules", where, {"spread": str})
        rows = dict(zip(stored[key].itertuples(index=False, name=None), stored.to_dict("records")))
    waiting = [r for r in regimes if rows.get(r, {}).get("experiments") != count]
    population = judged_reviews(profile)
    made = joblib.Parallel(workers or 1, return_as="generator")(
        joblib.delayed(rule_row)(population, regime, count, regimes.index(regime))
        for regime in waiting
    )
    for regime, row in zip(waiting, made):
        rows[regime] = dict(zip(key, regime)) | row
        table = pd.DataFrame([rows[regime] for regime in regimes if regime in rows])
        files.write_table("rules", table, where)
        print(f"rules, {profile}: {', '.join(map(str, regime))}", flush=True)


def judged_reviews(profile: str) -> Population:
    """Return a profile's test reviews, as the gated networks with their own rates judged them."""
    runs = reference.find("tuned", profile)[0]
    runs = runs[runs["network"].isin(["LSTM-256", "GRU-256"])]
    return Population.of(reference.predictions(runs, profile))


def rule_row(
    population: Population, regime: tuple[int, int, int, str], count: int, seed: int = 0
) -> dict[str, float]:
    """Return how often the rule is right in a regime, and how often an older one is wrong.

    regime: networks, seeds, reviews, spread. All networks are equally good; then, where all have
    the same spread, the first is worse by what the rule calls detectable, for "found".
    "false_mcnemar": share of tables in which McNemar's test with Holm's correction finds one
    """
    number, seeds, reviews, spread = regime
    most, last = (points / 100 for points in SPREADS[spread])
    networks = [Network(0.9, most)] * (number - 1) + [Network(0.9, last)]
    size = seeds, reviews, count
    row = count_verdicts(population, networks, *size, seed)
    if most == last:
        worse = [Network(0.9 - row["detectable"] / 100, most), *networks[1:]]
        row["found"] = count_verdicts(population, worse, *size, seed + 100)["found"]
    equal = experiments(population, networks, *size, seed)
    old = [recipes.mcnemar_with_holm(answers) for answers in equal]
    return row | {"false_mcnemar": float(np.mean(old)), "experiments": count}
