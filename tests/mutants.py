"""Answers with one usual mistake, made from the solved cells.

A mistake is a piece of the solved cell that is replaced: (what it is, old, new).

`automatic` makes many more, without thought: one operator, name, number or call changed or left
out; what it makes need not stand in MUTANTS. Some of them are no mistakes; SURVIVORS has these,
with the reason.
"""

import ast
import contextlib
import copy
import io
from pathlib import Path

import nbformat

from lab.exercises.catalogue import ASKED

ROOT = Path(__file__).parents[1]

MUTANTS = {
    "average-vectors": [
        ("mean over the block",
         "(vectors[text] * inside[:, :, None]).sum(0) / text_length[:, None]",
         "vectors[text].mean(0)"),
        ("divided by T", "/ text_length[:, None]", "/ len(text)"),
        ("one word too few", "< text_length", "< text_length - 1"),
        ("unknown words do not count",
         "inside = torch.arange(len(text))[:, None] < text_length  # (T, B): is it a word?\n"
         "    return (vectors[text] * inside[:, :, None]).sum(0) / text_length[:, None]",
         "known = text > 1\n"
         "    return (vectors[text] * known[:, :, None]).sum(0) / known.sum(0)[:, None]"),
        ("empties <pad> in the table", "    inside", "    vectors[1] = 0\n    inside"),
    ],
    "rnn-cell": [
        ("no bias", "x @ w_ih.T + b_ih + h @ w_hh.T + b_hh", "x @ w_ih.T + h @ w_hh.T"),
        ("relu for tanh", "torch.tanh(", "torch.relu("),
        ("factors in the other order", "x @ w_ih.T", "w_ih @ x"),
        ("tanh of the word's part alone", "b_ih + h @ w_hh.T + b_hh", "b_ih) + (h @ w_hh.T + b_hh"),
        ("no return", "return ", "h = "),
    ],
    "unroll": [
        ("reviews first", "torch.stack(outputs)", "torch.stack(outputs, dim=1)"),
        ("from the end", "in x:", "in x.flip(0):"),
        ("over the reviews", "in x:", "in x.transpose(0, 1):"),
        ("without the last word", "in x:", "in x[:-1]:"),
        ("return in the loop", "    return torch", "        return torch"),
    ],
    "lstm-cell": [
        ("order f, i, o, g", "i, f, g, o =", "f, i, o, g ="),
        ("c is squashed", "torch.tanh(c), c", "torch.tanh(c), torch.tanh(c)"),
        ("a product, no sum", "c + torch.sigmoid(i)", "c * torch.sigmoid(i)"),
        ("in place", "    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)",
         "    c *= torch.sigmoid(f)\n    c += torch.sigmoid(i) * torch.tanh(g)"),
        ("the pair is not taken apart", "h, c = state", "h = c = state"),
    ],
    "gru-cell": [
        ("z and 1 - z", "(1 - z) * n + z * h", "z * n + (1 - z) * h"),
        ("r and z exchanged", "r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)",
         "z, r = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)"),
        ("r before the matrix", "r * n_h)", "(r * h) @ w_hh.chunk(3)[2].T + b_hh.chunk(3)[2])"),
        ("r around all", "n_x + r * n_h", "r * (n_x + n_h)"),
        ("b_hn outside of r", "n_x + r * n_h",
         "n_x + r * (n_h - b_hh.chunk(3)[2]) + b_hh.chunk(3)[2]"),
    ],
    "count-weights": [
        ("one bias", "2 * units", "units"),
        ("blocks of W_ih alone", "blocks * (units * inputs + units * units + 2 * units)",
         "blocks * units * inputs + units * units + 2 * units"),
        ("biases once", "blocks * (units * inputs + units * units + 2 * units)",
         "blocks * (units * inputs + units * units) + 2 * units"),
        ("E and H exchanged", "(blocks, inputs, units)", "(blocks, units, inputs)"),
        ("a matrix more", "blocks *", "(blocks + 1) *"),
    ],
    "last-state": [
        ("all pairs", ", torch.arange(len(length))", ""),
        ("the first column", "torch.arange(len(length))", "0"),
        ("from the end", "length - 1", "-length"),
        ("the first state", "length - 1", "0"),
        ("the mean", "states[length - 1, torch.arange(len(length))]", "states.mean(0)"),
    ],
    "binary-loss": [
        ("the formula as it stands",
         "of_good, of_bad = -F.logsigmoid(logits), -F.logsigmoid(-logits)",
         "of_good, of_bad = -torch.sigmoid(logits).log(), -(1 - torch.sigmoid(logits)).log()"),
        ("clamped", "of_good, of_bad = -F.logsigmoid(logits), -F.logsigmoid(-logits)",
         "p = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)\n"
         "    of_good, of_bad = -p.log(), -(1 - p).log()"),
        ("sign turned", "return (", "return -("),
        ("1 - ln for ln 1 -", "-F.logsigmoid(-logits)  #", "-(1 - F.logsigmoid(logits))  #"),
        ("bits", ").mean()", ").mean() / math.log(2)"),
    ],
    "training-step": [
        ("no step", "    optimizer.step()\n", ""),
        ("clips before backward", "    loss.backward()\n"
         "    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)\n",
         "    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)\n    loss.backward()\n"),
        ("zero_grad after backward", "    optimizer.zero_grad()\n    loss.backward()\n",
         "    loss.backward()\n    optimizer.zero_grad()\n"),
        ("loss alone", "return logits, loss", "return loss"),
        ("no length", "batch.text, batch.text_length", "batch.text"),
    ],
    "perplexity": [
        ("2 for e", "math.exp(-log_probability.mean())", "2 ** -log_probability.mean()"),
        ("exp first", "math.exp(-log_probability.mean())", "torch.exp(-log_probability).mean()"),
        ("1 / mean p", "math.exp(-log_probability.mean())", "1 / log_probability.exp().mean()"),
        ("along the words", ".mean()", ".mean(0)"),
        ("divided by T", ".mean()", ".sum() / len(log_probability)"),
    ],
    "piece-loss": [
        ("no pair", "    if isinstance(state, tuple):\n"
         "        state = tuple(part.detach() for part in state)\n    elif", "    if"),
        ("no None", "    elif state is not None:", "    else:"),
        ("the old state returned", "log_probability, state =", "log_probability, _ ="),
        ("a number", ".mean(), state", ".mean().item(), state"),
        ("loss detached", ".mean(), state", ".mean().detach(), state"),
    ],
    "nucleus": [
        ("the others", "- ordered < p", "- ordered >= p"),
        ("in order", "torch.zeros_like(probability).scatter(0, words, largest / largest.sum())",
         "largest / largest.sum()"),
        ("no softmax", "torch.softmax(log_probability / temperature, dim=0)",
         "(log_probability / temperature).exp()"),
        ("softmax of p", "log_probability / temperature", "log_probability.exp() / temperature"),
        ("words with p alone", "keep = ordered.cumsum(0) - ordered < p",
         "keep = ordered > 1 - p"),
    ],
    "open-gate": [
        ("set, not added", "+= amount", "= amount"),
        ("a copy", "layer.bias_ih_l0[", "layer.bias_ih_l0.clone()["),
        ("one unit", "units : 2 * units", "units : units + 1"),
        ("with gradient", "with torch.no_grad():", "if True:"),
        ("another name", "layer.bias_ih_l0[", "layer.bias_ih["),
    ],
    "gradient-by-step": [
        ("no retain_grad", "        h.retain_grad()\n", ""),
        ("a sum for a length", "grad.norm()", "grad.abs().sum()"),
        ("with the first state", "states = []", "states = [h]"),
        ("detached", "h = cell(x_t, h, *weights)", "h = cell(x_t, h.detach(), *weights)"),
        ("a list", "torch.stack([state.grad.norm() for state in states])",
         "[state.grad for state in states]"),
    ],
    "mcnemar": [
        ("of all reviews", "int(only_first + only_second)", "len(first)"),
        ("only the first counts", "int(min(only_first, only_second))", "int(only_first)"),
        ("mid-p", "range(k + 1)) / 2**n)", "range(k + 1)) / 2**n - math.comb(n, k) / 2**n)"),
        ("too large for NumPy", "int(only_first + only_second)", "only_first + only_second"),
        ("arrays multiplied", "(first & ~second).sum()", "(first - second).sum()"),
    ],
    "beliefs": [
        ("the last", "states[:, 0]", "states[-1]"),
        ("a row", "words[:, None]", "words[None]"),
        ("in bad", "torch.sigmoid(", "1 - torch.sigmoid("),
        ("no linear", "model.linear(states[:, 0])", "states[:, 0]"),
        ("0 or 1", ".squeeze(1)", ".squeeze(1).round()"),
    ],
    "weight-gradient": [
        ("what is read out alone", "backward_states(h, w_hh, e)", "e"),
        ("the state itself", "h[:-1]", "h[1:]"),
        ("one step off", "delta[1:]", "delta[:-1]"),
        ("W_hh turned", "backward_states(h, w_hh, e)", "backward_states(h, w_hh.T, e)"),
        ("reviews not summed", "delta[1:].flatten(0, 1).T @ h[:-1].flatten(0, 1)",
         "delta[1:].mT @ h[:-1]"),
    ],
    "adam": [
        ("not corrected", "m / (1 - 0.9**step), v / (1 - 0.999**step)", "m, v"),
        ("rates exchanged", "0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2",
         "0.999 * m + 0.001 * g, 0.9 * v + 0.1 * g**2"),
        ("steps from 0", "enumerate(gradients, 1)", "enumerate(gradients)"),
        ("the last alone", "np.array(updates)", "updates[-1]"),
        ("no memory", "0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2", "g, g**2"),
    ],
    "surprise-of": [
        ("perplexity", "-log_probability[word].item()", "(-log_probability[word]).exp().item()"),
        ("not fed back", "        text = torch.tensor([[word]])\n", ""),
        ("the state is forgotten", "log_probability, state =", "log_probability, _ ="),
        ("nothing read before", "list(before)", "list(words[:1])"),
        ("one step late", "        nats.append(-log_probability[word].item())\n"
         "        text = torch.tensor([[word]])",
         "        text = torch.tensor([[word]])\n"
         "        nats.append(-model.next_word(text, state)[0][word].item())"),
    ],
}  # fmt: skip


