"""Training against shifts of the word vectors."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import record_of
from hypothesis import given, settings, strategies
from matplotlib import pyplot as plt

import utils
from lab import config
from lab.analysis import costs
from lab.base import files
from lab.exercises import solutions
from lab.experiments import loop, reference
from lab.models import documents
from lab.notebooks import lesson, past, recipes, trainers, transfer

READERS = [("last", False), ("pooled", False), ("pooled", True)]  # readout, two readers
SHIFTS = ("adversarial", "virtual", "random_shift")


def small_data(seed=0):
    generator = np.random.default_rng(seed)
    vectors = generator.normal(0.3, 2.0, (30, 6)).astype(np.float32)
    vectors[:2] = 0
    lengths = generator.integers(1, 13, 48)
    tokens = generator.integers(2, 30, lengths.sum()).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    labels = generator.integers(0, 2, 48).astype(np.float32)
    reviews = utils.EncodedReviews(tokens, starts, labels)
    return utils.LabData(reviews, reviews, reviews, vectors)


def network(run, data, two=False):
    """Return a network before its vectors are normalized."""
    readers = [
        recipes.build_variant(dataclasses.replace(run, seed=s), data.vectors)
        for s in range(1 + two)
    ]
    return transfer.TwoDirections(*readers).eval() if two else readers[0].eval()


@pytest.fixture(params=READERS, ids=str)
def shifted(request, settings):
    """A network that reads normalized vectors, and a batch with padding."""
    readout, two = request.param
    data = small_data()
    model = past.normalize_words(network(settings(readout=readout), data, two), data.train.tokens)
    batch = next(utils.make_batches(data.train, 16, 12, seed=0))
    assert len(set(batch.text_length.tolist())) > 1
    return model, batch


def found(model, batch, epsilon=1.0):
    shift = past.no_shift(model, batch)
    loss = solutions.binary_loss(past.read_shifted(model, batch, shift), batch.label)
    return solutions.perturbation(loss, shift, epsilon)


def losses(model, batch, shift):
    """The loss of each review, in 64 bits."""
    with torch.no_grad():
        logits = past.read_shifted(model.double(), batch, shift.double())
    model.float()
    labels = batch.label.double()
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True}], ids=str)
def test_normalized_vectors_are_read_as_before(cell, options, settings):
    data = small_data()
    batch = next(utils.make_batches(data.train, 16, 12, seed=0))
    for two in (False, True):
        model = network(settings(cell, **options), data, two)
        with torch.no_grad():
            before = model(batch.text, batch.text_length)
            past.normalize_words(model, data.train.tokens)
            torch.testing.assert_close(model(batch.text, batch.text_length), before)


def test_what_is_read_has_mean_0_and_variance_1_also_after_the_vectors_have_grown(shifted):
    model, _ = shifted
    tokens = torch.from_numpy(small_data().train.tokens).long()
    for factor in (1.0, 50.0):
        for embedding in [m for m in model.modules() if isinstance(m, past.Shifted)]:
            embedding.weight.data *= factor
            read = embedding(tokens[:, None])[:, 0].double()  # (words of all reviews, E)
            torch.testing.assert_close(read.mean(0), torch.zeros(6).double(), atol=1e-5, rtol=0)
            variance = read.var(0, unbiased=False)
            torch.testing.assert_close(variance, torch.ones(6).double(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 30.0])
def test_each_review_has_a_shift_of_this_length_and_its_padding_none(shifted, epsilon):
    model, batch = shifted
    outside = torch.arange(len(batch.text))[:, None] >= batch.text_length
    zeros = past.no_shift(model, batch)
    said = past.read_shifted(model, batch, zeros)
    for r in (
        found(model, batch, epsilon),
        past.random_shift(batch, zeros, epsilon),
        past.virtual_shift(model, batch, said, epsilon),
    ):
        assert r.shape == zeros.shape and not r.requires_grad
        lengths = r.square().sum((0, 2)).sqrt()
        torch.testing.assert_close(lengths, torch.full_like(lengths, epsilon))
        assert not r[outside].any()


def test_nothing_raises_the_loss_of_a_review_more(shifted):
    """Of 20 random directions of the same length none does; and the sign is right."""
    model, batch = shifted
    epsilon, zeros = 1e-2, past.no_shift(model, batch)
    before, worst = losses(model, batch, zeros), losses(model, batch, found(model, batch, epsilon))
    assert (worst > before).all()
    torch.manual_seed(0)
    for _ in range(20):
        other = losses(model, batch, past.random_shift(batch, zeros, epsilon))
        assert (other < worst).all()
    slope = (worst - losses(model, batch, -found(model, batch, epsilon))) / (2 * epsilon)
    shift = past.no_shift(model, batch)
    total = solutions.binary_loss(past.read_shifted(model, batch, shift), batch.label) * 16
    (gradient,) = torch.autograd.grad(total, shift)
    expected = gradient.square().sum((0, 2)).sqrt().double()
    torch.testing.assert_close(slope, expected, rtol=1e-2, atol=1e-6)


def test_no_random_direction_changes_a_verdict_more_than_the_virtual_one(shifted):
    """It is found from one random start, so some reviews may have a worse one: in the mean."""
    model, batch = shifted
    zeros = past.no_shift(model, batch)
    said = past.read_shifted(model, batch, zeros)

    def change(r):
        with torch.no_grad():
            return past.divergence(said, past.read_shifted(model, batch, r)).item()

    torch.manual_seed(1)
    virtual = change(past.virtual_shift(model, batch, said, 0.5))
    others = [change(past.random_shift(batch, zeros, 0.5)) for _ in range(20)]
    assert virtual > 1.2 * max(others)
    turned = batch._replace(label=1 - batch.label)
    torch.manual_seed(1)
    assert change(past.virtual_shift(model, turned, said, 0.5)) == virtual  # no label is asked


def test_the_shift_of_a_review_does_not_depend_on_the_others(shifted):
    model, batch = shifted
    together = found(model, batch, 0.3)
    for b in range(0, 16, 5):
        length = batch.text_length[b : b + 1]
        alone = batch._replace(
            text=batch.text[: length[0], b : b + 1],
            text_length=length,
            label=batch.label[b : b + 1],
        )
        expected = found(model, alone, 0.3)
        torch.testing.assert_close(together[: length[0], b : b + 1], expected, atol=1e-5, rtol=1e-3)


@settings(max_examples=30, deadline=None)
@given(strategies.integers(1, 5), strategies.integers(1, 4), strategies.integers(0, 1000))
def test_divergence_is_that_of_two_coins(reviews, factor, seed):
    drawn = torch.randn(2, reviews, generator=torch.Generator().manual_seed(seed)) * factor
    p, q = torch.sigmoid(drawn.double())
    expected = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    got = past.divergence(*drawn)
    torch.testing.assert_close(got.double(), expected, atol=1e-6, rtol=1e-4)
    assert past.divergence(drawn[0], drawn[0]).abs() < 1e-6
    said, shifted = (logits.clone().requires_grad_() for logits in drawn)
    past.divergence(said, shifted).backward()
    assert said.grad is None and shifted.grad is not None  # what was said is a constant


def trained(run, data, folder):
    record = record_of(run, data, folder)
    past.train_shifted(run, data, record, torch.device("cpu"))
    return record


@pytest.mark.parametrize(
    "options", [{}, *({s: 0.5} for s in SHIFTS), dict.fromkeys(SHIFTS, 0.5)], ids=str
)
def test_an_interrupted_training_goes_on_with_the_same_numbers(
    options, settings, data, tmp_path, monkeypatch
):
    run = settings(readout="pooled", decay=True, patience=3, labelled=40, dropout=0.2, **options)
    whole = trained(run, data, tmp_path / "whole")
    fit, epochs = loop.fit, iter(range(10))

    def stops(*parts):
        *others, validate = parts

        def once():
            if next(epochs) == 1:
                raise KeyboardInterrupt
            return validate()

        return fit(*others, once)

    monkeypatch.setattr(past.loop, "fit", stops)
    with pytest.raises(KeyboardInterrupt):
        trained(run, data, tmp_path / "broken")
    again = trained(run, data, tmp_path / "broken")
    one, other = (r.checkpoint.load_best(past.build_shifted(run, data, r)) for r in (whole, again))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_each_kind_of_shift_makes_another_training_and_none_is_the_plain_one(
    settings, data, tmp_path
):
    """Without a shift, normalized vectors are trained as the lab trains."""
    weights = {}
    for name in ("", *SHIFTS):
        run = settings(readout="pooled", epochs=1, **({name: 0.5} if name else {}))
        model = past.build_shifted(run, data, None)
        if not name:
            optimizer = torch.optim.Adam(model.parameters(), lr=run.learning_rate, fused=True)
            torch.manual_seed(1)
            lesson.train_epoch(model, utils.make_batches(data.train, 16, 10, 1), optimizer)
            plain = model.linear.weight
        record = trained(run, data, tmp_path / (name or "none"))
        weights[name] = record.checkpoint.load_best(
            past.build_shifted(run, data, record)
        ).linear.weight
    torch.testing.assert_close(weights[""], plain)
    values = list(weights.values())
    assert not any(
        torch.allclose(a, b, atol=1e-4) for i, a in enumerate(values) for b in values[:i]
    )


def test_labels_of_the_other_reviews_are_not_looked_at(settings, data, tmp_path):
    run = settings(labelled=20, epochs=1, virtual=0.5)
    turned = data.train.labels.copy()
    rows = utils.balanced_rows(data.train, 20, run.seed)
    others = np.setdiff1d(np.arange(len(turned)), rows)
    of_batches = next(utils.make_batches(data.train, 16, 10, seed=1))
    assert set(of_batches.index) & set(others)
    model = past.build_shifted(run, data, None)
    few = next(utils.make_batches(utils.sample_balanced(data.train, 20, 0), 16, 10, seed=1))
    totals = []
    for batch in (of_batches, of_batches._replace(label=1 - of_batches.label)):
        torch.manual_seed(0)
        totals.append(past.shifted_loss(model, few, batch, run)[2].item())
    assert totals[0] == totals[1]


def test_runs_with_shifts_are_trained_here(settings):
    for name in SHIFTS:
        for others in ({}, {"pretrained": "x"}, {"readout": "pooled", "labelled": 20}):
            run = settings(**{name: 0.5}, **others)
            assert trainers.training_of(run).train is past.train_shifted
            assert run.options() <= past.shifted_code_hash.reads
            run.check()
    assert trainers.training_of(settings()).train is lesson.train_run
    with pytest.raises(config.LabError, match="at least 0"):
        settings(adversarial=-1.0).check()


def test_the_lists_differ_in_what_they_say(data):
    profile = config.get_profile("tiny")
    base = past.shift_base(profile, 3e-3, data.train)
    assert base.labelled and base.labelled % 2 == 0 and base.patience == base.epochs
    runs = past.controls(base, 2.0)
    changed = {name: run.changed().items() - base.changed().items() for name, run in runs.items()}
    assert changed == {
        "without": set(),
        "without, 3 x the epochs": {("epochs", 3 * base.epochs), ("patience", 3 * base.epochs)},
        "random": {("random_shift", 2.0)},
        "virtual": {("virtual", 2.0)},
    }


@settings(max_examples=50, deadline=None)
@given(strategies.integers(0, 10_000), strategies.integers(4, 40), strategies.floats(0.1, 20))
def test_weights_have_the_least_loss_where_they_were_chosen(seed, n, scale):
    drawn = np.random.default_rng(seed)
    labels = {s: drawn.permutation(np.arange(n) % 2).astype(float) for s in ("valid", "test")}
    members = {
        name: {s: scale * drawn.normal(size=n) for s in labels} for name in ("network", "line")
    }
    weighted = past.with_weights(members, labels)
    assert len(weighted) == 5  # as they are, each with its weight, and both
    loss = {
        name: past.review_losses(of["valid"], labels["valid"]).mean()
        for name, of in weighted.items()
    }
    *each, both = loss.values()

    def at_most(name, weight):
        """The loss of a member with a weight, its share of the penalty, and the solver's."""
        of = past.review_losses(weight * members[name]["valid"], labels["valid"]).mean()
        return of + weight**2 / (2e6 * n) + 1e-4

    for name, alone in zip(members, each[2:], strict=True):
        [best] = past.best_weights(members[name]["valid"][None], labels["valid"])
        assert both <= min(at_most(name, weight) for weight in (1.0, best))
        assert alone <= min(at_most(name, weight) for weight in np.geomspace(0.01, 10, 50))
    turned = labels | {"test": 1 - labels["test"]}  # these are not asked
    for name, of in past.with_weights(members, turned).items():
        np.testing.assert_array_equal(of["test"], weighted[name]["test"])


