"""The notebook's cells and classifiers, against PyTorch's own layers."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import utils
from lab.exercises import solutions
from lab.models import baselines, initialization

LAYERS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    length = torch.tensor([1, 9, 4, 6])
    text = torch.randint(2, 30, (9, 4), generator=generator)
    text[torch.arange(9)[:, None] >= length] = utils.PADDING_INDEX
    return text, length


def make(lesson, cell, layers=1):
    torch.manual_seed(0)
    return lesson.CELLS[cell](30, 6, 8, layers)


@pytest.fixture
def variant(recipes, settings):
    """Make a classifier with options, of eight units over 30 words."""

    def made(cell, **options):
        vectors = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
        return recipes.build_variant(settings(cell, **options), vectors)

    return made


def torch_name(name):
    """Return what PyTorch calls a weight of TwoWay: back.1.bias_hh_l0 -> bias_hh_l1_reverse."""
    if not name.startswith(("forth", "back")):
        return name
    way, layer, kind = name.split(".")
    return f"{kind[:-1]}{layer}{'_reverse' * (way == 'back')}"


def packed_logits(model, cell, text, length):
    """Return PyTorch's layer with the model's weights, and the logits it gives packed reviews."""
    ours = model.recurrent
    bidirectional = hasattr(ours, "forth")
    layers = len(ours.forth) if bidirectional else ours.num_layers
    reference = LAYERS[cell](6, 8, layers, bidirectional=bidirectional)
    reference.load_state_dict({torch_name(k): w for k, w in ours.state_dict().items()})
    packed = pack_padded_sequence(model.embedding(text), length, enforce_sorted=False)
    hidden = reference(packed)[1]
    hidden = hidden[0] if cell == "LSTM" else hidden
    last = torch.cat([hidden[-2], hidden[-1]], dim=1) if bidirectional else hidden[-1]
    return reference, model.linear(last).squeeze(1)


@pytest.mark.parametrize("cell", LAYERS)
def test_one_step_of_each_cell_unrolled_equals_the_layer(lesson, cell):
    torch.manual_seed(1)
    zeros = torch.zeros(4, 8)
    state = (zeros, zeros) if cell == "LSTM" else zeros
    layer, x = LAYERS[cell](5, 8), torch.randn(7, 4, 5)  # (T, B, E)
    states = solutions.unroll(lesson.SCRATCH[cell], x, state, layer.all_weights[0])
    torch.testing.assert_close(states, layer(x)[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("flush", [True, False])
def test_padded_equals_packed_in_output_and_gradient(
    lesson, variant, batch, cell, layers, bidirectional, flush
):
    torch.set_flush_denormal(flush)
    model = make(lesson, cell, layers)
    if bidirectional:
        model = variant(cell, num_layers=layers, bidirectional=True)
    logits = model(*batch)
    reference, expected = packed_logits(model, cell, *batch)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)
    expected.sum().backward()
    theirs = {name: p.grad for name, p in reference.named_parameters()}
    theirs |= {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    logits.sum().backward()
    for name, parameter in model.named_parameters():
        expected_grad = theirs[torch_name(name.removeprefix("recurrent."))]
        torch.testing.assert_close(parameter.grad, expected_grad, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cell", LAYERS)
def test_more_padding_and_other_neighbours_change_nothing(lesson, batch, cell):
    model = make(lesson, cell)
    text, length = batch
    together = model(text, length)
    padded = model(F.pad(text, (0, 0, 0, 20), value=utils.PADDING_INDEX), length)
    alone = torch.cat([model(text[:n, [i]], n[None]) for i, n in enumerate(length)])
    assert (together - padded).abs().max() < 1e-6
    assert (together - alone).abs().max() < 1e-6


@pytest.mark.parametrize("cell", LAYERS)
def test_every_word_of_a_review_counts_and_padding_does_not(lesson, batch, cell):
    model = make(lesson, cell)
    text, length = batch
    before = model(text, length)
    for step, column in itertools.product(range(9), range(4)):
        changed = text.clone()
        changed[step, column] = 2 if text[step, column] != 2 else 3
        difference = (model(changed, length) - before).abs()
        assert (difference[column] > 0) == (step < length[column])


def test_build_model_fills_the_embedding_and_follows_the_seed(lesson, data, settings):
    first, again = (lesson.build_model(settings(seed=1), data.vectors) for _ in range(2))
    other = lesson.build_model(settings(seed=2), data.vectors)
    assert torch.equal(first.embedding.weight, torch.tensor(data.vectors))
    assert torch.equal(first.recurrent.weight_hh_l0, again.recurrent.weight_hh_l0)
    assert not torch.equal(first.recurrent.weight_hh_l0, other.recurrent.weight_hh_l0)


def test_padding_row_gets_no_gradient(lesson, batch):
    model = make(lesson, "GRU")
    model(*batch).sum().backward()
    gradient = model.embedding.weight.grad
    assert not gradient[utils.PADDING_INDEX].any() and gradient.any()


@pytest.mark.parametrize("text", ["", "good", "好 \ud800 🙂", "<br />", "long " * 10_000])
def test_any_text_can_be_read_word_by_word(lesson, text):
    vocab = utils.Vocab(utils.Counter(["good", "long"]))
    torch.manual_seed(0)
    readers = {name: cell(len(vocab), 6, 8) for name, cell in lesson.CELLS.items()}
    tokens, said = lesson.read_text(readers, text, vocab, 10)
    assert 1 <= len(tokens) <= 10 and set(said) == set(readers)
    for belief in said.values():
        assert belief.shape == (len(tokens),) and np.all((belief > 0) & (belief < 1))


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_belief_after_each_word_is_the_prediction_of_that_beginning(lesson, name):
    torch.manual_seed(0)
    model = lesson.CELLS[name](50, 6, 8, 2)
    words = torch.randint(2, 50, (300,))
    belief = solutions.beliefs(model, words)
    for heard in (1, 2, 77, 300):
        whole = model.eval().predict(words[:heard, None], torch.tensor([heard])).item()
        assert belief[heard - 1] == pytest.approx(whole, abs=1e-6)


def test_a_pooled_summary_is_mean_maximum_and_last_state_without_padding(recipes):
    states, length = torch.randn(5, 2, 3), torch.tensor([2, 5])  # (T, B, H)
    found = recipes.summarize(states, length, two_way=False, pooled=True)
    for column, words in enumerate(length):
        own = states[:words, column]  # (T, H)
        expected = torch.cat([own.mean(0), own.amax(0), own[-1]])
        torch.testing.assert_close(found[column], expected)


def test_first_words_are_the_beginnings_of_the_reviews(recipes, data):
    cut = recipes.first_words(data.train, 3)
    for place, start in enumerate(data.train.starts[:-1]):
        whole = data.train.tokens[start : data.train.starts[place + 1]]
        assert cut.tokens[cut.starts[place] : cut.starts[place + 1]].tolist() == list(whole[:3])
    assert np.array_equal(cut.labels, data.train.labels)


@pytest.mark.parametrize("start", ["tuned", "frozen", "random"])
def test_vectors_of_a_variant_are_pretrained_frozen_or_random(variant, start):
    weight = variant("GRU", vectors=start).embedding.weight
    vectors = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    assert np.allclose(weight.detach(), vectors) == (start != "random")
    assert weight.requires_grad == (start != "frozen")
    assert start != "random" or not weight[: utils.PADDING_INDEX + 1].any()


@pytest.mark.parametrize("clip_norm", [10.0, 0.1])
def test_a_weight_that_the_loss_does_not_need_stays_and_the_others_learn(clip_norm):
    """As of a student's own cell that registers a parameter and does not use it."""
    model = nn.Linear(2, 1)
    model.unused = nn.Parameter(torch.ones(3))
    before = model.weight.detach().clone()
    loss = model(torch.ones(4, 2)).mean()  # its gradient is 1 for both weights and the bias
    solutions.descend(model, loss, torch.optim.SGD(model.parameters(), lr=1.0), clip_norm)
    assert torch.equal(model.unused.detach(), torch.ones(3)) and model.unused.grad is None
    step = (before - model.weight).detach()
    torch.testing.assert_close(step, torch.full((1, 2), min(1.0, clip_norm / 3**0.5)))


