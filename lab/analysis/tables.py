"""Tables as a page shows them: six networks beside the starting report, tuning, ablations.

Their rows and cells are in the reader's language. Heads are names that code uses, and stay as they
are: a notebook only shows those of HEADS in another language, and says how to get the names.
"""

from __future__ import annotations

import dataclasses
import html
import math
import operator
from collections.abc import Iterable
from typing import Any

import pandas as pd

from lab import config
from lab.analysis import statistics
from lab.base.messages import ENGLISH, _, say
from lab.config import Profile
from lab.experiments.settings import Settings
from lab.models import baselines

HEADS = (
    *(_("network"), _("weights"), _("best epoch"), _("test loss"), _("test accuracy %")),
    *(_("95 % interval"), _("reference: accuracy %"), _("starting report: loss")),
    *(_("starting report: accuracy %"), _("training, s"), _("learning rate"), _("learning_rate")),
    *(_("perplexity"), _("model"), _("line"), _("last 80 words"), _("last 200 words")),
    *(_("last 400 words"), _("whole reviews"), _("reference: last 400 words"), _("points")),
    *(_("low"), _("high"), _("detectable"), _("supported"), _("pair"), _("claim"), _("if")),
    *(_("here"), _("reference"), _("other seeds, same size"), _("holds in"), _("full size")),
    *(_("in this run"), _("runs"), _("mean"), _("sd"), _("min"), _("median"), _("max")),
    *(_("collapsed"), _("training"), _("validation"), _("accuracy"), _("seconds"), _("rung")),
    *(_("size"), _("split"), _("tokens in a review"), _("length"), _("lengths mixed")),
    *(_("one length at a time"), _("updates until 100 tokens were learnt"), _("seed")),
    *(_("matrix times"), _("test_accuracy"), _("test_loss"), _("valid_accuracy"), _("valid_loss")),
    *(_("train_accuracy"), _("train_loss"), _("start"), _("scratch"), _("pretrained"), _("labels")),
    *(_("epoch"), _("word"), _("probability"), _("expected"), _("reviews"), _("cell")),
    *(_("rate 0.1"), _("0.1, clipped"), _("rate 0.01"), _("default recipe")),
    *(_("own learning rate"), _("updates"), _("reached"), _("loop"), _("rounds"), _("chunks")),
    *(_("words"), _("weights of its layers"), _("carries its state"), _("parameters")),
    *(_("times the milliseconds"), _("predicted"), _("the time"), _("the first is told (%)")),
    *(_("the one where the time begins (%)"), _("validation loss"), _("hours")),
    *(_("accuracy %, quick"), _("accuracy %, full"), _("perplexity, quick")),
)

FOUND = (_("yes"), _("not shown"), _("one run"))  # what `statistics.compare` says of a pair
NAMES = _("The names of the columns, as code has them: list(table)")

# The report this lab began from: IMDB, 25,000 test reviews, one run each.
STARTING_REPORT = {
    "RNN-256": (0.584, 0.6976),
    "RNN-256 x 2": (0.572, 0.7135),
    "RNN-512": (0.592, 0.6903),
    "RNN-1024": (0.622, 0.6574),
    "LSTM-256": (0.389, 0.8308),
    "GRU-256": (0.395, 0.8326),
}


def profile_table(profile: Profile) -> pd.DataFrame:
    """Return how much work a profile does, in words."""
    sizes = {
        _("reviews to learn from"): profile.train or str(_("all")),
        _("reviews to choose by (validation)"): profile.valid,
        _("reviews to test on"): str(_("all")) if profile.official_test else profile.test,
        _("words kept of a review"): profile.max_length,
        _("epochs (passes over the training reviews)"): profile.epochs,
        _("reviews in a batch"): profile.batch_size,
        _("seeds of a network"): profile.seeds,
    }
    said = {str(name): size for name, size in sizes.items()}
    return pd.Series(said, name=profile.name).to_frame()


