"""The official test: held to what was announced before it was opened."""

import dataclasses

import pandas as pd

from lab import config
from lab.experiments import reference
from lab.experiments.settings import Settings
from lab.notebooks import past, trainers, transfer
from tools.maintainers import make_reference

WHERE = reference.folder_of("official")
OPENED_FIRST = {"default": 30, "tuned": 30, "readers": 2, "best": 3}
OPENED_SECOND = {"own_readers": 6, "adversarial": 3}


def as_text(table):
    return table.fillna("").astype(str)


def announced():
    return as_text(pd.read_csv(WHERE / "runs.csv"))


def runs_of_today():
    """Return the announced runs as today's lists, settings and code make them.

    A run's name has digits of its data in it, which were not known before the test was opened. So
    the language models that the best network starts from are given by their networks.
    """
    profile = config.get_profile("official")
    maker = make_reference.Maker(profile, corpus=None)
    lists = {name: list(maker.runs(name)) for name in ("default", "tuned", "readers")}
    starts = {run.network: run.network for run in maker.all_runs("readers")}
    rate = maker.own_rates["GRU-256"]
    lists["best"] = transfer.best_list(profile, rate, starts)
    lists["own_readers"] = past.own_readers(profile)
    seeds = {run.seed for run in lists["own_readers"]}
    lists["adversarial"] = past.adversarial_list(profile, rate, dict.fromkeys(seeds, starts))
    rows = [
        {"list": name, **dataclasses.asdict(run), "code": trainers.training_of(run).code.of(run)}
        for name, runs in lists.items()
        for run in runs
    ]
    return as_text(pd.DataFrame(rows))


def test_neither_runs_nor_code_have_changed_since_the_announcement():
    """No choice can follow from what the test says. What was added since stands at its default."""
    today, columns = runs_of_today(), announced().columns
    defaults = {f.name: str(f.default) for f in dataclasses.fields(Settings)}
    for name in set(today) - set(columns):
        assert (today[name] == defaults[name]).all(), name
    pd.testing.assert_frame_equal(today[columns], announced())
    assert announced()["list"].value_counts().to_dict() == OPENED_FIRST | OPENED_SECOND
    assert set(announced()["max_length"]) == {str(config.PROFILES["full"].max_length), "40"}


def test_what_is_stored_was_announced():
    stored = reference.run_table("official").merge(reference.all_runs("official")[0])
    network_of = dict(zip(stored["run"], stored["network"], strict=True))
    for start in ("pretrained", "pretrained_back"):  # announced by their networks
        stored[start] = stored[start].map(network_of)
    # a setting younger than the runs of the first opening
    stored["adversarial"] = stored["adversarial"].fillna(Settings.adversarial)
    rows = announced().to_dict("records")
    for row in as_text(stored[announced().columns]).to_dict("records"):
        assert row in rows
    assert set(stored["list"]) == {*OPENED_FIRST, *OPENED_SECOND}


def test_each_stored_run_of_the_second_opening_starts_from_language_models_of_its_seed():
    """On the film split, where it was chosen, and on the official test."""
    for profile in ("full", "official"):
        runs = reference.all_runs(profile)[0].set_index("run")
        against = reference.find("adversarial", profile)[0]
        for start, back in (("pretrained", ""), ("pretrained_back", " back")):
            models = runs.loc[against[start]]
            assert models["seed"].tolist() == against["seed"].tolist()
            assert (models["network"] == f"GRU-256{back} LM").all()


def test_tuned_runs_are_those_of_the_film_split():
    keys = ["network", "seed", "learning_rate", "code"]
    film_split = reference.find("tuned", "full")[0][keys].set_index(["network", "seed"])
    runs = pd.read_csv(WHERE / "runs.csv").query("list == 'tuned'")[keys]
    runs = runs.set_index(["network", "seed"])
    shared = runs.index.intersection(film_split.index)
    assert len(shared) >= 12 and runs.loc[shared].equals(film_split.loc[shared])


def test_copies_are_as_many_as_announced_and_named_as_reviews():
    copies = pd.read_csv(WHERE / "copies.csv")
    counts = copies["part"].value_counts()
    text = (WHERE / "README.md").read_text(encoding="utf-8")
    assert f"({counts['neg'] + counts['pos']} and {counts['unsup']})" in text
    assert not copies.duplicated().any()
    ratings = {"neg": "[1-4]", "pos": "([7-9]|10)", "unsup": "0"}  # the end of a file's name
    for part, rows in copies.groupby("part"):
        assert rows["file"].str.fullmatch(rf"\d+_{ratings[part]}\.txt").all()