def notebooks():
    """Return all notebooks of the lab, the lesson first."""
    paths = [ROOT / "lab2.ipynb", *sorted((ROOT / "further").glob("*.ipynb"))]
    return [nbformat.read(path, as_version=4) for path in paths]


def solved_cells():
    cells = [cell for n in notebooks() for cell in n.cells if "exercise" in cell.metadata]
    return {cell.metadata["exercise"]["id"]: cell.source for cell in cells}


def solved_names():
    """Return the names of a notebook in which every answer but the free one is right."""
    cells = notebooks()[0].cells
    imports = next(cell.source for cell in cells if "define" in cell.metadata.get("tags", ()))
    names = {"__name__": "__main__"}
    exec(imports, names)
    with contextlib.redirect_stdout(io.StringIO()):
        for name, source in solved_cells().items():
            if ASKED[name].by_machine:
                exec(source, names)
    return names


def mutants():
    """Return (exercise, label, source of the cell with the mistake) of all mistakes."""
    cells = solved_cells()
    return [
        (name, label, cells[name].replace(old, new))
        for name, table in MUTANTS.items()
        for label, old, new in table
    ]


# ── Mistakes without thought ────────────────────────────────────────────────────────────────────

OPERATORS = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div, ast.Add), ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,), ast.MatMult: (ast.Mult,), ast.BitAnd: (ast.BitOr,),
    ast.Lt: (ast.LtE, ast.Gt), ast.IsNot: (ast.Is,),
}  # fmt: skip
CALLS = {
    "sigmoid": ("tanh",), "tanh": ("sigmoid",), "logsigmoid": ("sigmoid", "softplus"),
    "softmax": ("log_softmax",), "sum": ("mean", "max"), "mean": ("sum",), "exp": ("log",),
    "norm": ("sum", "mean"), "stack": ("cat",), "cumsum": ("cumprod",), "min": ("max",),
    "zeros_like": ("ones_like",), "bias_ih_l0": ("bias_hh_l0", "weight_ih_l0"),
    "clip_grad_norm_": ("clip_grad_value_",), "text": ("target", "label"), "target": ("text",),
    "step": ("zero_grad",), "zero_grad": ("step",), "recurrent": ("linear",), "len": ("sum", "max"),
}  # fmt: skip
MODULES = ("torch", "F", "nn", "math", "np")


