"""Numbers in the prose: each is held to the stored result that it comes from.

A cell of prose says in its metadata, under `quotes`, where each of its results comes from:
"87.0": "accuracy('default', 'LSTM-256', 0) | .1f" is an expression and a format.
"""

import functools
import itertools
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from helpers import ROOT
from scipy import special, stats

from lab.analysis import statistics
from lab.base import files
from lab.experiments import reference
from lab.models import baselines, documents
from lab.notebooks import lesson, parallel, past, transfer

NOTEBOOKS = [ROOT / "lab2.ipynb", *sorted((ROOT / "further").glob("*.ipynb"))]
# a number with decimals, or in per cent, and no part of a version
NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*\.\d+(?:e[-+]\d+)?(?![\d.]*\.\d)|(?<![\w.,])\d+(?= %)")
NO_RESULT = re.compile(
    r"(?s:\$\$.*?\$\$)|\$[^$]*\$|`[^`]*`"  # formulas, code
    r"|[Ss]ections? \d[\d., and]*|\(\d(\.\d)?(, \d\.\d)*\)"
    r"|^#+ .*$|\*\*Sources\.\*\*.*",
    re.MULTILINE,
)
# what is no result: levels, sizes and thresholds, each known without a run
KNOWN = {
    *("50", "12.5", "0.5", "0.693"),  # chance: of two labels, of eight tokens; ln 2
    *("95", "0.05"),  # intervals and tests
    *("15", "0.95", "0.73", "0.08"),  # the recall task: growth; sigma(3), sigma(1); 0.95 ** 50
    *("0.001", "0.58"),  # Adam's usual learning rate; 1 / sqrt(3)
    *("69.76", "71.35", "69.03", "65.74", "83.08", "83.26"),  # the starting report
    *("86.5", "92.4", "92.8"),  # Dai and Le, 2015
    *("93.68", "97.42"),  # Bingyu and Arefyev, 2022
    *("92.6", "93.8", "94.1"),  # Miyato, Dai and Goodfellow, 2017
    *("93.4", "93.5", "94.0"),  # announced: expected of single runs; aimed at
    *("0.15", "0.3"),  # made up for questions
    *("0.0001", "0.0003"),  # learning rates
    "0.4",  # points of standard deviation in a simulation
    *("3.11", "3.12", "3.13"),  # versions of Python
    *("18.4",),  # millions of words in the full profile's stream
}


@functools.cache
def stored(name, profile):
    return reference.find(name, profile)[0]


@functools.cache
def table(name, profile):
    return files.read_table(name, reference.folder_of(profile))


def run(name, network, seed=None, profile="full", **where):
    """Return the stored runs of a network in a list; where: values of other columns."""
    rows = stored(name, profile)
    rows = rows[rows["network"] == network]
    rows = rows if seed is None else rows[rows["seed"] == seed]
    for column, value in where.items():
        rows = rows[rows[column].fillna("") == value]
    assert len(rows), (name, network, seed, where)
    return rows


def accuracy(name, network, seed=None, how="mean", profile="full", **where):
    """Test accuracy (%) of a run, or of a network's runs by `how`."""
    rows = run(name, network, seed, profile, **where)
    return 100 * getattr(rows["test_accuracy"], how)()


def value(name, network, column, seed=None, profile="full", **where):
    return run(name, network, seed, profile, **where)[column].mean()


def perplexity(network, seed=0, profile="full"):
    return value("language", network, "perplexity", seed, profile)


def counting(model, profile="full"):
    return table("counting", profile).set_index("model")["perplexity"][model]


def line(name, profile="full", whole=False):
    """Test accuracy (%) of a line to beat, on the networks' words or on whole reviews."""
    return 100 * table("baselines", profile).set_index("line").iloc[:, int(whole)][name]


@functools.cache
def answers(name, profile):
    """Whether each answer was right: network -> (seeds, reviews)."""
    return reference.predictions(stored(name, profile), profile).correct


@functools.cache
def differences(name, profile):
    return statistics.compare(answers(name, profile))


