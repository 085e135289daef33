"""Makes the stored results of the lab, `data/reference/<profile>`, again.

    python tools/reference.py [LIST ...] [--workers N] [--only NETWORK] [--collect] [--table]

makes the named lists, by default all, in the profile that LAB2_PROFILE names, with the notebook's
own code and data. What stands there already, with the same settings, data and code, is not made
again. What the files hold is told in data/reference/README.md; `lab/results.py` reads and writes
them.

Imports `utils.py`, and, of `lab`: `lesson.py`, `results.py`, `sweep.py`, `statistics.py`,
`tables.py`, `language.py`, `runs.py`, `files.py`, `fingerprint.py`, `machine.py`, `config.py`.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the lab, from any folder

import utils
from lab import config, files, machine, results, statistics, tables
from lab.config import LabError, Profile
from lab.fingerprint import Code
from lab.language import LanguageData
from lab.runs import RunRecord, Settings
from lab.sweep import records_of, sweep

# what is made, in this order: lists of runs, and three tables
EVERYTHING = (
    *("baselines", "report", "gradients", "tuning", "fair", "seeds", "ladder"),
    *("counting", "language", "transfer"),
)


class Plan(NamedTuple):
    """A run list with all that `sweep` needs: runs are settings -> rung."""

    runs: dict[Settings, str]
    train: Callable[..., None]
    data: Any
    code: Code

    @property
    def records(self) -> list[RunRecord]:
        """The records of the runs, finished or not."""
        return records_of(list(self.runs), self.data, self.code)


@dataclasses.dataclass
class Maker:
    """Makes lists and tables with the notebook's definitions, on the data of a profile.

    workers: processes, by default one per core
    only:    the one network whose runs are made; "": all
    replace: may stored runs of other settings, data or code be dropped?
    """

    lesson: ModuleType
    profile: Profile
    corpus: utils.Corpus
    workers: int | None = None
    only: str = ""
    replace: bool = False

    @functools.cached_property
    def stream(self) -> LanguageData:
        """The text of the language model."""
        return utils.language_data(self.profile, self.corpus)

    def carry_out(self, plan: Plan) -> list[RunRecord]:
        """Train what is not finished of a plan, and return its records."""
        return sweep(list(plan.runs), plan.train, plan.data, plan.code, workers=self.workers)

    # ── Lists of runs ───────────────────────────────────────────────────────────────────────────

    def plan(self, name: str) -> Plan:
        """Return the plan of a list. Raises LabError if it needs tuning runs that are not there."""
        lesson = self.lesson
        if name == "language":
            runs = dict.fromkeys(lesson.language_list(self.profile), "")
            return Plan(runs, lesson.train_language, self.stream, lesson.language_code)
        if name == "report":
            seeds = range(self.profile.stored_seeds)
            runs = [run for seed in seeds for run in lesson.report_list(self.profile, seed)]
        elif name == "tuning":
            runs = lesson.tuning_list(self.profile)
        else:
            runs = self.tuned_runs(name)
        runs = runs if isinstance(runs, dict) else dict.fromkeys(runs, "")
        return Plan(runs, lesson.train_run, self.corpus.data, lesson.code)

    def tuned_runs(self, name: str) -> list[Settings] | dict[Settings, str]:
        """Return the runs of a list that takes its steps from the tuning runs.

        Seeds and ladders leave out networks whose tuning runs are not all there.
        """
        lesson, profile = self.lesson, self.profile
        tuning, _ = results.find_reference("tuning", profile.name)
        runs_of = tuning["network"].value_counts() if len(tuning) else {}
        tuned = [n for n, (c, *_) in lesson.SIX.items() if runs_of.get(n) == len(lesson.STEPS[c])]
        if name == "seeds" and tuned:
            return lesson.seed_list(profile, tuning, tuned, range(profile.seeds))
        if name == "ladder" and tuned:
            climbers = [network for network in profile.climbers if network in tuned]
            steps = {network: lesson.own_step(tuning, network) for network in climbers}
            ladders = [lesson.ladder(profile, network, steps[network]) for network in climbers]
            return {run: rung for rungs in ladders for rung, run in rungs.items()}
        if name == "transfer" and set(lesson.OF_EACH_CELL) <= set(tuned):
            starts = {record.settings.cell: record.name for record in self.plan("language").records}
            one_seed = lesson.seed_list(profile, tuning, lesson.OF_EACH_CELL, range(1))
            return lesson.transfer_list(profile, one_seed, starts, self.corpus.data.train)
        if name == "fair" and len(tuned) == len(lesson.SIX):
            return lesson.fair_list(profile, self.corpus.data.vectors.shape[1], tuning)
        raise LabError("No tuning runs yet. Make them first: python tools/reference.py tuning")

    def make(self, name: str, train: bool = True) -> None:
        """Store what is finished of a list, and carry out the rest.

        Raises LabError if stored runs of other settings, data or code would be dropped by it.
        """
        plan = self.plan(name)
        listed = results.find_reference(name, self.profile.name)[0]["run"]
        others = set(listed) - {record.name for record in plan.records}
        if others and not self.replace:
            raise LabError(
                f"{len(others)} stored runs of the list {name!r} are of other settings, data or "
                "code, and would be dropped. Add --replace if that is meant."
            )
        done = set(results.all_reference(self.profile.name)[0]["run"])
        waiting = [record for record in plan.records if record.name not in done]
        self.store(name, plan, waiting)
        waiting = [r for r in waiting if not r.result and self.only in ("", r.settings.network)]
        todo = f"{len(waiting)} of {len(plan.runs)} runs to do"
        print(f"{name}, {self.profile.name}: {todo}", flush=True)
        if not (train and waiting):
            return
        if name == "transfer":
            self.carry_out(self.plan("language"))  # their weights are needed, and not stored
        try:
            runs = {record.settings: plan.runs[record.settings] for record in waiting}
            self.carry_out(plan._replace(runs=runs))
        finally:
            self.store(name, plan, waiting)

    def store(self, name: str, plan: Plan, records: list[RunRecord]) -> None:
        """Put those records that are finished beside what is stored of a list."""
        rungs = zip(plan.records, plan.runs.values(), strict=True)
        runs = {record.name: rung for record, rung in rungs}
        finished = [record for record in records if record.result]
        results.store_reference(name, runs, finished, self.corpus.data.test, self.profile.name)

    # ── Tables ──────────────────────────────────────────────────────────────────────────────────

    def make_table(self, name: str) -> None:
        """Compute a table that is no list of runs, and store it."""
        for table, content in self.tables(name).items():
            files.write_table(table, content, results.reference_folder(self.profile.name))
        print(f"{name}, {self.profile.name}: made", flush=True)

    def tables(self, name: str) -> dict[str, pd.DataFrame]:
        """Return baselines, or what counting achieves, or gradients with the Jacobians."""
        lesson, data, length = self.lesson, self.corpus.data, self.profile.max_length
        if name == "baselines":
            return {name: lesson.baseline_table(data, length)}
        if name == "counting":
            return {name: lesson.counting_table(self.stream, len(self.corpus.vocab))}
        plan = self.plan("report")
        cells = [run for run in plan.runs if run.seed == 0 and run.network in lesson.OF_EACH_CELL]
        records = self.carry_out(plan._replace(runs=dict.fromkeys(cells, "")))
        models = lesson.models_to_follow(self.profile, data, records)
        batch = lesson.long_reviews(data.valid, length)
        two = {kind: models[kind] for kind in ("untrained", "trained")}
        return {
            "gradients": lesson.gradient_table(models, batch),
            "jacobians": lesson.jacobian_table(two, batch),
        }


def summary(profile: str = "full") -> str:
    """Return the table of the results in Markdown: accuracies under two recipes, lines to beat."""
    recipes = [_accuracies(lists, profile) for lists in (["report"], ["seeds", "fair"])]
    rows = [("network", "the report", "one recipe", "own recipe"), ("---",) * 4]
    for name in dict.fromkeys(name for recipe in recipes for name in recipe):
        reported = tables.STARTING_REPORT.get(name)
        cells = [f"{100 * reported[1]:.2f} %" if reported else ""]
        rows.append((name, *cells, *(recipe.get(name, "") for recipe in recipes)))
    lines = files.read_table("baselines", results.reference_folder(profile))
    rows += [
        (f"{line}, linear", "", f"{100 * share:.1f} %", "")
        for line, share, *_ in lines.iloc[1:].values  # not the commoner label
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _accuracies(lists: list[str], profile: str) -> dict[str, str]:
    """Return network -> mean test accuracy and 95 % interval, in words, over the lists' runs."""
    found = [results.find_reference(name, profile)[0] for name in lists]
    runs = pd.concat(found).drop_duplicates("run")
    table = statistics.accuracy_table(results.reference_predictions(runs, profile).correct)
    return {row.Index: _in_words(row) for row in table.itertuples()}