SYMMETRIC = "the two may change places"
ONE_AXIS = "the last axis is the first"
TINY = "it keeps a gradient of zero from a division by zero"
NUMBERS = "a list of numbers is as good as an array"
FILLED = "every place is filled, whatever was there"
SHARES = "largest / largest.sum()"


class _Exchange(ast.NodeTransformer):
    """Puts one node of a tree in the place of another."""

    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def automatic(source):
    """Return sources with one thing in the body of the function changed, each of them once."""
    tree = ast.parse(source)
    (function,) = tree.body
    local = [a.arg for a in function.args.args]
    nodes = [n for n in ast.walk(function) if isinstance(n, ast.Name)]
    local += [n.id for n in nodes if isinstance(n.ctx, ast.Store)]
    nodes = [node for statement in function.body[1:] for node in ast.walk(statement)]
    changed = {}
    for node in nodes:
        for other in _others(node, list(dict.fromkeys(local))):
            whole, old, new = copy.deepcopy((tree, node, other))
            mutant = _Exchange(old, new).visit(whole)
            if not any(map(_endless, ast.walk(mutant))):
                changed[ast.unparse(mutant)] = None
    changed.pop(ast.unparse(tree), None)
    return list(changed)


def _endless(node):
    """Say whether a node is a loop over a list that grows in it."""
    if not isinstance(node, ast.For):
        return False
    over = {n.id for n in ast.walk(node.iter) if isinstance(n, ast.Name)}
    return any(f"{name}.append(" in ast.unparse(node) for name in over)


