"""A student's program behind a wall: bubblewrap, or Landlock and seccomp.

    program    the grader's side: starts the program, asks it, watches it, ends it
    child      what runs behind the wall; it returns values, and never says what is right
    cells      how a cell is executed there, and which names it finds
    landlock   the wall that a program puts on itself, where bubblewrap is missing
    protocol   values on their way between the two sides, as JSON

What runs behind the wall is copied there, file beside file, and imported by its bare name; so is
the lab's harness, which calls a student's function.
"""
