"""The layers with a backward pass of our own give what PyTorch's layers give."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from lab.models import recurrent

PAIRS = [(nn.RNN, recurrent.RNN), (nn.GRU, recurrent.GRU)]


def twins(theirs, ours, *arguments, **options):
    """Return PyTorch's layer and ours with the same weights."""
    torch.manual_seed(0)
    reference = theirs(*arguments, **options)
    layer = ours(*arguments, **options)
    layer.load_state_dict(reference.state_dict())  # the same names and shapes
    return reference, layer


def everything(layer, x, hx, weight):
    """Return output, final state and all gradients of a loss that looks at every state."""
    x, hx = x.clone().requires_grad_(), hx.clone().requires_grad_()
    output, last = layer(x, hx)
    ((output * weight).sum() + last.square().sum()).backward()
    return [output, last, x.grad, hx.grad, *(p.grad for p in layer.parameters())]


def assert_equal(ours, theirs, tolerance=1e-5):
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() <= tolerance * max(1.0, b.abs().max())


@pytest.mark.parametrize("flush", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("steps, batch, hidden", [(1, 1, 3), (70, 33, 20), (130, 16, 256)])
@pytest.mark.parametrize("theirs, ours", PAIRS)
def test_outputs_and_gradients_equal_pytorch(theirs, ours, steps, batch, hidden, num_layers, flush):
    torch.set_flush_denormal(flush)
    reference, layer = twins(theirs, ours, 7, hidden, num_layers)
    x, hx = torch.randn(steps, batch, 7), torch.randn(num_layers, batch, hidden)
    weight = torch.randn(steps, batch, hidden)
    assert_equal(everything(layer, x, hx, weight), everything(reference, x, hx, weight))


@pytest.mark.parametrize("theirs, ours", PAIRS)
def test_without_onednn_the_numbers_are_the_same(theirs, ours, monkeypatch):
    monkeypatch.setattr(recurrent, "has_onednn", lambda: False)
    reference, layer = twins(theirs, ours, 7, 130)
    x, hx, weight = torch.randn(40, 30, 7), torch.randn(1, 30, 130), torch.randn(40, 30, 130)
    assert_equal(everything(layer, x, hx, weight), everything(reference, x, hx, weight))


@pytest.mark.parametrize("theirs, ours", PAIRS)
@pytest.mark.parametrize("rows", [2, 6, 1024])  # blocks of one step, of a few, of all
def test_backward_formulas_hold_in_double_precision(theirs, ours, rows, monkeypatch):
    monkeypatch.setattr(recurrent, "ROWS", rows)
    torch.manual_seed(0)
    layer = ours(3, 4).double()
    x = torch.randn(5, 2, 3, dtype=torch.double, requires_grad=True)
    h_0 = torch.randn(2, 4, dtype=torch.double, requires_grad=True)
    weights = [w.detach().requires_grad_() for w in layer.all_weights[0]]
    assert torch.autograd.gradcheck(layer.recurrence.apply, (x, h_0, *weights))


@pytest.mark.parametrize("theirs, ours", PAIRS)
@pytest.mark.parametrize(
    "options", [{"bidirectional": True}, {"batch_first": True}, {"bias": False}]
)
def test_what_pytorch_must_do_is_left_to_it(theirs, ours, options):
    reference, layer = twins(theirs, ours, 5, 6, **options)
    x = torch.randn(4, 3, 5)
    torch.testing.assert_close(layer(x), reference(x), rtol=0, atol=0)


@pytest.mark.parametrize("theirs, ours", PAIRS)
def test_packed_and_single_sequences_are_left_to_pytorch(theirs, ours):
    reference, layer = twins(theirs, ours, 5, 6)
    packed = pack_padded_sequence(torch.randn(4, 3, 5), torch.tensor([4, 2, 1]))
    assert torch.equal(layer(packed)[0].data, reference(packed)[0].data)
    single = torch.randn(4, 5)  # (T, E), no batch
    assert torch.equal(layer(single)[0], reference(single)[0])


@pytest.mark.parametrize("theirs, ours", PAIRS)
def test_wrong_input_is_explained_as_pytorch_does(theirs, ours):
    reference, layer = twins(theirs, ours, 5, 6)
    wrong = [
        (torch.randn(4, 3, 7), None),  # width
        (torch.randn(4, 3, 5).double(), None),
        (torch.randn(4, 3, 5), torch.zeros(1, 2, 6)),  # batch of the state
    ]
    for x, hx in wrong:
        messages = []
        for one in (reference, layer):
            with pytest.raises((RuntimeError, ValueError)) as error:
                one(x, hx)
            messages.append(str(error.value))
        assert messages[0] == messages[1]
    assert layer(torch.randn(4, 0, 5))[0].shape == (4, 0, 6)


def test_frozen_input_gets_no_gradient_and_weights_do():
    layer = recurrent.GRU(5, 6)
    layer(torch.randn(4, 3, 5))[0].sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in layer.parameters())


def test_dropout_between_layers_acts_in_training_only():
    layer = recurrent.RNN(5, 6, num_layers=2, dropout=0.5)
    x = torch.randn(4, 3, 5)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize("ours", [recurrent.RNN, recurrent.GRU])
def test_the_same_input_gives_the_same_bits(ours):
    torch.manual_seed(0)
    layer = ours(20, 64)
    x, hx, weight = torch.randn(90, 16, 20), torch.randn(1, 16, 64), torch.randn(90, 16, 64)
    first, second = (everything(layer, x, hx, weight), everything(layer, x, hx, weight))
    for a, b in zip(first[:4], second[:4]):
        assert torch.equal(a, b)