def _others(node, local):
    """Return what may stand in the place of a node of a function with some local names."""
    match node:
        case ast.BinOp(left, operator, right):
            others = OPERATORS.get(type(operator), ())
            return [left, right, *(ast.BinOp(left, other(), right) for other in others)]
        case ast.Compare(left, [operator], [right]):
            others = OPERATORS.get(type(operator), ())
            return [ast.Compare(left, [other()], [right]) for other in others]
        case ast.UnaryOp(_, operand):
            return [operand]
        case ast.Constant(bool() as value):
            return [ast.Constant(not value)]
        case ast.Constant(int() | float() as value):
            return [ast.Constant(value + 1), ast.Constant(value - 1)]
        case ast.Name(name, ast.Load()) if name in local:
            return [ast.Name(other, ast.Load()) for other in local if other != name]
        case ast.Name(name, ast.Load()):
            return [ast.Name(other, ast.Load()) for other in CALLS.get(name, ())]
        case ast.Attribute(value, name, context):
            others = [ast.Attribute(value, other, context) for other in CALLS.get(name, ())]
            return [*others, value] if name in ("T", "grad") else others
        case ast.Call():
            return _other_calls(node)
        case ast.Tuple(parts, context) if len(parts) > 1:
            pairs = range(len(parts) - 1)
            orders = [[*parts[:i], parts[i + 1], parts[i], *parts[i + 2 :]] for i in pairs]
            return [ast.Tuple(order, context) for order in orders]
        case ast.Subscript(value, _, ast.Load()):
            return [value]
        case ast.Slice(lower, upper) if lower or upper:
            return [ast.Slice(None, upper), ast.Slice(lower, None)]
        case ast.IfExp(_, body, other):
            return [body, other]
        case ast.Starred(value):
            return [value]
        case ast.stmt():
            return [ast.Pass()]
    return []


def _other_calls(call):
    """Return a call without a keyword, with two arguments exchanged, or not made at all."""
    function, arguments, keywords = call.func, call.args, call.keywords
    others = []
    for i in range(len(keywords)):
        others.append(ast.Call(function, arguments, keywords[:i] + keywords[i + 1 :]))
    for i in range(len(arguments) - 1):
        swapped = [*arguments[:i], arguments[i + 1], arguments[i], *arguments[i + 2 :]]
        others.append(ast.Call(function, swapped, keywords))
    if isinstance(function, ast.Attribute):
        module = isinstance(function.value, ast.Name) and function.value.id in MODULES
        module = module or ast.unparse(function.value) == "nn.utils"
        others += arguments[:1] if module else [function.value]
    return others


# What `automatic` makes and is right all the same: exercise -> changed line -> why.
SURVIVORS = {
    "training-step": {
        "model.zero_grad()": "the optimizer has all weights of the model",
    },
    "nucleus": {
        "probability = torch.softmax(log_probability / temperature, dim=-1)": ONE_AXIS,
        "keep = ordered.cumsum(-1) - ordered < p": ONE_AXIS,
        f"return torch.zeros_like(probability).scatter(-1, words, {SHARES})": ONE_AXIS,
        f"return torch.zeros_like(log_probability).scatter(0, words, {SHARES})": FILLED,
        f"return torch.zeros_like(largest).scatter(0, words, {SHARES})": FILLED,
        f"return torch.zeros_like(ordered).scatter(0, words, {SHARES})": FILLED,
        f"return torch.ones_like(probability).scatter(0, words, {SHARES})": FILLED,
        f"return probability.scatter(0, words, {SHARES})": FILLED,
        "keep = ordered.cumsum(0) - ordered <= p": "only where some words have exactly p",
    },
    "open-gate": {
        "layer.bias_hh_l0[units:2 * units] += amount": "what counts is the sum of both biases",
    },
    "mcnemar": {
        "only_second, only_first = ((first & ~second).sum(), (second & ~first).sum())": SYMMETRIC,
        "only_first, only_second = ((second & ~first).sum(), (first & ~second).sum())": SYMMETRIC,
        "n, k = (int(only_first + only_second), int(min(only_second, only_first)))": SYMMETRIC,
        "return min(2 * sum((math.comb(n, i) for i in range(k + 1))) / 2 ** n, 1.0)": SYMMETRIC,
    },
    "beliefs": {
        "return torch.sigmoid(model.linear(states[:, -1])).squeeze(1)": "there is one column",
    },
    "adam": {
        "updates.append(m_hat / v_hat ** 0.5)": TINY,
        "updates.append(m_hat / (v_hat ** 0.5 - 1e-08))": TINY,
        "return updates": NUMBERS,
    },
    "surprise-of": {
        "nats.append(-log_probability[word])": NUMBERS,
        "return nats": NUMBERS,
    },
}
