"""What helps a student on.

    hints    hints in steps, and a worked example for each function
    trials   a function tried for its student: its inputs, its traceback, a word if it is slow
    names    which of the lab's names a student's cell has overwritten
    own      the student's own functions at work

May import `lab.base`, `lab.config`, and what `lab.exercises` has beside it, but for `check`.
"""