def standard_error(first, second, reviews=25_000):
    """The parts of a standard error (points) on the official test: of seeds and of reviews."""
    pair = [statistics.Summary.of(answers("tuned", "official")[name]) for name in (first, second)]
    of_seeds = sum(network.variance / len(network.accuracy) for network in pair)
    of_reviews = statistics._variance_over_reviews(*pair) * 25_000 / reviews
    return {"seeds": 100 * of_seeds**0.5, "reviews": 100 * of_reviews**0.5}


def student(freedom):
    """Student's t of a 95 % interval."""
    return stats.t.ppf(0.975, freedom)


def same_network(name, column, profile="official"):
    """How many pairs of runs of one network there are, or how many McNemar's test tells apart."""
    runs = answers(name, profile).values()
    pairs = [pair for right in runs for pair in itertools.combinations(right, 2)]
    told = [pair for pair in pairs if statistics.mcnemar(*pair) < 0.05]
    return {"pairs": len(pairs), "told apart": len(told)}[column]


def difference(first, second, column, name="tuned", profile="full"):
    """A number of the comparison of two networks, without its sign."""
    return abs(differences(name, profile).loc[f"{first} − {second}", column])


def interval(name, network, profile="official"):
    """The 95 % interval (%) of a network's mean accuracy."""
    return statistics.accuracy_table(answers(name, profile)).loc[network, ["low", "high"]].tolist()


def matched(network, column):
    """A number of the comparison of the LSTM-234 with a network, of seed 0."""
    runs = stored("tuned", "full")
    runs = pd.concat([runs[runs["seed"] == 0], stored("matched", "full")])
    pairs = [("LSTM-234", other) for other in ("RNN-512", "LSTM-256")]
    table = statistics.compare(reference.predictions(runs).correct, pairs)
    return table.loc[f"LSTM-234 − {network}", column]


def gained(network, column):
    """What a network gained by its own learning rate on the official test."""
    recipes = {name: answers(name, "official") for name in ("tuned", "default")}
    both = {f"{n}, {name}": right for name in recipes for n, right in recipes[name].items()}
    pairs = [(f"{n}, tuned", f"{n}, default") for n in recipes["tuned"]]
    return statistics.compare(both, pairs).loc[f"{network}, tuned − {network}, default", column]


def best_lead(column):
    """What the best network has more than the GRU-256 with the same seeds on the official test."""
    runs, best = stored("tuned", "official"), stored("best", "official")
    own = runs[(runs["network"] == "GRU-256") & runs["seed"].isin(best["seed"])]
    correct = reference.predictions(pd.concat([best, own]), "official").correct
    return statistics.compare(correct)[column].item()


def best_epochs(cell, profile="official"):
    """How many runs with learning rates of their own have their best epoch when: epoch -> runs."""
    runs = stored("tuned", profile)
    return runs.loc[runs["cell"] == cell, "best_epoch"].value_counts()


@functools.cache
def together(profile):
    """What the best network's runs and the weighted line said, alone and together."""
    predictions = reference.predictions(stored("best", profile), profile)
    [single] = predictions.probability.values()
    line = reference.baseline_predictions(profile).probability[baselines.WEIGHTED]
    return predictions._replace(probability=transfer.together(single, line)).correct


def together_accuracy(name, profile="full"):
    """Mean test accuracy (%) of the best network's runs, of their mean, or of that and the line."""
    return 100 * together(profile)[name].mean()


def together_difference(first, second, column, profile="full"):
    table = statistics.compare(together(profile), transfer.PAIRS_TOGETHER)
    return abs(table.loc[f"{first} − {second}", column])


def read_more(line, split="test", profile="full"):
    """The share (%) of a split's reviews that a linear line has right which may have read more."""
    table = files.read_table("documents", reference.folder_of(profile)).set_index("line")
    return 100 * table.loc[getattr(documents, line, line), split]


def read_more_gain(first, second, column, profile="full"):
    first, second = (getattr(documents, name, name) for name in (first, second))
    correct = reference.line_predictions(profile).correct
    return statistics.compare(correct, [(first, second)])[column].item()


