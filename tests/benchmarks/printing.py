"""Does the Chinese notebook print as fast as Python?   python tests/benchmarks/printing.py"""

import contextlib
import io
import time

import engine
from rounds import Rounds, in_words, verdict

from lab.exercises import answer_cells

WORDS = [f"word{number}" for number in range(25_002)]


def seconds(show):
    """Return how long it takes to print all words."""
    with contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        show(WORDS)
        return time.perf_counter() - start


if __name__ == "__main__":
    cells = answer_cells.read(engine.ROOT / "lab2.zh.ipynb")["cells"]
    names = {"print": print}
    exec(next(answer_cells.source_of(c) for c in cells if c.get("id") == "reader-language"), names)
    both = Rounds({"there": lambda: seconds(names["print"]), "Python": lambda: seconds(print)})
    print(f"print, {in_words(both.ratio('there', 'Python'))} of Python's time. {verdict([both])}")
