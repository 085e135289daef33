"""Tables as a page shows them: six networks beside the starting report, tuning, ladders, claims.

Who uses it: the notebook. Imports `statistics.py`.
"""

from __future__ import annotations

import math

import pandas as pd
from pandas.io.formats.style import Styler

from lab import statistics

# The report this lab began from: IMDB, 25,000 test reviews, one run each.
STARTING_REPORT = {
    "RNN-256": (0.584, 0.6976),
    "RNN-256 x 2": (0.572, 0.7135),
    "RNN-512": (0.592, 0.6903),
    "RNN-1024": (0.622, 0.6574),
    "LSTM-256": (0.389, 0.8308),
    "GRU-256": (0.395, 0.8326),
}


def comparison_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run: ours with its interval, beside the starting report's row."""
    rows = []
    for run in results.itertuples():
        low, high = statistics.accuracy_interval(run.test_accuracy, run.test_reviews)
        loss, accuracy = STARTING_REPORT.get(run.network, (math.nan, math.nan))
        rows.append(
            {
                "network": run.network,
                "weights": f"{run.parameters:,}",
                "best epoch": run.best_epoch,
                "test loss": round(run.test_loss, 3),
                "test accuracy %": round(100 * run.test_accuracy, 1),
                "95 % interval": f"{100 * low:.1f} to {100 * high:.1f}",
                "report's loss": loss,
                "report's accuracy %": round(100 * accuracy, 2),
                "training, s": round(run.seconds),
            }
        )
    return pd.DataFrame(rows).set_index("network").rename_axis(index=None, columns="network")


def recipes_table(report: pd.DataFrame, fair: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network: test accuracy (%) under the report's recipe and under its own.

    report, fair: results, a row a run; a network that stands in one of them only keeps a gap.
    """
    table = fair.set_index("network")[["parameters", "learning_rate", "best_epoch"]].rename(
        columns={"parameters": "weights", "learning_rate": "own step", "best_epoch": "best epoch"}
    )
    for name, results in (("report's recipe", report), ("own step and start", fair)):
        for kind in ("valid", "test"):
            accuracy = results.set_index("network")[f"{kind}_accuracy"]
            table[f"{kind} %, {name}"] = _percent(accuracy)
    return table


def _percent(share: pd.Series) -> pd.Series:
    """Return shares in % with one digit, rounded as a format does: 0.6755 is 67.5 everywhere."""
    return share.map(lambda value: float(f"{100 * value:.1f}"))


def tuning_table(tuning: pd.DataFrame) -> Styler:
    """Return the validation loss of tuning runs, a row a network, a column a step; the best bold.

    tuning: a row a run, with network, learning_rate, valid_loss
    """
    table = tuning.pivot_table("valid_loss", "network", "learning_rate", sort=False)
    table = table.rename(columns="{:g}".format)  # 3e-05, not 0.000030
    return table.style.format("{:.3f}", na_rep="").highlight_min(axis=1, props="font-weight: bold")


def show_comparison(table: pd.DataFrame) -> Styler:
    """Return the table of `compare` as a page shows it: points with one digit, p with two."""
    points = ["points", "low", "high", "detectable"]
    return table.style.format("{:.1f}", subset=points).format("{:.2g}", subset=["p", "p (Holm)"])


def ladder_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row per rung: accuracy (%) in training, validation and test, with its interval.

    results: a row a rung, with rung, train_accuracy, valid_accuracy, test_accuracy, test_reviews,
    best_epoch, seconds. All are of the best epoch, and in training dropout is on.
    """
    intervals = [
        statistics.accuracy_interval(accuracy, count)
        for accuracy, count in zip(results["test_accuracy"], results["test_reviews"], strict=True)
    ]
    table = pd.DataFrame(
        {
            "training": _percent(results["train_accuracy"]).to_numpy(),
            "validation": _percent(results["valid_accuracy"]).to_numpy(),
            "accuracy": _percent(results["test_accuracy"]).to_numpy(),
            "low": [100 * low for low, _ in intervals],
            "high": [100 * high for _, high in intervals],
            "best epoch": results["best_epoch"].to_numpy(),
            "seconds": results["seconds"].round().astype(int).to_numpy(),
        },
        index=pd.Index(results["rung"], name="rung"),
    )
    return table.round(1)


def claims(said: dict[str, bool]) -> pd.DataFrame:
    """Return what the lab says of its results, and whether it holds in this run.

    One run is one run: a claim that holds of most may fail in yours, and is then worth a look.
    """
    holds = ["holds here" if true else "not in this run" for true in said.values()]
    return pd.DataFrame({"claim": list(said), "": holds}).set_index("claim")
