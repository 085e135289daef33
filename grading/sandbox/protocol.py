"""Values on their way between the grader and a student's program: plain JSON, and never a pickle.

Both sides use it. What comes from the student's side is not trusted.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import torch

MOST = 200_000  # numbers in one value
LONGEST = 2_000  # characters of a text
DEEPEST = 6  # lists in lists
TYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")


class Unclear(Exception):
    """What came is no value that could be compared; says in words why."""


def encode(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON can hold it; of what it cannot hold, the name of its type."""
    if value is None or type(value) in (bool, int, float, str):
        return value[:LONGEST] if type(value) is str else value
    if isinstance(value, torch.Tensor):
        return {"tensor": _bytes_of(value.detach().cpu().resolve_conj().numpy())}
    if isinstance(value, np.ndarray | np.generic):
        return {"array": _bytes_of(np.asarray(value))}
    if isinstance(value, list | tuple) and depth < DEEPEST and len(value) <= MOST:
        form = "tuple" if isinstance(value, tuple) else "list"
        return {form: [encode(part, depth + 1) for part in value]}
    if isinstance(value, dict) and depth < DEEPEST and len(value) <= MOST:
        return {"dict": {str(k)[:LONGEST]: encode(v, depth + 1) for k, v in value.items()}}
    return {"other": type(value).__name__[:100]}


def _bytes_of(array: np.ndarray) -> dict[str, Any]:
    fits = array.dtype.name in TYPES and array.size <= MOST
    data = base64.b64encode(array.tobytes()).decode("ascii") if fits else ""
    return {"kind": array.dtype.name[:20], "shape": list(array.shape), "bytes": data}


def decode(content: Any, depth: int = 0) -> Any:
    """Return the value that `encode` made JSON of: numbers, texts, tensors, collections of them.

    Raises Unclear if it is none of these, or too large.
    """
    if content is None or isinstance(content, bool | int | float | str):
        return content
    if not isinstance(content, dict) or len(content) != 1 or depth > DEEPEST:
        raise Unclear("what came back cannot be read")
    ((form, inside),) = content.items()
    if form in ("list", "tuple") and isinstance(inside, list) and len(inside) <= MOST:
        parts = [decode(part, depth + 1) for part in inside]
        return tuple(parts) if form == "tuple" else parts
    if form == "dict" and isinstance(inside, dict):
        return {key: decode(part, depth + 1) for key, part in inside.items()}
    if form == "tensor":
        return torch.from_numpy(_array(inside))
    if form == "array":
        return _array(inside)
    raise Unclear(f"a value of type {inside} came back" if form == "other" else "nothing readable")


def _array(inside: Any) -> np.ndarray:
    """Return an array of what came. Raises Unclear unless kind, shape and bytes fit together."""
    try:
        kind, shape, data = inside["kind"], inside["shape"], inside["bytes"]
        if kind not in TYPES or not all(type(n) is int and 0 <= n <= MOST for n in shape):
            raise Unclear(f"numbers of the kind {str(kind)[:20]} came back")
        raw = base64.b64decode(data, validate=True)
        array = np.frombuffer(raw, dtype=kind).reshape(shape)
    except (TypeError, KeyError, ValueError) as error:
        raise Unclear("numbers came back that do not fit their shape, or too many") from error
    return array.copy()  # of its own, and writable


def to_line(message: dict[str, Any]) -> bytes:
    """Return a message as one line."""
    return json.dumps(message).encode("utf-8") + b"\n"


def from_line(line: bytes, name: str) -> dict[str, Any] | None:
    """Return the answer to the trial of a name that stands in a line; None if it holds none."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and answer.get("id") == name else None
