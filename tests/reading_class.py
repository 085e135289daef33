"""A class with texts to read, made without running anything: for tests of the pages."""

import base64
import json
import random

from helpers import ROOT

from grading.graded import Graded
from grading.marking import Mark, Result
from grading.submissions import Submission
from lab.exercises import answer_cells
from lab.exercises.catalogue import LAB

HOSTILE = '</pre><script>document.title="ran"</script><img src=x onerror=\'document.title="ran"\'>'
READ = [name for name, exercise in LAB.items() if exercise.kind in ("text", "free")]


def make(count, seed=0, hostile=0.1):
    """Return a class of so many, and what they handed in: the solved lab with other texts.

    Texts and pictures differ from student to student; some texts are hostile, some empty.
    """
    solved = (ROOT / "lab2.ipynb").read_text(encoding="utf-8")
    draw, everybody, hand_ins = random.Random(seed), [], {}
    for i in range(count):
        notebook, name = json.loads(solved), f"student_{i}"
        marks = {
            name: Mark(draw.choice((exercise.points, 0)), exercise.points, ("Tried with 1.",))
            for name, exercise in LAB.items()
            if exercise.by_machine
        }
        for exercise, (one,) in answer_cells.find(notebook["cells"]).items():
            if exercise not in READ:
                continue
            text = f"{one.source}\n# {i}" if exercise == "experiment" else text_of(i, draw, hostile)
            head = "" if exercise == "experiment" else f"**Answer {exercise} · 1 point**\n\n"
            notebook["cells"][one.place]["source"] = head + text
            marks[exercise] = Mark(None, LAB[exercise].points, text=text)
        other_pictures(notebook["cells"], i)
        result = Result("graded", marks, [], {}, "", 0.0, "")
        who = str(1000 + i)
        everybody.append(Graded(name, f"Student {i}", f"{name}.ipynb", result, {}, who, who))
        content = json.dumps(notebook).encode()
        hand_ins[name] = Submission(f"Student {i}", who, f"{name}.ipynb", content, 0.0)
    return everybody, hand_ins


def text_of(place, draw, hostile):
    """Return some sentences that no other student has."""
    words = ("the", "LSTM", "ends", "below", "trigrams", "while", "a", "plain", "RNN", "stays")
    text = " ".join(draw.choices(words, k=draw.randint(30, 120)))
    return f"{HOSTILE if draw.random() < hostile else ''}Number {place}: {text}."


def other_pictures(cells, place):
    """Make the pictures of a notebook those of one student alone, by bytes that are not drawn."""
    for cell in cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output["data"]["image/png"] = picture(output["data"]["image/png"], place)


def picture(text, place):
    """Return a picture with some bytes behind its end."""
    return base64.b64encode(base64.b64decode(text) + b"%d" % place).decode()