@functools.cache
def gains(profile):
    """What the start from a language model gained in each task, and its interval."""
    runs = transfer.with_starts(stored("transfer", profile), 17_384)
    named = runs.assign(network=runs["task"] + ": " + runs["start"])
    return transfer.compare_starts(runs, reference.predictions(named, profile).correct)


def gain(network, labels, column, profile="full"):
    return gains(profile).loc[f"{network}, {labels:,} labels", column]


def gradient(network, distance, state="h", kind="trained", profile="full"):
    """The median gradient at a distance, relative to that at the last word."""
    rows = table("gradients", profile)
    chosen = (rows["kind"] == kind) & (rows["network"] == network) & (rows["state"] == state)
    return rows[chosen & (rows["distance"] == distance)]["median"].item()


def jacobian(network, words, column, kind="trained", profile="full"):
    rows = table("jacobians", profile)
    chosen = (rows["kind"] == kind) & (rows["network"] == network) & (rows["words"] == words)
    return rows[chosen][column].item()


def recall(network, length=100, how="median", column="share", rate=None, **way):
    """What ten seeds of the recall task tell (%), or a probe reads, at a length, by `how`.

    rate: by default the lab's; way: keep, mixed, units, budget, where they are not the lab's first
    """
    rows = table("recall", "quick")
    rate = rate or lesson.RECALLERS[network][1]
    way = {"keep": 1, "mixed": False, "units": 64, "budget": 1500} | way
    for name, value in {"network": network, "length": length, "rate": rate, **way}.items():
        rows = rows[rows[name] == value]
    assert len(rows) == len(rows["seed"].unique()) == 10
    return 100 * getattr(rows[column], how)()


def gate(start):
    """Median share (%) of right answers where an LSTM's forget gates began so, ten seeds."""
    rows = table("gate_starts", "quick")
    return 100 * rows[rows["gate"] == start]["share"].median()


def clipping(way, factor):
    """Median loss (nats) of ten seeds at the end of plain gradient descent."""
    rows = table("clipping", "quick")
    return rows[(rows["way"] == way) & (rows["factor"] == factor)]["loss"].median()


def layers(network, length=None, how="min", column="share"):
    """What ten seeds tell of the first token (%), lengths mixed, at a length or at all of them."""
    rows = table("layers", "quick")
    return _of_ten(rows[rows["mixed"]], network, length, how, column)


def parity(network, length=None, how="min", column="share"):
    """What ten seeds have right of parity (%), or another column, at a length or at all of them."""
    rows = table("parity", "quick")
    rate = parallel.COUNTERS[network][1]
    return _of_ten(
        rows[(rows["rate"] == rate) & (rows["first"] == 3)], network, length, how, column
    )


def _of_ten(rows, network, length, how, column):
    rows = rows[rows["network"] == network]
    rows = rows if length is None else rows[rows["length"] == length]
    assert (rows.groupby("length")["seed"].nunique() == 10).all() and not rows.empty
    return (100 if column == "share" else 1) * getattr(rows[column], how)()


def parity_controls(length, how):
    """The same of the controls, at other rates and with longer texts from the start."""
    rows = table("parity", "quick")
    lab = rows["network"].map(lambda name: parallel.COUNTERS[name][1])
    rows = rows[(rows["rate"] != lab) | (rows["first"] != 3)]
    assert set(rows["network"]) == {"minGRU x 2", "attention"} and rows["seed"].nunique() == 3
    return 100 * getattr(rows[rows["length"] == length]["share"], how)()


def clock(name, column, how):
    """What ten seeds tell (%) with a clock, lengths mixed; name: of a clock, or how it begins."""
    rows = table("clocks", "quick")
    rows = rows[rows["mixed"] & rows["clock"].str.startswith(name)]
    assert rows["seed"].nunique() == 10
    return 100 * getattr(rows[column], how)()


READER_PAIRS = [
    ("minGRU-256 x 2", "minGRU-256"),
    ("minGRU-256 x 2", "LSTM-256"),
    ("GRU-256", "minGRU-256 x 2"),
    ("minGRU-256", "RNN-256"),
    ("GRU-256", "attention-120 x 2"),
]


