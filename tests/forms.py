"""Answers of many forms to the exercises that ask for code: what must be accepted, what must not.

A form is the body of the function, or a piece of the solved cell that is replaced, (old, new).
Before a wrong one stands what the check says of it: "" where that is no more than numbers, shapes,
or the error of Python.
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
        "return (vectors[text] * (text != 1)[:, :, None]).sum(0) / text_length[:, None]",
        "sums = F.embedding(text, vectors).cumsum(0)\n"
        "return sums[text_length - 1, torch.arange(text.shape[1])] / text_length[:, None]",
        "outside = torch.arange(text.shape[0])[:, None] >= text_length[None]\n"
        "words = vectors[text].masked_fill(outside[..., None], 0.0)\n"
        "return words.sum(0) / text_length.unsqueeze(1)",
        "counts = torch.zeros(text.shape[1], len(vectors))\nfor b in range(text.shape[1]):\n"
        "    for t in range(int(text_length[b])):\n        counts[b, text[t, b]] += 1\n"
        "return counts @ vectors / text_length[:, None]",
    ),
    "rnn-cell": (
        "return torch.tanh(F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh))",
        "both = torch.cat([x, h], 1) @ torch.cat([w_ih, w_hh], 1).T\n"
        "return (both + (b_ih + b_hh)).tanh()",
        "a = w_ih @ x.T + w_hh @ h.T + (b_ih + b_hh)[:, None]\nreturn a.tanh().mT",
        "pairs = zip(x, h)\nreturn torch.stack([torch.tanh(w_ih @ a + b_ih + w_hh @ b + b_hh) for "
        "a, b in pairs])",
        "a = torch.addmm(b_ih, x, w_ih.t())\na += torch.addmm(b_hh, h, w_hh.t())\nreturn a.tanh_()",
    ),
    "unroll": (
        ("torch.stack(outputs)", "torch.cat([h[None] for h in outputs])"),
        ("isinstance(state, tuple)", "not torch.is_tensor(state)"),
        "new = cell(x[0], state, *weights)\nh = (new[0] if isinstance(new, tuple) else "
        "new)[None]\nreturn h if len(x) == 1 else torch.cat([h, unroll(cell, x[1:], new, "
        "weights)])",
        "pair = isinstance(state, tuple)\nout = x.new_empty(len(x), *(state[0] if pair else "
        "state).shape)\nfor t, x_t in enumerate(x):\n    state = cell(x_t, state, *weights)\n"
        "    out[t] = state[0] if pair else state\nreturn out",
        "import itertools\nsteps = itertools.accumulate(x.unbind(0), lambda s, e: cell(e, s, "
        "*weights), initial=state)\nnext(steps)\n"
        "return torch.stack([s if torch.is_tensor(s) else s[0] for s in steps])",
    ),
    "lstm-cell": (
        (".chunk(4, dim=1)", ".view(len(x), 4, -1).unbind(1)"),
        ("return torch.sigmoid(o) * torch.tanh(c), c", "return [o.sigmoid() * c.tanh(), c]"),
        ("x @ w_ih.T + b_ih + h @ w_hh.T + b_hh", "torch.cat([x, h], 1) @ torch.cat([w_ih, "
         "w_hh], 1).T + (b_ih + b_hh)"),
        "h, c = state\na = F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh)\n"
        "i, f, g, o = a.split(h.shape[1], dim=1)\nc = c * f.sigmoid() + i.sigmoid() * g.tanh()\n"
        "return o.sigmoid() * c.tanh(), c",
        "h, c = state\nH = h.shape[-1]\na = x @ w_ih.T + h @ w_hh.T + (b_ih + b_hh)\n"
        "s, g = torch.sigmoid(a), torch.tanh(a[:, 2 * H : 3 * H])\n"
        "new = s[:, H : 2 * H] * c + s[:, :H] * g\nreturn (s[:, 3 * H :] * torch.tanh(new), new)",
    ),
    "gru-cell": (
        ("(1 - z) * n + z * h", "n + z * (h - n)"),
        ("(1 - z) * n + z * h", "torch.lerp(n, h, z)"),
        ("torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)", "(torch.tanh(a / 2) / 2 + 0.5 for "
         "a in (r_x + r_h, z_x + z_h))"),
        "H = h.shape[1]\ng = torch.sigmoid(x @ w_ih[: 2 * H].T + b_ih[: 2 * H] + h @ w_hh[: 2 * "
        "H].T + b_hh[: 2 * H])\nr, z = g[:, :H], g[:, H:]\n"
        "n = (x @ w_ih[2 * H :].T + b_ih[2 * H :] + r * (h @ w_hh[2 * H :].T + b_hh[2 * H "
        ":])).tanh()\nreturn z * h + n * (1 - z)",
        "a = (x @ w_ih.T + b_ih).view(len(x), 3, -1)\n"
        "b = (h @ w_hh.T + b_hh).view(len(x), 3, -1)\ngates = (a[:, :2] + b[:, :2]).sigmoid()\n"
        "n = (a[:, 2] + gates[:, 0] * b[:, 2]).tanh()\nreturn torch.lerp(n, h, gates[:, 1])",
    ),
    "last-state": (
        "index = (length - 1)[None, :, None].expand(1, -1, states.shape[2])\n"
        "return states.gather(0, index)[0]",
        "last = torch.arange(len(states))[:, None] == length - 1\n"
        "return (states * last[:, :, None]).sum(0)",
        "return states.transpose(0, 1)[range(len(length)), length - 1]",
        "one_hot = F.one_hot(length - 1, len(states)).to(states)\n"
        "return torch.einsum('bt,tbh->bh', one_hot, states)",
        "T, B, H = states.shape\nreturn states.reshape(T * B, H)[(length - 1) * B + "
        "torch.arange(B)]",
    ),
    "binary-loss": (
        "return (F.softplus(logits) - labels * logits).mean()",
        "stable = torch.log1p(torch.exp(-logits.abs()))\n"
        "return (stable + logits.clamp(min=0) - logits * labels).mean()",
        "signed = (2 * labels - 1) * logits\nreturn torch.logaddexp(torch.zeros_like(signed), "
        "-signed).mean()",
        "both = torch.stack([torch.zeros_like(logits), logits], dim=1).log_softmax(dim=1)\n"
        "return -(both[:, 1] * labels + both[:, 0] * (1 - labels)).mean()",
        "signed = torch.where(labels == 1, logits, -logits)\n"
        "return -F.logsigmoid(signed).sum() / len(signed)",
    ),
    "training-step": (
        ("F.binary_cross_entropy_with_logits(logits, batch.label)",
         "nn.BCELoss()(torch.sigmoid(logits), batch.label)"),
        ("    optimizer.zero_grad()\n", "    for w in model.parameters():\n"
         "        w.grad = None\n"),
        ("nn.utils.clip_grad_norm_(model.parameters(), clip_norm)",
         "norm = sum(w.grad.pow(2).sum() for w in model.parameters()) ** 0.5\n"
         "    for w in model.parameters():\n        w.grad *= min(1, clip_norm / norm)"),
        ("return logits, loss", "return logits.detach(), loss.item()"),
        ("    logits = model", "    model.train()\n    model.zero_grad()\n    logits = model"),
        ("    optimizer.zero_grad()\n    loss.backward()\n", "    weights = "
         "[*model.parameters()]\n    for w, g in zip(weights, torch.autograd.grad(loss, "
         "weights)):\n        w.grad = g\n"),
        ("    logits = model(batch.text, batch.text_length)\n    loss = "
         "F.binary_cross_entropy_with_logits(logits, batch.label)\n",
         "    text, text_length, label, index = batch\n    logits = model(text, text_length)\n"
         "    loss = F.binary_cross_entropy_with_logits(logits, label, reduction='sum')\n"
         "    loss = loss / len(index)\n"),
    ),
    "find-bug": (
        ("optimizer.zero_grad()", "model.zero_grad()"),
        "total = count = 0\nfor text, text_length, label, index in batches:\n"
        "    loss = F.binary_cross_entropy_with_logits(model(text, text_length), label)\n"
        "    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()\n"
        "    total += loss.item() * index.size\n    count += index.size\nreturn total / count",
        ("loss.item() * len(batch.label)", "float(loss) * len(batch.text_length)"),
        "losses = []\nfor b in batches:\n    optimizer.zero_grad(set_to_none=True)\n"
        "    each = F.binary_cross_entropy_with_logits(model(b.text, b.text_length), b.label, "
        "reduction='none')\n    each.mean().backward()\n    optimizer.step()\n"
        "    losses.append(each.detach())\nreturn torch.cat(losses).mean().item()",
        "losses, sizes = [], []\nfor b in batches:\n"
        "    loss = nn.BCEWithLogitsLoss()(model(b.text, b.text_length), b.label)\n"
        "    loss.backward()\n    optimizer.step()\n    optimizer.zero_grad()\n"
        "    losses.append(loss.item())\n    sizes.append(len(b.label))\n"
        "return np.average(losses, weights=sizes)",
        "pairs = []\nfor b in batches:\n    a = model(b.text, b.text_length)\n"
        "    loss = (F.softplus(-a) * b.label + F.softplus(a) * (1 - b.label)).mean()\n"
        "    weights = list(model.parameters())\n"
        "    for w, g in zip(weights, torch.autograd.grad(loss, weights)):\n        w.grad = g\n"
        "    optimizer.step()\n    pairs.append((loss.item() * len(b.label), len(b.label)))\n"
        "return sum(l for l, _ in pairs) / sum(n for _, n in pairs)",
    ),
    "perplexity": (
        "return torch.exp(-log_probability.mean())",
        "try:\n    import not_there as tools\nexcept ImportError:\n    tools = math\n"
        "return tools.exp(-log_probability.mean())",
        "nats = -log_probability.flatten().double()\n"
        "return math.e ** (nats.sum() / len(nats)).item()",
        "return float(np.exp(-np.mean(log_probability.numpy())))",
        "total = 0.0\nfor one in log_probability.reshape(-1).tolist():\n    total -= one\n"
        "return math.exp(total / log_probability.numel())",
        "return 2 ** (-(log_probability / math.log(2)).mean())",
    ),
    "piece-loss": (
        ("-log_probability.mean()", "(-log_probability).sum() / piece.target.numel()"),
        ("part.detach() for part in state", "part.data for part in state"),
        "ln_p, state = model.log_probability(piece.text, piece.target, state)\n"
        "if isinstance(state, tuple):\n    h, c = state\n    state = (h.detach(), c.detach())\n"
        "else:\n    state = state.detach()\nreturn -ln_p.sum() / ln_p.numel(), state",
        "ln_p, new = model.log_probability(piece.text, piece.target, state)\n"
        "new = new.clone().detach() if torch.is_tensor(new) else tuple(map(torch.Tensor.detach, "
        "new))\nreturn torch.mean(-ln_p), new",
        "ln_p, state = model.log_probability(piece.text, piece.target, state)\n"
        "with torch.no_grad():\n    state = tuple(s + 0 for s in state) if isinstance(state, "
        "tuple) else state + 0\nreturn -1 * ln_p.flatten().mean(), state",
    ),
    "nucleus": (
        ("ordered.cumsum(0) - ordered < p", "F.pad(ordered.cumsum(0)[:-1], (1, 0)) < p"),
        ("torch.where(keep, ordered, 0)", "ordered * keep"),
        "q = F.softmax(log_probability / temperature, -1)\n"
        "total, kept = 0.0, torch.zeros_like(q)\nfor i in q.argsort(descending=True):\n"
        "    if total >= p:\n        break\n    kept[i], total = q[i], total + q[i].item()\n"
        "return kept / kept.sum()",
        "logits = log_probability / temperature\nordered, words = logits.sort(descending=True)\n"
        "before = ordered.softmax(0).cumsum(0).roll(1)\nbefore[0] = 0\n"
        "dropped = words[before >= p]\nreturn logits.index_fill(0, dropped, "
        "float('-inf')).softmax(0)",
        "q = torch.exp(log_probability / temperature)\nq = q / q.sum()\n"
        "above = (q * (q > q[:, None])).sum(1)\nkept = torch.where(above < p, q, 0)\n"
        "return kept / kept.sum()",
    ),
    "sample-words": (
        ("drawn.append(word.item())", "drawn += word.tolist()"),
        ("return drawn", "return torch.tensor(drawn)"),
        ("return drawn", "return np.array(drawn)"),
        "state, text = None, words\nfor _ in range(count):\n    read = text if state is None else "
        "text[-1:]\n    ln_p, state = model.next_word(read[:, None], state)\n"
        "    new = choose(ln_p, temperature).multinomial(1)\n    text = torch.cat([text, new])\n"
        "return text[len(words):]",
        "state, text, new = None, words[:, None], []\nfor _ in range(count):\n"
        "    ln_p, state = model.next_word(text, state)\n"
        "    new.append(torch.multinomial(choose(ln_p, temperature), 1)[0])\n"
        "    text = new[-1].view(1, 1)\nreturn torch.stack(new)",
        "text, state, new = words.view(-1, 1), None, []\nwhile len(new) < count:\n"
        "    ln_p, state = model.next_word(text, state)\n"
        "    p = choose(ln_p, temperature=temperature)\n    new.append(int(p.multinomial(1)))\n"
        "    text = torch.tensor([[new[-1]]])\nreturn new",
        "text = words.tolist()\nfor _ in range(count):\n"
        "    ln_p, _ = model.next_word(torch.tensor(text)[:, None])\n"
        "    text.append(torch.multinomial(choose(ln_p, temperature), 1).item())\n"
        "return text[-count:]",
        "import random\nln_p, state = model.next_word(words[:, None], None)\nnew = []\n"
        "for _ in range(count):\n    p = choose(ln_p, temperature).tolist()\n"
        "    new += random.choices(range(len(p)), p)\n"
        "    ln_p, state = model.next_word(torch.tensor([new[-1:]]), state)\nreturn new",
        "state, new = None, []\nfor i in range(count):\n"
        "    text = words if not new else torch.tensor(new[-1:])\n"
        "    ln_p, state = model.next_word(text.unsqueeze(1), state)\n"
        "    draw = torch.distributions.Categorical(choose(ln_p, temperature)).sample()\n"
        "    new.append(draw.item())\nreturn new",
    ),
    "open-gate": (
        "H = layer.hidden_size\nlayer.bias_hh_l0.data[H : 2 * H] += amount",
        "with torch.no_grad():\n    i, f, g, o = layer.bias_hh_l0.chunk(4)\n    f += amount",
        "with torch.no_grad():\n    layer.bias_ih_l0.view(4, -1)[1].add_(amount)\nreturn layer",
        "H = layer.hidden_size\nfor bias in (layer.bias_ih_l0, layer.bias_hh_l0):\n"
        "    bias.data[H : 2 * H] += amount / 2",
        "new = layer.bias_ih_l0.detach().clone()\nnew[len(new) // 4 : len(new) // 2] += amount\n"
        "layer.bias_ih_l0 = nn.Parameter(new)",
    ),
    "chain-rule": (
        "h1 = math.tanh(w * h0 + x1)\nh2 = math.tanh(w * h1 + x2)\n"
        "return (h2 - y) * (1 - h2 * h2) * (h1 + w * (1 - h1 * h1) * h0)",
        "h1, d1 = math.tanh(w * h0 + x1), 0.0\nd1 = (1 - h1**2) * h0\n"
        "h2 = math.tanh(w * h1 + x2)\nd2 = (1 - h2**2) * (h1 + w * d1)\nreturn (h2 - y) * d2",
        "a1 = w * h0 + x1\nh1 = np.tanh(a1)\na2 = w * h1 + x2\n"
        "return (np.tanh(a2) - y) / np.cosh(a2) ** 2 * (h1 + w * h0 / np.cosh(a1) ** 2)",
        "step = 1e-5\n\ndef loss(v):\n    h1 = math.tanh(v * h0 + x1)\n"
        "    return (math.tanh(v * h1 + x2) - y) ** 2 / 2\n\n"
        "return (loss(w + step) - loss(w - step)) / (2 * step)",
        "w, h0, x1, x2, y = (torch.tensor(float(v)) for v in (w, h0, x1, x2, y))\n"
        "h1 = torch.tanh(w * h0 + x1)\nh2 = torch.tanh(w * h1 + x2)\ne = (h2 - y) * (1 - h2**2)\n"
        "return e * h1 + e * w * (1 - h1**2) * h0",
    ),
    "gradient-by-step": (
        ("h.sum().backward()", "h.backward(torch.ones_like(h))"),
        ("state.grad.norm()", "state.grad.pow(2).sum().sqrt()"),
        "hs = []\nfor x_t in x:\n    h = cell(x_t, h, *weights)\n    hs.append(h)\n"
        "grads = torch.autograd.grad(h.sum(), hs)\nreturn torch.stack([g.norm() for g in grads])",
        "states = [h.clone().requires_grad_()]\nfor x_t in x:\n"
        "    states.append(cell(x_t, states[-1], *weights))\n"
        "return [torch.linalg.norm(g).item() for g in\n"
        "        torch.autograd.grad(states[-1].sum(), states[1:])]",
        "seen = []\nfor x_t in x:\n    h = cell(x_t, h, *weights)\n"
        "    h.register_hook(lambda g: seen.append(g.norm()))\nh.sum().backward()\n"
        "return torch.stack(seen[::-1])",
    ),
    "mcnemar": (
        ("int(only_first + only_second)", "int((first != second).sum())"),
        ("sum(math.comb(n, i) for i in range(k + 1)) / 2**n", "math.fsum(math.comb(n, i) / 2**n "
         "for i in range(k + 1))"),
        "b, c = int(np.sum(first & ~second)), int(np.sum(~first & second))\n"
        "p = sum(math.comb(b + c, i) for i in range(min(b, c) + 1)) * 2 / 2 ** (b + c)\n"
        "return p if p < 1 else 1.0",
        "from scipy.stats import binomtest\nb, n = (first > second).sum(), (first != "
        "second).sum()\nreturn binomtest(int(b), int(n)).pvalue if n else 1.0",
        "from scipy import stats\nb, c = sum(first & ~second), sum(second & ~first)\n"
        "return np.minimum(1, 2 * stats.binom.cdf(min(b, c), b + c, 0.5))",
    ),
    "beliefs": (
        ("torch.sigmoid(model.linear(states[:, 0])).squeeze(1)",
         "model.linear(states).flatten().sigmoid()"),
        "probabilities = []\nfor t in range(1, len(words) + 1):\n"
        "    p = model.predict(words[:t, None], torch.tensor([t]))\n"
        "    probabilities.append(p.item())\nreturn probabilities",
        "states, last = model.recurrent(model.embedding(words).unsqueeze(1))\n"
        "return model.linear(states).sigmoid().view(-1).detach()",
        "T = len(words)\nreturn model.predict(words[:, None].repeat(1, T), torch.arange(1, T + 1))",
        "states, _ = model.recurrent(model.embedding(words[:, None]))\n"
        "a = states[:, 0] @ model.linear.weight[0] + model.linear.bias\n"
        "return [float(1 / (1 + math.exp(-v))) for v in a]",
    ),
    "weight-gradient": (
        ("delta[1:].flatten(0, 1).T @ h[:-1].flatten(0, 1)", "torch.tensordot(delta[1:], h[:-1], "
         "([0, 1], [0, 1]))"),
        "total = torch.zeros_like(w_hh)\ndh = backward_states(h, w_hh, e)\n"
        "for t in range(1, len(h)):\n    total += ((1 - h[t] ** 2) * dh[t]).T @ h[t - 1]\n"
        "return total",
        "delta = (1 - h * h) * backward_states(h, w_hh, e)\n"
        "return torch.einsum('tbi,tbj->ij', delta[1:], h[:-1])",
        "before = torch.cat([torch.zeros_like(h[:1]), h[:-1]])\n"
        "delta = backward_states(h, w_hh, e) * (1 - h.square())\nreturn (delta.mT @ before).sum(0)",
        "h_, dh = h.numpy(), backward_states(h, w_hh, e).numpy()\n"
        "return sum(np.outer(d * (1 - s**2), b) for t in range(1, len(h_))\n"
        "           for d, s, b in zip(dh[t], h_[t], h_[t - 1]))",
    ),
    "adam": (
        ("v_hat**0.5", "math.sqrt(v_hat)"),
        ("np.array(updates)", "torch.tensor(updates)"),
        ("0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2", "m + (g - m) / 10, v + (g * g - v) / 1000"),
        "g = np.array(gradients)\nout = []\nfor n in range(1, len(g) + 1):\n"
        "    back = np.arange(n)[::-1]\n    m = (0.1 * 0.9**back * g[:n]).sum() / (1 - 0.9**n)\n"
        "    v = (0.001 * 0.999**back * g[:n] ** 2).sum() / (1 - 0.999**n)\n"
        "    out.append(m / (math.sqrt(v) + 1e-8))\nreturn np.array(out)",
        "m = v = 0.0\nb1 = b2 = 1.0\nmoves = ()\nfor g in gradients:\n"
        "    b1, b2 = b1 * 0.9, b2 * 0.999\n    m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - "
        "0.999) * g**2\n    moves += (m / (1 - b1) / (math.sqrt(v / (1 - b2)) + 1e-8),)\n"
        "return moves",
    ),
    "surprise-of": (
        ("np.array(nats)", "nats"),
        ("torch.tensor([[word]])", "torch.full((1, 1), word)"),
        ("-log_probability[word].item()", "math.log(1 / log_probability.exp()[word])"),
        "ln_p, state = model.next_word(torch.tensor(before)[:, None])\nout = []\n"
        "for word in words:\n    out.append(-ln_p[word].item())\n"
        "    ln_p, state = model.next_word(torch.tensor([[word]]), state)\nreturn out",
        "out = np.zeros(len(words))\nfor i, word in enumerate(words):\n"
        "    text = torch.tensor([*before, *words[:i]]).view(-1, 1)\n"
        "    out[i] = -model.next_word(text)[0][word]\nreturn out",
    ),
    "join-steps": (
        ("second[0] * first[0]", "first[0] * second[0]"),
        "(a, b), (c, d) = first, second\nreturn c * a, c * b + d",
        "return [first[0] * second[0], torch.addcmul(second[1], second[0], first[1])]",
        "def after(h):\n    for a, b in (first, second):\n        h = a * h + b\n    return h\n"
        "b = after(torch.zeros_like(first[0]))\nreturn after(torch.ones_like(first[0])) - b, b",
        "a = torch.stack([first[0], second[0]]).prod(0)\n"
        "return a, sum([second[0] * first[1], second[1]])",
    ),
    "scan": (
        ("a[k:] * b[:-k] + b[k:]", "torch.addcmul(b[k:], a[k:], b[:-k])"),
        "k = 1\nwhile k < len(a):\n"
        "    b = torch.cat((b[:k], b[k:] + a[k:] * b[:-k]))\n"
        "    a = torch.cat((a[:k], a[:-k] * a[k:]))\n    k *= 2\nreturn b",
        "if len(a) == 1:\n    return b\nodd = scan(a[1::2] * a[:-1:2], a[1::2] * b[:-1:2] + "
        "b[1::2])\nstates = b.clone()\nstates[1::2] = odd\n"
        "states[2::2] += a[2::2] * odd[: len(a[2::2])]\nreturn states",
        "for k in [1 << i for i in range(10)]:\n"
        "    early_a = torch.cat([torch.ones_like(a[:k]), a])[: len(a)]\n"
        "    early_b = torch.cat([torch.zeros_like(b[:k]), b])[: len(b)]\n"
        "    a, b = a * early_a, a * early_b + b\nreturn b",
        "a, b, k = a.clone(), b.clone(), 1\nwhile k < a.shape[0]:\n"
        "    b[k:] = a[k:] * b[:-k] + b[k:]\n    a[k:] = a[k:] * a[:-k]\n    k = 2 * k\n"
        "return b",
    ),
    "perturbation": (
        ("gradient.square().sum(dim=(0, 2), keepdim=True).sqrt()",
         "torch.linalg.vector_norm(gradient, dim=(0, 2), keepdim=True)"),
        ("(gradient,) =", "gradient, ="),
        "g = torch.autograd.grad(loss, shift, retain_graph=True)[0]\n"
        "return torch.stack([epsilon * g[:, b] / g[:, b].norm() for b in range(g.shape[1])], 1)",
        "g = torch.autograd.grad(loss, [shift], create_graph=True)[0].detach()\n"
        "length = torch.einsum('tbe,tbe->b', g, g) ** 0.5\n"
        "return g * (epsilon / length)[None, :, None]",
        "g, = torch.autograd.grad(loss, shift, retain_graph=True)\n"
        "flat = g.permute(1, 0, 2).reshape(g.shape[1], -1)\nflat = epsilon * F.normalize(flat)\n"
        "return flat.view(g.shape[1], g.shape[0], g.shape[2]).permute(1, 0, 2)",
    ),
}  # fmt: skip

WRONG = {
    "average-vectors": (
        ("mean over the whole block", "(vectors[text] * inside[:, :, None]).sum(0) / "
         "text_length[:, None]", "vectors[text].mean(0)"),
        ("without each review's last word", "< text_length", "< text_length - 1"),
        ("<unk> is a word and counts", "known = (text > 1)[:, :, None]\n"
         "return (vectors[text] * known).sum(0) / known.sum(0)"),
        (PLACE, "    inside", "    vectors[1] = 0\n    inside"),
        (CUT, "(vectors[text]", "(vectors[text].detach()"),
        ("NumPy keeps no gradient", "(vectors[text]", "(torch.tensor(vectors.numpy()[text])"),
        (AXES, "inside[:, :, None]", "inside[:, None]"),
    ),
    "rnn-cell": (
        ("without its biases", "x @ w_ih.T + b_ih + h @ w_hh.T + b_hh", "x @ w_ih.T + h @ w_hh.T"),
        ("without its second bias", " + b_hh", ""),
        ("h @ w_hh, where w_hh must be", "w_hh.T", "w_hh"),
        ("takes one tanh, around", "b_ih + h @ w_hh.T + b_hh", "b_ih) + torch.tanh(h @ w_hh.T + "
         "b_hh"),
        (CUT, "h @ w_hh.T", "h.detach() @ w_hh.T"),
        ("no gradient goes back to x", "x @ w_ih.T", "x.data @ w_ih.T"),
        ("no gradient goes back: ", "with torch.no_grad():\n    return torch.tanh(x @ w_ih.T + "
         "b_ih + h @ w_hh.T + b_hh)"),
        (PLACE, "    return", "    h *= 1\n    return"),
        ("torch's rnn_tanh", "layer = nn.RNN(x.shape[1], h.shape[1])\n"
         "for own, weight in zip(layer.parameters(), (w_ih, w_hh, b_ih, b_hh)):\n"
         "    own.data = weight\nreturn layer(x[None], h[None])[0][0]"),
        ("torch's rnn_tanh_cell", "with torch._C.DisableTorchFunction():\n"
         "    return torch._VF.rnn_tanh_cell(x, h, w_ih, w_hh, b_ih, b_hh)"),
        ("torch's rnn_tanh_cell", "return solutions.CELLS['RNN'](x, h, w_ih, w_hh, b_ih, b_hh)"),
        ("relu instead of tanh", "torch.tanh(", "torch.relu("),
        (COLUMNS, "x @ w_ih.T", "w_ih @ x"),
    ),
    "unroll": (
        ("the first step alone", "    return torch", "        return torch"),
        ("starts from the first state", "new = [cell(x_t, state, *weights) for x_t in x]\n"
         "return torch.stack([s[0] if isinstance(s, tuple) else s for s in new])"),
        ("an LSTM's is a pair", "state[0] if isinstance(state, tuple) else state", "state"),
        ("an LSTM's is a pair", "        state = cell(x_t, state, *weights)\n", "        state = "
         "cell(x_t, state, *weights)\n        state = state[0] if isinstance(state, tuple) else "
         "state\n"),
        ("keeps an LSTM's c", "state[0] if", "state[1] if"),
        ("of every pair of reviews", "isinstance(state, tuple)", "len(state) == 2"),
        (PLACE, "pair = isinstance(state, tuple)\nh = state[0] if pair else state\n"
         "out = torch.zeros(len(x) + 1, *h.shape)\nout[0] = h\nc = state[1] if pair else None\n"
         "for t in range(len(x)):\n    new = cell(x[t], (out[t], c) if pair else out[t], "
         "*weights)\n    out[t + 1], c = new if pair else (new, None)\nreturn out[1:]"),
        ("no gradient goes back to weights[0], ", "    outputs = []\n", "    outputs, weights = "
         "[], [w.detach() for w in weights]\n"),
        ("whether the old state is detached", "        state = cell",
         "        pair = isinstance(state, "
         "tuple)\n        state = tuple(s.detach() for s in state) if pair else state.detach()\n"
         "        state = cell"),
        (CUT, "torch.stack(outputs)", "torch.tensor([o.tolist() for o in outputs])"),
        ("", "in x:", "in x[:-1]:"),
        ("", "torch.stack(outputs)", "outputs"),
    ),
    "lstm-cell": (
        ("in the order f, i, o, g", "i, f, g, o =", "f, i, o, g ="),
        ("g and o exchanged", "i, f, g, o =", "i, f, o, g ="),
        ("tanh(c) as its new c", "torch.tanh(c), c", "torch.tanh(c), torch.tanh(c)"),
        ("sigma around everything", "torch.tanh(g)", "torch.sigmoid(g)"),
        ("without sigma around o", "torch.sigmoid(o)", "o"),
        ("f * h: what f keeps is c", "torch.sigmoid(f) * c", "torch.sigmoid(f) * h"),
        ("h = o * c, without tanh", "torch.tanh(c), c", "c, c"),
        ("h alone", "torch.tanh(c), c", "torch.tanh(c)"),
        ("no gradient goes back to state[1]", "torch.sigmoid(f) * c", "torch.sigmoid(f) * "
         "c.detach()"),
        (PLACE, "    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)",
         "    c *= torch.sigmoid(f)\n    c += torch.sigmoid(i) * torch.tanh(g)"),
        ("torch's lstm_cell", "return torch._VF.lstm_cell(x, state, w_ih, w_hh, b_ih, b_hh)"),
        ("", "c + torch.sigmoid(i)", "c * torch.sigmoid(i)"),
        (AXES, ".chunk(4, dim=1)", ".chunk(4)"),
    ),
    "gru-cell": (
        ("z and 1 - z exchanged", "(1 - z) * n + z * h", "z * n + (1 - z) * h"),
        ("z in the place of r", "r * n_h", "z * n_h"),
        ("applied before the matrix", "r * n_h)", "(r * h) @ w_hh.chunk(3)[2].T + "
         "b_hh.chunk(3)[2])"),
        ("around the word's part too", "n_x + r * n_h", "r * (n_x + n_h)"),
        ("b_hn outside of r", "n_x + r * n_h", "n_x + r * (n_h - b_hh.chunk(3)[2]) + "
         "b_hh.chunk(3)[2]"),
        ("without sigma around z", "torch.sigmoid(z_x + z_h)", "z_x + z_h"),
        ("the gradient for h is another", "z * h", "z * h.detach()"),
        (CUT, "    return (1 - z) * n + z * h", "    return ((1 - z) * n + z * h).detach()"),
        ("torch's gru_cell", "return torch._C._VariableFunctions.gru_cell(x, h, w_ih, w_hh, "
         "b_ih, b_hh)"),
        ("torch's gru_cell", "return torch.ops.aten.gru_cell.default(x, h, w_ih, w_hh, b_ih, "
         "b_hh)"),
        ("", "(1 - z) * n + z * h", "z * (n + h)"),
        (COLUMNS, "h @ w_hh.T", "h @ w_hh"),
    ),
    "last-state": (
        ("all three lengths for every review", ", torch.arange(len(length))", ""),
        ("the first review alone", "torch.arange(len(length))", "0"),
        ("counted from the end", "length - 1", "-length"),
        ("lengths count from 1", "length - 1", "length"),
        ("the end of the block", "states[length - 1, torch.arange(len(length))]", "states[-1]"),
        (CUT, "states[length", "states.detach()[length"),
        (CUT, "return torch.tensor([states[n - 1, b].tolist() for b, n in enumerate(length)])"),
        ("NumPy keeps no gradient", "states[length", "states.numpy()[length"),
        ("it changes what it is given", "length - 1", "length.sub_(1)"),
        ("", "torch.arange(len(length))", "[0, 1, 2]"),
    ),
    "binary-loss": (
        ("A sure and wrong answer", "of_good, of_bad = -F.logsigmoid(logits), "
         "-F.logsigmoid(-logits)", "of_good, of_bad = -torch.sigmoid(logits).log(), -(1 - "
         "torch.sigmoid(logits)).log()"),
        ("with an epsilon or a clamp", "p = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)\n"
         "return -(labels * p.log() + (1 - labels) * (1 - p).log()).mean()"),
        ("with an epsilon or a clamp", "p = torch.sigmoid(logits)\n"
         "return -(labels * (p + 1e-8).log() + (1 - labels) * (1 - p + 1e-8).log()).mean()"),
        ("or exp(a) is infinite", "return (torch.log(1 + logits.exp()) - labels * logits).mean()"),
        ("is nan or inf: torch.where computes both sides", "a, p = logits, "
         "torch.sigmoid(logits)\nof_bad = torch.where(a > 20, a, -torch.log(1 - p))\n"
         "return torch.where(labels == 1, F.softplus(-a), of_bad).mean()"),
        ("sign turned", "return (", "return -("),
        ("1 - ln sigma(a) in the second", "-F.logsigmoid(-logits)  #",
         "-(1 - F.logsigmoid(logits))  #"),
        ("the second takes -a", "F.logsigmoid(-logits)", "F.logsigmoid(logits)"),
        (CUT, "    of_good", "    logits = logits.detach()\n    of_good"),
        ("torch's binary_cross_entropy_with_logits: write the formula",
         "return F.binary_cross_entropy_with_logits(logits, labels)"),
        ("torch's binary_cross_entropy",
         "return torch._C._nn.binary_cross_entropy(logits.sigmoid(), labels)"),
        ("torch's cross_entropy", "return F.cross_entropy(torch.stack([0 * logits, logits], 1), "
         "labels.long())"),
        ("torch's ", "return nn.MultiLabelSoftMarginLoss()(logits[None], labels[None])"),
        ("torch's ", "bernoulli = torch.distributions.Bernoulli(logits=logits)\n"
         "return -bernoulli.log_prob(labels).mean()"),
    ),
    "training-step": (
        ("clip_grad_norm_ stands after backward", "    loss.backward()\n"
         "    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)\n",
         "    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)\n    loss.backward()\n"),
        ("no step", "    optimizer.zero_grad()\n    loss.backward()\n", "    loss.backward()\n"
         "    optimizer.zero_grad()\n"),
        ("does not empty the gradient first", "    optimizer.zero_grad()\n", ""),
        ("each number by itself", "clip_grad_norm_", "clip_grad_value_"),
        ("sigma is taken twice", "(logits, batch.label)\n    opt", "(logits.sigmoid(), "
         "batch.label)\n    opt"),
        ("in the mode eval", "    logits", "    model.eval()\n    logits"),
        ("requires_grad False", "    return logits", "    model.requires_grad_(False)\n"
         "    return logits"),
        ("What does not learn has no gradient", "    loss.backward", "    loss = loss.detach()\n"
         "    loss.backward"),
        ("Backward goes through a loss once", "    loss.backward()\n", "    loss.backward()\n"
         "    loss.backward()\n"),
        (OWN + "binary_loss", "F.binary_cross_entropy_with_logits", "solutions.binary_loss"),
        (OWN + "descend", "logits = model(batch.text, batch.text_length)\n"
         "loss = F.binary_cross_entropy_with_logits(logits, batch.label)\n"
         "solutions.descend(model, loss, optimizer, clip_norm)\nreturn logits, loss"),
        ("", "    optimizer.step()\n", "    with torch.no_grad():\n"
         "        for w in model.parameters():\n            w -= 0.5 * w.grad\n"),
        ("", "batch.text, batch.text_length", "batch.text"),
        ("too many values to unpack", "    logits", "    text, text_length, label = batch\n"
         "    logits"),
    ),
    "find-bug": (
        ("it has three errors", "loss_sum = count = 0\nfor batch in batches:\n"
         "    length = torch.full_like(batch.text_length, len(batch.text))\n"
         "    loss = F.binary_cross_entropy_with_logits(model(batch.text, length), batch.label)\n"
         "    loss.backward()\n    optimizer.step()\n    loss_sum += loss.item()\n    count += 1\n"
         "return loss_sum / count"),
        ("gradients of earlier batches", "        optimizer.zero_grad()\n", ""),
        ("padding is read", "batch.text, batch.text_length", "batch.text, "
         "torch.full_like(batch.text_length, len(batch.text))"),
        ("a mean over batches", "loss.item() * len(batch.label)\n        reviews += "
         "len(batch.label)", "loss.item()\n        reviews += 1"),
        ("without step", "        optimizer.step()\n", ""),
        ("emptied before it", "        loss.backward()\n", "        loss.backward()\n"
         "        optimizer.zero_grad()\n"),
        ("has each batch once", "loss.item() * len(batch.label)", "loss.item()"),
        ("it was to have none", "        optimizer.step()\n",
         "        nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n        optimizer.step()\n"),
        ("", "return loss_sum / reviews", "return"),
        ("too many values to unpack", "for batch in batches:", "for text, text_length, label in "
         "batches:"),
    ),
    "perplexity": (
        ("2 to the power of the loss", "math.exp(-log_probability.mean())",
         "2 ** -log_probability.mean()"),
        ("first the mean of ln p", "math.exp(-log_probability.mean())",
         "torch.exp(-log_probability).mean()"),
        ("1 / the mean of p", "math.exp(-log_probability.mean())",
         "1 / log_probability.exp().mean()"),
        ("the summed loss", "math.exp(-log_probability.mean())",
         "torch.exp(-log_probability.sum())"),
        ("add up their logarithms", "return log_probability.exp().prod() ** (-1 / "
         "log_probability.numel())"),
        ("add up their logarithms", "p = 1.0\nfor one in log_probability.flatten():\n"
         "    p *= math.exp(one)\nreturn p ** (-1 / log_probability.numel())"),
        ("divide by the number of words", ".mean()", ".sum() / len(log_probability)"),
        ("", "math.exp(-log_probability.mean())", "10 ** -log_probability.mean()"),
    ),
    "piece-loss": (
        ("isinstance(state, tuple) says so", "isinstance(state, tuple)", "state is not None and "
         "len(state) == 2"),
        ("at first there is None", "    if isinstance(state, tuple):\n"
         "        state = tuple(part.detach() for part in state)\n    elif", "    if"),
        ("nothing is detached", "ln_p, state = model.log_probability(piece.text, piece.target, "
         "state)\nreturn -ln_p.mean(), state"),
        ("its pair is not detached", "ln_p, new = model.log_probability(piece.text, "
         "piece.target, state)\nreturn -ln_p.mean(), new.detach() if torch.is_tensor(new) else "
         "new"),
        ("h alone is detached", "tuple(part.detach() for part in state)", "(state[0].detach(), "
         "state[1])"),
        ("starts from no state", "log_probability, state =", "log_probability, _ ="),
        (CUT, ".mean(), state", ".mean().detach(), state"),
        ("it calls backward itself", "    return -log_probability.mean(), state", "    loss = "
         "-log_probability.mean()\n    loss.backward()\n    return loss, state"),
        (OWN + "detached", "ln_p, new = model.log_probability(piece.text, piece.target, state)\n"
         "return -ln_p.mean(), solutions.detached(new)"),
        ("in the mode eval", "    log_prob", "    model.eval()\n    log_prob"),
        ("the state before the first piece", "    elif state is not None:", "    else:"),
    ),
    "nucleus": (
        ("without the word that reaches p", "ordered.cumsum(0) - ordered < p",
         "ordered.cumsum(0) < p"),
        ("not at the places of their words", "torch.zeros_like(probability).scatter(0, words, "
         "largest / largest.sum())", "largest / largest.sum()"),
        ("do not add up to 1 again", "largest / largest.sum()", "largest"),
        ("the unlikeliest words", "sort(descending=True)", "sort()"),
        ("no place reaches p", "q = torch.softmax(log_probability / temperature, 0)\n"
         "ordered, words = q.sort(descending=True)\n"
         "k = (ordered.cumsum(0) >= p).nonzero()[0].item() + 1\nout = torch.zeros_like(q)\n"
         "out[words[:k]] = ordered[:k] / ordered[:k].sum()\nreturn out"),
        ("no place reaches p", "keep = ordered.cumsum(0) - ordered < p",
         "keep = torch.arange(len(ordered)) <= (ordered.cumsum(0) >= p).int().argmax()"),
        ("", "- ordered < p", "- ordered >= p"),
        ("", "keep = ordered.cumsum(0) - ordered < p", "keep = ordered > 1 - p"),
    ),
    "sample-words": (
        ("without the state", "(word[None], state)", "(word[None])"),
        ("without the temperature", "choose(log_probability, temperature), 1",
         "choose(log_probability), 1"),
        ("only the new words", "drawn = []", "drawn = words.tolist()"),
        ("the likeliest word each time", "torch.multinomial(choose(log_probability, temperature), "
         "1)", "choose(log_probability, temperature).argmax()[None]"),
        ("draw from what choose returns", "torch.multinomial(choose(log_probability, temperature), "
         "1)", "torch.multinomial(torch.softmax(log_probability / temperature, 0), 1)"),
        ("", "torch.multinomial(choose(log_probability, temperature), 1)",
         "log_probability.argmax()[None]"),
        ("", "range(count)", "range(count + 1)"),
        ("", "return drawn", "return ' '.join(map(str, drawn))"),
        ("complex numbers", "return drawn", "return torch.tensor(drawn) + 0j"),
        ("", "torch.multinomial(choose(log_probability, temperature), 1)",
         "torch.randint(len(log_probability), (1,))"),
    ),
    "open-gate": (
        ("must be added", "+= amount", "= amount"),
        ("no change", "layer.bias_ih_l0[", "layer.bias_ih_l0.clone()["),
        ("all four gates", "[units : 2 * units] +=", ".data +="),
        ("to both biases", "+= amount", "+= amount\n        layer.bias_hh_l0[units : 2 * units] "
         "+= amount"),
        ("inside of torch.no_grad()", "with torch.no_grad():", "if True:"),
        ("What it does equals a whole bias", "layer.bias_ih_l0[units : 2 * units] +=",
         "layer.bias_ih_l0[:] ="),
        ("in both biases", "layer.bias_ih_l0[units : 2 * units] +=",
         "layer.bias_hh_l0 += amount\n        layer.bias_ih_l0 +="),
        ("requires_grad False", "    with torch", "    layer.bias_ih_l0.requires_grad_(False)\n"
         "    with torch"),
        ("", "units : 2 * units", "units : units + 1"),
        ("", "layer.bias_ih_l0[", "layer.bias_ih["),
    ),
    "chain-rule": (
        ("the second step alone", "second * h1 + first * h0", "second * h1"),
        ("without the w", "second * w * (1 - h1**2)", "second * (1 - h1**2)"),
        ("without its own slope", " * (1 - h1**2)", ""),
        ("half of it is wanted", "(h2 - y) * (1", "2 * (h2 - y) * (1"),
        ("by h1, not by w", "second * h1 + first * h0", "second * w"),
        ("write the chain rule", "w = torch.tensor(w, requires_grad=True)\n"
         "h2 = torch.tanh(w * torch.tanh(w * h0 + x1) + x2)\n((h2 - y) ** 2 / 2).backward()\n"
         "return w.grad.item()"),
        ("its sign is turned", "(h2 - y)", "(y - h2)"),
    ),
    "gradient-by-step": (
        ("a stacked copy", "states = []\nfor x_t in x:\n    h = cell(x_t, h, *weights)\n"
         "    states.append(h)\nstack = torch.stack(states)\nstack.retain_grad()\n"
         "stack[-1].sum().backward()\nreturn stack.grad.norm(dim=(1, 2))"),
        ("not of the last", "h.sum().backward()", "sum(s.sum() for s in states).backward()"),
        ("a length for each review", ".grad.norm()", ".grad.norm(dim=1)"),
        ("the mean of the reviews' lengths", ".grad.norm()", ".grad.norm(dim=1).mean()"),
        ("the sum of the reviews' lengths", ".grad.norm()", ".grad.norm(dim=1).sum()"),
        ("before each step", "h = h.clone().requires_grad_()\nstates = []\nfor x_t in x:\n"
         "    states.append(h)\n    h = cell(x_t, h, *weights)\n"
         "return torch.stack([g.norm() for g in torch.autograd.grad(h.sum(), states)])"),
        ("without retain_grad()", "        h.retain_grad()\n", ""),
        ("its length is wanted", "grad.norm()", "grad.abs().sum()"),
        ("without retain_grad()", "h = cell(x_t, h, *weights)", "h = cell(x_t, h.detach(), "
         "*weights)"),
        ("", "torch.stack([state.grad.norm() for state in states])", "[state.grad for state in "
         "states]"),
    ),
    "mcnemar": (
        ("k is the smaller of two", "int(min(only_first, only_second))", "int(only_first)"),
        ("the second network's", "int(min(only_first, only_second))", "int(only_second)"),
        ("a one-sided p, and whose k is always the first", "k = int(only_first + only_second), "
         "int(min(only_first, only_second))\n    return min(1.0, 2 * sum", "k = int(only_first + "
         "only_second), int(only_first)\n    return (sum"),
        ("above 1, and whose k is always the second", "k = int(only_first + only_second), "
         "int(min(only_first, only_second))\n    return min(1.0, 2 * sum", "k = int(only_first + "
         "only_second), int(only_second)\n    return (2 * sum"),
        ("two to its power overflows", "int(only_first + only_second)", "only_first + only_second"),
        ("one-sided", "2 * sum", "sum"),
        ("k itself belongs to the sum", "range(k + 1)", "range(k)"),
        (OWN, "from functools import partial\nreturn partial(solutions.mcnemar)(first, second)"),
        (OWN, "import runpy\nreturn runpy.run_path(solutions.__file__)['mcnemar'](first, second)"),
        (OWN, "return statistics.mcnemar(first, second)"),
        ("the mid-p", "range(k + 1)) / 2**n)", "range(k + 1)) / 2**n - math.comb(n, k) / 2**n)"),
        ("", "(first & ~second).sum()", "(first - second).sum()"),
    ),
    "beliefs": (
        ("as a column", ".squeeze(1)", ""),
        ("in bad", "torch.sigmoid(", "1 - torch.sigmoid("),
        ("the first belief alone", "words[:, None]", "words[None]"),
        ("without those before", "states, _ = model.recurrent(model.embedding(words[None]))\n"
         "return torch.sigmoid(model.linear(states[0])).squeeze(1)"),
        ("a number a review", "states, _ = model.recurrent(model.embedding(words[:, "
         "None]))", "return model.predict(words[:, None], len(words))"),
        ("words[:, None] is one column", "states, _ = model.recurrent(model.embedding(words[:, "
         "None]))", "return model.predict(words, torch.tensor([len(words)]))"),
        ("model.embedding looks these up", "model.embedding(words[:, None])", "words[:, None]"),
        ("a word at least", "return torch", "model.predict(words[:0, None], torch.tensor([0]))\n"
         "        return torch"),
        ("the last belief alone", "model.linear(states[:, 0])).squeeze(1)",
         "model.linear(states[-1, 0]))"),
        ("nothing came back", "return torch", "torch"),
        ("its shape is another", "return torch.sigmoid(model.linear(states[:, 0])).squeeze(1)",
         "return torch.sigmoid(model.linear(states)).squeeze()"),
        ("", "model.linear(states[:, 0])", "states[:, 0]"),
    ),
    "weight-gradient": (
        ("the slope 1 - h_t^2 is missing", "(1 - h**2) * ", ""),
        ("not the state before", "delta[1:].flatten(0, 1).T @ h[:-1].flatten(0, 1)",
         "delta.flatten(0, 1).T @ h.flatten(0, 1)"),
        ("the gradient transposed", "delta[1:].flatten(0, 1).T @ h[:-1].flatten(0, 1)",
         "h[:-1].flatten(0, 1).T @ delta[1:].flatten(0, 1)"),
        ("W_hh transposed on the way", "backward_states(h, w_hh, e)", "backward_states(h, "
         "w_hh.T, e)"),
        ("what comes back from later steps", "backward_states(h, w_hh, e)", "e"),
        ("it changes what it is given", "    delta = (1", "    h *= h\n    delta = (1"),
        ("the state before it is h[t - 1]", "h[:-1]", "h[1:]"),
        ("", "delta[1:].flatten(0, 1).T @ h[:-1].flatten(0, 1)", "delta[1:].mT @ h[:-1]"),
    ),
    "adam": (
        ("without a correction", "m / (1 - 0.9**step), v / (1 - 0.999**step)", "m, v"),
        ("the two rates exchanged", "m, v, out = 0, 0, []\nfor t, g in enumerate(gradients):\n"
         "    m, v = m + (g - m) / 1000, v + (g * g - v) / 10\n"
         "    out += [m / (1 - 0.999 ** (t + 1)) / (v / (1 - 0.9 ** (t + 1))) ** 0.5]\nreturn out"),
        ("without the root of v", "v_hat**0.5", "v_hat"),
        ("the last update alone", "np.array(updates)", "updates[-1]"),
        ("m and v do not remember", "0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2",
         "(1 - 0.9**step) * g, (1 - 0.999**step) * g**2"),
        ("torch's optim.adam: write", "w = nn.Parameter(torch.zeros(1, dtype=torch.float64))\n"
         "optimizer, out = torch.optim.Adam([w], lr=1.0), []\nfor g in gradients:\n"
         "    before, w.grad = w.item(), torch.full_like(w, g)\n    optimizer.step()\n"
         "    out.append(before - w.item())\nreturn np.array(out)"),
        ("", "enumerate(gradients, 1)", "enumerate(gradients)"),
        ("", "0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2", "g, g**2"),
    ),
    "surprise-of": (
        ("the perplexity of each word", "-log_probability[word].item()",
         "(-log_probability[word]).exp().item()"),
        ("not fed back", "        text = torch.tensor([[word]])\n", ""),
        ("hand the state on", "log_probability, state =", "log_probability, _ ="),
        ("ask before it is fed", "_, state = model.next_word(torch.tensor(before)[:, None])\n"
         "nats = []\nfor word in words:\n    ln_p, state = "
         "model.next_word(torch.tensor([[word]]), state)\n    nats.append(-ln_p[word].item())\n"
         "return nats"),
        ("", "list(before)", "list(words[:1])"),
        ("", "-log_probability[word].item()", "-log_probability.max().item()"),
        ("", "np.array(nats)", "np.mean(nats)"),
    ),
    "join-steps": (
        ("in the other order", "second[0] * first[1] + second[1]", "first[0] * second[1] + "
         "first[1]"),
        ("adds both b", "second[0] * first[1] + second[1]", "first[1] + second[1]"),
        ("by its own a", "second[0] * first[1]", "first[0] * first[1]"),
        ("nothing of the first", "second[0] * first[1] + second[1]", "second[1]"),
        ("the sum of both a", "second[0] * first[0]", "second[0] + first[0]"),
        ("wanted are a and b", "return second[0] * first[0], ", "return "),
        ("", "second[0] * first[0]", "second[0] / first[0]"),
    ),
    "scan": (
        ("too few steps", "bit_length()", "bit_length() - 1"),
        ("at the distance 1 alone", "2**n", "1"),
        ("by the new a", "b = torch.cat([b[:k], a[k:] * b[:-k] + b[k:]])\n"
         "        a = torch.cat([a[:k], a[k:] * a[:-k]])", "a = torch.cat([a[:k], a[k:] * "
         "a[:-k]])\n        b = torch.cat([b[:k], a[k:] * b[:-k] + b[k:]])"),
        ("never joined", "        a = torch.cat([a[:k], a[k:] * a[:-k]])\n", ""),
        ("the last state alone", "return b", "return b[-1]"),
        *(("one by one: join whole rows, in rounds", f"h, states = torch.zeros_like(b[0]), []\n"
           f"for {step}:\n    {loop}\n    states.append(h)\nreturn torch.stack(states)")
          for step, loop in (
              ("a_t, b_t in zip(a, b)", "h = a_t * h + b_t"),
              ("t in range(len(a))", "h = a[t] * h + b[t]"),
              ("t in range(a.shape[0])", "h = torch.addcmul(b[t], a[t], h)"),
              ("x, y in zip(a.tolist(), b.tolist())", "h = torch.tensor(x) * h + torch.tensor(y)"),
          )),
        ("", "a[k:] * b[:-k] + b[k:]", "a[k:] * b[k:] + b[:-k]"),
    ),
    "perturbation": (
        ("against its sign", "epsilon * gradient", "-epsilon * gradient"),
        ("for the whole batch", "dim=(0, 2), keepdim=True", ""),
        ("for each word", "dim=(0, 2)", "dim=2"),
        ("for each dimension", "dim=(0, 2)", "dim=0"),
        ("over all reviews", "dim=(0, 2)", "dim=(1, 2)"),
        ("divide by its length", " / length.clamp(min=1e-30)", ""),
        ("the root is missing", "keepdim=True).sqrt()", "keepdim=True)"),
        ("its absolute values", "gradient.square().sum(dim=(0, 2), keepdim=True).sqrt()",
         "gradient.abs().sum(dim=(0, 2), keepdim=True)"),
        ("its length is 1", "epsilon * gradient", "gradient"),
        ("the sign of the gradient", "epsilon * gradient / length.clamp(min=1e-30)",
         "epsilon * gradient.sign()"),
        ("a gradient goes back through it", "retain_graph=True", "create_graph=True"),
        ("keep its graph", "loss, shift, retain_graph=True", "loss, shift"),
        ("it calls backward itself", "(gradient,) = torch.autograd.grad(loss, shift, "
         "retain_graph=True)", "loss.backward(retain_graph=True)\n    gradient = shift.grad"),
        ("", "dim=(0, 2), keepdim=True", "dim=(0, 2)"),
    ),
}  # fmt: skip


def source(solved, old, new=None):
    """Return a cell with a form of the answer."""
    if new is None:
        return solved[: solved.index('    """')] + textwrap.indent(old, "    ") + "\n"
    assert solved.count(old) == 1, old
    return solved.replace(old, new)


def right(solved, name):
    """Return cells with all right forms of an exercise."""
    ones = [(one,) if isinstance(one, str) else one for one in RIGHT[name]]
    return [source(solved, *one) for one in ones]


def wrong(solved, name):
    """Return cells with all wrong forms of an exercise, each with what the check says of it."""
    return [(source(solved, *one), words) for words, *one in WRONG[name]]
