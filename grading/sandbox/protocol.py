"""Values on their way between the grader and a student's program: plain JSON, and never a pickle.

So are messages, with their template and values. Both sides use it. What comes from the student's
side is not trusted.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import torch

if __package__:
    from grading.sandbox import faults
    from lab.base import messages
else:  # behind the wall, where all files lie side by side
    import faults
    import messages

MOST = 200_000  # numbers in one value
LONGEST = 2_000  # characters of a text
DEEPEST = 6  # lists in lists
IN_WORDS = ("error", "dead")  # what an answer says in words
TYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")


class Unclear(Exception):
    """What came is no value that could be compared; its argument says in words why."""


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
        raise Unclear(faults.UNREADABLE)
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
    raise Unclear(faults.of_type(str(inside)[:100]) if form == "other" else faults.UNREADABLE)


def _array(inside: Any) -> np.ndarray:
    """Return an array of what came. Raises Unclear unless kind, shape and bytes fit together."""
    try:
        kind, shape, data = inside["kind"], inside["shape"], inside["bytes"]
        if kind not in TYPES or not all(type(n) is int and 0 <= n <= MOST for n in shape):
            raise Unclear(faults.of_kind(str(kind)[:20]))
        raw = base64.b64decode(data, validate=True)
        array = np.frombuffer(raw, dtype=kind).reshape(shape)
    except (TypeError, KeyError, ValueError) as error:
        raise Unclear(faults.UNFIT) from error
    return array.copy()  # of its own, and writable


def to_line(message: dict[str, Any]) -> bytes:
    """Return a message of the two sides as one line."""
    words = {name: messages.as_data(message[name]) for name in IN_WORDS if name in message}
    return json.dumps(message | words).encode("utf-8") + b"\n"


def from_line(line: bytes, name: str) -> dict[str, Any] | None:
    """Return the answer to the trial of a name that stands in a line; None if it holds none.

    What it says in words is a text, whatever came.
    """
    try:
        answer = json.loads(line)
        if isinstance(answer, dict) and answer.get("id") == name:
            return answer | {one: _words(answer[one]) for one in IN_WORDS if one in answer}
    except (ValueError, RecursionError):
        return None
    return None


def _words(data: Any) -> str:
    """Return a message, or a plain text, of what came; "" for nothing."""
    if isinstance(data, dict) and len(json.dumps(data)) <= 4 * LONGEST:
        data = messages.from_data(data)
    text = data if isinstance(data, str) else json.dumps(data) if data else ""
    return text if len(text) <= LONGEST else text[:LONGEST]
