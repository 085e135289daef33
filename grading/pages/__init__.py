"""What a teacher and students get as pages; their HTML and JavaScript are in grading/templates.

    rendering   templates become pages that are whole in themselves and can run nothing of a student
    rubric      course/rubric.md as criteria
    evidence    what a text speaks of: predictions and figures of the student's own notebook
    feedback    what a student is told
    handback    feedback as archives that Moodle and Canvas take back
    reading     a page an exercise for a person who reads texts, with fields for points
    leftovers   what the grading before wrote, and this one did not, is removed
    summary     what a teacher wants to know of a class
    writing     all of them, written to a folder

Nothing in a page runs but the project's own script, whatever a student wrote.
"""
