"""What a hand-in's answers are, before they are tried, and what they are tried with.

    cells      a cell as Jupyter runs it, and what it needs of the notebook's other cells
    checks     what an exercise is graded by, as digits: a corrected check regrades it alone
    reaches    what an answer reaches for beyond its question
    said       what `check` had said when the notebook was saved
    seed       the seed of the inputs, drawn once for each course

Nothing is run here.
"""