def _in_words(row: Any) -> str:
    """Return a row of `accuracy_table` in words; of a few runs their range, of one its interval."""
    interval = f"{row.mean:.1f} % ({row.low:.1f} to {row.high:.1f})"
    if row.runs == 1:
        return interval
    spread = f"{row.runs} seeds from {row.min:.1f} to {row.max:.1f}"
    if row.runs == 2:  # the interval would speak of the reviews alone
        return f"{row.mean:.1f} %, {spread}"
    return f"{interval}, {spread}"


def main() -> None:
    """Read the command line, and make the lists that it names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lists", nargs="*", metavar="LIST", help=", ".join(EVERYTHING))
    parser.add_argument("--workers", type=int, help="processes; by default one per core")
    parser.add_argument("--only", default="", metavar="NETWORK", help="the runs of one network")
    parser.add_argument("--table", action="store_true", help="print the table of the results")
    parser.add_argument("--collect", action="store_true", help="store what is finished, no more")
    parser.add_argument("--replace", action="store_true", help="drop stored runs of other code")
    options = parser.parse_args()
    if unknown := set(options.lists) - set(EVERYTHING):
        parser.error(f"no such list: {', '.join(unknown)}. Lists are {', '.join(EVERYTHING)}.")
    try:
        profile = config.get_profile()
        if options.table:
            print(summary(profile.name))
        else:
            make_lists(options, profile)
    except LabError as error:
        raise SystemExit(f"{error}") from None


def make_lists(options: argparse.Namespace, profile: Profile) -> None:
    """Make what the command line names."""
    from lab import lesson  # reads the notebook, which --table does not need

    machine.prepare_torch()
    corpus = utils.load_corpus(profile)
    maker = Maker(lesson, profile, corpus, options.workers, options.only, options.replace)
    for name in options.lists or EVERYTHING:
        if name in results.REFERENCE_LISTS:
            maker.make(name, train=not options.collect)
        elif not options.collect:
            maker.make_table(name)


if __name__ == "__main__":
    main()
