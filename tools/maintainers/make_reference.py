"""Makes the stored results of the lab, `data/reference/<profile>`, again.

    python tools/maintainers/make_reference.py [LIST ...] [--workers N] [--only NETWORK]
                                               [--replace] [--table]
    LAB2_PROFILE=official python tools/maintainers/make_reference.py rules [--experiments N]

makes the named lists, by default all, in the profile that LAB2_PROFILE names, with the notebook's
own code and data. What stands there already, with the same settings, data and code, is not made
again. Two tables are made only if they are named: `documents`, of a linear line that has read text
without labels, and `rules`, which needs stored runs alone, and no data. What the files hold is told
in data/reference/README.md; `lab/experiments/reference.py` reads and writes them.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the lab, from any folder

import utils
from lab import config
from lab.analysis import findings, statistics, tables
from lab.base import files, machine
from lab.config import LabError, Profile
from lab.datasets import token_stream
from lab.experiments import reference, run_lists
from lab.experiments.run import RunRecord
from lab.experiments.settings import Settings
from lab.experiments.sweep import records_of, sweep
from lab.models import baselines, documents, ngrams
from lab.notebooks import gradients, lesson, parallel, past, recipes, trainers, transfer
from tools.maintainers import memory_tables, rule_tables

IF_NAMED = ("documents", "rules")
# what is made else, in this order: lists of runs, and tables
EVERYTHING = (
    *("baselines", "default", "gradients", "tuning", "tuned", "matched", "ladder"),
    *("counting", "language", "language_tuned", "transfer", "readers", "past", "best"),
    *("shifts", "own_readers", "adversarial", "unshifted", "recall", "clipping"),
    *("without_state", "parallel_tuning", "parallel", "parallel_language", "findings"),
)

# lists of runs, or steps, that are made of a profile, a learning rate and the runs to start from
FROM_READERS = {
    "past": transfer.ablation_steps,
    "best": transfer.best_list,
    "shifts": past.shift_steps,
}


@dataclasses.dataclass
class Maker:
    """Makes lists and tables with the notebooks' definitions, on the data of a profile.

    workers: processes, by default one per core
    only:    the one network whose runs are made; "": all
    replace: may stored runs of other settings, data or code be dropped?
    """

    profile: Profile
    corpus: utils.Corpus
    workers: int | None = None
    only: str = ""
    replace: bool = False

    @functools.cached_property
    def stream(self) -> token_stream.LanguageData:
        """The text of the language model."""
        return utils.language_data(self.profile, self.corpus)

    def records(self, runs: Sequence[Settings]) -> list[RunRecord]:
        """Return the records of runs, finished or not, each of the training that makes it."""
        return [
            records_of([run], self.data_of(run), trainers.training_of(run).code)[0] for run in runs
        ]

    def carry_out(self, runs: Sequence[Settings]) -> list[RunRecord]:
        """Train what is not finished of some runs, and return their records."""
        groups: dict[Any, list[Settings]] = {}
        for run in runs:
            key = trainers.training_of(run).train, self.data_of(run).fingerprint
            groups.setdefault(key, []).append(run)
        for some in groups.values():
            train, code = trainers.training_of(some[0])
            sweep(some, train, self.data_of(some[0]), code, workers=self.workers)
        return self.records(runs)

    def data_of(self, run: Settings) -> utils.LabData | token_stream.LanguageData:
        """Return the data that a run learns from."""
        if run.network.endswith(" back LM"):
            return token_stream.reverse(self.stream)
        return self.stream if run.network.endswith(" LM") else self.corpus.data

    # ── Lists of runs ───────────────────────────────────────────────────────────────────────────

    def runs(self, name: str) -> dict[Settings, str]:
        """Return the runs of a list, with their steps, of the announced ones if any are.

        Raises LabError if runs are announced and none is of this list, or without tuning runs.
        """
        runs, announced = self.all_runs(name), self.announced
        if announced is None:
            return runs
        if name not in announced:
            raise LabError(
                f"The list {name!r} was not announced in data/reference/{self.profile.name} before "
                f"the test was opened. Announced: {', '.join(announced)}."
            )
        return {
            run: step for run, step in runs.items() if (run.network, run.seed) in announced[name]
        }

    @functools.cached_property
    def announced(self) -> dict[str, set[tuple[str, int]]] | None:
        """The runs that `runs.csv` announces: list -> network and seed; None without that file."""
        if not (reference.folder_of(self.profile.name) / "runs.csv").exists():
            return None
        table = files.read_table("runs", reference.folder_of(self.profile.name))
        return {
            name: set(zip(rows["network"], rows["seed"], strict=True))
            for name, rows in table.groupby("list", sort=False)
        }

    def everything(self) -> tuple[str, ...]:
        """Return all lists and tables of the profile, in the order in which they are made."""
        if self.announced is None:
            return EVERYTHING
        return ("baselines", *self.announced, "findings")

    def check_data(self) -> None:
        """Raise LabError if what is stored in the profile is of other data."""
        stored = set(reference.all_runs(self.profile.name)[0].get("data", ()))
        if stored and self.corpus.data.fingerprint not in stored and not self.replace:
            raise LabError(
                f"The stored results of the profile {self.profile.name} are of other reviews or "
                "vectors than those found here. Add --replace to drop them."
            )

    def all_runs(self, name: str) -> dict[Settings, str]:
        """Return the runs of a list, with their steps, announced or not."""
        if name == "ladder":
            return self.ablations()
        if name in FROM_READERS:
            starts = self.starts("readers", "network")
            runs = FROM_READERS[name](self.profile, self.own_rates["GRU-256"], starts)
            steps = runs.items() if isinstance(runs, dict) else zip(itertools.repeat(""), runs)
            return {run: step for step, run in steps}
        return dict.fromkeys(self.plain_list(name) or self.list_of_starts(name), "")

    def plain_list(self, name: str) -> list[Settings]:
        """Return the runs of a list whose networks start from no language model; else nothing."""
        profile, seeds = self.profile, range(self.profile.stored_seeds)
        runs: list[Settings] = []
        if name == "default":
            runs = run_lists.default_list(profile, lesson.SIX, seeds)
        elif name == "tuning":
            tuning_seeds = range(profile.tuning_seeds)
            runs = run_lists.tuning_list(profile, lesson.SIX, lesson.RATES, tuning_seeds)
        elif name == "tuned":
            runs = run_lists.tuned_list(profile, lesson.SIX, self.own_rates, seeds)
        elif name == "matched":
            units = run_lists.matched_lstm(512, self.corpus.data.vectors.shape[1])
            rate, network = self.own_rates["LSTM-256"], ("LSTM", units, 1)
            runs = [run_lists.tuned_settings(profile, f"LSTM-{units}", network, rate)]
        elif name.startswith("language"):
            recipe = {"recurrent_init": "orthogonal", "decay": True} if "tuned" in name else {}
            rates = lesson.LANGUAGE_RATES
            runs = run_lists.language_list(profile, lesson.OF_EACH_CELL, rates, seeds, **recipe)
        elif name == "parallel_tuning":
            networks, rates = parallel.READER_NETWORKS, parallel.READER_RATES
            tuning_seeds = range(profile.tuning_seeds)
            runs = run_lists.tuning_list(profile, networks, rates, tuning_seeds)
        elif name == "parallel":
            networks, rates = parallel.READER_NETWORKS, parallel.reader_rates(profile)
            runs = run_lists.tuned_list(profile, networks, rates, seeds)
        elif name == "parallel_language":
            networks, rates = parallel.READER_NETWORKS, parallel.READER_LANGUAGE_RATES
            runs = run_lists.language_list(profile, networks, rates, seeds)
        return runs

    def list_of_starts(self, name: str) -> list[Settings]:
        """Return language models to start from, or runs that start from those of their seed."""
        profile = self.profile
        if name == "transfer":
            tuned = run_lists.tuned_list(profile, lesson.OF_EACH_CELL, self.own_rates)
            starts = self.starts("language", "cell")
            return transfer.transfer_list(profile, tuned, starts, self.corpus.data.train)
        if name == "own_readers":
            return past.own_readers(profile)
        if name in ("adversarial", "unshifted"):
            seeds = {run.seed for run in past.own_readers(profile)}
            shared = self.starts("readers", "network")
            starts = {s: shared | self.starts("own_readers", "network", s) for s in sorted(seeds)}
            of_list = past.adversarial_list if name == "adversarial" else past.unshifted_list
            return of_list(profile, self.own_rates["GRU-256"], starts)
        return transfer.start_list(profile)

    def starts(self, name: str, setting: str, seed: int = 0) -> dict[str, str]:
        """Return the language models of a list and seed: the value of a setting -> run."""
        records = self.records([run for run in self.all_runs(name) if run.seed == seed])
        return {getattr(record.settings, setting): record.name for record in records}

    @functools.cached_property
    def own_rates(self) -> dict[str, float]:
        """The learning rate of each network, from the tuning runs of the profile."""
        tuning, _ = reference.find("tuning", self.profile.tuning)
        missing = [n for n in lesson.SIX if n not in set(tuning.get("network", ()))]
        if missing:
            raise LabError(
                "No tuning runs yet. Make them first: "
                "python tools/maintainers/make_reference.py tuning"
            )
        return run_lists.choose_rates(tuning, lesson.SIX, lesson.RATES)

    def ablations(self) -> dict[Settings, str]:
        """Return the steps of all ablations, and their side steps."""
        runs: dict[Settings, str] = {}
        for network in self.profile.ablated:
            steps = recipes.ablation_steps(self.profile, network, self.own_rates[network])
            steps |= recipes.side_steps(self.profile, steps)
            runs |= {run: step for step, run in steps.items()}
        return runs

    def starts_of(self, records: Sequence[RunRecord]) -> list[Settings]:
        """Return the language models that some runs start from."""
        runs = [record.settings for record in records]
        needed = {name for run in runs for name in (run.pretrained, run.pretrained_back) if name}
        lists = ("language", "readers", "own_readers") if needed else ()
        models = [run for name in lists for run in self.all_runs(name)]
        return [record.settings for record in self.records(models) if record.name in needed]

    def make(self, name: str) -> None:
        """Store what is finished of a list, and carry out the rest.

        Raises LabError if stored runs of other settings, data or code would be dropped by it.
        """
        runs = self.runs(name)
        records = self.records(list(runs))
        names = reference.find(name, self.profile.name)[0]["run"]
        others = set(names) - {record.name for record in records}
        if others and not self.replace:
            raise LabError(
                f"{len(others)} stored runs of the list {name!r} are of other settings, data or "
                "code, and would be dropped. Add --replace if that is meant."
            )
        stored = set(reference.all_runs(self.profile.name)[0]["run"])
        waiting = [record for record in records if record.name not in stored]
        self.store(name, runs, waiting)
        waiting = [r for r in waiting if not r.result and self.only in ("", r.settings.network)]
        print(f"{name}, {self.profile.name}: {len(waiting)} of {len(runs)} runs to do", flush=True)
        self.carry_out(self.starts_of(waiting))  # their weights are needed, and not stored
        try:
            self.carry_out([record.settings for record in waiting])
        finally:
            self.store(name, runs, waiting)

    def store(self, name: str, runs: dict[Settings, str], records: list[RunRecord]) -> None:
        """Put those records that are finished beside what is stored of a list."""
        steps = zip(self.records(list(runs)), runs.values(), strict=True)
        names = {record.name: step for record, step in steps}
        finished = [record for record in records if record.result]
        data = self.corpus.data
        reviews = {"test": data.test, "valid": data.valid}
        reference.store(name, names, finished, reviews, self.profile.name)

    # ── Tables ──────────────────────────────────────────────────────────────────────────────────

    def make_table(self, name: str) -> None:
        """Compute a table that is no list of runs, and store it; with gradients come Jacobians."""
        make = {
            "baselines": self.baselines,
            "documents": self.documents,
            "counting": lambda: ngrams.counting_table(self.stream, len(self.corpus.vocab)),
            "gradients": self.gradients,
            "recall": self.recall,
            "clipping": self.clipping,
            "without_state": self.without_state,
            "findings": self.findings,
        }[name]
        made = make()
        tables_by_name = made if isinstance(made, dict) else {name: made}
        for table, content in tables_by_name.items():
            files.write_table(table, content, reference.folder_of(self.profile.name))
        print(f"{name}, {self.profile.name}: made", flush=True)

    def baselines(self) -> pd.DataFrame:
        """Return the accuracy of the baselines, and store what they say of whole reviews."""
        data, length = self.corpus.data, self.profile.max_length
        probability = baselines.baseline_probability(data, length)
        whole = {name: of_whole for name, (_, of_whole) in probability.items()}
        reference.store_baseline_predictions(whole, data.test, self.profile.name)
        return baselines.baseline_table(data, length, probability)

    def documents(self) -> pd.DataFrame:
        """Return the accuracy of linear models that have read more, and store their logits."""
        data = self.corpus.data
        more = utils.unlabelled_reviews(self.corpus, left_out=2 * len(data.train))
        logits = documents.logits_of_lines(data, more)
        reference.store_logits("documents", logits, self.profile.name)
        return documents.table_of_lines(data, logits)

    def gradients(self) -> dict[str, pd.DataFrame]:
        """Return gradients and Jacobians of one network of each cell, untrained and trained."""
        records = self.carry_out(run_lists.default_list(self.profile, lesson.OF_EACH_CELL))
        batch = utils.long_reviews(self.corpus.data.valid, self.profile.max_length)
        models = {
            record.settings.network: lesson.build_model(record.settings, self.corpus.data.vectors)
            for record in records
        }
        of_kinds: dict[str, list[pd.DataFrame]] = {"gradients": [], "jacobians": []}
        for kind in ("untrained", "trained"):
            of_kinds["gradients"].append(lesson.gradient_table(models, batch).assign(kind=kind))
            of_kinds["jacobians"].append(gradients.jacobian_table(models, batch).assign(kind=kind))
            for record in records:
                record.checkpoint.load_best(models[record.settings.network])
        return {name: pd.concat(parts) for name, parts in of_kinds.items()}

    def recall(self) -> dict[str, pd.DataFrame]:
        """Return what the recall task's networks can tell, and how four starts learn, by seed."""
        seeds, updates = range(self.profile.stored_seeds), self.profile.recall_updates
        jobs = [joblib.delayed(memory_tables.recall_of)(seed, updates) for seed in seeds]
        by_length, by_gate = zip(*joblib.Parallel(self.workers or machine.available_cores())(jobs))
        return {"recall": pd.concat(by_length), "gate_starts": pd.concat(by_gate)}

    def clipping(self) -> pd.DataFrame:
        """Return where plain gradient descent ends with and without clipping, by seed."""
        jobs = [
            joblib.delayed(memory_tables.clipping_of)(seed)
            for seed in range(self.profile.stored_seeds)
        ]
        return pd.concat(joblib.Parallel(self.workers or machine.available_cores())(jobs))

    def without_state(self) -> dict[str, pd.DataFrame]:
        """Return what networks whose gates see the word alone remember and count, by seed."""
        seeds, updates = range(self.profile.stored_seeds), self.profile.recall_updates
        jobs = [joblib.delayed(memory_tables.without_state_of)(seed, updates) for seed in seeds]
        made = joblib.Parallel(self.workers or machine.available_cores())(jobs)
        names = ("layers", "clocks", "parity")
        return {name: pd.concat(parts) for name, parts in zip(names, zip(*made), strict=True)}

    def findings(self) -> pd.DataFrame:
        """Return the numbers of all findings, for each seed that has all runs that it needs."""
        accuracy = reference.baselines(self.profile.name)
        default, tuned, read = (
            dict(list(reference.find(name, self.profile.name)[0].groupby("seed")))
            for name in ("default", "tuned", "language")
        )
        values: defaultdict[int, dict[str, float]] = defaultdict(dict)
        for seed in set(default) & set(tuned):
            if len(default[seed]) == len(tuned[seed]) == len(lesson.SIX):
                values[seed] |= findings.measure_networks(default[seed], tuned[seed], accuracy)
        counting = reference.counting(self.profile.name) if read else None
        for seed, models in read.items():
            perplexity = models.set_index("cell")["perplexity"]
            values[seed] |= findings.measure_language(perplexity, counting)
        where = reference.folder_of(self.profile.name)
        if (where / "recall.csv").exists():
            gates = dict(list(files.read_table("gate_starts", where).groupby("seed")))
            for seed, by_length in files.read_table("recall", where).groupby("seed"):
                values[seed] |= findings.measure_recall(by_length, gates[seed], lesson.LONGEST)
        if (where / "parity.csv").exists():
            kinds = ("layers", "clocks", "parity")
            parts = [dict(list(files.read_table(k, where).groupby("seed"))) for k in kinds]
            for seed in parts[0]:
                values[seed] |= findings.measure_without_state(*(part[seed] for part in parts))
        rows = [(c, seed, v) for seed, of in values.items() for c, v in of.items()]
        return pd.DataFrame(rows, columns=["finding", "seed", "value"])


