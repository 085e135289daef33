"""Grading: what students have handed in becomes points, with a reason for each that is lost.

    intake/       what lies in a folder of submissions, whoever packed it; nothing is written there
    submissions   of each student one: which notebooks count, and what is in them
    key           what is right in an edition of the lab
    answers/      what answers are before they are tried: in Python, with what they need
    sandbox/      a student's program behind a wall
    similarity    which answers are alike, or the lab's own
    marking       one submission -> its points, and why
    self_test     the test of the grader and of its wall, before anybody is graded
    graded        a graded class as data: points, kept results, the table grades.csv
    records/      what persons decide: readings, overrides, late, pairs; what stood there before
    likeness      the same of a whole class, and of the years before it
    people        who handed in what, and who did not
    pages/        feedback, summary, what a person has to read; their HTML is in templates/
    gradebook     a learning platform's own table, filled in

It needs nothing of the lab that trains. The program is `tools/teachers/grade.py`.
"""
