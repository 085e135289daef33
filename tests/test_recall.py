"""What the recall task shows: runs that decide between two readings of the same figure."""

import math

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from lab.base import machine
from lab.models import initialization
from lab.notebooks import lesson


def read(model, length, seed, count=1500):
    """Return last states (B, H) and first tokens (B,) of random texts."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(lesson.KINDS, (length, count), generator=generator)
    with torch.no_grad():
        return model.recurrent(model.embedding(tokens))[0][-1].numpy(), tokens[0].numpy()


@pytest.mark.long
@pytest.mark.parametrize("length", [20, 50, 80])
def test_a_plain_network_that_cannot_tell_the_token_has_kept_it(one_length, length):
    """It learnt one length at a time. A linear layer of each length's own reads it in the state."""
    assert lesson.recalls(one_length, length, seed=2) < 0.125
    own = LogisticRegression(C=100, max_iter=2000).fit(*read(one_length, length, seed=3))
    assert own.score(*read(one_length, length, seed=4)) > 0.95


@pytest.fixture(scope="module")
def one_length():
    machine.prepare_torch()
    models, shares = lesson.recall_experiment(seed=0, updates=1500, names=("RNN",))
    assert shares.set_index("length")["share"][lesson.LONGEST] > 0.9
    return models["RNN"]


@pytest.mark.long
@pytest.mark.parametrize("rate", [1e-3, 3e-3, 1e-2])
def test_four_tokens_are_no_easier_if_texts_do_not_grow(rate):
    """Texts grow only for who is right. But with lengths up to 100 at once it is the same."""
    shares = {}
    for name, layer in (("RNN", nn.RNN), ("GRU", nn.GRU)):
        torch.manual_seed(0)
        model = lesson.Recaller(layer, keep=4)
        if name == "RNN":
            initialization.start_orthogonal(model.recurrent)
        faster = rate if name == "RNN" else 1e-2
        lesson.train_recall(model, faster, 0, 1500, first=lesson.LONGEST, mixed=True)
        shares[name] = lesson.recalls(model, lesson.LONGEST, seed=1)
    assert shares["RNN"] < 0.4 and shares["GRU"] > 0.9


class Scaled(nn.LSTM):
    """An LSTM whose gradient along c is multiplied by `back` at each step; forwards the same."""

    back = 1.0

    def forward(self, x):
        """x (T, B, E) -> states (T, B, H), and no state to go on with."""
        w_ih, w_hh, b_ih, b_hh = self.all_weights[0]
        h = c = x.new_zeros(x.shape[1], self.hidden_size)
        states = []
        for words in x @ w_ih.T + b_ih + b_hh:
            i, f, g, o = (words + h @ w_hh.T).chunk(4, dim=1)
            c = c.detach() + self.back * (c - c.detach())
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        return torch.stack(states), None


@pytest.mark.parametrize("back", [1.0, 0.5])
def test_a_cut_changes_the_gradient_alone(back):
    layer, cut = nn.LSTM(5, 7), Scaled(5, 7)
    cut.load_state_dict(layer.state_dict())
    cut.back = back
    x = torch.randn(4, 3, 5, requires_grad=True)
    states, (ours, _) = layer(x)[0], cut(x)
    torch.testing.assert_close(ours, states)
    first, second = (torch.autograd.grad(h[-1].sum(), x)[0] for h in (states, ours))
    assert torch.allclose(first, second, atol=1e-6) == (back == 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_the_open_gate_helps_by_the_gradient_that_it_lets_through(seed):
    """f stands in the state and in the gradient. Cut the gradient alone to that of f = 0.5."""
    shares = {}
    for name, added, back in (("open", 3.0, 1.0), ("half", 0.0, 1.0), ("cut", 3.0, 0.5 / 0.95)):
        torch.manual_seed(seed)
        model = lesson.Recaller(Scaled)
        initialization.start_orthogonal(model.recurrent, added)
        model.recurrent.back = back
        shares[name] = lesson.train_recall(model, 3e-3, seed, 300, first=50, last=50)[-1][1]
    assert shares["open"] > 0.9 and shares["half"] < 0.25 and shares["cut"] < 0.5


def test_a_gradient_that_grows_teaches_if_it_is_clipped():
    """And one that shrinks teaches nothing. A seed that is not among the stored ones."""
    clipped, free = lesson.WAYS["0.1, clipped"], lesson.WAYS["rate 0.1"]
    assert lesson.descend_plainly(1.3, *clipped, seed=20) < 0.5
    for factor, way in ((1.3, free), (0.9, free), (0.9, clipped)):
        assert lesson.descend_plainly(factor, *way, seed=20) == pytest.approx(math.log(8), abs=0.1)
