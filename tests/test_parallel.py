"""Recurrences that need not be read step by step, and attention in their place."""

import functools
import json
import math
import re

import pandas as pd
import pytest
import torch
from helpers import ROOT
from hypothesis import given, settings, strategies
from matplotlib import pyplot as plt
from torch import nn

from lab import config
from lab.analysis import costs, findings, recall, tables
from lab.experiments import run_lists
from lab.models import attention, parallel
from lab.models.attention import CausalAttention
from lab.models.parallel import MinGRU, SignedMinGRU
from lab.notebooks import lesson, trainers
from lab.notebooks import parallel as elective

SCANS = {
    "loop": parallel.loop,
    "doubling": parallel.doubling,
    "chunks": parallel.chunks,
    "chunks of 3": lambda a, b: parallel.chunks(a, b, 3),
}
LAYERS = {
    "minGRU": MinGRU(5, 8),
    "minGRU x 2": MinGRU(5, 8, 2),
    "signed": SignedMinGRU(5, 8, 2),
    "attention": CausalAttention(5, 8, 2),
}


def numbers(*shape, seed=0, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **options)


def by_hand(a, b):
    """The states, one number after the other."""
    h, states = torch.zeros_like(b[0]), []
    for a_t, b_t in zip(a, b):
        h = a_t * h + b_t
        states.append(h)
    return torch.stack(states)


SHAPES = strategies.lists(strategies.integers(1, 4), max_size=2)


@settings(max_examples=60, deadline=None)
@given(strategies.integers(1, 70), SHAPES, strategies.integers(0, 1000))
def test_every_scan_is_the_loop(steps, shape, seed):
    """Whatever a is: also 0, below 0, and above 1."""
    a = numbers(steps, *shape, seed=seed, dtype=torch.float64).clamp(-1.2, 1.0)
    b = numbers(steps, *shape, seed=seed + 1, dtype=torch.float64)
    a[a.abs() < 0.1] = 0
    right = by_hand(a, b)
    for name, scan in SCANS.items():
        torch.testing.assert_close(scan(a, b), right, msg=lambda why: f"{name}: {why}")  # noqa: B023
    begun = parallel.scan(a, b, torch.ones(shape, dtype=torch.float64))
    torch.testing.assert_close(begun, right + torch.cumprod(a, 0))


@settings(max_examples=30, deadline=None)
@given(strategies.integers(0, 1000))
def test_steps_may_be_joined_in_any_grouping_and_in_one_order(seed):
    first, second, third = numbers(3, 2, 6, seed=seed, dtype=torch.float64)
    left = parallel.join(parallel.join(first, second), third)
    right = parallel.join(first, parallel.join(second, third))
    torch.testing.assert_close(left, right)
    h = numbers(6, seed=seed + 1, dtype=torch.float64)
    a, b = parallel.join(first, second)
    torch.testing.assert_close(a * h + b, second[0] * (first[0] * h + first[1]) + second[1])
    assert not torch.allclose(b, parallel.join(second, first)[1])


