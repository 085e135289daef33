"""Answers of many forms to the exercises that ask for code: what must be accepted, what must not.

A right form is the body of the function. So is a wrong one, or a piece of the solved cell that is
replaced: (what the check says of it, old, new). It is "" where the check tells no more than numbers,
shapes, or the error of Python.
"""

import textwrap

CUT = "detach, no_grad, .data, .item() or torch.tensor cut it off"
OWN = "calls the lab's own "
PLACE = "is changed in place"
AXES = "Axes are matched from the last"
COLUMNS = "as many columns as the second rows"

RIGHT = {
    "average-vectors": (
        "return torch.stack([vectors[text[:n, b]].mean(0) for b, n in enumerate(text_length)])",
        "inside = (torch.arange(len(text))[:, None] < text_length).float()\n"
        "return torch.einsum('tb,tbe->be', inside, vectors[text]) / text_length[:, None]",
        "sums = F.embedding(text, vectors).cumsum(0)\n"
        "return sums[text_length - 1, torch.arange(text.shape[1])] / text_length[:, None]",
        "outside = torch.arange(text.shape[0])[:, None] >= text_length[None]\n"
        "words = vectors[text].masked_fill(outside[..., None], 0.0)\n"
        "return words.sum(0) / text_length.unsqueeze(1)",
        "counts = torch.zeros(text.shape[1], len(vectors))\n"
        "for b in range(text.shape[1]):\n"
        "    for t in range(int(text_length[b])):\n"
        "        counts[b, text[t, b]] += 1\n"
        "return counts @ vectors / text_length[:, None]",
        "out = torch.zeros(text.shape[1], vectors.shape[1])\n"
        "for b in range(text.shape[1]):\n"
        "    for t in range(text_length[b]):\n"
        "        out[b] += vectors[text[t, b]]\n"
        "    out[b] /= text_length[b]\n"
        "return out",
    ),
    "rnn-cell": (
        "return torch.tanh(F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh))",
        "both = torch.cat([x, h], 1) @ torch.cat([w_ih, w_hh], 1).T\n"
        "return (both + (b_ih + b_hh)).tanh()",
        "a = w_ih @ x.T + w_hh @ h.T + (b_ih + b_hh)[:, None]\nreturn a.tanh().mT",
        "pairs = zip(x, h)\n"
        "return torch.stack([torch.tanh(w_ih @ a + b_ih + w_hh @ b + b_hh) for a, b in pairs])",
        "a = torch.einsum('be,he->bh', x, w_ih) + torch.einsum('bj,hj->bh', h, w_hh)\n"
        "return 2 * torch.sigmoid(2 * (a + b_ih + b_hh)) - 1",
        "a = torch.addmm(b_ih, x, w_ih.t())\na += torch.addmm(b_hh, h, w_hh.t())\n"
        "return a.tanh_()",
    ),
    "unroll": (
        "out = []\nfor t in range(x.shape[0]):\n    state = cell(x[t], state, *weights)\n"
        "    h = state[0] if type(state) is tuple else state\n    out += [h[None]]\n"
        "return torch.cat(out, dim=0)",
        "new = cell(x[0], state, *weights)\n"
        "h = (new[0] if isinstance(new, tuple) else new)[None]\n"
        "return h if len(x) == 1 else torch.cat([h, unroll(cell, x[1:], new, weights)])",
        "pair = isinstance(state, tuple)\n"
        "out = x.new_empty(len(x), *(state[0] if pair else state).shape)\n"
        "for t, x_t in enumerate(x):\n    state = cell(x_t, state, *weights)\n"
        "    out[t] = state[0] if pair else state\n"
        "return out",
        "import itertools\n"
        "steps = itertools.accumulate(x.unbind(0), lambda s, e: cell(e, s, *weights), initial=state)\n"
        "next(steps)\nreturn torch.stack([s if torch.is_tensor(s) else s[0] for s in steps])",
        "states = [state]\nwhile len(states) <= len(x):\n"
        "    states.append(cell(x[len(states) - 1], states[-1], *weights))\n"
        "if torch.is_tensor(state):\n    return torch.stack(states[1:])\n"
        "return torch.stack([h for h, c in states[1:]])",
        "w_ih, w_hh, b_ih, b_hh = weights\nhs = []\nfor x_t in x:\n"
        "    state = cell(x_t, state, w_ih, w_hh, b_ih, b_hh)\n"
        "    hs.append(state[0].clone() if isinstance(state, tuple) else state.clone())\n"
        "return torch.concat([h.unsqueeze(0) for h in hs])",
    ),
    "lstm-cell": (
        "h, c = state\na = F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh)\n"
        "i, f, g, o = a.split(h.shape[1], dim=1)\nc = c * f.sigmoid() + i.sigmoid() * g.tanh()\n"
        "return o.sigmoid() * c.tanh(), c",
        "h, c = state\nH = h.shape[-1]\na = x @ w_ih.T + h @ w_hh.T + (b_ih + b_hh)\n"
        "s, g = torch.sigmoid(a), torch.tanh(a[:, 2 * H : 3 * H])\n"
        "new = s[:, H : 2 * H] * c + s[:, :H] * g\nreturn (s[:, 3 * H :] * torch.tanh(new), new)",
        "h, c = state\nblocks = []\n"
        "for wi, wh, bi, bh in zip(w_ih.chunk(4), w_hh.chunk(4), b_ih.chunk(4), b_hh.chunk(4)):\n"
        "    blocks.append(x @ wi.T + bi + h @ wh.T + bh)\n"
        "i, f, o = (torch.sigmoid(blocks[k]) for k in (0, 1, 3))\n"
        "c = f * c + i * torch.tanh(blocks[2])\nreturn o * torch.tanh(c), c",
        "a = (x @ w_ih.T + b_ih + state[0] @ w_hh.T + b_hh).view(len(x), 4, -1)\n"
        "c = a[:, 1].sigmoid() * state[1]\nc = c + a[:, 0].sigmoid() * a[:, 2].tanh()\n"
        "return [a[:, 3].sigmoid() * c.tanh(), c]",
        "def half(v):\n    return 0.5 * (1 + torch.tanh(v / 2))\n"
        "h, c = state\ni, f, g, o = torch.einsum('be,ge->gb', x, w_ih).add(w_hh @ h.T)"
        ".add((b_ih + b_hh)[:, None]).T.tensor_split(4, 1)\n"
        "c_new = torch.addcmul(half(f) * c, half(i), g.tanh())\nreturn half(o) * c_new.tanh(), c_new",
    ),
    "gru-cell": (
        "a, b = F.linear(x, w_ih, b_ih).chunk(3, 1), F.linear(h, w_hh, b_hh).chunk(3, 1)\n"
        "r, z = (a[0] + b[0]).sigmoid(), (a[1] + b[1]).sigmoid()\n"
        "n = torch.tanh(a[2] + r * b[2])\nreturn n + z * (h - n)",
        "H = h.shape[1]\ng = torch.sigmoid(x @ w_ih[: 2 * H].T + b_ih[: 2 * H]"
        " + h @ w_hh[: 2 * H].T + b_hh[: 2 * H])\nr, z = g[:, :H], g[:, H:]\n"
        "n = (x @ w_ih[2 * H :].T + b_ih[2 * H :] + r * (h @ w_hh[2 * H :].T + b_hh[2 * H :])).tanh()\n"
        "return z * h + n * (1 - z)",
        "ir, iz, i_n = w_ih.chunk(3)\nhr, hz, hn = w_hh.chunk(3)\nbir, biz, bin_ = b_ih.chunk(3)\n"
        "bhr, bhz, bhn = b_hh.chunk(3)\nr = torch.sigmoid(x @ ir.T + bir + h @ hr.T + bhr)\n"
        "z = torch.sigmoid(x @ iz.T + biz + h @ hz.T + bhz)\n"
        "n = torch.tanh(x @ i_n.T + bin_ + r * (h @ hn.T + bhn))\nreturn (1 - z) * n + z * h",
        "a = (x @ w_ih.T + b_ih).view(len(x), 3, -1)\nb = (h @ w_hh.T + b_hh).view(len(x), 3, -1)\n"
        "gates = (a[:, :2] + b[:, :2]).sigmoid()\nn = (a[:, 2] + gates[:, 0] * b[:, 2]).tanh()\n"
        "return torch.lerp(n, h, gates[:, 1])",
        "s = lambda v: 1 / (1 + torch.exp(-v))\n"
        "(r1, z1, n1), (r2, z2, n2) = [(v @ w.T + b).tensor_split(3, dim=-1)\n"
        "                              for v, w, b in ((x, w_ih, b_ih), (h, w_hh, b_hh))]\n"
        "keep = s(z1 + z2)\nreturn torch.tanh(n1 + s(r1 + r2) * n2) * (1 - keep) + h * keep",
    ),
    "count-weights": (
        "w_ih, w_hh, bias = units * inputs, units**2, units\n"
        "return blocks * (w_ih + w_hh + bias + bias)",
        "total = 0\nfor _ in range(blocks):\n    total += units * (inputs + units) + 2 * units\n"
        "return total",
        "return torch.tensor([inputs, units, 2]).sum() * units * blocks",
        "rows = blocks * units\nreturn float(rows * inputs + rows * units + 2 * rows)",
        "cell = nn.RNNCell(inputs, units)\nreturn blocks * sum(p.numel() for p in cell.parameters())",
        "return np.int64(blocks) * units * (inputs + units + 2)",
    ),
    "last-state": (
        "return torch.stack([states[n - 1, b] for b, n in enumerate(length.tolist())])",
        "index = (length - 1)[None, :, None].expand(1, -1, states.shape[2])\n"
        "return states.gather(0, index)[0]",
        "last = torch.arange(len(states))[:, None] == length - 1\n"
        "return (states * last[:, :, None]).sum(0)",
        "return states.transpose(0, 1)[range(len(length)), length - 1]",
        "one_hot = F.one_hot(length - 1, len(states)).to(states)\n"
        "return torch.einsum('bt,tbh->bh', one_hot, states)",
        "out = torch.empty(states.shape[1:])\nfor b in range(len(length)):\n"
        "    out[b] = states[:, b][: length[b]][-1]\nreturn out",
        "T, B, H = states.shape\nreturn states.reshape(T * B, H)[(length - 1) * B + torch.arange(B)]",
    ),
    "binary-loss": (
        "return (F.softplus(logits) - labels * logits).mean()",
        "stable = torch.log1p(torch.exp(-logits.abs()))\n"
        "return (stable + logits.clamp(min=0) - logits * labels).mean()",
        "signed = (2 * labels - 1) * logits\n"
        "return torch.logaddexp(torch.zeros_like(signed), -signed).mean()",
        "both = torch.stack([torch.zeros_like(logits), logits], dim=1).log_softmax(dim=1)\n"
        "return -(both[:, 1] * labels + both[:, 0] * (1 - labels)).mean()",
        "signed = torch.where(labels == 1, logits, -logits)\n"
        "return -F.logsigmoid(signed).sum() / len(signed)",
        "total = 0\nfor a, y in zip(logits, labels):\n"
        "    total = total - (F.logsigmoid(a) if y == 1 else F.logsigmoid(-a))\n"
        "return total / logits.numel()",
    ),
    "training-step": (
        "optimizer.zero_grad()\nlogits = model(batch.text, batch.text_length)\n"
        "loss = F.binary_cross_entropy(torch.sigmoid(logits), batch.label)\nloss.backward()\n"
        "nn.utils.clip_grad_norm_(model.parameters(), clip_norm)\noptimizer.step()\n"
        "return logits, loss",
        "model.train()\nmodel.zero_grad(set_to_none=True)\n"
        "logits = model(batch.text, batch.text_length)\n"
        "loss = nn.BCEWithLogitsLoss()(logits, batch.label)\nloss.backward()\n"
        "nn.utils.clip_grad_norm_(list(model.parameters()), max_norm=clip_norm)\noptimizer.step()\n"
        "return logits.detach(), loss.item()",
        "logits = model(batch.text, batch.text_length)\n"
        "loss = (F.softplus(logits) - batch.label * logits).mean()\nweights = [*model.parameters()]\n"
        "for w, g in zip(weights, torch.autograd.grad(loss, weights)):\n    w.grad = g\n"
        "length = torch.stack([w.grad.norm() for w in weights]).norm()\n"
        "if length > clip_norm:\n    for w in weights:\n        w.grad *= clip_norm / length\n"
        "optimizer.step()\nreturn logits, loss",
        "for w in model.parameters():\n    w.grad = None\n"
        "logits = model(batch.text, batch.text_length)\n"
        "loss = nn.BCELoss()(logits.sigmoid(), batch.label)\nloss.backward()\n"
        "norm = sum(w.grad.pow(2).sum() for w in model.parameters()) ** 0.5\n"
        "for w in model.parameters():\n    w.grad.mul_(min(1.0, clip_norm / (norm + 1e-6)))\n"
        "optimizer.step()\nreturn [logits, loss]",
        "logits = model(batch.text, batch.text_length)\n"
        "loss = solutions.binary_loss(logits, batch.label)\noptimizer.zero_grad()\n"
        "loss.backward()\nnn.utils.clip_grad_norm_(model.parameters(), clip_norm)\n"
        "optimizer.step()\noptimizer.zero_grad()\nreturn logits, loss",
    ),
    "perplexity": (
        "return torch.exp(-log_probability.mean())",
        "nats = -log_probability.flatten().double()\nreturn math.e ** (nats.sum() / len(nats)).item()",
        "return float(np.exp(-np.mean(log_probability.numpy())))",
        "total = 0.0\nfor one in log_probability.reshape(-1).tolist():\n    total -= one\n"
        "return math.exp(total / log_probability.numel())",
        "return 2 ** (-(log_probability / math.log(2)).mean())",
        "return 1 / log_probability.mean().exp()",
    ),
    "piece-loss": (
        "if state is not None:\n"
        "    state = tuple(s.detach() for s in state) if type(state) is tuple else state.detach()\n"
        "ln_p, state = model.log_probability(piece.text, piece.target, state)\n"
        "return (-ln_p).mean(), state",
        "ln_p, state = model.log_probability(piece.text, piece.target, state)\n"
        "if isinstance(state, tuple):\n    h, c = state\n    state = (h.detach(), c.detach())\n"
        "else:\n    state = state.detach()\nreturn -ln_p.sum() / ln_p.numel(), state",
        "ln_p, new = model.log_probability(piece.text, piece.target, state)\n"
        "new = new.clone().detach() if torch.is_tensor(new) else tuple(map(torch.Tensor.detach, new))\n"
        "return torch.mean(-ln_p), new",
        "def cut(s):\n    if s is None:\n        return None\n"
        "    return s.data if torch.is_tensor(s) else tuple(cut(part) for part in s)\n"
        "ln_p, state = model.log_probability(piece.text, piece.target, cut(state))\n"
        "return ln_p.mean().neg(), cut(state)",
        "ln_p, state = model.log_probability(piece.text, piece.target, state)\n"
        "with torch.no_grad():\n"
        "    state = tuple(s + 0 for s in state) if isinstance(state, tuple) else state + 0\n"
        "return -1 * ln_p.flatten().mean(), state",
    ),
    "nucleus": (
        "q = F.softmax(log_probability / temperature, -1)\ntotal, kept = 0.0, torch.zeros_like(q)\n"
        "for i in q.argsort(descending=True):\n    if total >= p:\n        break\n"
        "    kept[i], total = q[i], total + q[i].item()\nreturn kept / kept.sum()",
        "q = (log_probability / temperature).softmax(0)\nordered, words = q.sort(descending=True)\n"
        "before = F.pad(ordered.cumsum(0)[:-1], (1, 0))\nordered[before >= p] = 0\n"
        "out = torch.zeros_like(q)\nout[words] = ordered / ordered.sum()\nreturn out",
        "logits = log_probability / temperature\nordered, words = logits.sort(descending=True)\n"
        "before = ordered.softmax(0).cumsum(0).roll(1)\nbefore[0] = 0\n"
        "dropped = words[before >= p]\n"
        "return logits.index_fill(0, dropped, float('-inf')).softmax(0)",
        "q = torch.exp(log_probability / temperature)\nq = q / q.sum()\n"
        "above = (q * (q > q[:, None])).sum(1)\nkept = torch.where(above < p, q, 0)\n"
        "return kept / kept.sum()",
        "q = torch.softmax(log_probability / temperature, 0)\nvalues, words = torch.topk(q, len(q))\n"
        "count = min(int((values.cumsum(0) < p).sum()) + 1, len(q))\n"
        "mask = torch.zeros(len(q), dtype=torch.bool)\nmask[words[:count]] = True\n"
        "return q * mask / q[mask].sum()",
    ),
    "open-gate": (
        "H = layer.hidden_size\nlayer.bias_hh_l0.data[H : 2 * H] += amount",
        "with torch.no_grad():\n    i, f, g, o = layer.bias_hh_l0.chunk(4)\n    f += amount",
        "change = torch.zeros(4, layer.hidden_size)\nchange[1] = amount\n"
        "layer.bias_ih_l0.data.add_(change.flatten())",
        "with torch.no_grad():\n    layer.bias_ih_l0.view(4, -1)[1].add_(amount)\nreturn layer",
        "H = layer.hidden_size\nfor bias in (layer.bias_ih_l0, layer.bias_hh_l0):\n"
        "    bias.data[H : 2 * H] += amount / 2",
        "new = layer.bias_ih_l0.detach().clone()\nnew[len(new) // 4 : len(new) // 2] += amount\n"
        "layer.bias_ih_l0 = nn.Parameter(new)",
    ),
    "gradient-by-step": (
        "hs = []\nfor x_t in x:\n    h = cell(x_t, h, *weights)\n    hs.append(h)\n"
        "grads = torch.autograd.grad(h.sum(), hs)\nreturn torch.stack([g.norm() for g in grads])",
        "states = [h.clone().requires_grad_()]\nfor x_t in x:\n"
        "    states.append(cell(x_t, states[-1], *weights))\n"
        "return [torch.linalg.norm(g).item() for g in\n"
        "        torch.autograd.grad(states[-1].sum(), states[1:])]",
        "seen = []\nfor x_t in x:\n    h = cell(x_t, h, *weights)\n"
        "    h.register_hook(lambda g: seen.append(g.norm()))\n"
        "h.sum().backward()\nreturn torch.stack(seen[::-1])",
        "kept = []\nfor x_t in x:\n    h = cell(x_t, h, *weights)\n    h.retain_grad()\n"
        "    kept += [h]\nkept[-1].backward(torch.ones_like(h))\n"
        "return torch.tensor([k.grad.pow(2).sum().sqrt() for k in kept])",
        "lengths = []\nfor start in range(len(x)):\n    s = h\n    for t, x_t in enumerate(x):\n"
        "        s = cell(x_t, s, *weights)\n"
        "        if t == start:\n            s = of = s.detach().requires_grad_()\n"
        "    lengths.append(torch.autograd.grad(s.sum(), of)[0].norm())\nreturn lengths",
    ),
    "mcnemar": (
        "b, c = int(np.sum(first & ~second)), int(np.sum(~first & second))\n"
        "p = sum(math.comb(b + c, i) for i in range(min(b, c) + 1)) * 2 / 2 ** (b + c)\n"
        "return p if p < 1 else 1.0",
        "from scipy.stats import binomtest\nb, n = (first > second).sum(), (first != second).sum()\n"
        "return binomtest(int(b), int(n)).pvalue if n else 1.0",
        "from fractions import Fraction\nb = sum(1 for f, s in zip(first, second) if f and not s)\n"
        "n = b + sum(1 for f, s in zip(first, second) if s and not f)\np = Fraction(0)\n"
        "for i in range(min(b, n - b) + 1):\n    p += Fraction(math.comb(n, i), 2**n)\n"
        "return float(min(1, 2 * p))",
        "n, k = int((first ^ second).sum()), int((first & (first ^ second)).sum())\n"
        "k = min(k, n - k)\nln = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)"
        " - n * math.log(2) for i in range(k + 1)]\nreturn min(1.0, 2 * sum(map(math.exp, ln)))",
        "from scipy import stats\nb, c = sum(first & ~second), sum(second & ~first)\n"
        "return np.minimum(1, 2 * stats.binom.cdf(min(b, c), b + c, 0.5))",
    ),
    "beliefs": (
        "probabilities = []\nfor t in range(1, len(words) + 1):\n"
        "    p = model.predict(words[:t, None], torch.tensor([t]))\n    probabilities.append(p.item())\n"
        "return probabilities",
        "states, last = model.recurrent(model.embedding(words).unsqueeze(1))\n"
        "return model.linear(states).sigmoid().view(-1).detach()",
        "with torch.no_grad():\n    state, out = None, []\n    for word in words:\n"
        "        _, state = model.recurrent(model.embedding(word.view(1, 1)), state)\n"
        "        out.append(torch.sigmoid(model.linear(state[0]))[0, 0])\n    return torch.stack(out)",
        "T = len(words)\n"
        "return model.predict(words[:, None].repeat(1, T), torch.arange(1, T + 1))",
        "states, _ = model.recurrent(model.embedding(words[:, None]))\n"
        "a = states[:, 0] @ model.linear.weight[0] + model.linear.bias\n"
        "return [float(1 / (1 + math.exp(-v))) for v in a]",
    ),
    "weight-gradient": (
        "total = torch.zeros_like(w_hh)\ndh = backward_states(h, w_hh, e)\n"
        "for t in range(1, len(h)):\n    total += ((1 - h[t] ** 2) * dh[t]).T @ h[t - 1]\n"
        "return total",
        "delta = (1 - h * h) * backward_states(h, w_hh, e)\n"
        "return torch.einsum('tbi,tbj->ij', delta[1:], h[:-1])",
        "before = torch.cat([torch.zeros_like(h[:1]), h[:-1]])\n"
        "delta = backward_states(h, w_hh, e) * (1 - h.square())\n"
        "return (delta.mT @ before).sum(0)",
        "dh, total = e[-1], 0\nfor t in range(len(h) - 1, 0, -1):\n"
        "    delta = dh * (1 - h[t] ** 2)\n    total = total + delta.T @ h[t - 1]\n"
        "    dh = e[t - 1] + delta @ w_hh\nreturn total",
        "h_, dh = h.numpy(), backward_states(h, w_hh, e).numpy()\n"
        "return sum(np.outer(d * (1 - s**2), b) for t in range(1, len(h_))\n"
        "           for d, s, b in zip(dh[t], h_[t], h_[t - 1]))",
    ),
    "adam": (
        "m, v, out = 0, 0, []\nfor t, g in enumerate(gradients):\n    m = m + 0.1 * (g - m)\n"
        "    v = v + 0.001 * (g * g - v)\n"
        "    out.append((m / (1 - 0.9 ** (t + 1))) / ((v / (1 - 0.999 ** (t + 1))) ** 0.5 + 1e-8))\n"
        "return out",
        "g = np.array(gradients)\nout = []\nfor n in range(1, len(g) + 1):\n"
        "    back = np.arange(n)[::-1]\n    m = (0.1 * 0.9**back * g[:n]).sum() / (1 - 0.9**n)\n"
        "    v = (0.001 * 0.999**back * g[:n] ** 2).sum() / (1 - 0.999**n)\n"
        "    out.append(m / (math.sqrt(v) + 1e-8))\nreturn np.array(out)",
        "m = v = torch.zeros(())\nout = torch.empty(len(gradients))\n"
        "for i, g in enumerate(gradients):\n    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2\n"
        "    out[i] = m / (1 - 0.9 ** (i + 1)) / ((v / (1 - 0.999 ** (i + 1))).sqrt() + 1e-8)\n"
        "return out",
        "m = v = 0.0\nb1 = b2 = 1.0\nmoves = ()\nfor g in gradients:\n    b1, b2 = b1 * 0.9, b2 * 0.999\n"
        "    m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g**2\n"
        "    moves += (m / (1 - b1) / (math.sqrt(v / (1 - b2)) + 1e-8),)\nreturn moves",
        "def updates(m, v, step, rest):\n    if not rest:\n        return []\n    g, *rest = rest\n"
        "    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2\n"
        "    now = m / (1 - 0.9**step) / ((v / (1 - 0.999**step)) ** 0.5 + 1e-8)\n"
        "    return [now, *updates(m, v, step + 1, rest)]\n"
        "return np.asarray(updates(0.0, 0.0, 1, list(gradients)))",
    ),
    "surprise-of": (
        "ln_p, state = model.next_word(torch.tensor(before)[:, None])\nout = []\n"
        "for word in words:\n    out.append(-ln_p[word].item())\n"
        "    ln_p, state = model.next_word(torch.tensor([[word]]), state)\nreturn out",
        "out = np.zeros(len(words))\nfor i, word in enumerate(words):\n"
        "    text = torch.tensor([*before, *words[:i]]).view(-1, 1)\n"
        "    out[i] = -model.next_word(text)[0][word]\nreturn out",
        "state, text, nats = None, list(before), []\nfor word in words:\n"
        "    ln_p, state = model.next_word(torch.tensor(text)[:, None], state)\n"
        "    nats.append(-float(ln_p[word]))\n    text = [word]\nreturn torch.tensor(nats)",
        "state = None\nfor word in before:\n"
        "    ln_p, state = model.next_word(torch.tensor([[word]]), state)\nnats = ()\n"
        "for word in words:\n    nats += (-ln_p.tolist()[word],)\n"
        "    ln_p, state = model.next_word(torch.full((1, 1), word), state)\nreturn nats",
        "return np.array([math.log(1 / model.next_word(\n"
        "    torch.LongTensor(list(before) + list(words[:i])).unsqueeze(1))[0].exp()[w])\n"
        "    for i, w in enumerate(words)])",
    ),
}  # fmt: skip


