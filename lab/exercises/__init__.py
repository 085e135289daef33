"""What the student is asked, and how an answer is judged.

    catalogue      every exercise, question, prediction and reading, with its points
    solutions      the lab's own answers, on which later cells stand
    harness        how a student's function is called
    small_models   what such a function is tried with
    errors         what an error of PyTorch's means, in words
    tasks          inputs, right answers and known mistakes, a module a chapter
    judge          is a function right? (the grader asks it too)
    check          what a student calls in the notebook: check, hint, case, guess
    help           hints, failing cases, overwritten names, own functions at work
    signs          signs of Chinese keyboards in code: found, told, read as they are meant
    answer_cells   answers as they stand in a notebook's file

May import `lab.base` and `lab.config`.
"""