# ── The table of the results ────────────────────────────────────────────────────────────────────


def summary(profile: str = "full") -> str:
    """Return the table of the results in Markdown: accuracies under two recipes, lines to beat."""
    recipes = [_accuracies(lists, profile) for lists in (["default"], ["tuned", "matched"])]
    rows = [("network", "starting report", "default recipe", "own learning rate"), ("---",) * 4]
    for name in dict.fromkeys(name for recipe in recipes for name in recipe):
        reported = tables.STARTING_REPORT.get(name)
        cells = [f"{100 * reported[1]:.2f} %" if reported else ""]
        rows.append((name, *cells, *(recipe.get(name, "") for recipe in recipes)))
    lines = files.read_table("baselines", reference.folder_of(profile))
    rows += [
        (f"{line}, linear", "", f"{100 * share:.1f} %", "")
        for line, share, *_ in lines.iloc[1:].values  # not the commoner label
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _accuracies(lists: list[str], profile: str) -> dict[str, str]:
    """Return network -> mean test accuracy and 95 % interval, in words, over the lists' runs."""
    runs = pd.concat([reference.find(name, profile)[0] for name in lists]).drop_duplicates("run")
    table = statistics.accuracy_table(reference.predictions(runs, profile).correct)
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


@config.ends_in_a_sentence()
def main() -> None:
    """Read the command line, and make the lists that it names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = ", ".join((*EVERYTHING, *IF_NAMED))
    parser.add_argument("lists", nargs="*", metavar="LIST", help=known)
    parser.add_argument("--workers", type=int, help="processes; by default one per core")
    parser.add_argument("--only", default="", metavar="NETWORK", help="the runs of one network")
    parser.add_argument("--experiments", type=int, default=1000, help="a row of `rules`")
    parser.add_argument("--table", action="store_true", help="print the table of the results")
    parser.add_argument("--replace", action="store_true", help="drop stored runs of other code")
    options = parser.parse_args()
    if unknown := set(options.lists) - {*EVERYTHING, *IF_NAMED}:
        parser.error(f"no such list: {', '.join(unknown)}. Lists are {known}.")
    profile = config.get_profile()
    if options.table:
        print(summary(profile.name))
        return
    if "rules" in options.lists:
        rule_tables.make_rules(profile.name, options.experiments, options.workers)
        options.lists.remove("rules")
        if not options.lists:
            return
    machine.prepare_torch()
    corpus = utils.load_corpus(profile)
    maker = Maker(profile, corpus, options.workers, options.only, options.replace)
    maker.check_data()
    for name in options.lists or maker.everything():
        make = maker.make if name in reference.LISTS else maker.make_table
        make(name)


if __name__ == "__main__":
    main()
