"""Grading: what students have handed in becomes points, with a reason for each that is lost.

`tools/teachers/grade.py` is the program. Arrows point one way, as MAP says:

    gradebook a learning platform's own table, filled in
    pages     grades.csv, feedback in the hand-in's language, summary, what a person has to read
    similar   answers that are the same in several hand-ins
    marking   one notebook -> its points, and why
    handins   what lies in a folder of submissions, whoever packed it; nothing is ever written there
    key       what is right in an edition of the lab
    sandbox   a student's program behind a wall (bubblewrap, or Landlock and seccomp)
    child     what runs behind the wall; it returns values, never a verdict
    landlock  the wall that a program puts on itself
    wire      values on their way between the two, as JSON
"""

MAP = {  # room -> rooms of this folder that it imports
    "wire": (),
    "landlock": (),
    "child": ("landlock", "wire"),
    "sandbox": ("landlock", "wire"),
    "key": (),
    "handins": (),
    "similar": (),
    "marking": ("handins", "key", "sandbox", "similar", "wire"),
    "pages": ("marking", "similar"),
    "gradebook": ("pages",),
}
