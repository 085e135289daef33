"""Findings: numbers with bounds, the same for a reader's run and for the stored ones."""

import nbformat
import pandas as pd
import pytest
from helpers import ROOT

from grading import key
from lab import config
from lab.analysis import findings, statistics
from lab.experiments import reference
from lab.models import baselines

NETWORKS = ("RNN-256", "RNN-256 x 2", "RNN-512", "RNN-1024", "LSTM-256", "GRU-256")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Let the stored findings be elsewhere; write numbers of a profile."""
    monkeypatch.setattr(reference, "folder_of", lambda profile="full": tmp_path / profile)

    def write(profile, **numbers):
        rows = [(c, seed, v) for c, vs in numbers.items() for seed, v in enumerate(vs)]
        (tmp_path / profile).mkdir()
        table = pd.DataFrame(rows, columns=["finding", "seed", "value"])
        table["finding"] = table["finding"].str.replace("_", "-")
        table.to_csv(tmp_path / profile / "findings.csv", index=False)

    return write


def accuracies(*shares):
    return pd.DataFrame({"network": NETWORKS, "test_accuracy": shares})


def test_numbers_of_networks_by_hand():
    lines = pd.DataFrame({"last": [0.5, 0.6, 0.7, 0.75]}, index=["", baselines.AVERAGE, "", ""])
    lines.index = ["always", baselines.AVERAGE, baselines.PAIRS, baselines.WEIGHTED]
    default = accuracies(0.65, 0.55, 0.6, 0.5, 0.72, 0.7)
    tuned = accuracies(0.66, 0.68, 0.67, 0.64, 0.78, 0.74)
    values = findings.measure_networks(default, tuned, lines)
    expected = {
        "default-gated": 5,
        "default-size": 15,
        "own-rate": 14,
        "own-gru": 4,
        "own-size": 2,
        "own-layers": 2,
        "own-gated": 6,
        "own-average": 14,
        "linear-first": 3,
    }
    assert values == pytest.approx(expected)
    assert set(values) <= set(findings.FINDINGS)


def test_numbers_of_language_models_by_hand():
    counting = pd.Series({"unigrams": 400.0, "Kneser-Ney trigrams": 200.0})
    values = findings.measure_language(
        pd.Series({"RNN": 200.0, "LSTM": 150.0, "GRU": 160.0}), counting
    )
    assert values == pytest.approx({"lm-unigrams": 50, "lm-gated": 20, "lm-trigrams": 20})


def test_numbers_of_the_recall_task_by_hand():
    rows = [("RNN", 50, 0.1), ("RNN", 20, 0.2), ("RNN", 100, 0.9), ("RNN", 200, 0.6)]
    rows += [(name, length, 0.9) for name in ("LSTM", "GRU") for length in (20, 50, 100)]
    rows += [("LSTM", 200, 0.85), ("GRU", 200, 0.95)]
    one = pd.DataFrame(rows, columns=["network", "length", "share"]).assign(keep=1, mixed=False)
    one["probe"] = one["length"].map({20: 0.95, 50: 0.85})
    mixed = one.assign(mixed=True, share=one["share"] / 2 + 0.5)
    four = one[one["length"] == 100].assign(mixed=True, keep=4)
    four.loc[four["network"] == "RNN", "share"] = 0.3
    by_gate = pd.DataFrame({"gate": ["0.50", "0.50", "0.95"], "share": [0.5, 0.1, 0.9]})
    values = findings.measure_recall(pd.concat([one, mixed, four]), by_gate, longest=100)
    expected = {"recall-keep": 85, "recall-turn": 20, "recall-mixed": 55, "recall-items": 60}
    expected["recall-probe"] = 85
    assert values == pytest.approx(expected | {"recall-gate": 80})


def test_a_finding_holds_up_to_its_bound():
    assert findings.FINDINGS["own-rate"].holds(5) and not findings.FINDINGS["own-rate"].holds(4.9)
    assert findings.FINDINGS["own-size"].holds(5) and not findings.FINDINGS["own-size"].holds(5.1)
    assert findings.FINDINGS["own-size"].bound == "at most 5 points behind"


def test_the_readers_number_stands_beside_the_stored_ones(folder):
    folder("quick", own_rate=[4, 6, 10])
    folder("full", own_rate=[30])
    row = findings.table(config.PROFILES["quick"], {"own-rate": 7.04}).iloc[0]
    assert row.tolist() == [
        *("at least 5 points", 7.0, "6.0 (4.0 to 10.0)", "2 of 3", "30.0 (one run)"),
        "holds here",
    ]
    nowhere = findings.table(config.PROFILES["tiny"], {"own-rate": 1}).iloc[0]
    assert nowhere["holds in"] == "" and nowhere["in this run"] == "not in this run"


@pytest.mark.parametrize("values", [[-0.04], [-0.04, 0.8], [-0.04, -0.01, 0.0]])
def test_no_number_is_minus_zero(values):
    stored = pd.DataFrame({"finding": "own-gru", "seed": range(len(values)), "value": values})
    assert "-0.0" not in findings._spread(stored, "own-gru")
    shown = findings.table(config.get_profile("quick"), {"own-gru": values[0]})["here"].item()
    assert str(shown) == "0.0"


def test_the_closing_table_says_what_depends_on_size(folder):
    nine = [6] * 9 + [0]
    folder("quick", own_rate=nine, own_size=[9] * 10, linear_first=[3], recall_keep=[90])
    folder("full", own_rate=[30], own_size=[1, 2], linear_first=[4])
    table = findings.closing_table()
    verdicts = {name: table.loc[findings.FINDINGS[name].claim, ""] for name in findings.FINDINGS}
    assert verdicts["own-rate"] == "holds in both"
    assert verdicts["own-size"] == "depends on size"
    assert verdicts["linear-first"] == "fails in both"
    assert verdicts["recall-keep"] == "holds"
    assert verdicts["lm-gated"] == "not measured"


def test_at_full_size_the_official_test_comes_first(folder):
    folder("full", own_rate=[30], lm_gated=[10])
    folder("official", own_rate=[20, 25])
    values = findings.full_size_values()
    assert values["finding"].tolist() == ["own-rate", "own-rate", "lm-gated"]
    assert values["value"].tolist() == [20, 25, 10]


# ── a control for each conclusion ───────────────────────────────────────────────────────────────


NOTEBOOKS = ["lab2.ipynb", *key.FURTHER]


def controls():
    """Return the rows of course/controls.md by section: [id, conclusion, other, excluded by]."""
    _, *sections = (ROOT / "course" / "controls.md").read_text(encoding="utf-8").split("\n## ")
    return {
        section.partition("\n")[0]: [
            [part.strip() for part in line.strip("|").split(" | ")]
            for line in section.splitlines()
            if line.startswith("| `")
        ]
        for section in sections
    }


def prose(notebook):
    return [c for c in nbformat.read(ROOT / notebook, 4).cells if c.cell_type == "markdown"]


def test_each_finding_has_its_control():
    rows = controls()["Findings"]
    said = {row[0].strip("`"): row[1] for row in rows}
    assert said == {name: finding.claim for name, finding in findings.FINDINGS.items()}
    assert len(rows) == len(said)


def test_each_other_control_belongs_to_a_cell_of_prose():
    sections = controls()
    del sections["Findings"]
    assert list(sections) == NOTEBOOKS
    for notebook, rows in sections.items():
        names = [row[0].strip("`") for row in rows]
        assert len(set(names)) == len(names)
        assert {name.partition(":")[0] for name in names} <= {cell.id for cell in prose(notebook)}


def test_no_control_is_left_open():
    for rows in controls().values():
        assert all(len(row) == 4 and all(row) for row in rows), rows


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_what_the_prose_reads_from_stored_results_has_a_control(notebook):
    cells = {cell.id: cell for cell in prose(notebook)}
    if notebook == "lab2.ipynb":  # sections 5 to 8
        names = list(cells)
        cells = {n: cells[n] for n in names[names.index("language") : names.index("review")]}
    readings = {n for n, c in cells.items() if n.endswith("-reading") and "quotes" in c.metadata}
    assert readings <= {row[0].strip("`").partition(":")[0] for row in controls()[notebook]}


@pytest.mark.parametrize(
    "profile, name, times",
    [
        ("official", "tuned", 4),
        ("official", "default", 4),
        ("full", "tuned", 4),
        ("quick", "tuned", 2),
    ],
)
def test_verdicts_stay_if_reviews_vary_more(profile, name, times, monkeypatch):
    """As they might, since reviews of one film are not independent."""
    runs, _ = reference.find(name, profile)
    correct = reference.predictions(runs, profile).correct
    verdicts, reviews = statistics.compare(correct)["supported"], statistics._variance_over_reviews
    monkeypatch.setattr(statistics, "_variance_over_reviews", lambda a, b: times * reviews(a, b))
    assert statistics.compare(correct)["supported"].equals(verdicts)


def test_the_score_of_the_plain_network_is_not_one_of_calibration():
    """Murphy's part of a Brier score: the squared distance of the line from the diagonal."""
    predictions = reference.predictions(reference.find("tuned", "full")[0], "full")
    for name in ("RNN-256", "LSTM-256", "GRU-256"):
        row = statistics.median_seed(predictions.correct[name])
        probability = predictions.probability[name][row]
        table = statistics.reliability(probability, predictions.labels)
        distance = (table["probability"] - table["good"]) ** 2
        part = (distance * table["reviews"]).sum() / table["reviews"].sum()
        assert 0.001 <= round(part, 3) <= 0.002
        assert statistics.brier_score(probability, predictions.labels) > 30 * part
