"""A student's program behind a wall: bubblewrap, or Landlock and seccomp.

    trials     a hand-in's answers, tried one by one; the programs that do it, for a whole class
    program    the grader's side of one program: starts it, asks it, ends it
    child      what runs behind the wall; it returns values, and never says what is right
    cells      how a cell is executed there, and which names it finds
    calls      seccomp: which calls of the system are left, behind either wall
    landlock   the wall that a program puts on itself, where bubblewrap is missing
    scratch    the folder that a program may write to
    faults     why a program is ended, in words
    protocol   values on their way between the two sides, as JSON

What runs behind the wall is copied there, file beside file, and imported by its bare name; so is
the lab's harness, which calls a student's function, and what it says of errors.
"""