@functools.cache
def compared_readers(profile):
    """The table of `further/parallel`, section 3.1: in quick ten seeds of each, in full five."""
    runs = pd.concat([stored("parallel", profile), stored("tuned", profile)])
    runs = runs[runs["network"].isin({name for pair in READER_PAIRS for name in pair})]
    right = reference.predictions(runs, profile).correct
    pairs = [pair for pair in READER_PAIRS if set(pair) <= set(right)]
    seeds = {name: len(right[name]) for pair in pairs for name in pair}
    assert set(seeds.values()) == {"quick": {10}, "full": {5, 2}}[profile]
    return statistics.compare(right, pairs)


def readers(first, second, column, profile="quick"):
    return abs(compared_readers(profile).loc[f"{first} − {second}", column])


@functools.cache
def compared_past_the_line(profile):
    return statistics.compare(past.right_together(profile), past.PAIRS_PAST_THE_LINE)


def past_the_line(first, second, column, profile="official"):
    """A number of the comparisons of `further/past`, section 3, without its sign."""
    return abs(compared_past_the_line(profile).loc[f"{first} − {second}", column])


def more_here(name):
    """What a member of `further/past` has more on the official test than on the film split."""
    here, there = (past.right_together(profile)[name].mean() for profile in ("official", "full"))
    return 100 * (here - there)


def line_reliability(profile="full"):
    """How often the line of `further/past` is right among like probabilities."""
    members, labels = past.stored_members(profile)
    probability = special.expit(members["line"]["test"])
    return statistics.reliability(probability, labels["test"])


def shared_of_worst(name):
    """The share (%) of mistakes that all runs of a list make, of equally many of each run.

    Of each run count its worst mistakes, as many as the run makes that makes least.
    """
    margins = {}  # list -> (runs, reviews): how far each answer is on the right side
    for each in ("adversarial", "unshifted", "best"):
        said = reference.predictions(stored(each, "full").assign(network=each))
        margins[each] = past.logits_of(said.probability[each]) * np.where(said.labels > 0.5, 1, -1)
    count = min((of < 0).sum(1).min() for of in margins.values())
    worst = np.argsort(np.argsort(margins[name], axis=1), axis=1) < count
    return 100 * past.shared_mistakes(~worst)


