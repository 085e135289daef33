"""What the student is asked for: every exercise, question, prediction and reading, with its points.

A cell of a notebook that holds an answer says in its metadata which one (`{"exercise": {"id":
"rnn-cell"}}`), and in its first line to the reader. What is asked stands in the notebook; here is
what programs must know of it: the check, the student's edition, the grading.

Kinds of answers:
    code    a function; `tasks` has what it is tried with
    number  a number, within a tolerance
    choice  one of the letters a, b, c, ... as text
    guess   a prediction: recorded, and drawn into the figure that follows; every guess in range
            has its point
    text    sentences in a cell of text, read by a person
    free    code of the student's own, read by a person
    about   who the student is
"""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Exercise:
    """One thing that is asked.

    kind:    one of those above
    points:  of the 100 of the lab, or of a further notebook's own
    minutes: that it takes to write
    name:    what the cell defines: a function or a variable; "" for text and free code
    key:     choice: the letters that there are. guess: what may be guessed, as `in_range` reads it.
             (Right letters and numbers stand in the solved notebook alone.)
    near:    number: how far from the solved notebook's an answer may be
    title:   text and guess: what the report calls it
    home:    is it best done at home? Then its minutes are not counted in the sessions
    """

    kind: str
    points: int
    minutes: int
    name: str = ""
    key: Any = None
    near: float = 0.0
    title: str = ""
    home: bool = False

    @property
    def by_machine(self) -> bool:
        """Can a machine mark it?"""
        return self.kind in ("code", "number", "choice", "guess")


def _code(points: int, minutes: int, name: str, home: bool = False) -> Exercise:
    return Exercise("code", points, minutes, name, home=home)


def _choice(name: str) -> Exercise:
    return Exercise("choice", 1, 1, name, key="abcd")


def _number(name: str, points: int = 1, minutes: int = 1) -> Exercise:
    return Exercise("number", points, minutes, name)


def _guess(name: str, title: str, key: Any) -> Exercise:
    return Exercise("guess", 1, 1, f"guess_{name}", key=key, title=title)


def _text(points: int, minutes: int, title: str, home: bool = False) -> Exercise:
    return Exercise("text", points, minutes, title=title, home=home)


PERCENT = (0.0, 100.0)
CELLS = ("RNN", "LSTM", "GRU")
SHIFTS = ("random", "worst")
GATES = ("0.50", "0.73", "0.95")
PERPLEXITY = (1.0, 1e6)
ANY_NUMBER = (-sys.float_info.max, sys.float_info.max)  # neither nan nor infinite

LAB = {
    "about-you": Exercise("about", 0, 1, "student", title="Name and number"),
    # 2 Data
    "average-vectors": _code(2, 5, "average_vectors"),
    "guess-linear": _guess("linear", "test accuracy of the average of the vectors (%)", PERCENT),
    # 3 Three cells
    "rnn-cell": _code(3, 4, "rnn_cell"),
    "unroll": _code(3, 5, "unroll"),
    "lstm-cell": _code(4, 13, "lstm_cell"),
    "gru-cell": _code(4, 12, "gru_cell", home=True),
    "weights": _number("answer_weights", points=2, minutes=3),
    # 4 A classifier
    "last-state": _code(3, 4, "last_state"),
    "binary-loss": _code(3, 5, "binary_loss"),
    "training-step": _code(4, 6, "training_step"),
    "find-bug": _code(4, 8, "train_once"),
    "choose-rate": _number("answer_choose_rate", minutes=2),
    # 5 A language model
    "perplexity": _code(2, 3, "perplexity"),
    "piece-loss": _code(4, 8, "piece_loss"),
    "detach": _choice("answer_detach"),
    "guess-perplexity": _guess(
        "perplexity", "perplexity of the language models", dict.fromkeys(CELLS, PERPLEXITY)
    ),
    "reading-language": _text(3, 5, "Perplexity: what I see"),
    "nucleus": _code(3, 8, "nucleus", home=True),
    "sample-words": _code(3, 8, "sample_words", home=True),
    # 6 What a network remembers
    "guess-recall": _guess(
        "recall", "right answers at 200 tokens (%)", dict.fromkeys(CELLS, PERCENT)
    ),
    "reading-recall": _text(4, 5, "Recall: what I see"),
    "doubt": _choice("answer_doubt"),
    "guess-mixed": _guess(
        "mixed", "right answers at 200 tokens, lengths mixed (%)", dict.fromkeys(CELLS, PERCENT)
    ),
    "guess-items": _guess(
        "items", "right answers, four tokens after 100 (%)", dict.fromkeys(CELLS, PERCENT)
    ),
    "open-gate": _code(2, 4, "open_gate"),
    "guess-gates": _guess(
        "gates", "right answers in the end, by the start of f (%)", dict.fromkeys(GATES, PERCENT)
    ),
    "chain-rule": _code(3, 7, "chain_rule"),
    "gradient-by-step": _code(4, 8, "gradient_by_step", home=True),
    # 7 Six networks
    "guess-six": _guess(
        "six", "test accuracy under the default recipe (%)",
        dict.fromkeys(("RNN-256", "RNN-1024"), PERCENT),
    ),
    "confound": _choice("answer_confound"),
    "guess-rescued": _guess(
        "rescued", "test accuracy of the RNN-1024 with a learning rate of its own (%)", PERCENT
    ),
    "reading-recipes": _text(4, 7, "Learning rates of their own: what I see"),
    # 8 Which differences are real?
    "mcnemar": _code(3, 7, "mcnemar"),
    "guess-same": _guess("same", "pairs of runs of one network with p below 0.05 (%)", PERCENT),
    "reading-differences": _text(4, 5, "Differences: what I see"),
    # 9 Your own review
    "beliefs": _code(2, 4, "beliefs"),
    "guess-word": _guess("word", "the word that moves the networks most", str),
    "traps": _text(2, 3, "Sentences that the networks get wrong"),
    # 10 Your report
    "experiment": Exercise("free", 3, 15, title="An experiment of my own: code", home=True),
    "experiment-reading": _text(3, 5, "An experiment of my own", home=True),
    "conclusion": _text(5, 10, "The cell, a second layer, a larger state", home=True),
}  # fmt: skip

