"""Values on their way between the grader and a student's program: plain JSON, and never a pickle.

So are messages, with their template and values. Both sides use it. What comes from the student's
side is not trusted.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np
import torch

if __package__:
    from grading.sandbox import faults
    from lab.base.messages import SLOT, Message
else:  # behind the wall, where all files lie side by side
    import faults
    from messages import SLOT, Message

MOST = 200_000  # numbers in one value
LONGEST = 2_000  # characters of a text
DEEPEST = 6  # lists in lists
IN_WORDS = ("error", "dead")  # what an answer says in words
MOST_SAID = 100_000  # characters of a message that comes as data
TYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
SHOWS = re.compile(  # a template that shows its values, and does nothing else with them
    r"(?:[^{}]|\{\{|\}\}|\{\w{1,40}(?:!r)?(?::[z+]{,2},?(?:\.\d)?[dfg%]?)?\})*"
)


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


def as_data(value: Any) -> Any:
    """Return a message as JSON can hold it, and lists and dicts with what is in them so."""
    if isinstance(value, Message):
        return {"message": value.template, "values": as_data(value.values)}
    if isinstance(value, dict):
        return {name: as_data(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [*map(as_data, value)]
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def from_data(data: Any) -> Any:
    """Return what `as_data` made data of, tuples as lists.

    Anybody may have written it. A message that its values would make longer than MOST_SAID is its
    template alone. Raises ValueError for a message without the values of its slots, or with slots
    that would do more than show them.
    """
    if isinstance(data, list):
        return [*map(from_data, data)]
    if not isinstance(data, dict):
        return data
    found = {name: from_data(part) for name, part in data.items()}
    if found.keys() != {"message", "values"}:
        return found
    template, values = found["message"], found["values"]
    if not (isinstance(template, str) and isinstance(values, dict)):
        raise ValueError("this is no message")
    if values and not SHOWS.fullmatch(template):
        raise ValueError("this is no template")
    if sum(len(repr(values.get(slot))) for slot in SLOT.findall(template)) > MOST_SAID:
        return Message(template)
    try:
        return Message(template, **values)
    except (LookupError, TypeError) as error:
        raise ValueError("a value is missing, or is another") from error


def to_line(message: dict[str, Any]) -> bytes:
    """Return a message of the two sides as one line."""
    words = {name: as_data(message[name]) for name in IN_WORDS if name in message}
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
        data = from_data(data)
    text = data if isinstance(data, str) else json.dumps(data) if data else ""
    return text if len(text) <= LONGEST else text[:LONGEST]