def test_members_are_judged_by_what_they_say_of_each_split():
    labels = {"valid": np.array([0.0, 1.0]), "test": np.array([1.0, 1.0])}
    logits = {"valid": np.array([-1.0, 2.0]), "test": np.array([0.0, -3.0])}
    row = past.judge_members({"a": logits}, labels).loc["a"]
    assert row["valid, right"] == 1 and row["test, right"] == 0
    assert row["valid, loss"] == pytest.approx(np.log1p(np.exp([-1, -2])).mean(), abs=1e-3)
    assert row["test, Brier"] == pytest.approx((0.25 + (1 - 1 / (1 + np.e**3)) ** 2) / 2, abs=1e-3)


def test_logits_are_those_of_the_probabilities_and_never_endless():
    probability = np.array([[0.0, 1e-12, 0.25, 0.5, 1.0]], np.float32)
    logits = past.logits_of(probability)
    assert np.isfinite(logits).all() and (np.diff(logits) >= 0).all()
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), probability, atol=1e-8)


def test_figures_take_what_the_experiments_give(shifted):
    model, batch = shifted
    along = past.losses_along(model, batch, (0.0, 1.0, 2.0))
    assert len(along) == 6 * 3 and (along.loc[along["length"] == 0, "loss"].nunique()) == 1
    figure = costs.plot_along({"without": along}, {"random": 1.0, "worst": 2.0})
    assert len(figure.axes[0].lines) == 6 + 2 + 1
    curves = pd.DataFrame({"run": ["a", "a", "b"], "training": ["without", "without", "random"]})
    curves = curves.assign(epoch=[1, 2, 1], seconds=2.0, valid_loss=[0.5, 0.4, 0.6])
    figure = costs.plot_validation(curves)
    assert figure.axes[1].lines[0].get_xdata().tolist() == [2.0, 4.0]
    plt.close("all")


@pytest.mark.parametrize("profile", ["full", "official"])
def test_what_is_compared_past_the_line_is_what_is_stored(profile):
    runs = reference.find("adversarial", profile)[0].sort_values("seed")
    right = past.right_together(profile)
    assert {name for pair in past.PAIRS_PAST_THE_LINE for name in pair} == set(right)
    np.testing.assert_allclose(right["single runs"].mean(1), runs["test_accuracy"], atol=1e-9)
    lines = files.read_table("documents", reference.folder_of(profile)).set_index("line")["test"]
    each = [lines[documents.BOTH]] * len(runs)  # it stands beside each run
    assert right["line"].mean(1) == pytest.approx(each)
    said = reference.predictions(runs.assign(network="all"), profile)
    mean = past.logits_of(said.probability["all"]).mean(0) > 0
    np.testing.assert_array_equal(right["their mean"], [mean == (said.labels > 0.5)])
