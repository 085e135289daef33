"""Statistics against known answers; gradients through time against closed forms."""

import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn

import utils
from lab import config
from lab.analysis import figures, recall, statistics, tables, widget
from lab.analysis.simulation import Network, count_verdicts
from lab.base import files
from lab.experiments import reference, run_lists
from tools.maintainers import rule_tables


def coins(generator, accuracy, shape):
    return generator.random(shape) < accuracy


def test_mcnemar_worked_example():
    # Fagerland, Lydersen and Laake (2013), table 1: 1 and 7 discordant pairs of 21, mid-p 0.039
    first = np.array([True] * 1 + [True] * 1 + [False] * 7 + [False] * 12)
    second = np.array([True] * 1 + [False] * 1 + [True] * 7 + [False] * 12)
    assert round(statistics.mcnemar(first, second), 3) == 0.039
    assert statistics.mcnemar(second, first) == statistics.mcnemar(first, second)
    assert statistics.mcnemar(first, first) == 1


def draws(count):
    """A quarter of the draws of a simulation by default, all of them in the long tests."""
    return pytest.mark.parametrize(
        "draws", [count // 4, pytest.param(count, marks=pytest.mark.long)]
    )


def near(found, share, draws, spreads=2):
    """Is a share that was found in so many draws the true one, up to some standard deviations?"""
    return abs(found - share) <= spreads * math.sqrt(share * (1 - share) / draws)


@draws(2000)
def test_mcnemar_false_positives_and_power(draws):
    generator = np.random.default_rng(0)
    equal = [statistics.mcnemar(*coins(generator, 0.8, (2, 500))) for _ in range(draws)]
    assert near(np.mean(np.array(equal) < 0.05), 0.05, draws)
    better = coins(generator, 0.85, (draws, 500))
    worse = coins(generator, 0.80, (draws, 500))
    found = np.mean([statistics.mcnemar(a, b) < 0.05 for a, b in zip(better, worse, strict=True)])
    # independent errors: the two differ on share d = .85 * .20 + .15 * .80 of the reviews
    differ = 0.85 * 0.20 + 0.15 * 0.80
    spread = math.sqrt((differ - 0.05**2) / 500)
    power = stats.norm.sf(1.96 * math.sqrt(differ / 500) / spread - 0.05 / spread)
    assert near(found, power, draws, 3)


OFFICIAL, QUICK = (6, 5, 25_000), (3, 3, 2000)  # networks, seeds, reviews


@pytest.fixture(scope="session")
def population():
    """The official test's reviews, as the gated networks judged them."""
    return rule_tables.judged_reviews("official")


def test_a_drawn_network_has_its_accuracy_and_its_spread(population):
    networks = [Network(0.9, 0.002), Network(0.8, 0.02)]
    places = [population.place(network) for network in networks]
    answers = population.answers(np.random.default_rng(0), places, 300, 5000)
    for network, right in zip(networks, answers.values(), strict=True):
        accuracy = right.mean(1)
        assert accuracy.mean() == pytest.approx(network.accuracy, abs=0.012)  # of 5000 reviews
        noise = statistics.Summary.of(right).noise * 300 / 5000
        assert accuracy.var() - noise == pytest.approx(network.spread**2, rel=0.3, abs=2e-6)


def is_share(found, least, most, count):
    """Can a share that was found in so many experiments be one from least to most?"""
    return (
        stats.binomtest(round(found * count), count, least, alternative="less").pvalue > 0.003
        and stats.binomtest(round(found * count), count, most, alternative="greater").pvalue > 0.003
    )


@pytest.mark.parametrize(
    ("size", "spread", "count"),
    [
        *((QUICK, spread, 100) for spread in (0.004, 0.02)),
        *((OFFICIAL, spread, 40) for spread in (0.004, 0.02)),
        *(
            pytest.param(size, spread, 500, marks=pytest.mark.long)
            for size in (QUICK, OFFICIAL, (6, 3, 25_000))
            for spread in (0.002, 0.004, 0.01, 0.02, None)
        ),
    ],
)
def test_the_rule_keeps_its_promises(population, size, spread, count):
    """Equal networks; then one that is worse by what is called detectable. None: one is unsteady.

    The reviews are those of the official test, the spreads those of the stored runs.
    """
    number, seeds, reviews = size
    networks = [Network(0.9, spread or 0.004)] * number
    if spread is None:
        networks[-1] = Network(0.9, 0.02)
    said = count_verdicts(population, networks, seeds, reviews, count)
    assert is_share(said["false"], 0, 0.05, count)
    assert is_share(said["covered"], 0.93, 0.97, count * (number // 2))
    if spread:
        worse = [Network(0.9 - said["detectable"] / 100, spread), *networks[1:]]
        said = count_verdicts(population, worse, seeds, reviews, count)
        assert is_share(said["found"], 0.75, 0.85, count)


def test_the_stored_simulation_keeps_the_promises_too(population):
    rows = files.read_table("rules", reference.folder_of("official"), {"spread": str})
    sizes = rows.groupby(["networks", "seeds", "reviews"])["spread"].agg(list)
    assert sizes.to_dict() == {size: list(rule_tables.SPREADS) for size in rule_tables.SIZES}
    for row in rows.itertuples():
        assert is_share(row.false, 0, 0.05, row.experiments)
        assert is_share(row.covered, 0.93, 0.97, row.experiments * (row.networks // 2))
        assert math.isnan(row.found) or is_share(row.found, 0.75, 0.85, row.experiments)
    quick = rows[(rows["reviews"] == 2000) & (rows["spread"] == "1")].iloc[0]
    again = rule_tables.rule_row(population, (*QUICK, "1"), 40, seed=1000)
    for share in ("false", "covered", "found", "false_mcnemar"):
        assert is_share(again[share], quick[share], quick[share], 40), share
    assert again["detectable"] == pytest.approx(quick["detectable"], rel=0.25)


def test_welchs_test_is_that_of_scipy_where_reviews_are_without_number():
    generator = np.random.default_rng(0)
    rates = generator.normal(0.8, 0.02, 4), generator.normal(0.75, 0.05, 3)
    answers = [np.arange(200_000) < (200_000 * rate)[:, None] for rate in rates]
    ours = statistics.difference(*answers)
    welch = stats.ttest_ind(*(right.mean(1) for right in answers), equal_var=False)
    assert ours.p == pytest.approx(welch.pvalue, rel=0.02)
    low, high = welch.confidence_interval()
    assert (ours.low, ours.high) == pytest.approx((low, high), rel=0.02)


def test_of_single_runs_the_reviews_alone_are_known():
    generator = np.random.default_rng(0)
    first, second = coins(generator, [[0.8], [0.7]], (2, 4000))[:, None]
    ours = statistics.difference(first, second)
    known = stats.ttest_rel(*(right[0].astype(float) for right in (first, second)))
    assert ours.p == pytest.approx(known.pvalue, rel=0.01)
    table = statistics.compare({"a": first, "b": second})
    assert table["supported"].tolist() == ["one run"]


def test_difference_refuses_other_reviews():
    with pytest.raises(ValueError, match="the same reviews"):
        statistics.difference(np.ones((2, 5)), np.ones((2, 6)))


def test_compare_is_stricter_the_more_pairs_there_are():
    generator = np.random.default_rng(1)
    correct = {name: coins(generator, 0.8, (3, 1000)) for name in "abcd"}
    correct["a"] = coins(generator, 0.9, (5, 1000))  # the numbers of seeds may differ
    table = statistics.compare(correct)
    alone = statistics.difference(correct["a"], correct["b"])
    assert table.loc["a − b", "p"] == pytest.approx(6 * alone.p)
    assert table.loc["a − b", "low"] < 100 * alone.low
    supported = table.index[table["supported"] == "yes"].tolist()
    assert supported == ["a − b", "a − c", "a − d"]
    zero_outside = (table["low"] > 0) | (table["high"] < 0)
    assert ((table["p"] < 0.05) == zero_outside).all()


def test_seed_table_counts_collapsed_runs():
    results = pd.DataFrame({"network": ["A"] * 3 + ["B"], "test_accuracy": [0.7, 0.8, 0.5, 0.6]})
    table = statistics.seed_table(results)
    assert table.loc["A"].round(2).tolist() == [3, 66.67, 15.28, 70, 50, 80, 1]
    assert table.loc["B", "collapsed"] == 0 and math.isnan(table.loc["B", "sd"])


def test_accuracy_of_one_run_or_two_has_the_interval_of_the_reviews():
    one = np.repeat([[True, False]], [800, 200], axis=1)  # (1, 1000)
    table = statistics.accuracy_table({"one": one, "twice": np.repeat(one, 2, axis=0)})
    assert table["mean"].tolist() == [80, 80] and table["runs"].tolist() == [1, 2]
    low, high = statistics.accuracy_interval(0.8, 1000)
    assert table.loc["one", ["low", "high"]].tolist() == pytest.approx(
        [100 * low, 100 * high], abs=0.5
    )
    assert table.loc["twice", "low":"max"].tolist() == table.loc["one", "low":"max"].tolist()
    a_coin = np.concatenate([one, np.roll(~one, 100, axis=1)])  # 80 and 20 %
    two, three = (
        statistics.accuracy_table({"": runs}) for runs in (a_coin, np.vstack([a_coin, one]))
    )
    assert two[["mean", "min", "max"]].values.tolist() == [[50, 20, 80]]
    assert (two["high"] - two["low"]).item() < 7 < 60 < (three["high"] - three["low"]).item()


def test_median_seed():
    correct = np.array([[1, 1, 1], [0, 0, 0], [1, 1, 0], [1, 0, 0]], dtype=bool)
    assert statistics.median_seed(correct) == 3
    assert statistics.median_seed(correct[:3]) == 2


def test_reliability_of_a_calibrated_and_of_a_boasting_network():
    generator = np.random.default_rng(0)
    truth = generator.random(50_000)
    label = (generator.random(50_000) < truth).astype(float)
    table = statistics.reliability(truth, label)
    assert len(table) == 10 and table["reviews"].sum() == 50_000
    assert (table["good"] - table["probability"]).abs().max() < 0.02
    boasting = statistics.reliability((truth > 0.5).astype(float), label)
    assert boasting["good"].tolist() == pytest.approx([0.25, 0.75], abs=0.02)
    assert statistics.brier_score(np.full(10, 0.5), label[:10]) == 0.25


def test_accuracy_by_length_and_confident_errors():
    correct = np.array([[1, 1, 0, 0], [1, 1, 1, 0]], dtype=bool)
    table = statistics.accuracy_by_length(correct, np.array([10, 11, 100, 120]), parts=2)
    assert table["accuracy"].tolist() == [1.0, 0.25] and table["reviews"].tolist() == [2, 2]
    assert table["tokens"].tolist() == [10.5, 110]
    runs = np.arange(2000) % 1000 < np.array([[700], [800], [900]])  # accuracies of each half
    short, long = statistics.accuracy_by_length(runs, np.arange(2000), parts=2).itertuples()
    student = stats.t.ppf(0.975, 2) * 0.1 / math.sqrt(3)  # of the seeds; the reviews add a little
    for part in (short, long):
        assert part.accuracy == pytest.approx(0.8)
        assert part.accuracy - part.low == pytest.approx(student, rel=0.05)
    probability = np.array([0.99, 0.01, 0.6, 0.2, 0.9])
    label = np.array([0, 1, 0, 0, 1])
    assert statistics.confident_errors(probability, label).tolist() == [0, 1, 2]


def linear_rnn(factor, hidden=6):
    """Return an RNN whose W_hh is a rotation times factor, and whose tanh is not felt."""
    torch.manual_seed(0)
    layer = nn.RNN(3, hidden)
    for name, weight in layer.named_parameters():
        nn.init.zeros_(weight)
        if name == "weight_hh_l0":
            nn.init.orthogonal_(weight)
            weight.data *= factor
    return layer


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0])
def test_gradient_of_a_linear_rnn_is_a_power(lesson, factor):
    """All states are 0, where tanh has slope 1: dL/dh_t = W^k dL/dh_T, shortened by factor^k."""
    model = lesson.RNN(10, 3, 6)
    model.recurrent = linear_rnn(factor)
    length = torch.full((4,), 30)
    text = torch.randint(2, 10, (30, 4))
    batch = utils.Batch(text, length, torch.tensor([0.0, 1, 0, 1]), np.arange(4))
    norms = lesson.gradients_through_time(model, "RNN", batch)["h"]
    table = statistics.bands(norms)
    np.testing.assert_allclose(table["median"], factor ** np.arange(30), rtol=1e-4)
    np.testing.assert_allclose(table["low"], table["high"], rtol=1e-4)
    expected = math.log(2) / -math.log(factor) if factor < 1 else math.inf
    half = statistics.half_life(table)
    assert half == pytest.approx(expected, rel=1e-3) or half > 1e4


@pytest.mark.parametrize(
    ("name", "part"), [("RNN", "h"), ("GRU", "h"), ("LSTM", "h"), ("LSTM", "c")]
)
def test_gradients_equal_finite_differences(lesson, name, part):
    """Nudge each unit of the state after word 5, read on, and see how the losses change."""
    torch.manual_seed(0)
    model = lesson.CELLS[name](20, 5, 8).double()
    text, length = torch.randint(2, 20, (9, 3)), torch.tensor([9, 9, 9])
    label = torch.tensor([0.0, 1, 1]).double()
    norms = lesson.gradients_through_time(model, name, utils.Batch(text, length, label, None))
    assert set(norms) == ({"h", "c"} if name == "LSTM" else {"h"})

    @torch.no_grad()
    def losses(nudge):
        zeros = torch.zeros(3, 8).double()
        state = (zeros, zeros) if name == "LSTM" else zeros
        for step, x_t in enumerate(model.embedding(text)):
            state = lesson.SCRATCH[name](x_t, state, *model.recurrent.all_weights[0])
            h, *memory = state if name == "LSTM" else (state,)
            if step == 5 and part == "h":
                h = h + nudge
            elif step == 5:  # h follows c: h = o tanh(c)
                moved = memory[0] + nudge
                h, memory = h / torch.tanh(memory[0]) * torch.tanh(moved), [moved]
            state = (h, *memory) if memory else h
        logits = model.linear(h).squeeze(1)
        return F.binary_cross_entropy_with_logits(logits, label, reduction="none")

    size = 1e-4
    slopes = [(losses(n) - losses(-n)) / (2 * size) for n in size * torch.eye(8).double()]
    np.testing.assert_allclose(norms[part][5], torch.stack(slopes).norm(dim=0), rtol=1e-4)


@pytest.mark.parametrize("steps", [1, 5])
def test_jacobian_of_a_linear_rnn_is_a_power(gradients, steps):
    layer = linear_rnn(0.8)
    jacobian = gradients.state_jacobian(
        "RNN", [w.detach() for w in layer.all_weights[0]], torch.zeros(steps, 3), torch.zeros(6)
    )
    expected = torch.linalg.matrix_power(layer.weight_hh_l0.detach(), steps)
    torch.testing.assert_close(jacobian, expected)
    assert torch.linalg.svdvals(jacobian).tolist() == pytest.approx([0.8**steps] * 6, rel=1e-4)


def test_jacobian_of_an_open_lstm_keeps_its_memory(gradients):
    """Forget gates wide open, all else shut: c passes through unchanged, h is made anew."""
    layer = nn.LSTM(3, 4)
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    layer.bias_ih_l0.data = torch.tensor([-50.0] * 4 + [50.0] * 4 + [0.0] * 4 + [50.0] * 4)
    weights = [w.detach() for w in layer.all_weights[0]]
    jacobian = gradients.state_jacobian("LSTM", weights, torch.zeros(7, 3), torch.zeros(8))
    expected = torch.zeros(8, 8)
    expected[:4, 4:] = expected[4:, 4:] = torch.eye(4)  # h = tanh(c) has slope 1 at 0
    torch.testing.assert_close(jacobian, expected)


def test_bands_leave_out_reviews_without_gradient():
    norms = np.array([[1.0, 0.0], [2.0, 0.0]])
    assert statistics.bands(norms)["median"].tolist() == [1.0, 0.5]
    assert statistics.half_life(statistics.bands(norms)) == pytest.approx(1)
    assert math.isinf(statistics.half_life(statistics.bands(np.ones((5, 2)))))


def test_bands_of_no_gradient_at_all_are_not_known():
    table = statistics.bands(np.array([[1.0, 2.0], [0.0, 0.0]]))
    assert table["distance"].tolist() == [0, 1]
    assert table[["low", "median", "high"]].isna().all(axis=None)
    assert statistics.half_life(table) == 0


def test_half_lives_are_told_apart_by_kind_network_and_state():
    norms = 0.9 ** np.arange(60)[::-1, None] * np.ones((1, 5))
    table = pd.concat(
        statistics.bands(norms).assign(kind=kind, network=network, state=state)
        for kind in ("untrained", "trained")
        for network, state in (("RNN-256", "h"), ("LSTM-256", "h"), ("LSTM-256", "c"))
    )
    found = statistics.half_lives(table)
    assert found.shape == (2, 3) and (found == 6.6).all().all()


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_inside_ends_with_the_prediction_and_gates_are_the_cells_own(lesson, gradients, name):
    torch.manual_seed(0)
    model = lesson.CELLS[name](20, 5, 8).eval()
    text = torch.randint(2, 20, (7, 1))
    reading = gradients.inside(model, name, text, units=3)
    assert reading["belief"][-1] == pytest.approx(
        model.predict(text, torch.tensor([7])).item(), abs=1e-6
    )
    assert reading["evidence"].shape == (7, 3)
    if name == "GRU":  # h = (1 - z) n + z h: from z and the states, n must lie within -1 and 1
        states = model.recurrent(model.embedding(text))[0][:, 0].detach().numpy()
        z = reading["gates"]["update z"]
        before = np.vstack([np.zeros(8), states[:-1]])
        proposal = (states - z * before) / (1 - z)
        assert np.abs(proposal).max() <= 1 + 1e-5


def test_matched_lstm_has_as_many_recurrent_weights():
    for word_dim in (50, 100, 300):
        hidden = run_lists.matched_lstm(512, word_dim)
        rnn, lstm = nn.RNN(word_dim, 512), nn.LSTM(word_dim, hidden)
        weights = [sum(p.numel() for p in layer.parameters()) for layer in (rnn, lstm)]
        assert abs(weights[1] / weights[0] - 1) < 0.01
    assert run_lists.matched_lstm(512, 100) == 234


def test_every_network_has_the_same_budget_and_chooses_by_validation_loss(lesson):
    runs = run_lists.tuning_list(config.PROFILES["quick"], lesson.SIX, lesson.RATES)
    by_network = pd.Series([run.network for run in runs]).value_counts()
    assert by_network.nunique() == 1 and set(by_network.index) == set(lesson.SIX)
    tuning = pd.DataFrame({"network": list("AAAAB"), "learning_rate": [1, 2, 1, 2, 3]})
    tuning["valid_loss"] = [0.3, 0.4, 0.6, 0.4, 0.1]  # the mean of both seeds decides
    networks = dict.fromkeys("ABC", ("RNN", 8, 1))
    chosen = run_lists.choose_rates(tuning, networks, {"RNN": (7, 9, 8)})
    assert chosen == {"A": 2, "B": 3, "C": 8}  # C was not tuned: the middle one


@pytest.mark.parametrize("profile", config.PROFILES.values(), ids=list(config.PROFILES))
def test_ablation_changes_one_thing_a_step(lesson, recipes, profile):
    ablation = recipes.ablation_steps(profile, "RNN-256", 1e-4)
    steps = list(ablation.values())
    sides = [(steps[5], side) for side in recipes.side_steps(profile, ablation).values()]
    assert len(steps) == 10 and len(sides) == 6
    for below, above in [*itertools.pairwise(steps), *sides]:
        changed = {f for f, v in vars(above).items() if v != getattr(below, f)}
        assert len(changed - {"patience"}) == 1  # which follows the epochs of a falling rate
    network = {"RNN-256": lesson.SIX["RNN-256"]}
    assert [steps[0]] == run_lists.default_list(profile, network)  # so it is not trained twice
    assert [steps[3]] == run_lists.tuned_list(profile, network, {"RNN-256": 1e-4})  # nor this one


def test_a_step_that_changes_nothing_is_left_out(recipes):
    profile = config.PROFILES["quick"]
    steps = recipes.ablation_steps(profile, "GRU-256", 1e-3)
    assert len(set(steps.values())) == len(steps) == 8  # its own rate is the default one
    assert recipes.side_steps(profile, steps)["vectors frozen"].readout == "pooled"


def test_states_are_placed_where_they_differ_most_at_a_step():
    generator = np.random.default_rng(0)
    means = generator.normal(size=(3, 4, 5))  # (kinds, T, H)
    means[:, 2, 1] += [-50, 0, 50]  # at step 3 the kinds lie apart along unit 1
    places = recall.first_component(means, 3)
    along_unit_1 = means[:, :, 1] - means[:, :, 1].mean(0)
    turned = np.sign(places[2, 2]) * places
    np.testing.assert_allclose(turned[:, 2], along_unit_1[:, 2], rtol=0.05, atol=1)


def test_recipes_are_drawn_with_what_was_reported():
    runs = pd.DataFrame({"network": ["A", "A", "B"], "test_accuracy": [0.6, 0.7, 0.8]})
    lines = pd.DataFrame({"last 5 words": [0.5, 0.6, 0.7, 0.75]}, index=list("wxyz"))
    here = ({"one": runs, "own": runs.tail(1)}, lines)
    figure = figures.plot_recipes({"here": here, "there": here}, {"A": (0.5, 0.65), "C": (1, 1)})
    left = figure.axes[0]
    assert [label.get_text() for label in left.get_yticklabels()] == ["A", "B"]
    crosses = next(line for line in left.lines if line.get_marker() == "x")
    assert crosses.get_xydata().tolist() == [[65.0, 0.0]]
    assert len([line for line in left.lines if len(set(line.get_xdata())) == 1]) >= 3
    plt.close(figure)


def test_the_figure_of_an_ablation_takes_what_its_table_gives():
    shares = {f"{part}_accuracy": [0.7, 0.8] for part in ("train", "valid", "test")}
    others = {"rung": ["a", "b"], "test_reviews": 100, "best_epoch": [1, 2], "seconds": 1.0}
    table = tables.ablation_table(pd.DataFrame(shares | others))
    figure = figures.plot_ablation(
        {"here": ({"RNN-256": table, "GRU-256": table.tail(1)}, {"a line": 75.0})}
    )
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["a", "b"]
    rnn, gru = (container.lines[0].get_xydata() for container in figure.axes[0].containers)
    assert list(rnn[:, 1]) == [0, 1] and list(gru[:, 1]) == [1] and rnn[1, 0] == gru[0, 0]
    plt.close("all")


def test_coloured_text_escapes_words_and_shows_each_belief():
    words = ["<b>", "good", "$x$"]
    belief = {"GRU-256": np.array([0.5, 0.9, 0.25])}
    page = widget.ColouredText(words, belief)._repr_html_()
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert "title='0.90'" in page and "rgba(0,114,178,0.80)" in page
    assert "rgba(230,120,0,0.50)" in page and page.count("<span") == 3
    assert "0.25" in repr(widget.ColouredText(words, belief))


@pytest.mark.parametrize("count", [1, 3, 400])
def test_beliefs_are_drawn_for_any_length(count):
    words = ["$x$", "<b>", "好"][:count] if count < 4 else ["word"] * count
    figure = figures.plot_beliefs(words, {"GRU-256": np.full(count, 0.6)})
    assert figure.axes[0].get_ylim() == (0, 1)
    figure.canvas.draw()
    plt.close(figure)


def test_mcnemar_finds_differences_between_runs_of_one_network(population):
    """What section 8 shows of stored runs: as models they differ, as networks they do not."""
    places = [population.place(Network(0.9, 0.004))]
    answers = population.answers(np.random.default_rng(0), places, 20, 25_000)
    (p_values,) = statistics.compare_seeds(answers).values()
    assert len(p_values) == 190 and np.mean(np.array(p_values) < 0.05) > 0.3
    below = sum(p < 0.05 for p in p_values)
    counted = f"{below} of 190 ({100 * below / 190:.0f} %) below 0.05"
    both = {"default": {"GRU-256": p_values}, "own": {"GRU-256": p_values}}
    for guess in (5.0, 0, None):  # it stands at what it is a prediction of, and in per cent
        figure = figures.plot_p_values(both, {"own": guess})
        predicted = "" if guess is None else f"\n★ predicted: {guess:g} %"
        titles = [axis.get_title() for axis in figure.axes]
        assert titles == [f"default: {counted}", f"own: {counted}{predicted}"]
        plt.close(figure)


def recall_figure(guessed):
    rows = [(n, k, 1.0) for n in guessed for k in (5, 100, 200)]
    return recall.plot_recall(
        {"mixed": pd.DataFrame(rows, columns=["network", "length", "share"])}, 100, guessed
    )


def items_figure(guessed):
    rows = [(n, k, 100, 1.0, 9) for n in guessed for k in (1, 2, 4)]
    table = pd.DataFrame(rows, columns=["network", "keep", "length", "share", "updates"])
    return recall.plot_items(table, 100, 9, guessed)


def perplexity_figure(guessed):
    rows = [(f"{n}-256 LM", n, tokens, 5.0) for n in guessed for tokens in (1e6, 1e6)]
    curves = pd.DataFrame(rows, columns=["network", "run", "tokens", "valid_loss"])
    counting = pd.Series({"unigrams": 700.0})
    return figures.plot_perplexity({"here": (curves, counting)}, guessed)


@pytest.mark.parametrize("draw", [recall_figure, items_figure, perplexity_figure])
@pytest.mark.parametrize("value", [50.0, 100.0])
def test_equal_predictions_are_stars_side_by_side_behind_the_curves(draw, value):
    figure = draw(dict.fromkeys(("RNN", "LSTM", "GRU"), value))
    axis = figure.axes[0]
    stars = [line for line in axis.lines if line.get_marker() == "*" and len(line.get_xdata())]
    places = {tuple(star.get_xydata()[0]) for star in stars}
    curves = [x for line in axis.lines if line.get_marker() == "o" for x in line.get_xdata()]
    assert len(places) == 3 and min(x for x, _ in places) > max(curves)
    legends = [axis.get_legend(), *figure.legends]
    named = [text.get_text() for legend in legends if legend for text in legend.get_texts()]
    assert "predicted" in named
    plt.close(figure)


def test_items_are_drawn_by_what_is_kept_and_what_it_took():
    rows = [(n, k, 100, s, u) for n, s, u in (("RNN", 0.3, 9), ("GRU", 1.0, 5)) for k in (1, 4)]
    table = pd.DataFrame(rows, columns=["network", "keep", "length", "share", "updates"])
    figure = recall.plot_items(table, 100, 9, {"RNN": 50.0, "GRU": 60.0})
    left, right = figure.axes
    assert left.lines[0].get_xydata().tolist() == [[1, 30], [4, 30]]
    assert right.lines[1].get_xydata().tolist() == [[1, 5], [4, 5]]
    plt.close(figure)


def test_networks_that_agree_on_each_review_differ_by_nothing():
    """As where 95 % of the texts have one label: each of three networks always says this one."""
    right = np.tile(np.arange(300) % 20 > 0, (3, 1))  # (seeds, reviews)
    answers = dict.fromkeys(("RNN-256", "LSTM-256", "GRU-256"), right)
    table = statistics.compare(answers)
    shown = tables.pairs_table(table)[["points", "low", "high"]].to_numpy()
    assert (shown == 0).all() and not np.signbit(shown).any()
    (axis,) = figures.plot_differences({"here": table}).axes
    assert axis.get_xlim()[0] <= -0.5 and axis.get_xlim()[1] >= 0.5