def test_a_chrono_start_gives_each_unit_a_memory_of_its_own():
    torch.manual_seed(0)
    layer, untouched = nn.LSTM(3, 2000), nn.LSTM(3, 2000)
    untouched.load_state_dict(layer.state_dict())
    initialization.start_chrono(layer, longest=50)
    i, f, *_ = (layer.bias_ih_l0 + layer.bias_hh_l0).chunk(4)
    steps = f.exp()  # sigma(f) is steps / (steps + 1)
    assert (
        steps.min() >= 1 and steps.max() <= 49 and steps.mean().item() == pytest.approx(25, abs=1)
    )
    assert torch.equal(i, -f)
    for name, bias in untouched.named_parameters():
        same = layer.get_parameter(name)
        parts = slice(4000, None) if "bias" in name else slice(None)  # of g and o
        assert torch.equal(same[parts], bias[parts])


def test_the_lines_to_beat_are_fitted_once_for_the_same_data_and_length(
    data, tmp_path, monkeypatch
):
    monkeypatch.setenv("LAB2_DATA", str(tmp_path))
    first = baselines.cached_table(data, 10)
    pd.testing.assert_frame_equal(first, baselines.baseline_table(data, 10))
    asked = []
    monkeypatch.setattr(baselines, "baseline_table", lambda *of: asked.append(of) or first)
    pd.testing.assert_frame_equal(baselines.cached_table(data, 10), first)
    assert asked == []
    baselines.cached_table(data, 9)
    baselines.cached_table(dataclasses.replace(data, test=data.valid), 10)
    assert len(asked) == 2