def prose(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "markdown"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_quoted_result_is_the_stored_one(path):
    wrong = {}
    for cell in prose(path):
        for said, source in cell.metadata.get("quotes", {}).items():
            expression, _, form = source.rpartition(" | ")
            now = format(eval(expression, dict(globals())), form)
            if now != said or said not in cell.source:
                wrong[cell.id, said] = (source, now)
    assert not wrong


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_result_in_the_prose_says_where_it_comes_from(path):
    """Or it stands, in a further notebook, in a table beside it that reads stored results."""
    stray, shown = {}, set() if path.stem == "lab2" else shown_of_stored_results(path)
    for cell in prose(path):
        numbers = set(NUMBER.findall(NO_RESULT.sub("", cell.source)))
        if left := numbers - set(cell.metadata.get("quotes", {})) - KNOWN - shown:
            stray[cell.id] = left
    assert not stray


INTERVAL = re.compile(r"\((?:−?[\d.]+ points, )?(−?\d+\.\d+) to (−?\d+\.\d+)(?=[),])")
PAGES = ["course/controls.md", "data/reference/README.md", "README.md"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_interval_in_the_prose_has_its_signs(path):
    """Whether zero is in it is what an interval is read for."""
    known = stored_intervals() | shown_intervals(path)
    stray = {cell.id: unknown_intervals(cell.source, known) for cell in prose(path)}
    assert not any(stray.values()), stray


@pytest.mark.parametrize("page", PAGES)
def test_each_interval_on_a_page_has_its_signs(page):
    known = stored_intervals().union(*map(shown_intervals, NOTEBOOKS))
    assert not unknown_intervals((ROOT / page).read_text(encoding="utf-8"), known)


def unknown_intervals(text, known):
    """Return the intervals of a text that are none of the known, told from either side."""
    found = [[float(n.replace("−", "-")) for n in ends] for ends in INTERVAL.findall(text)]
    return [(low, high) for low, high in found if not known & {(low, high), (-high, -low)}]


def shown_intervals(path):
    """Return the pairs of numbers that stand side by side in outputs of stored results."""
    rows = [re.findall(r"-?\d+\.\d+", output) for output in stored_outputs(path)]
    return {(float(a), float(b)) for row in rows for a, b in itertools.pairwise(row)}


@functools.cache
def stored_intervals():
    """Return the intervals of the comparisons and means that `quotes` may read, and of the runs."""
    lists = list(itertools.product(("default", "tuned"), ("quick", "full", "official")))
    tables = [differences(*of_list) for of_list in lists]
    lists.append(("matched", "full"))
    means = [statistics.accuracy_table(answers(*of_list)) for of_list in lists]
    tables += [*means, *(t[["min", "max"]].set_axis(["low", "high"], axis=1) for t in means)]
    tables += [compared_readers(profile) for profile in ("quick", "full")]
    tables.append(statistics.compare(together("official"), transfer.PAIRS_TOGETHER))
    tables += [compared_past_the_line(profile) for profile in ("full", "official")]
    ends = pd.concat(tables)[["low", "high"]].to_numpy()
    return {tuple(pair) for n in (1, 2) for pair in ends.round(n).tolist()}


def shown_of_stored_results(path):
    """Return the numbers in the outputs of the cells that read stored results alone."""
    found = [re.findall(r"\d+\.\d+|\d+", output) for output in stored_outputs(path)]
    return set(itertools.chain.from_iterable(found))


def stored_outputs(path):
    """Return what the cells put out that read stored results alone."""
    cells = nbformat.read(path, as_version=4).cells
    stored_cells = [c for c in cells if "stored-results" in c.metadata.get("tags", [])]
    return [words_of(output) for cell in stored_cells for output in cell.outputs]


def words_of(output):
    """Return an output of a cell as plain text."""
    if output.output_type == "stream":
        return output.text
    data = output.get("data", {})
    page = re.sub(r"<style.*?</style>", " ", data.get("text/html", ""), flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", page) + " " + data.get("text/plain", "")


PROFILES = [path.name for path in sorted(reference.folder_of("full").parent.glob("*/"))]


@pytest.mark.parametrize("page", ["README.md", "data/reference/README.md"])
def test_numbers_of_the_readmes_stand_in_the_stored_results(page):
    """A coarse net: it does not know which number a sentence means."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = text.split("## Working with it")[0] if page == "README.md" else text
    known = {f"{number:.1f}" for profile in PROFILES for number in numbers_of(profile)}
    numbers = set(NUMBER.findall(NO_RESULT.sub("", text)))
    stray = {n for n in numbers if "." in n} - known - KNOWN
    assert not stray


def numbers_of(profile):
    """Yield stored results of a profile, shares in per cent, and what is computed of them."""
    for name, unit in {"findings": 1, "counting": 1, "baselines": 100, "documents": 100}.items():
        if (reference.folder_of(profile) / f"{name}.csv").exists():
            numbers = table(name, profile).select_dtypes("number").abs()
            yield from (unit * numbers).to_numpy().ravel()
    for name in ("language", "language_tuned", "parallel_language"):
        if len(runs := stored(name, profile)):
            yield from runs["perplexity"]
            yield from runs.groupby("network")["perplexity"].mean()
    for name in reference.LISTS:
        if len(stored(name, profile)):
            runs = stored(name, profile).dropna(subset="test_accuracy")
            correct = reference.predictions(runs, profile).correct
            yield from 100 * runs["test_accuracy"]
            yield from statistics.accuracy_table(correct).to_numpy().ravel()
    for name in ("default", "tuned"):
        if len(stored(name, profile)):
            columns = differences(name, profile).drop(columns="supported")
            yield from columns.abs().to_numpy(float).ravel()
    if len(stored("parallel", profile)):
        yield from compared_readers(profile).drop(columns="supported").abs().to_numpy(float).ravel()
    if len(stored("best", profile)):
        yield from statistics.accuracy_table(together(profile)).to_numpy().ravel()
    if len(stored("adversarial", profile)):
        yield from statistics.accuracy_table(past.right_together(profile)).to_numpy().ravel()