def comparison_table(results: pd.DataFrame, reference_runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run: ours with its interval, beside stored runs and the starting report.

    results, reference_runs: a row a run; of the reference's runs of a network the mean is shown
    """
    reference = 100 * reference_runs.groupby("network")["test_accuracy"].mean()
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
                "95 % interval": _interval(low, high),
                "reference: accuracy %": round(reference.get(run.network, math.nan), 1),
                "starting report: loss": loss,
                "starting report: accuracy %": round(100 * accuracy, 2),
                "training, s": round(run.seconds),
            }
        )
    return pd.DataFrame(rows).set_index("network").rename_axis(index=None, columns="network")


def _interval(low: float, high: float) -> str:
    """Return the interval of a share (0 to 1) in per cent, in words."""
    return str(_("{low:.1f} to {high:.1f}", low=100 * low, high=100 * high))


def run_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return a small table of runs: what was chosen, and what came out.

    results: a row a run, as from `export_results`; a setting in which the runs differ has a column
    """
    others = [field.name for field in dataclasses.fields(Settings)[6:]]  # not network to seed
    varied = [name for name in others if name in results and results[name].nunique() > 1]
    table = results[["network", "seed", "learning_rate", *varied, "best_epoch"]]
    table = table.rename(columns={"learning_rate": "learning rate", "best_epoch": "best epoch"})
    whole = results.dropna(axis="columns", how="all")  # a language model has no accuracy
    if "perplexity" in whole:
        table["perplexity"] = results["perplexity"].round(1)
    if "test_accuracy" in whole:
        table["test accuracy %"] = (100 * results["test_accuracy"]).round(1)
        pairs = zip(results["test_accuracy"], results["test_reviews"], strict=True)
        intervals = [_interval(*statistics.accuracy_interval(*pair)) for pair in pairs]
        table["95 % interval"] = intervals
    table["training, s"] = results["seconds"].round().astype(int)
    return table.set_index("network").rename_axis(index=None, columns="network")


def baseline_table(
    accuracy: pd.DataFrame, reference: pd.DataFrame, guessed: float | None = None
) -> pd.DataFrame:
    """Return the accuracy (%) of the baselines here and in the reference, and a prediction.

    accuracy, reference: as from `baselines.baseline_table`; guessed: the reader's, of the average
    of the vectors (%)
    """
    table = 100 * accuracy.join(reference.iloc[:, 0].rename("reference: last 400 words"))
    table = table.round(1)
    if guessed is not None:  # below what it is a prediction of
        predicted = _("predicted: average of the vectors")
        row = pd.DataFrame({table.columns[0]: guessed}, index=[predicted])
        place = table.index.get_loc(baselines.AVERAGE) + 1
        table = pd.concat([table[:place], row, table[place:]])
    return table.rename(index=say).rename_axis(index=None).astype(object).fillna("")


def tuning_table(tuning: pd.DataFrame) -> pd.DataFrame:
    """Return the validation loss of tuning runs, a row a network, a column a learning rate.

    tuning: a row a run, with network, learning_rate, valid_loss. The lowest of a row has a star.
    """
    table = tuning.pivot_table("valid_loss", "network", "learning_rate", sort=False)
    table = table[sorted(table.columns)].rename(columns="{:g}".format)  # 3e-05, not 0.000030
    lowest = table.eq(table.min(axis=1), axis=0)
    texts = table.map(lambda loss: "" if math.isnan(loss) else f"{loss:.3f}")
    return texts.where(~lowest, texts + " *")


def pairs_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `compare` as a page shows it, with p as text: a small one is not zero."""
    shown = table.round(dict.fromkeys(["points", "low", "high", "detectable"], 1))
    shown[shown.select_dtypes("number").columns] += 0.0  # −0.0 is 0.0
    p = table["p"].map(lambda p: "< 0.001" if p < 0.001 else f"{p:.3f}")
    return shown.assign(p=p, supported=table["supported"].map(say))


def ablation_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row per step: accuracy (%) in training, validation and test, with its interval.

    results: a row a step, with rung (its name), train_accuracy, valid_accuracy, test_accuracy,
    test_reviews, best_epoch, seconds. All are of the best epoch; in training dropout is on.
    """
    shares = ["train_accuracy", "valid_accuracy", "test_accuracy", "low", "high"]
    names = ["training", "validation", "accuracy", "low", "high"]
    results = statistics.with_interval(results.set_index("rung"), "test_accuracy", "test_reviews")
    table = results[shares].map(_in_per_cent).set_axis(names, axis="columns")
    table["best epoch"] = results["best_epoch"]
    table["seconds"] = results["seconds"].round().astype(int)
    return table


def route_table(steps: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Return what each step of a route brought, and the hours of one core that it takes in all.

    steps: a row a run in their order, with rung, valid_loss, valid_accuracy, test_accuracy, seconds
    and the language models that it starts from; models: run and seconds of these. The hours of a
    step are those of its own training and of its language models, not of the steps before it.
    """
    seconds = models.drop_duplicates("run").set_index("run")["seconds"]
    starts = steps[["pretrained", "pretrained_back"]].apply(lambda names: names.map(seconds))
    hours = (steps["seconds"] + starts.fillna(0).sum(axis=1)) / 3600
    table = steps[["valid_accuracy", "test_accuracy"]].map(_in_per_cent)
    table = table.set_axis(["validation", "accuracy"], axis="columns")
    table = table.assign(hours=hours.round(1), rung=steps["rung"]).set_index("rung")
    table.insert(0, "validation loss", steps["valid_loss"].round(3).to_numpy())
    return table


def _in_per_cent(share: float) -> float:
    """Return a share in per cent, rounded as a format does: 0.6755 is 67.5 everywhere."""
    return float(f"{100 * share:.1f}")


# ── Heads in the reader's language ──────────────────────────────────────────────────────────────


def show_heads(shell: Any) -> None:
    """Let an IPython shell show the heads of tables in the reader's language; not in English."""
    if config.language() == ENGLISH:
        return
    formatters = shell.display_formatter.formatters
    formatters["text/html"].for_type(pd.DataFrame, _html)
    formatters["text/plain"].for_type(pd.DataFrame, _plain)


def _html(table: pd.DataFrame) -> str | None:
    shown = with_heads(table)
    made = shown._repr_html_()
    return made if made is None or shown is table else f"{made}\n<p>{html.escape(str(NAMES))}</p>"


def _plain(table: pd.DataFrame, printer: Any, cycle: bool) -> None:
    shown = with_heads(table)
    printer.text(repr(shown) if shown is table else f"{shown!r}\n\n{NAMES}")


def with_heads(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the same data and those heads of HEADS, in the reader's language.

    Without any of them that is the table itself. Cells and the names of rows stay what they are.
    """
    columns, index = _said(table.columns), table.index.set_names(_all_said(table.index.names))
    if columns is table.columns and index.names == table.index.names:
        return table
    shown = table.copy(deep=False)
    shown.columns, shown.index = columns, index
    return shown


def _said(columns: pd.Index) -> pd.Index:
    """Return the heads of columns with their names; the same object if there is nothing to say."""
    levels = [columns.get_level_values(number) for number in range(columns.nlevels)]
    said = [_all_said(level) for level in levels]
    names = _all_said(columns.names)
    if names == list(columns.names) and all(map(operator.eq, said, map(list, levels))):
        return columns
    if isinstance(columns, pd.MultiIndex):
        return pd.MultiIndex.from_arrays(said, names=names)
    return pd.Index(said[0], dtype=columns.dtype, name=names[0], tupleize_cols=False)


def _all_said(heads: Iterable[Any]) -> list[Any]:
    return [say(head) if isinstance(head, str) and head in HEADS else head for head in heads]
