"""What is made of results. Figures and tables read records, never models.

    statistics   intervals and tests
    simulation   networks whose truth is known: how often are the rules of `statistics` right?
    tables       tables as a page shows them
    style        how figures look, and how they are kept
    figures      all figures
    recall       figures of the tasks of memory
    costs        what reading costs, on the clock and in numbers carried; what shifts cost
    findings     what the lab says, as numbers that any run can be held against
    widget       a text in the colours of what networks believe, also while one types

May import `lab.experiments` and what stands below it.
"""