WRONG = {
    "average-vectors": (
        ("mean over the whole block",
         "(vectors[text] * inside[:, :, None]).sum(0) / text_length[:, None]",
         "vectors[text].mean(0)"),
        ("without the padding, divided by T", "/ text_length[:, None]", "/ len(text)"),
        ("with the padding, divided by the length", " * inside[:, :, None]", " * 1"),
        ("without each review's last word", "< text_length", "< text_length - 1"),
        ("<unk> is a word and counts",
         "known = (text > 1)[:, :, None]\nreturn (vectors[text] * known).sum(0) / known.sum(0)"),
        (PLACE, "    inside", "    vectors[1] = 0\n    inside"),
        ("the sum of the vectors", " / text_length[:, None]", ""),
        (CUT, "(vectors[text]", "(vectors[text].detach()"),
        ("NumPy keeps no gradient", "(vectors[text]", "(torch.tensor(vectors.numpy()[text])"),
        (OWN, "return solutions.average_vectors(text, text_length, vectors)"),
        ("nothing came back", "    return (", "    mean = ("),
        (AXES, "inside[:, :, None]", "inside[:, None]"),
        (AXES, "(vectors[text] * inside[:, :, None]).sum(0)", "vectors[text].sum(1)"),
    ),
    "rnn-cell": (
        ("without its biases", "x @ w_ih.T + b_ih + h @ w_hh.T + b_hh", "x @ w_ih.T + h @ w_hh.T"),
        ("without its second bias", " + b_hh", ""),
        ("b_ih twice", "w_hh.T + b_hh", "w_hh.T + b_ih"),
        ("h @ w_hh, where w_hh must be", "w_hh.T", "w_hh"),
        ("takes one tanh, around", "b_ih + h @ w_hh.T + b_hh", "b_ih) + torch.tanh(h @ w_hh.T + b_hh"),
        ("sigma instead of tanh", "torch.tanh(", "torch.sigmoid("),
        ("without tanh", "torch.tanh(", "("),
        ("without the old state", "h @ w_hh.T", "0 * h"),
        (CUT, "h @ w_hh.T", "h.detach() @ w_hh.T"),
        ("no gradient goes back to x", "x @ w_ih.T", "x.data @ w_ih.T"),
        ("no gradient goes back: ", "with torch.no_grad():\n"
         "    return torch.tanh(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)"),
        (PLACE, "    return", "    h *= 1\n    return"),
        ("torch's rnn_tanh_cell: write", "return torch.rnn_tanh_cell(x, h, w_ih, w_hh, b_ih, b_hh)"),
        ("torch's rnn_tanh", "layer = nn.RNN(x.shape[1], h.shape[1])\n"
         "for own, weight in zip(layer.parameters(), (w_ih, w_hh, b_ih, b_hh)):\n"
         "    own.data = weight\nreturn layer(x[None], h[None])[0][0]"),
        ("torch's rnn_tanh_cell", "with torch._C.DisableTorchFunction():\n"
         "    return torch._VF.rnn_tanh_cell(x, h, w_ih, w_hh, b_ih, b_hh)"),
        ("torch's rnn_tanh_cell", "return solutions.CELLS['RNN'](x, h, w_ih, w_hh, b_ih, b_hh)"),
        ("nothing came back", "return ", "h = "),
        ("relu instead of tanh", "torch.tanh(", "torch.relu("),
        (COLUMNS, "x @ w_ih.T", "w_ih @ x"),
        (AXES, "x @ w_ih.T", "x * w_ih.T"),
    ),
    "unroll": (
        ("with reviews first", "torch.stack(outputs)", "torch.stack(outputs, dim=1)"),
        ("the first step alone", "    return torch", "        return torch"),
        ("starts from the first state", "new = [cell(x_t, state, *weights) for x_t in x]\n"
         "return torch.stack([s[0] if isinstance(s, tuple) else s for s in new])"),
        ("an LSTM's is a pair", "state[0] if isinstance(state, tuple) else state", "state"),
        ("an LSTM's is a pair", "        state = cell(x_t, state, *weights)\n",
         "        state = cell(x_t, state, *weights)\n"
         "        state = state[0] if isinstance(state, tuple) else state\n"),
        ("keeps an LSTM's c", "state[0] if", "state[1] if"),
        ("all batches of two", "state[0] if isinstance(state, tuple) else state", "state[0]"),
        ("all batches of two", "isinstance(state, tuple)", "len(state) == 2"),
        ("the last state alone", "torch.stack(outputs)", "outputs[-1]"),
        (PLACE, "pair = isinstance(state, tuple)\nh = state[0] if pair else state\n"
         "out = torch.zeros(len(x) + 1, *h.shape)\nout[0] = h\nc = state[1] if pair else None\n"
         "for t in range(len(x)):\n    new = cell(x[t], (out[t], c) if pair else out[t], *weights)\n"
         "    out[t + 1], c = new if pair else (new, None)\nreturn out[1:]"),
        ("no gradient goes back to weights[0], ", "    outputs = []\n",
         "    outputs, weights = [], [w.detach() for w in weights]\n"),
        ("is the old state detached", "        state = cell",
         "        pair = isinstance(state, tuple)\n"
         "        state = tuple(s.detach() for s in state) if pair else state.detach()\n"
         "        state = cell"),
        (CUT, "torch.stack(outputs)", "torch.tensor([o.tolist() for o in outputs])"),
        (OWN, "return solutions.unroll(cell, x, state, weights)"),
        ("the states before each step", "out = []\nfor x_t in x:\n"
         "    out.append(state[0] if isinstance(state, tuple) else state)\n"
         "    state = cell(x_t, state, *weights)\nreturn torch.stack(out)"),
        ("in one block", "torch.stack(outputs)", "torch.cat(outputs)"),
        ("read from their end", "in x:", "in x.flip(0):"),
        ("", "in x:", "in x.transpose(0, 1):"),
        ("", "in x:", "in x[:-1]:"),
        ("", "torch.stack(outputs)", "outputs"),
    ),
    "lstm-cell": (
        ("in the order f, i, o, g", "i, f, g, o =", "f, i, o, g ="),
        ("f and i exchanged", "i, f, g, o =", "f, i, g, o ="),
        ("g and o exchanged", "i, f, g, o =", "i, f, o, g ="),
        ("in the order o, f, g, i", "i, f, g, o =", "o, f, g, i ="),
        ("tanh(c) as its new c", "torch.tanh(c), c", "torch.tanh(c), torch.tanh(c)"),
        ("without tanh around g", "torch.tanh(g)", "g"),
        ("sigma around everything", "torch.tanh(g)", "torch.sigmoid(g)"),
        ("without sigma around o", "torch.sigmoid(o)", "o"),
        ("without sigma around i", "torch.sigmoid(i)", "i"),
        ("without sigma around f", "torch.sigmoid(f)", "f"),
        ("f * h: what f keeps is c", "torch.sigmoid(f) * c", "torch.sigmoid(f) * h"),
        ("h = o * c, without tanh", "torch.tanh(c), c", "c, c"),
        ("h and c exchanged at the start", "h, c = state", "c, h = state"),
        ("h and c exchanged at the end", "return torch.sigmoid(o) * torch.tanh(c), c",
         "return c, torch.sigmoid(o) * torch.tanh(c)"),
        ("h alone", "torch.tanh(c), c", "torch.tanh(c)"),
        ("no gradient goes back to state[1]", "torch.sigmoid(f) * c", "torch.sigmoid(f) * c.detach()"),
        ("no gradient goes back: ", "return torch.sigmoid(o) * torch.tanh(c), c",
         "return (torch.sigmoid(o) * torch.tanh(c)).detach(), c.detach()"),
        (PLACE, "    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)",
         "    c *= torch.sigmoid(f)\n    c += torch.sigmoid(i) * torch.tanh(g)"),
        ("torch's lstm_cell", "return torch._VF.lstm_cell(x, state, w_ih, w_hh, b_ih, b_hh)"),
        ("without its second bias", " + b_hh", ""),
        ("", "c + torch.sigmoid(i)", "c * torch.sigmoid(i)"),
        ("", "h, c = state", "h = c = state"),
        (AXES, ".chunk(4, dim=1)", ".chunk(4)"),
    ),
    "gru-cell": (
        ("z and 1 - z exchanged", "(1 - z) * n + z * h", "z * n + (1 - z) * h"),
        ("the gates r and z exchanged",
         "r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)",
         "z, r = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)"),
        ("z in the place of r", "r * n_h", "z * n_h"),
        ("applied before the matrix", "r * n_h)",
         "(r * h) @ w_hh.chunk(3)[2].T + b_hh.chunk(3)[2])"),
        ("around the word's part too", "n_x + r * n_h", "r * (n_x + n_h)"),
        ("b_hn outside of r", "n_x + r * n_h",
         "n_x + r * (n_h - b_hh.chunk(3)[2]) + b_hh.chunk(3)[2]"),
        ("without its reset gate", "r * n_h", "n_h"),
        ("without sigma around z", "torch.sigmoid(z_x + z_h)", "z_x + z_h"),
        ("without sigma around r", "torch.sigmoid(r_x + r_h)", "r_x + r_h"),
        ("without tanh around n", "torch.tanh(", "("),
        ("sigma around n", "torch.tanh(", "torch.sigmoid("),
        ("of the gradient by h a part is lost", "z * h", "z * h.detach()"),
        (CUT, "    return (1 - z) * n + z * h", "    return ((1 - z) * n + z * h).detach()"),
        ("torch's gru_cell", "return torch._C._VariableFunctions.gru_cell(x, h, w_ih, w_hh, b_ih, b_hh)"),
        ("torch's gru_cell", "return torch.ops.aten.gru_cell.default(x, h, w_ih, w_hh, b_ih, b_hh)"),
        ("without what it keeps", "(1 - z) * n + z * h", "(1 - z) * n"),
        ("", "(1 - z) * n + z * h", "z * (n + h)"),
        (COLUMNS, "h @ w_hh.T", "h @ w_hh"),
    ),
    "count-weights": (
        ("one bias for each unit", "2 * units", "units"),
        ("W_hh and the biases are there only once",
         "blocks * (units * inputs + units * units + 2 * units)",
         "blocks * units * inputs + units * units + 2 * units"),
        ("biases of one block alone", "blocks * (units * inputs + units * units + 2 * units)",
         "blocks * (units * inputs + units * units) + 2 * units"),
        ("E and H exchanged", "(blocks, inputs, units)", "(blocks, units, inputs)"),
        ("without biases", " + 2 * units", ""),
        ("of one block alone", "blocks * (", "("),
        (OWN, "return solutions.count_weights(blocks, inputs, units)"),
        ("", "return {(1, 50, 256): 78848, (4, 50, 256): 315392}.get((blocks, inputs, units), 210)"),
        ("", "blocks *", "(blocks + 1) *"),
        ("", "blocks * (", "blocks * 256 * ("),
    ),
    "last-state": (
        ("all three lengths for every review", ", torch.arange(len(length))", ""),
        ("the first review alone", "torch.arange(len(length))", "0"),
        ("counted from the end", "length - 1", "-length"),
        ("lengths count from 1", "length - 1", "length"),
        ("one word before the last", "length - 1", "length - 2"),
        ("the end of the block", "states[length - 1, torch.arange(len(length))]", "states[-1]"),
        ("the mean of the states", "states[length - 1, torch.arange(len(length))]", "states.mean(0)"),
        ("the first state", "length - 1", "0"),
        (CUT, "states[length", "states.detach()[length"),
        (CUT, "return torch.tensor([states[n - 1, b].tolist() for b, n in enumerate(length)])"),
        ("NumPy keeps no gradient", "states[length", "states.numpy()[length"),
        (OWN, "return solutions.last_state(states, length)"),
        ("it changes what it is given", "length - 1", "length.sub_(1)"),
        ("", "torch.arange(len(length))", "[0, 1, 2]"),
        ("", "torch.arange(len(length))", "length - 1"),
    ),
    "binary-loss": (
        ("A sure and wrong answer",
         "of_good, of_bad = -F.logsigmoid(logits), -F.logsigmoid(-logits)",
         "of_good, of_bad = -torch.sigmoid(logits).log(), -(1 - torch.sigmoid(logits)).log()"),
        ("with an epsilon or a clamp", "p = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)\n"
         "return -(labels * p.log() + (1 - labels) * (1 - p).log()).mean()"),
        ("with an epsilon or a clamp", "p = torch.sigmoid(logits)\n"
         "return -(labels * (p + 1e-8).log() + (1 - labels) * (1 - p + 1e-8).log()).mean()"),
        ("or exp(a) is infinite", "return (torch.log(1 + logits.exp()) - labels * logits).mean()"),
        ("is nan or inf: torch.where computes both sides",
         "a, p = logits, torch.sigmoid(logits)\n"
         "of_bad = torch.where(a > 20, a, -torch.log(1 - p))\n"
         "return torch.where(labels == 1, F.softplus(-a), of_bad).mean()"),
        ("sign turned", "return (", "return -("),
        ("1 - ln sigma(a) in the second", "-F.logsigmoid(-logits)  #", "-(1 - F.logsigmoid(logits))  #"),
        ("the second takes -a", "F.logsigmoid(-logits)", "F.logsigmoid(logits)"),
        ("in bits", ").mean()", ").mean() / math.log(2)"),
        ("the sum of the losses", ").mean()", ").sum()"),
        ("labels exchanged", "(labels * of_good + (1 - labels) * of_bad)",
         "((1 - labels) * of_good + labels * of_bad)"),
        ("sigma is taken twice", "    of_good", "    logits = torch.sigmoid(logits)\n    of_good"),
        ("each review's loss", ").mean()", ")"),
        (CUT, "    of_good", "    logits = logits.detach()\n    of_good"),
        (CUT, ").mean()", ").mean().item()"),
        ("torch's binary_cross_entropy_with_logits: write the formula",
         "return F.binary_cross_entropy_with_logits(logits, labels)"),
        ("torch's binary_cross_entropy", "return nn.BCELoss()(logits.sigmoid(), labels)"),
        ("torch's binary_cross_entropy", "return torch._C._nn.binary_cross_entropy(logits.sigmoid(), labels)"),
        ("torch's soft_margin_loss", "return nn.SoftMarginLoss()(logits, 2 * labels - 1)"),
        ("torch's cross_entropy",
         "return F.cross_entropy(torch.stack([0 * logits, logits], 1), labels.long())"),
        ("torch's nll_loss", "both = torch.stack([-logits, logits], 1) / 2\n"
         "return nn.NLLLoss()(both.log_softmax(1), labels.long())"),
        ("torch's ", "return nn.MultiLabelSoftMarginLoss()(logits[None], labels[None])"),
        ("torch's ", "bernoulli = torch.distributions.Bernoulli(logits=logits)\n"
         "return -bernoulli.log_prob(labels).mean()"),
        (OWN, "return solutions.binary_loss(logits, labels)"),
        ("the good reviews alone", " + (1 - labels) * of_bad", ""),
        ("the squared error", "return (labels - torch.sigmoid(logits)).square().mean()"),
    ),
    "training-step": (
        ("no step", "    optimizer.step()\n", ""),
        ("clip_grad_norm_ stands after backward", "    loss.backward()\n"
         "    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)\n",
         "    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)\n    loss.backward()\n"),
        ("clip_grad_norm_ stands after backward",
         "    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)\n    optimizer.step()\n",
         "    optimizer.step()\n    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)\n"),
        ("no step", "    optimizer.zero_grad()\n    loss.backward()\n",
         "    loss.backward()\n    optimizer.zero_grad()\n"),
        ("does not empty the gradient first", "    optimizer.zero_grad()\n", ""),
        ("clips at 1", "clip_norm)\n    optimizer", "1.0)\n    optimizer"),
        ("each number by itself", "clip_grad_norm_", "clip_grad_value_"),
        ("sigma is taken twice", "(logits, batch.label)\n    opt", "(logits.sigmoid(), batch.label)\n    opt"),
        ("the sum of the losses", "batch.label)\n", "batch.label, reduction='sum')\n"),
        ("loss and logits exchanged", "return logits, loss", "return loss, logits"),
        ("expected is the pair (logits, loss)", "return logits, loss", "return loss"),
        ("in the mode eval", "    logits", "    model.eval()\n    logits"),
        ("requires_grad False", "    return logits", "    model.requires_grad_(False)\n    return logits"),
        ("The way of the gradient is cut off", "    loss.backward", "    loss = loss.detach()\n    loss.backward"),
        ("Backward goes through a loss once", "    loss.backward()\n", "    loss.backward()\n    loss.backward()\n"),
        (OWN + "descend", "logits = model(batch.text, batch.text_length)\n"
         "loss = F.binary_cross_entropy_with_logits(logits, batch.label)\n"
         "solutions.descend(model, loss, optimizer, clip_norm)\nreturn logits, loss"),
        (OWN + "version", "return solutions.training_step(model, batch, optimizer, clip_norm)"),
        ("takes good reviews for bad", "(logits, batch.label)\n    opt", "(logits, 1 - batch.label)\n    opt"),
        ("", "    optimizer.step()\n", "    with torch.no_grad():\n"
         "        for w in model.parameters():\n            w -= 0.5 * w.grad\n"),
        ("", "batch.text, batch.text_length", "batch.text"),
        ("", "    loss.backward", "    (-loss).backward"),
    ),
    "perplexity": (
        ("2 to the power of the loss", "math.exp(-log_probability.mean())", "2 ** -log_probability.mean()"),
        ("first the mean of ln p", "math.exp(-log_probability.mean())",
         "torch.exp(-log_probability).mean()"),
        ("1 / the mean of p", "math.exp(-log_probability.mean())", "1 / log_probability.exp().mean()"),
        ("the loss: its exponential", "math.exp(-log_probability.mean())", "-log_probability.mean()"),
        ("a sign is missing", "-log_probability", "log_probability"),
        ("the summed loss", "math.exp(-log_probability.mean())", "torch.exp(-log_probability.sum())"),
        ("add up their logarithms", "return log_probability.exp().prod() ** (-1 / log_probability.numel())"),
        ("add up their logarithms", "p = 1.0\nfor one in log_probability.flatten():\n"
         "    p *= math.exp(one)\nreturn p ** (-1 / log_probability.numel())"),
        ("the loss of each column", "math.exp(-log_probability.mean())", "torch.exp(-log_probability.mean(0))"),
        (OWN, "return solutions.perplexity(log_probability)"),
        ("divide by the number of words", ".mean()", ".sum() / len(log_probability)"),
        ("", "math.exp(-log_probability.mean())", "10 ** -log_probability.mean()"),
    ),
    "piece-loss": (
        ("isinstance(state, tuple) says so", "isinstance(state, tuple)",
         "state is not None and len(state) == 2"),
        ("at first there is None", "    if isinstance(state, tuple):\n"
         "        state = tuple(part.detach() for part in state)\n    elif", "    if"),
        ("nothing is detached", "ln_p, state = model.log_probability(piece.text, piece.target, state)\n"
         "return -ln_p.mean(), state"),
        ("its pair is not detached", "ln_p, new = model.log_probability(piece.text, piece.target, state)\n"
         "return -ln_p.mean(), new.detach() if torch.is_tensor(new) else new"),
        ("h alone is detached", "tuple(part.detach() for part in state)", "(state[0].detach(), state[1])"),
        ("starts from no state", "log_probability, state =", "log_probability, _ ="),
        ("as loss, a value of type float", ".mean(), state", ".mean().item(), state"),
        (CUT, ".mean(), state", ".mean().detach(), state"),
        ("it calls backward itself", "    return -log_probability.mean(), state",
         "    loss = -log_probability.mean()\n    loss.backward()\n    return loss, state"),
        ("the sum over the words", ".mean()", ".sum()"),
        ("text and target exchanged", "piece.text, piece.target", "piece.target, piece.text"),
        (OWN + "detached", "ln_p, new = model.log_probability(piece.text, piece.target, state)\n"
         "return -ln_p.mean(), solutions.detached(new)"),
        (OWN, "return solutions.piece_loss(model, piece, state)"),
        ("expected is the pair (loss, state)", ".mean(), state", ".mean()"),
        ("in the mode eval", "    log_prob", "    model.eval()\n    log_prob"),
        ("the state before the first piece", "    elif state is not None:", "    else:"),
        ("its sign is turned", "-log_probability.mean()", "log_probability.mean()"),
    ),
    "nucleus": (
        ("without the word that reaches p", "ordered.cumsum(0) - ordered < p", "ordered.cumsum(0) < p"),
        ("not at the places of their words", "torch.zeros_like(probability).scatter(0, words, "
         "largest / largest.sum())", "largest / largest.sum()"),
        ("the softmax of p", "log_probability / temperature", "log_probability.exp() / temperature"),
        ("without temperature", " / temperature", ""),
        ("do not add up to 1 again", "largest / largest.sum()", "largest"),
        ("the unlikeliest words", "sort(descending=True)", "sort()"),
        ("none is forgotten", "torch.where(keep, ordered, 0)", "ordered"),
        ("no place reaches p", "q = torch.softmax(log_probability / temperature, 0)\n"
         "ordered, words = q.sort(descending=True)\n"
         "k = (ordered.cumsum(0) >= p).nonzero()[0].item() + 1\nout = torch.zeros_like(q)\n"
         "out[words[:k]] = ordered[:k] / ordered[:k].sum()\nreturn out"),
        ("no place reaches p", "keep = ordered.cumsum(0) - ordered < p",
         "keep = torch.arange(len(ordered)) <= (ordered.cumsum(0) >= p).int().argmax()"),
        (OWN, "return solutions.nucleus(log_probability, temperature, p)"),
        ("does not add up to 1", "torch.softmax(log_probability / temperature, dim=0)",
         "(log_probability / temperature).exp()"),
        ("", "- ordered < p", "- ordered >= p"),
        ("", "keep = ordered.cumsum(0) - ordered < p", "keep = ordered > 1 - p"),
    ),
    "open-gate": (
        ("must be added", "+= amount", "= amount"),
        ("no change", "layer.bias_ih_l0[", "layer.bias_ih_l0.clone()["),
        ("the input gates", "units : 2 * units", ": units"),
        ("the output gates", "units : 2 * units", "3 * units :"),
        ("all four blocks", "[units : 2 * units] +=", ".data +="),
        ("to both biases", "+= amount", "+= amount\n        layer.bias_hh_l0[units : 2 * units] += amount"),
        ("inside of torch.no_grad()", "with torch.no_grad():", "if True:"),
        ("requires_grad False", "    with torch", "    layer.bias_ih_l0.requires_grad_(False)\n    with torch"),
        (OWN, "solutions.open_gate(layer, amount)"),
        ("", "units : 2 * units", "units : units + 1"),
        ("", "layer.bias_ih_l0[", "layer.bias_ih["),
        ("", "layer.bias_ih_l0[", "layer.weight_ih_l0["),
    ),
    "gradient-by-step": (
        ("the squares of the lengths", ".grad.norm()", ".grad.norm() ** 2"),
        ("a stacked copy", "states = []\nfor x_t in x:\n    h = cell(x_t, h, *weights)\n"
         "    states.append(h)\nstack = torch.stack(states)\nstack.retain_grad()\n"
         "stack[-1].sum().backward()\nreturn stack.grad.norm(dim=(1, 2))"),
        ("not of the last", "h.sum().backward()", "sum(s.sum() for s in states).backward()"),
        ("a length for each review", ".grad.norm()", ".grad.norm(dim=1)"),
        ("not of their gradients", "state.grad.norm()", "state.norm()"),
        ("before each step", "h = h.clone().requires_grad_()\nstates = []\nfor x_t in x:\n"
         "    states.append(h)\n    h = cell(x_t, h, *weights)\n"
         "return torch.stack([g.norm() for g in torch.autograd.grad(h.sum(), states)])"),
        (OWN, "return solutions.gradient_by_step(cell, x, h, weights)"),
        ("for want of retain_grad()", "        h.retain_grad()\n", ""),
        ("its length is wanted", "grad.norm()", "grad.abs().sum()"),
        ("for want of retain_grad()", "states = []", "states = [h]"),
        ("for want of retain_grad()", "h = cell(x_t, h, *weights)",
         "h = cell(x_t, h.detach(), *weights)"),
        ("", "torch.stack([state.grad.norm() for state in states])",
         "[state.grad for state in states]"),
    ),
    "mcnemar": (
        ("only those count on which the two differ", "int(only_first + only_second)", "len(first)"),
        ("k is the smaller of two", "int(min(only_first, only_second))", "int(only_first)"),
        ("two to its power overflows", "int(only_first + only_second)", "only_first + only_second"),
        ("one-sided", "2 * sum", "sum"),
        ("can be above 1", "min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)",
         "2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n"),
        ("k itself belongs to the sum", "range(k + 1)", "range(k)"),
        (OWN, "return solutions.mcnemar(first, second)"),
        (OWN, "from functools import partial\nreturn partial(solutions.mcnemar)(first, second)"),
        (OWN, "import runpy\n"
         "return runpy.run_path(solutions.__file__)['mcnemar'](first, second)"),
        (OWN, "return statistics.mcnemar(first, second)"),
        ("it changes what it is given", "    only_first", "    first.sort()\n    only_first"),
        ("the mid-p", "range(k + 1)) / 2**n)", "range(k + 1)) / 2**n - math.comb(n, k) / 2**n)"),
        ("", "(first & ~second).sum()", "(first - second).sum()"),
        ("", "n, k = int(only_first + only_second)", "n, k = 60"),
    ),
    "beliefs": (
        ("their sigma is wanted", "torch.sigmoid(model.linear(states[:, 0]))",
         "model.linear(states[:, 0])"),
        ("as a column", ".squeeze(1)", ""),
        ("in bad", "torch.sigmoid(", "1 - torch.sigmoid("),
        ("the first belief alone", "words[:, None]", "words[None]"),
        ("without those before", "states, _ = model.recurrent(model.embedding(words[None]))\n"
         "return torch.sigmoid(model.linear(states[0])).squeeze(1)"),
        ("the last belief alone", "model.linear(states[:, 0])).squeeze(1)",
         "model.linear(states[-1, 0]))"),
        ("the first belief alone", "model.linear(states[:, 0])).squeeze(1)",
         "model.linear(states[0, 0]))"),
        (OWN, "return solutions.beliefs(model, words)"),
        ("nothing came back", "return torch", "torch"),
        ("its shape is another", "return torch.sigmoid(model.linear(states[:, 0])).squeeze(1)",
         "return torch.sigmoid(model.linear(states)).squeeze()"),
        ("", "model.linear(states[:, 0])", "states[:, 0]"),
        ("0 or 1", ".squeeze(1)", ".squeeze(1).round()"),
    ),
    "weight-gradient": (
        ("the slope 1 - h_t^2 is missing", "(1 - h**2) * ", ""),
        ("not the state before", "delta[1:].flatten(0, 1).T @ h[:-1].flatten(0, 1)",
         "delta.flatten(0, 1).T @ h.flatten(0, 1)"),
        ("the gradient transposed", "delta[1:].flatten(0, 1).T @ h[:-1].flatten(0, 1)",
         "h[:-1].flatten(0, 1).T @ delta[1:].flatten(0, 1)"),
        ("W_hh transposed on the way", "backward_states(h, w_hh, e)", "backward_states(h, w_hh.T, e)"),
        ("what comes back from later steps", "backward_states(h, w_hh, e)", "e"),
        (OWN, "return solutions.weight_gradient(h, w_hh, e)"),
        ("it changes what it is given", "    delta = (1", "    h *= h\n    delta = (1"),
        ("the state before it is h[t - 1]", "h[:-1]", "h[1:]"),
        ("delta is that of the step before", "delta[1:]", "delta[:-1]"),
        ("", "delta[1:].flatten(0, 1).T @ h[:-1].flatten(0, 1)", "delta[1:].mT @ h[:-1]"),
    ),
    "adam": (
        ("without a correction", "m / (1 - 0.9**step), v / (1 - 0.999**step)", "m, v"),
        ("", "0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2",
         "0.999 * m + 0.001 * g, 0.9 * v + 0.1 * g**2"),
        ("the two rates exchanged", "m, v, out = 0, 0, []\nfor t, g in enumerate(gradients):\n"
         "    m, v = m + (g - m) / 1000, v + (g * g - v) / 10\n"
         "    out += [m / (1 - 0.999 ** (t + 1)) / (v / (1 - 0.9 ** (t + 1))) ** 0.5]\nreturn out"),
        ("without the root of v", "v_hat**0.5", "v_hat"),
        ("as if the first step were the second", "enumerate(gradients, 1)", "enumerate(gradients, 2)"),
        ("the last update alone", "np.array(updates)", "updates[-1]"),
        ("m and v do not remember", "0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2",
         "(1 - 0.9**step) * g, (1 - 0.999**step) * g**2"),
        ("wanted is its opposite", "m_hat /", "-m_hat /"),
        ("torch's optim.adam", "w = nn.Parameter(torch.zeros(1, dtype=torch.float64))\n"
         "optimizer, out = torch.optim.Adam([w], lr=1.0), []\nfor g in gradients:\n"
         "    before, w.grad = w.item(), torch.full_like(w, g)\n    optimizer.step()\n"
         "    out.append(before - w.item())\nreturn np.array(out)"),
        (OWN, "return solutions.adam_updates(gradients)"),
        ("", "enumerate(gradients, 1)", "enumerate(gradients)"),
        ("", "0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2", "g, g**2"),
        ("", "g**2\n", "g\n"),
    ),
    "surprise-of": (
        ("the perplexity of each word", "-log_probability[word].item()",
         "(-log_probability[word]).exp().item()"),
        ("a sign is missing", "-log_probability[word]", "log_probability[word]"),
        ("not fed back", "        text = torch.tensor([[word]])\n", ""),
        ("hand the state on", "log_probability, state =", "log_probability, _ ="),
        ("ask before it is fed", "_, state = model.next_word(torch.tensor(before)[:, None])\n"
         "nats = []\nfor word in words:\n"
         "    ln_p, state = model.next_word(torch.tensor([[word]]), state)\n"
         "    nats.append(-ln_p[word].item())\nreturn nats"),
        (OWN, "return solutions.surprise_of(model, words, before)"),
        ("", "list(before)", "list(words[:1])"),
        ("", "-log_probability[word].item()", "-log_probability.max().item()"),
        ("", "np.array(nats)", "np.mean(nats)"),
    ),
}  # fmt: skip


def source(solved: str, old: str, new: str | None = None) -> str:
    """Return a cell with a form of the answer: another body, or a piece that is replaced."""
    if new is not None:
        assert solved.count(old) == 1, old
        return solved.replace(old, new)
    return solved[: solved.index('    """')] + textwrap.indent(old, "    ") + "\n"
