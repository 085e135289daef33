"""The solved cells, and changes of them without thought.

`automatic` changes or leaves out one operator, name, number or call. Some of these changes are no
mistakes; SURVIVORS has them, with the reason.
"""

import ast
import contextlib
import copy
import io
from pathlib import Path

import nbformat

from lab.exercises.catalogue import ASKED

ROOT = Path(__file__).parents[1]


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
NUMBERS = "a list of numbers is as good as an array or a tensor"
FILLED = "every place is filled, whatever was there"
BEYOND = "a round at a distance of T or more changes nothing"
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
    "find-bug": {
        "loss_sum += loss * len(batch.label)": "a tensor of one number is a number, too",
        "model.zero_grad()": "the optimizer has all weights of the model",
    },
    "sample-words": {"drawn.append(word)": "a tensor of one number is a number, too"},
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
    "gradient-by-step": {
        "return [state.grad.norm() for state in states]": NUMBERS,
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
    "perturbation": {
        "length = gradient.square().sum(dim=(2, 0), keepdim=True).sqrt()": SYMMETRIC,
        "return epsilon * gradient / length.clamp(min=-1.0)": TINY,
        "return epsilon * gradient / length": TINY,
    },
    "scan": {
        "rounds = len(a).bit_length()": BEYOND,
        "rounds = (len(a) - 0).bit_length()": BEYOND,
        "rounds = (len(a) + 1).bit_length()": BEYOND,
        "rounds = (len(b) - 1).bit_length()": "a and b have one length",
        "a = torch.cat([b[:k], a[k:] * a[:-k]])": "the first steps' a are not needed any more",
    },
    "surprise-of": {
        "nats.append(-log_probability[word])": NUMBERS,
        "return nats": NUMBERS,
    },
}