@pytest.mark.parametrize("steps", [1, 2, 7, 12])
@pytest.mark.parametrize("name", SCANS)
def test_gradients_go_through_every_scan(name, steps):
    a, b = numbers(2, steps, 2, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(SCANS[name], (a.requires_grad_(), b.requires_grad_()))


@pytest.mark.parametrize("layer", [MinGRU(5, 8), SignedMinGRU(5, 8)], ids=["minGRU", "signed"])
def test_a_layer_is_its_cell_step_by_step(layer):
    """The cell's step is written out; a signed unit's differs in what it keeps."""
    x, h, states = numbers(9, 3, 5), torch.zeros(3, 8), []
    for x_t in x:
        z, proposal = layer.layers[0](x_t).chunk(2, dim=1)
        z = z.sigmoid()
        h = (1 - z) * h + z * proposal if layer.lowest == 0 else (1 - 2 * z) * h + z * proposal
        states.append(h)
        if layer.lowest == 0:
            before = torch.zeros(3, 8) if len(states) == 1 else states[-2]
            cell = parallel.min_gru_cell(x_t, before, *layer.all_weights[0])
            torch.testing.assert_close(cell, h)
    ours, last = layer(x)
    torch.testing.assert_close(ours, torch.stack(states))
    torch.testing.assert_close(last, ours[-1:])


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("cut", [1, 4, 8])
def test_a_text_in_two_pieces_is_the_text(name, cut):
    layer, x = LAYERS[name], numbers(9, 3, 5)
    whole, end = layer(x)
    first, state = layer(x[:cut])
    second, last = layer(x[cut:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-5, rtol=1e-4)
    for one, other in zip(last, end):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_no_state_knows_a_later_word(name):
    x = numbers(9, 3, 5).requires_grad_()
    states, _ = LAYERS[name](x)
    for t in range(9):
        (gradient,) = torch.autograd.grad(states[t].square().sum(), x, retain_graph=True)
        reached = gradient.abs().sum(dim=(1, 2)) > 0
        assert reached[: t + 1].all() and not reached[t + 1 :].any()


def test_a_gate_that_sees_the_word_alone_is_the_same_wherever_the_word_stands():
    """One layer's a and b; of the second they are not."""
    layer, x = MinGRU(5, 8, 2), numbers(6, 1, 5)
    x[4] = x[1]
    a, b = layer.gates(x, layer.layers[0])
    torch.testing.assert_close(a[4], a[1])
    torch.testing.assert_close(b[4], b[1])
    states = next(iter(layer.each_layer(x)))
    assert not torch.allclose(*(layer.gates(states, layer.layers[1])[0][[4, 1]]), atol=1e-3)


def test_gates_start_nearly_closed():
    a, _ = MinGRU(5, 400).gates(torch.zeros(1, 1, 5), MinGRU(5, 400).layers[0])
    assert (1 - a).mean().item() == pytest.approx(1 / (1 + math.exp(2)), abs=0.02)


@pytest.mark.parametrize("past", [0, 3])
def test_attention_looks_back_and_less_far_in_some_heads(past):
    bias = attention.distances(4, past, 4)
    assert bias.shape == (4, 4, 4 + past)
    for t in range(4):
        row = bias[:, t]
        assert row[:, t + past + 1 :].isneginf().all() and (row[:, t + past] == 0).all()
        assert (row[:, : t + past + 1].diff(dim=1) > 0).all()  # nearer counts for more
    assert (bias[:, -1, 0].diff() > 0).all()  # each head reaches farther than the one before


def test_a_cache_may_have_an_end():
    class Short(CausalAttention):
        window = 4

    layer = Short(5, 8, 2)
    _, state = layer(numbers(9, 3, 5))
    assert state[0].shape == state[1].shape == (2, 3, 4, 4, 2)
    states, state = layer(numbers(1, 3, 5), state)
    assert states.shape == (1, 3, 8) and state[0].shape[3] == 4


def by_hand_counter(input_size, hidden_size):
    """A layer whose first unit is the parity of its first input: z = 0 keeps, z = 1 swaps."""
    layer = SignedMinGRU(input_size, hidden_size)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        layer.layers[0].weight[0, 0] = 80.0
        layer.layers[0].bias[0], layer.layers[0].bias[hidden_size] = -40.0, 1.0
    return layer


def test_a_signed_unit_counts_parity_by_itself():
    layer = by_hand_counter(1, 1)
    bits = torch.randint(2, (500, 7), generator=torch.Generator().manual_seed(0)).float()
    states, _ = layer(bits[:, :, None])
    torch.testing.assert_close(states[:, :, 0], bits.cumsum(0) % 2)


def test_layers_have_about_the_weights_of_a_gru():
    def count(layer):
        return sum(weight.numel() for weight in layer.parameters())

    gru = count(nn.GRU(50, 256))
    assert count(MinGRU(50, 256, 2)) < 0.7 * gru
    assert count(CausalAttention(50, 120, 2)) == pytest.approx(gru, rel=0.02)


# ── the elective's experiments ──────────────────────────────────────────────────────────────────


def test_who_counts_by_hand_is_right_at_every_length_and_learns_no_more():
    model = elective.Counter(by_hand_counter, units=3)
    with torch.no_grad():
        model.embedding.weight.zero_()
        model.embedding.weight[1, 0] = 1.0
        model.linear.weight.copy_(torch.tensor([[2.0, 0.0, 0.0]]))
        model.linear.bias.fill_(-1.0)
    bits = torch.randint(2, (300, 20), generator=torch.Generator().manual_seed(0))
    loss, right = elective.parity_answers(model, bits)
    assert (
        right.shape == (300,)
        and (right == 1).all()
        and loss.item() == pytest.approx(0.313, abs=0.01)
    )
    updates, reached = elective.train_parity(model, 1e-6, 0, 2000)
    assert reached == 40 and updates < 1000


def two_layers(seed=0):
    torch.manual_seed(seed)
    return lesson.Recaller(functools.partial(MinGRU, num_layers=2))


@pytest.mark.parametrize("seed", range(3))
def test_a_clock_that_is_not_moved_changes_nothing(seed):
    model, tokens = two_layers(seed), torch.randint(8, (30, 50))
    with torch.no_grad():
        own = model(tokens)[:, 0].argmax(1)
    for start in (None, 0):
        assert (elective.told_with_clock(model, tokens, start) == own).float().mean() > 0.97
    table = elective.clock_table(model, seed, length=100, count=20)
    assert table["there"].notna().sum() == len(table) - 2 and table["first"].between(0, 1).all()


def test_the_first_word_alone_is_marked():
    layer = elective.Marked(3, 4)
    x = numbers(6, 2, 3)
    whole, _ = layer(x)
    first, state = layer(x[:2])
    torch.testing.assert_close(torch.cat([first, layer(x[2:], state)[0]]), whole)
    assert not torch.allclose(layer(x[2:])[0], layer(x[2:], torch.zeros(1, 2, 4))[0])


@pytest.mark.long
@pytest.mark.parametrize("seed", [20, 21])
def test_the_claims_hold_from_seeds_that_are_not_stored(seed):
    models, shares = elective.layers_experiment(seed, 1500)
    clocks = elective.clock_table(models["minGRU x 2"], seed + 1).reset_index().assign(mixed=True)
    counted = elective.parity_experiment(seed, 750)
    values = findings.measure_without_state(shares, clocks, counted)
    failed = {name: v for name, v in values.items() if not findings.ELECTIVE[name].holds(v)}
    assert not failed


def test_numbers_of_the_findings_are_read_from_the_right_rows():
    told = [
        ("minGRU", 50, 0.2),
        ("minGRU", 5, 0.7),
        ("minGRU x 2", 5, 1.0),
        ("minGRU x 2", 50, 0.9),
    ]
    layers = pd.DataFrame(told, columns=["network", "length", "share"]).assign(mixed=True)
    clock = {"clock": ["as it is", "taken away", "begun at step 5"], "first": [1.0, 0.2, 0.3]}
    clocks = pd.DataFrame(clock | {"there": [None, None, 0.6]}).assign(mixed=True)
    right = {"RNN": 1.0, "LSTM": 0.9, "minGRU": 0.5, "minGRU x 2": 0.6, "attention": 0.4}
    rows = [
        (n, at, share)
        for n, share in (right | {"minGRU, signed": 0.8}).items()
        for at in (100, 200)
    ]
    parity = pd.DataFrame(rows, columns=["network", "length", "share"])
    others = layers.assign(mixed=False, share=0.0)
    values = findings.measure_without_state(pd.concat([layers, others]), clocks, parity)
    rounded = {name: round(value) for name, value in values.items()}
    assert rounded == {
        "layers-one": 20, "layers-two": 90, "clock-away": 20, "clock-moved": 30,
        "parity-state": 90, "parity-none": 60, "parity-signed": 80,
    }  # fmt: skip
    assert rounded.keys() == findings.ELECTIVE.keys()
    table = findings.table(config.get_profile("quick"), values)
    assert len(table) == len(values)


def test_lists_of_the_elective_are_trained_by_the_elective(lesson):
    profile = config.get_profile("tiny")
    rates = elective.reader_rates(profile)
    runs = run_lists.tuned_list(profile, elective.READER_NETWORKS, rates)
    read = run_lists.language_list(
        profile, elective.READER_NETWORKS, elective.READER_LANGUAGE_RATES
    )
    assert {trainers.training_of(run).train for run in runs} == {elective.train_reader}
    assert {trainers.training_of(run).train for run in read} == {elective.train_reading}
    own = run_lists.default_list(profile, lesson.SIX)
    assert {trainers.training_of(run).train for run in own} == {lesson.train_run}


@pytest.mark.parametrize("best", [*elective.READER_RATES["minGRU"], None])
def test_rates_are_those_of_the_lowest_mean_loss_in_the_stored_tuning(monkeypatch, best):
    """Where nothing is stored, each cell's middle one is taken."""
    rows = [
        ("minGRU-256", rate, 0.4 + (rate != best) + spread)
        for rate in elective.READER_RATES["minGRU"]
        for spread in (-0.3, 0.3)
    ]
    columns = ["network", "learning_rate", "valid_loss"]
    stored = pd.DataFrame(rows, columns=columns) if best else pd.DataFrame({"run": []})
    asked = []
    find = lambda *which: asked.append(which) or (stored, None)  # noqa: E731
    monkeypatch.setattr(elective.reference, "find", find)
    rates = elective.reader_rates(config.get_profile("tiny"))
    others = {"minGRU-256 x 2": 3e-3, "attention-120 x 2": 1e-3}
    assert rates == {"minGRU-256": best or 3e-3} | others
    assert asked == [("parallel_tuning", config.get_profile("tiny").tuning)]


def test_what_is_told_by_clock_is_shown_in_the_readers_language(monkeypatch):
    clocks = pd.DataFrame({"first": 0.125, "there": 0.5}, index=list(elective.CLOCKS))
    english = recall.show_clocks(clocks)
    assert english.index.tolist() == list(elective.CLOCKS) and (english.iloc[0] == [12.5, 50]).all()
    monkeypatch.setenv("LAB2_LANGUAGE", "zh")
    chinese = tables.with_heads(recall.show_clocks(clocks))
    words = [*chinese.index, *chinese.columns, chinese.index.name]
    assert not re.search("[a-z]", "".join(words)) and "从第 20 步开始" in words


def test_every_head_of_the_elective_has_its_place_among_the_heads():
    cells = json.loads((ROOT / "further" / "parallel.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    tops = [re.search(r"(?s)<thead>.*?</thead>", "".join(o.get("text/html", ""))) for o in outputs]
    heads = {head for top in tops if top for head in re.findall(r"<th[^>]*>([^<]+)<", top[0])}
    words = {head for head in heads if re.search("[a-z]{2}", head)}
    assert len(words) > 30 and words - {*tables.HEADS} == {"MinGRU"}


# ── what reading costs ──────────────────────────────────────────────────────────────────────────


def test_a_cache_grows_with_the_text_and_a_state_does_not():
    layers = {"GRU-256": nn.GRU(50, 256), "attention-120 x 2": CausalAttention(50, 120, 2)}
    table = costs.word_costs(layers, (8, 16), rounds=1).set_index(["network", "length"])
    for length in (8, 16):
        gru, attentive = table.loc[("GRU-256", length)], table.loc[("attention-120 x 2", length)]
        assert gru["bytes"] == 4 * 256
        assert gru["multiplications"] == pytest.approx(3 * 256 * (50 + 256) / 1e6)
        assert attentive["bytes"] == 4 * 2 * 2 * 120 * length
        assert attentive["multiplications"] == pytest.approx(
            (50 * 120 + 2 * 8 * 120**2 + 2 * 2 * 120 * length) / 1e6
        )
    trained = costs.training_costs(layers, (8, 16), rounds=1)
    assert (trained["microseconds"] > 0).all() and len(trained) == 4
    panels = {"microseconds": trained, "bytes": table.reset_index()}
    assert len(costs.plot_costs(panels).axes) == 2
    plt.close("all")


def test_scans_are_timed_beside_a_layer():
    layers = {"GRU": nn.GRU(50, 3), "MinGRU": MinGRU(50, 3)}
    table = costs.scan_times({"loop": parallel.loop}, (4, 8), (2, 3), layers, rounds=1)
    assert table.index.tolist() == [4, 8] and table.columns.tolist() == ["loop", *layers]
    assert (table > 0).all(axis=None)


def test_figures_of_memory_take_what_the_experiments_give():
    rows = [(name, n, 0.5) for name in ("GRU", "minGRU", "attention") for n in (5, 50)]
    shares = pd.DataFrame(rows, columns=["network", "length", "share"])
    figure = recall.plot_shares(shares, 50, 40, {"minGRU": 60.0}, guessed_at=50)
    assert len(figure.axes[0].lines) == 3 + 2 + 2  # chance and training; a star and its name
    model, tokens = two_layers(), torch.randint(8, (12, 20))
    states = elective.read_first(model, tokens)
    recall.plot_clock(states.numpy(), elective.gate_of(model, states).numpy())
    plt.close("all")
