"""What persons decide about points, and what becomes of it from one grading to the next.

    tables        tables that a person writes: read strictly, a sentence for each fault
    readings      points_read.csv: points for texts, tied to the student and the very text
    overrides     overrides.csv: points in the place of others, with a reason
    late          when it was handed in, and what coming late costs
    pairs         pairs.csv: one hand-in, two students
    decided       all of them together, put on the rows of a class
    history       what stood there before, whose points changed, the way back
    statistics    each exercise in numbers: statistics.csv
    agreement     how far two readers of the same texts agree

Nothing here runs what a student wrote, and nothing that a person gave is deleted.
"""