ELECTIVES = {  # further notebooks, each with points of its own
    "gradients": {"weight-gradient": _code(8, 25, "weight_gradient")},
    "recipes": {"adam": _code(6, 15, "adam_updates")},
    "transfer": {"surprise-of": _code(5, 10, "surprise_of")},
    "full-size": {"reading-sizes": _text(5, 10, "What depends on size, and why")},
    "parallel": {
        "join-steps": _code(3, 6, "join_steps"),
        "scan": _code(5, 15, "scan"),
        "blind-gate": _choice("answer_blind_gate"),
        "guess-layers": _guess(
            "layers", "right answers at 50 tokens (%)",
            dict.fromkeys(("minGRU", "minGRU x 2"), PERCENT),
        ),
        "guess-parity": _guess(
            "parity", "parity of 100 bits (%)",
            dict.fromkeys(("LSTM", "minGRU x 2", "minGRU, signed", "attention"), PERCENT),
        ),
        "guess-costs": _guess(
            "costs", "the next word after 1,600: milliseconds times those after 50",
            dict.fromkeys(("GRU-256", "attention-120 x 2"), (0.01, 1e4)),
        ),
        "reading-parallel": _text(3, 10, "Which cell I would take, and why", home=True),
    },
    "past": {
        "two-orders": _choice("answer_two_orders"),
        "unscaled": _choice("answer_unscaled"),
        "perturbation": _code(5, 12, "perturbation"),
        "guess-shift": _guess(
            "shift", "loss after a shift: times the loss before", dict.fromkeys(SHIFTS, (0.01, 1e4))
        ),
        "reading-shift": _text(3, 8, "Adversarial training: what I see", home=True),
    },
}  # fmt: skip
FURTHER = {name: one for own in ELECTIVES.values() for name, one in own.items()}

ASKED = LAB | FURTHER


def beside(name: str) -> dict[str, Exercise]:
    """Return what is asked in the notebook in which an exercise stands."""
    return next((own for own in ELECTIVES.values() if name in own), LAB)


def plain(guess: Any) -> Any:
    """Return a guess with the numbers of NumPy and PyTorch as Python's own; others as they are."""
    if isinstance(guess, dict):
        return {name: _item(part) for name, part in guess.items()}
    return _item(guess)


def _item(value: Any) -> Any:
    try:
        return value.item()
    except Exception:  # no such number, or several, or whatever has an `item` of its own
        return value


def letter(answer: Any) -> Any:
    """Return the letter that an answer to a choice means: " B ", "b)" and "ｂ" mean b.

    What means none is returned as it is.
    """
    text = answer.strip().lower() if isinstance(answer, str) else ""
    meant = re.fullmatch(r"\(?([a-z])[).:。]?", unicodedata.normalize("NFKC", text))
    return meant[1] if meant else answer


def in_range(guess: Any, allowed: Any) -> bool:
    """Say whether a guess is one: a number between two bounds, a word, or a dict of numbers."""
    if allowed is str:
        return isinstance(guess, str) and len(guess.split()) == 1
    if isinstance(allowed, dict):
        filled = isinstance(guess, dict) and set(guess) == set(allowed)
        return filled and all(in_range(guess[name], bounds) for name, bounds in allowed.items())
    guess = _item(guess)
    number = isinstance(guess, int | float) and not isinstance(guess, bool)
    return number and allowed[0] <= guess <= allowed[1]


def empty_guess(allowed: Any) -> str:
    """Return the source of a guess that is still to be made."""
    if isinstance(allowed, dict):
        return "{" + ", ".join(f'"{name}": None' for name in allowed) + "}"
    return "None"


def heading(name: str, exercise: Exercise) -> str:
    """Return the first line of an answer's cell."""
    kinds = {"code": "Exercise", "guess": "Prediction", "number": "Question", "choice": "Question"}
    if exercise.kind == "about":
        return f"# Answer {name}"
    points = f"{exercise.points} point{'s' * (exercise.points > 1)}"
    minutes = f"{exercise.minutes} minute{'s' * (exercise.minutes > 1)}"
    minutes += ", at home" if exercise.home else ""
    line = f"{kinds.get(exercise.kind, 'Answer')} {name} · {points} · {minutes}"
    return f"**{line}**" if exercise.kind == "text" else f"# {line}"
