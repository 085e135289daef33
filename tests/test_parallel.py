"""Recurrences that need not be read step by step, and attention in their place."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies
from torch import nn

from lab.models import attention, parallel
from lab.models.attention import CausalAttention
from lab.models.parallel import MinGRU, SignedMinGRU

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


def test_a_signed_unit_counts_parity_by_itself():
    """Weights by hand: z = 0 keeps, z = 1 turns the state round and adds one."""
    layer = SignedMinGRU(1, 1)
    with torch.no_grad():
        layer.layers[0].weight.copy_(torch.tensor([[80.0], [0.0]]))
        layer.layers[0].bias.copy_(torch.tensor([-40.0, 1.0]))
    bits = torch.randint(2, (500, 7), generator=torch.Generator().manual_seed(0)).float()
    states, _ = layer(bits[:, :, None])
    torch.testing.assert_close(states[:, :, 0], bits.cumsum(0) % 2)


def test_layers_have_about_the_weights_of_a_gru():
    def count(layer):
        return sum(weight.numel() for weight in layer.parameters())

    gru = count(nn.GRU(50, 256))
    assert count(MinGRU(50, 256, 2)) < 0.7 * gru
    assert count(CausalAttention(50, 120, 2)) == pytest.approx(gru, rel=0.02)
